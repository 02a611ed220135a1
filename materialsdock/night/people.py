"""The work of the commands of a running night; they talk to its ledger only, never to a process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError, LedgerFault, Refused, Unreachable
from materialsdock.ledger.facts import set_fact
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import Noted, last_seq
from materialsdock.night.control import audit, intents
from materialsdock.night.queue import estimate, queue
from materialsdock.night.queue.states import TRANSITIONS, Event, State
from materialsdock.night.status import snapshot as status
from materialsdock.night.status import state
from materialsdock.night.status.digest import label, said_of, words_of
from materialsdock.night.status.snapshot import Status
from materialsdock.profile import config, siteroot
from materialsdock.rendering.numbers import many

LIMIT_S = 10.0
TURN_S = 0.05
FOLLOW_S = 0.5
START = "start it: `materialsdock up --out {out}`, or systemctl start materialsdock.target"
EVENTS: Mapping[str, Event] = {"hold": "hold", "rm": "cancel", "approve": "approve"}
UNTOLD = ("lease_epoch",)  # of no use to people
COMMANDS = {"approve": "approve-point", "hold_queue": "hold", "release_queue": "release"}
ONWARD = ("retry", "approve", "move")  # what lets the instrument go on: for who has control


@contextmanager
def opened(out: Path) -> Iterator[tuple[DataDirectory, Ledger]]:
    """The data folder and its ledger; InputError where there is none, and none is made."""
    if not (out / "ledger.sqlite").is_file():
        raise InputError(
            f"no ledger in {out}",
            where="--out",
            remedy=f"name a data folder, or begin one: `materialsdock up --out {out}`",
        )
    data = DataDirectory(out)
    with Ledger(data.ledger) as ledger:
        yield data, ledger


def snapshot(out: Path) -> Status:
    """Read what the night does now."""
    with opened(out) as (data, ledger):
        return status.snapshot(data, ledger)


def listed(out: Path) -> tuple[status.Row, ...]:
    """All samples in the order they are measured."""
    with opened(out) as (_, ledger):
        return status.rows_of(queue.samples(ledger))


def offline(out: Path, recorded: str = "") -> Unreachable:
    """The error that says how to start a daemon."""
    return Unreachable(f"no daemon runs{recorded}", where=str(out), remedy=START.format(out=out))


# control


def in_the_beam(out: Path) -> queue.Queued | None:
    """The sample that is measured now; None when none is."""
    with opened(out) as (_, ledger):
        return next(iter(queue.samples(ledger, "measuring")), None)


def called(sample: queue.Queued) -> str:
    """Name a sample as a person does, with its id."""
    name = sample.body.get("name")
    return f"{name} ({sample.sample_id})" if name else sample.sample_id


def ask(
    out: Path,
    verb: intents.Verb,
    details: Mapping[str, Any] | None = None,
    *,
    limit_s: float = LIMIT_S,
    only: str | None = None,
    who: audit.Actor | None = None,
) -> dict[str, Any]:
    """Ask the daemon for something, and wait for its answer and for what comes of it.

    only : id of the sample that is meant; Refused when another is in the beam by now
    Raises Refused with the daemon's words, Unreachable when none runs (a halt is recorded all the
    same) or when it does not answer within `limit_s`.
    """
    until = time.monotonic() + limit_s
    with opened(out) as (data, ledger):
        runs = state.online(data)
        if not runs and verb not in intents.HALTS:
            raise offline(out)
        measured = queue.samples(ledger, "measuring")
        if only is not None and only not in [s.sample_id for s in measured]:
            raise Refused(f"{only} is no longer in the beam", where=verb)
        given = {key: value for key, value in (details or {}).items() if value != ""}
        seq = intents.ask(ledger, verb, who or audit.me(), given)
        if not runs:
            said = f"; {verb} is recorded; `materialsdock safe-state` works without a daemon"
            raise offline(out, said)
        answer = intents.wait(ledger, seq, limit_s)
        if answer is None:
            raise Unreachable(
                f"no answer to {verb} after {limit_s:g} s; it is recorded and still counts",
                where=str(out),
                remedy="look at `materialsdock status`; `materialsdock safe-state` needs no daemon",
            )
        if answer.state == "refused":
            said = answer.answer.removeprefix(f"{verb}: ")
            raise Refused(said, where=COMMANDS.get(verb, verb))
        came = _what_came(verb, measured[0], data, ledger, until) if measured else ""
        return {"verb": verb, "answer": answer.answer, "came": came}


def _what_came(
    verb: str, sample: queue.Queued, data: DataDirectory, ledger: Ledger, until: float
) -> str:
    """Wait until `until` for the effect of an answered request, and name it; "" for none yet."""

    def now() -> str:
        return queue.sample(ledger, sample.sample_id).state

    def phase() -> str:
        return state.pulse(data, "worker").phase

    come_true: dict[str, Callable[[], bool]] = {
        "pause": lambda: phase() == "paused" or now() != "measuring",
        "resume": lambda: phase() != "paused",
        "stop": lambda: now() != "measuring",
        "abort": lambda: now() != "measuring",
    }
    done = come_true.get(verb)
    while done is not None and not done():
        if time.monotonic() > until:
            return ""
        time.sleep(TURN_S)
    if done is None:
        return ""
    word = now()
    if word == "measuring" and phase() in ("paused", "holding"):
        word = phase()
    return f"{called(sample)}: {word}"


def said(answer: Mapping[str, Any]) -> str:
    """The answer for a person."""
    return "; ".join(filter(None, (answer["answer"], answer["came"]))) or "done"


def changes(words: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE words as new stop settings of the running job; InputError for what is none."""
    from materialsdock.campaign.option_words import stop_options

    try:
        return stop_options(words)
    except InputError as fault:
        raise InputError(fault.what, where="change", remedy=fault.remedy) from None


