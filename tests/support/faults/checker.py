"""Judges what is left of a night: the ledger, and the IOC's own log of puts.

It believes nothing that the programs under test say of themselves.  Each invariant is a function
that gives the breaks it found in words; `breaks` asks all of them.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
from support.faults import judged_puts
from support.faults.history import History
from support.faults.judged import Night

from materialsdock.campaign.campaign import Campaign
from materialsdock.errors import MaterialsDockError
from materialsdock.ledger import upkeep
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Observation
from materialsdock.night.control import audit
from materialsdock.night.queue.states import STATES, TRANSITIONS
from materialsdock.views.exports.bundle import export_all

SIGMAS = 6.0
ENDED = frozenset(("done", "done_with_warnings", "failed", "cancelled"))
SETTLED = ENDED | {"held"}
FEW = 4  # jobs, where a test has no minutes to replay all of them


def durable(night: Night) -> list[str]:
    """I1: what was acknowledged, or was seen, is there and is what it was."""
    ids = {s.sample_id for s in night.samples}
    found = [f"sample {s} was accepted and is gone" for s in night.history.samples if s not in ids]
    now = History(night.history.puts)
    now.look(night.ledger)
    for name in ("observations", "decisions"):
        before, after = getattr(night.history, name), getattr(now, name)
        found += [f"{name} {key} was durable and is gone" for key in before if key not in after]
        found += [
            f"{name} {key} was rewritten"
            for key in before
            if after.get(key, before[key]) != before[key]
        ]
    states = dict(night.ledger.rows("SELECT seq, state FROM intents"))
    return found + [
        f"intent {seq} was answered {said!r} and is {states.get(seq)!r}"
        for seq, (said, _) in night.history.answered.items()
        if states.get(seq) != said
    ]


def unique(night: Night) -> list[str]:
    """I2: no exposure and no decision twice; every observation has its one decision or waits."""
    observed = Counter(o.uid for job in night.jobs for o in night.ledger.observations(job.job_id))
    found = [f"observed twice: {uid}" for uid, times in observed.items() if times > 1]
    for job in night.jobs:
        found += _owned_once(job, night.ledger)
    return found


def _owned_once(job: Job, ledger: Ledger) -> list[str]:
    observations, decisions = ledger.observations(job.job_id), ledger.decisions(job.job_id)
    owners = Counter(uid for d in decisions for uid in d.observations)
    steps = [d.step for d in decisions]
    found = []
    if steps != list(range(len(steps))):
        found.append(f"{job.job_id}: steps {steps[:3]} ... {steps[-3:]} have gaps")
    for o in observations:
        owned, waits = owners.pop(o.uid, 0), o.step == len(decisions)
        if owned != (0 if waits else 1):
            found.append(f"{job.job_id}: {o.uid} of step {o.step} is in {owned} decisions")
    found += [f"{job.job_id}: a decision names {uid}, which is not there" for uid in owners]
    counted = Counter(o.step for o in observations)
    return found + [
        f"{job.job_id}: step {d.step} was to count {d.proposal.points}, has {counted[d.step]}"
        for d in decisions
        if counted[d.step] != d.proposal.points
    ]


def legal(night: Night) -> list[str]:
    """I5: every sample goes from state to state as the table says, and comes to an end."""
    found, state_of = [], {}
    for note in night.log:
        if note.kind != "sample":
            continue
        event, before, after = (note.body[key] for key in ("event", "from", "to"))
        if TRANSITIONS.get((before, event)) != after:
            found.append(f"{note.sample_id}: {before} -{event}-> {after} is not legal")
        if state_of.get(note.sample_id, before) != before:
            found.append(f"{note.sample_id}: was {state_of[note.sample_id]}, not {before}")
        state_of[note.sample_id] = after
    for s in night.samples:
        if s.state not in STATES or state_of.get(s.sample_id, s.state) != s.state:
            found.append(f"{s.sample_id}: is {s.state}, last said {state_of.get(s.sample_id)}")
        if night.ended and s.state not in SETTLED:
            found.append(f"{s.sample_id}: is {s.state} at the end")
    return found


def rebuilt(night: Night) -> list[str]:
    """I8: every finished job's files are made from the ledger twice with the same bytes."""
    found = []
    for job in night.rebuilt:
        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
            first, second = (export_all(night.ledger, job.job_id, Path(f)) for f in (a, b))
            for one, other in zip(first, second, strict=True):
                if one.read_bytes() != other.read_bytes():
                    found.append(f"{job.job_id}: {one.name} is not made the same way twice")
    return found


def audited(night: Night) -> list[str]:
    """I9: the chain of hashes holds and has every answered request."""
    chain = audit.verify(night.ledger)
    found = [] if chain.broken_at is None else [f"the audit breaks at row {chain.broken_at}"]
    rows = night.ledger.rows("SELECT verb FROM intents WHERE state IN ('done', 'refused')")
    asked = Counter(verb for (verb,) in rows)
    kept = Counter(a.verb for a in audit.actions(night.ledger, 1_000_000))
    return found + [
        f"{n} {verb} answered, {kept[verb]} in the audit"
        for verb, n in asked.items()
        if kept[verb] < n
    ]


def budget(night: Night) -> list[str]:
    """I10: no job has more than one point beyond its budget."""
    found = []
    for job in night.jobs:
        most = job.settings["stop"].get("maximum_points")
        if most is None or any(True for _ in night.ledger.steering(job.job_id)):
            continue
        points = len(night.ledger.observations(job.job_id))
        if points > most + 1:
            found.append(f"{job.job_id}: {points} points where {most} were the most")
    return found


@cache
def _measured(path: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.loadtxt(path, unpack=True)
    return x, y


def true_values(night: Night) -> list[str]:
    """I11: each absorption is that of the file which is replayed, where the axis stood."""
    found = []
    for s in night.samples:
        if s.job_id is None or s.body.get("technique") != "xas":
            continue
        for o in night.ledger.observations(s.job_id):
            if (off := _off(o, str(s.body["replay"]))) > SIGMAS:
                found.append(f"{s.sample_id}: {o.y:g} at {o.x:g} is {off:.1f} sd off")
    return found


def _off(o: Observation, path: str) -> float:
    """Return by how many of its sd an observation is away from the truth."""
    x, y = _measured(path)
    return abs(o.y - float(np.interp(o.x, x, y))) / o.sigma


def replayed(night: Night) -> list[str]:
    """I12: every job's decisions come out again from its observations."""
    found = []
    for job in night.replayed:
        try:
            Campaign.resume(job.job_id, night.ledger)
        except (MaterialsDockError, KeyError) as error:
            found.append(f"{job.job_id}: {type(error).__name__} {error}")
    return found


def whole(night: Night) -> list[str]:
    """I13: the file is sound, no number is missing or there twice, every page can be read."""
    return upkeep.faults(night.ledger)


INVARIANTS = {
    "I1": durable,
    "I2": unique,
    "I3": judged_puts.shutter,
    "I4": judged_puts.one_driver,
    "I5": legal,
    "I6": judged_puts.aborted,
    "I7": judged_puts.limits,
    "I8": rebuilt,
    "I9": audited,
    "I10": budget,
    "I11": true_values,
    "I12": replayed,
    "I13": whole,
}


def breaks(
    ledger: Ledger, history: History, *, ended: bool = True, at_most: int | None = None
) -> list[str]:
    """All that is broken, each with the invariant's number before it; see Night."""
    night = Night(ledger, history, ended, at_most)
    return [f"{name}: {words}" for name, ask in INVARIANTS.items() for words in ask(night)]
