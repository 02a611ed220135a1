"""Judges what is left of a night: the ledger, and the IOC's own log of puts.

It believes nothing that the programs under test say of themselves.  Each invariant is a function
that gives the breaks it found in words; `breaks` asks all of them.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from history import History, Line

from materialsdock.campaign import Campaign
from materialsdock.errors import MaterialsDockError
from materialsdock.exports.bundle import export_all
from materialsdock.jobs import STATES, TERMINAL, TRANSITIONS
from materialsdock.ledger import Ledger
from materialsdock.model import Job, Observation
from materialsdock.night import audit, queue

OPEN_S = 5.0
IDLE_S = 15.0  # the time limit of a move or a count, and its margin
SLACK_S = 0.5  # of the log's clock: it is written by a process that waits for its turn too
SIGMAS = 6.0
LIMITS = {"tth": (-5.0, 165.0), "bragg": (3.0, 85.0), "sample": (0.0, 99.0)}
EXPOSURES = ("scaler1.CNT", "seg:Acquire")
SETTLED = TERMINAL | {"held"}


@dataclass
class Night:
    """What the invariants look at: each part is read once.

    ended : whether every sample ought to have come to its end
    """

    ledger: Ledger
    history: History
    ended: bool = True

    def __post_init__(self) -> None:
        self.lines = self.history.lines()
        self.log = queue.log(self.ledger, 0, 1_000_000)
        self.jobs = self.ledger.jobs()
        self.samples = queue.samples(self.ledger)

    def motions(self) -> Iterator[tuple[float, str, float, str]]:
        """(monotonic clock [s], PV without prefix, value, circuit) of what moves or counts."""
        for line in self.lines:
            if line["kind"] == "put" and moves(line["pv"], line["value"]):
                yield line["mono"], line["pv"].partition(":")[2], line["value"], line["client"]


def axis(pv: str) -> str | None:
    """The motor that a put to `pv` sends somewhere, or None."""
    name = pv.partition(":")[2].removesuffix(".VAL")
    return name if name in LIMITS else None


def moves(pv: str, value: Any) -> bool:
    """Whether a put moves a motor or begins a count."""
    return axis(pv) is not None or (pv.endswith(EXPOSURES) and bool(value))


def durable(night: Night) -> list[str]:
    """I1: what was acknowledged, or was seen, is there and is what it was."""
    ids = {s.sample_id for s in night.samples}
    found = [f"sample {s} was accepted and is gone" for s in night.history.samples if s not in ids]
    now = History(night.history.puts)
    now.look(night.ledger)
    for name in ("observations", "decisions"):
        before, after = getattr(night.history, name), getattr(now, name)
        found += [f"{name} {key} was durable and is gone" for key in before if key not in after]
        found += [f"{name} {key} was rewritten" for key in before
                  if after.get(key, before[key]) != before[key]]  # fmt: skip
    states = dict(night.ledger.rows("SELECT seq, state FROM intents"))
    return found + [
        f"intent {seq} was answered {said!r} and is {states.get(seq)!r}"
        for seq, (said, _) in night.history.answered.items()
        if states.get(seq) != said
    ]


def unique(night: Night) -> list[str]:
    """I2: no exposure and no decision twice; every observation has its one decision or waits."""
    found = []
    twice = "SELECT {0}, COUNT(*) FROM {1} GROUP BY {0} HAVING COUNT(*) > 1"
    for what, table in (("uid", "observations"), ("job_id, step", "decisions")):
        found += [f"twice in {table}: {row}" for row in
                  night.ledger.rows(twice.format(what, table))]  # fmt: skip
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


def shutter(night: Night) -> list[str]:
    """I3: never open for more than 5 s without a live owner, nor for long with nothing to do.

    A live owner works, or has the guard feed the dead-man.
    """
    found, opened = [], False
    last = {"a live owner": 0.0, "work": 0.0}
    most = {"a live owner": OPEN_S, "work": IDLE_S}
    for line in night.lines:
        for what, limit_s in most.items() if opened else ():
            gap = _accused(last[what], line["mono"], night.history.excused)
            if gap > limit_s + SLACK_S:
                found.append(f"open for {gap:.1f} s without {what}, until {line}")
                last[what] = line["mono"]
        if line["kind"] in ("shutter", "ioc"):
            opened, last = bool(line.get("value")), dict.fromkeys(last, line["mono"])
        elif line["kind"] == "put":
            last |= dict.fromkeys(_proves(line), line["mono"])
    return found


def _proves(line: Line) -> tuple[str, ...]:
    if moves(line["pv"], line["value"]) or line["pv"].endswith(("shutter:Open", ".TP")):
        return ("a live owner", "work")
    return ("a live owner",) if line["pv"].endswith("deadman:HB") else ()


def _accused(since: float, until: float, excused: Sequence[tuple[float, float, str]]) -> float:
    """Seconds of an interval that no excuse covers."""
    covered = sum(max(0.0, min(until, b) - max(since, a)) for a, b, _ in excused)
    return until - since - covered


def one_driver(night: Night) -> list[str]:
    """I4: who once was followed by another never moves again, nor does a lower epoch."""
    found: list[str] = []
    epoch_of: dict[str, float] = {}
    former: set[str] = set()
    driver, highest = "", 0.0
    for line in night.lines:
        if line["kind"] == "ioc":  # it has forgotten everybody
            epoch_of, former, driver, highest = {}, set(), "", 0.0
        elif line["kind"] == "put" and line["pv"].endswith("owner:epoch"):
            epoch_of[line["client"]] = line["value"]
            highest = max(highest, line["value"])
        elif line["kind"] == "put" and moves(line["pv"], line["value"]):
            client = line["client"]
            if client != driver:
                former.add(driver)
                driver = client
            if client in former:
                found.append(f"{client} moves again after another has: {line}")
            if epoch_of.get(client, highest) < highest:
                found.append(f"epoch {epoch_of[client]} moves after {highest}: {line}")
    return found


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


def aborted(night: Night) -> list[str]:
    """I6: after an abort was acknowledged nothing moves until a sample is begun again."""
    verbs = dict(night.ledger.rows("SELECT seq, verb FROM intents WHERE state = 'done'"))
    moved = sorted(mono for mono, *_ in night.motions())
    claims = _claims(night)
    found = []
    for seq, (_, at) in night.history.answered.items():
        if verbs.get(seq) != "abort":
            continue
        next_claim = min((c for c in claims if c > at), default=math.inf)
        after = [m for m in moved if at + SLACK_S < m < next_claim - SLACK_S]
        found += [f"motion {m - at:.2f} s after abort {seq} was acknowledged" for m in after[:1]]
    return found + _not_retried(night)


def _claims(night: Night) -> list[float]:
    """When samples were begun, on the monotonic clock of the log of puts [s]."""
    if not night.lines:
        return []
    offset = night.lines[-1]["mono"] - night.lines[-1]["wall"]
    begun = (n for n in night.log if n.kind == "sample" and n.body["event"] == "claim")
    return [n.at + offset for n in begun]


def _not_retried(night: Night) -> list[str]:
    held, found = set(), []
    for note in night.log:
        event = note.body.get("event") if note.kind == "sample" else None
        if event == "aborted":
            held.add(note.sample_id)
        elif event == "retry":
            held.discard(note.sample_id)
        elif event == "claim" and note.sample_id in held:
            found.append(f"{note.sample_id} was aborted and is measured again unasked")
    return found


def limits(night: Night) -> list[str]:
    """I7: no motor was ever sent beyond its limits."""
    found = []
    for line in night.lines:
        if line["kind"] != "put" or (name := axis(line["pv"])) is None:
            continue
        low, high = LIMITS[name]
        if not low <= line["value"] <= high:
            found.append(f"{line['pv']} was sent to {line['value']}")
    return found


def rebuilt(night: Night) -> list[str]:
    """I8: every finished job's files are made from the ledger twice with the same bytes."""
    found = []
    for job in night.jobs:
        if night.ledger.outcome(job.job_id) is None:
            continue
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
    return found + [f"{n} {verb} answered, {kept[verb]} in the audit"
                    for verb, n in asked.items() if kept[verb] < n]  # fmt: skip


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
    """How many of its sd an observation is away from the truth."""
    x, y = _measured(path)
    return abs(o.y - float(np.interp(o.x, x, y))) / o.sigma


def replayed(night: Night) -> list[str]:
    """I12: every job's decisions come out again from its observations."""
    found = []
    for job in night.jobs:
        try:
            Campaign.resume(job.job_id, night.ledger)
        except (MaterialsDockError, KeyError) as error:
            found.append(f"{job.job_id}: {type(error).__name__} {error}")
    return found


INVARIANTS = {
    "I1": durable, "I2": unique, "I3": shutter, "I4": one_driver, "I5": legal, "I6": aborted,
    "I7": limits, "I8": rebuilt, "I9": audited, "I10": budget, "I11": true_values, "I12": replayed,
}  # fmt: skip


def breaks(ledger: Ledger, history: History, *, ended: bool = True) -> list[str]:
    """All that is broken, each with the invariant's number before it."""
    night = Night(ledger, history, ended)
    return [f"{name}: {words}" for name, ask in INVARIANTS.items() for words in ask(night)]