# the queue


def submit(sheet: Path, profile_name: str, site: Path | None, out: Path) -> dict[str, Any]:
    """Read, check and queue a sheet; InputError lists every fault and nothing is queued."""
    from materialsdock.sheets import jobs  # slow to import, and who starts a night is in a hurry

    root = siteroot.activate(site)
    profile = config.load(profile_name, root)
    entries = jobs.read_sheet(sheet, profile, root / "profiles" / profile.name)
    data, who = DataDirectory(out), audit.me()
    said = ((e, e.model_dump(mode="json", exclude_unset=True)) for e in entries)
    rows = [(e.sample_id, e.priority, body) for e, body in said]
    with Ledger(data.ledger) as ledger, ledger.transaction():
        approved = profile.night.approval != "samples"
        queue.submit(ledger, rows, approved=approved)
        # for the estimate, which knows no profile
        set_fact(ledger, estimate.SPEED, profile.speed)
        ids = [e.sample_id for e in entries]
        audit.record(ledger, who, "submit", {"sheet": sheet.name, "samples": ids})
        waiting = queue.counts(ledger)
    return {"submitted": ids, "state": "queued" if approved else "submitted", "queue": waiting}


def submitted(said: dict[str, Any]) -> str:
    """Put the result of `submit` into words."""
    waiting = said["queue"].get("queued", 0)
    words = f"{many(len(said['submitted']), 'sample')} {said['state']}; {waiting} in the queue"
    if said["state"] == "submitted":
        words += "; `materialsdock queue approve ID`, or --all, lets them be measured"
    return words


def change(
    out: Path,
    verb: str,
    ids: Sequence[str],
    *,
    place: int | None = None,
    reason: str = "",
    who: audit.Actor | None = None,
) -> dict[str, Any]:
    """Move, hold, retry, rm or approve samples: all or none, with a row in the audit.

    Whatever lets the instrument go on needs the lease.  Refused names what is possible instead.
    """
    if not ids:
        raise InputError("no sample is named", where=f"queue {verb}", remedy="name ids, or --all")
    who = who or audit.me()
    with opened(out) as (_, ledger), ledger.transaction():
        if verb in ONWARD:
            intents.take_lease(ledger, who)
        for number, sample_id in enumerate(ids):
            if verb == "move":
                queue.move(ledger, sample_id, (place or 1) + number)
            else:
                _advance(ledger, verb, sample_id, reason or f"{verb} by {who}")
        details = {"samples": list(ids), "place": place, "reason": reason}
        audit.record(ledger, who, f"queue {verb}", {k: v for k, v in details.items() if v})
        states = {name: queue.sample(ledger, name).state for name in ids}
    return {"verb": verb, "samples": states}


def changed(said: Mapping[str, Any]) -> str:
    """Say what `change` has made of the samples."""
    return ", ".join(
        f"{name}: its analysis will be repeated"
        if (said["verb"], state) == ("retry", "measured")
        else f"{name} {state}"
        for name, state in said["samples"].items()
    )


def _advance(ledger: Ledger, verb: str, sample_id: str, reason: str) -> None:
    """Refused in the words of the commands, which know less than all events."""
    before = queue.sample(ledger, sample_id).state
    event: Event = EVENTS.get(verb) or ("retry" if before == "held" else "analyse_again")
    if (before, event) not in TRANSITIONS:
        remedy = _instead(verb, before)
        raise Refused(f"is {before.replace('_', ' ')}", where=sample_id, remedy=remedy)
    changes: dict[str, Any] = {"failures": 0} if verb == "retry" else {}
    queue.advance(ledger, sample_id, event, reason, **changes)


def _instead(verb: str, state_now: State) -> str:
    """Say what can be done with a sample for which `queue verb` is not possible."""
    if state_now == "measuring":
        return "`materialsdock stop` or `abort` ends it"
    able = [name for name, event in EVENTS.items() if (state_now, event) in TRANSITIONS]
    able += ["retry"] * any((state_now, e) in TRANSITIONS for e in ("retry", "analyse_again"))
    possible = " or ".join(f"`queue {name}`" for name in able)
    return (
        f"{verb} is not possible now; possible: {possible}"
        if possible
        else f"{verb} is not possible"
    )


def waiting_for_approval(out: Path) -> list[str]:
    """Ids of the samples that nobody has approved yet; Refused where there is none."""
    with opened(out) as (_, ledger):
        found = [s.sample_id for s in queue.samples(ledger, "submitted")]
    if not found:
        raise Refused("no sample waits for approval", where="queue approve")
    return found


# lease, audit, log


def lease(out: Path, verb: str, *, force: bool = False) -> dict[str, Any]:
    """Show, take or give control; who has it afterwards, and how long [s]."""
    with opened(out) as (_, ledger):
        if verb == "take":
            intents.take_lease(ledger, audit.me(), force=force)
        elif verb == "give":
            intents.give_lease(ledger, audit.me())
        found = intents.lease(ledger)
    if found is None:
        return {"holder": None, "left_s": 0.0}
    return {"holder": found.holder, "left_s": found.until - time.monotonic()}


def actions(out: Path, count: int) -> list[dict[str, Any]]:
    """The latest rows of the audit, oldest first."""
    with opened(out) as (_, ledger):
        return [asdict(action) for action in audit.actions(ledger, count)]


def action_line(row: Mapping[str, Any]) -> str:
    """One row of the audit for a person."""
    told = {key: value for key, value in row["details"].items() if key not in UNTOLD}
    said = [f"{row['seq']}", label(row["at"]), row["who"], row["verb"], said_of(told)]
    return "  ".join(filter(None, [*said, f"-> {row['answer']}"]))


def verify(out: Path, head: str | None) -> dict[str, Any]:
    """Follow the audit's chain; LedgerFault naming the first row that does not hold."""
    with opened(out) as (_, ledger):
        chain = audit.verify(ledger)
        cut = chain.broken_at is None and audit.verify(ledger, head).broken_at is not None
    if cut:
        raise LedgerFault(
            f"none of the {chain.rows} rows has the check value {head}",
            where=str(out),
            remedy="compare with the digest that has it: rows may have been cut off at the end",
        )
    if chain.broken_at is not None:
        raise LedgerFault(
            f"the audit was changed at row {chain.broken_at}; {chain.rows} rows before are intact",
            where=str(out),
            remedy="keep this folder as it is, and compare with a copy",
        )
    return {"rows": chain.rows, "head": chain.head}


def log_lines(
    out: Path, count: int, follow: bool, go_on: Callable[[], bool] = lambda: True
) -> Iterator[Noted]:
    """The last `count` lines of the night's log, and, when followed, each further one to Ctrl-C."""
    with opened(out) as (_, ledger), contextlib.suppress(KeyboardInterrupt):
        newest = last_seq(ledger)
        after = max(0, newest - count)
        while go_on():
            lines = queue.log(ledger, after)
            yield from lines
            if lines:
                after = lines[-1].seq
            elif follow:
                time.sleep(FOLLOW_S)
            else:
                return


def log_line(line: Noted) -> str:
    """One line of the night's log for a person."""
    at = time.strftime("%m-%d %H:%M:%S", time.localtime(line.at))
    mark = {"info": " ", "warn": "!", "critical": "!!"}[line.severity]
    about = f" {line.sample_id}" if line.sample_id else ""
    words = words_of(line)
    return f"{at} {mark:<2} {line.kind}{about}{f': {words}' if words else ''}"
