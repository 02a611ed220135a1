"""The queue of samples in the ledger: every change is one transaction with its event."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from materialsdock.errors import InputError, Refused
from materialsdock.ledger import night_log, sample_rows
from materialsdock.ledger.facts import fact, forget_facts, set_fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import Noted, Severity
from materialsdock.ledger.sample_rows import SampleRow, change_sample
from materialsdock.model import Job
from materialsdock.night.queue.states import ACTIVE, Event, State, following


@dataclass(frozen=True)
class Queued:
    """One sample of the queue.

    rank : order among equal priorities; attempt : how often measuring has begun
    failures : infrastructure faults since a person last looked at it
    body : the entry of the sample sheet, plain JSON
    """

    sample_id: str
    rank: float
    priority: int
    state: State
    attempt: int
    failures: int
    job_id: str | None
    reason: str
    body: Mapping[str, Any]


def note(
    ledger: Ledger,
    kind: str,
    body: Mapping[str, Any],
    *,
    severity: Severity = "info",
    sample_id: str | None = None,
) -> int:
    """Write one line of the night's log; its number."""
    return night_log.add_line(ledger, time.time(), kind, severity, sample_id, body)


def log(ledger: Ledger, after_seq: int = 0, limit: int = 1000) -> list[Noted]:
    """Up to `limit` lines of the night's log after `after_seq`."""
    return night_log.lines_after(ledger, after_seq, limit)


def submit(
    ledger: Ledger,
    samples: Sequence[tuple[str, int, Mapping[str, Any]]],
    *,
    approved: bool = True,
) -> None:
    """Queue (sample id, priority, entry) in this order, all or none.

    Raises InputError naming every id that is in the ledger already.
    """
    with ledger.transaction():
        ids = [sample_id for sample_id, _, _ in samples]
        known = sample_rows.sample_ids(ledger)
        if twice := [name for name in ids if name in known or ids.count(name) > 1]:
            raise InputError(
                f"already there: {', '.join(dict.fromkeys(twice))}",
                where="sample_id",
                remedy="give other ids, or `materialsdock queue retry ID` for a held one",
            )
        last = sample_rows.last_rank(ledger)
        state: State = "queued" if approved else "submitted"
        for number, (sample_id, priority, body) in enumerate(samples, 1):
            row = SampleRow(sample_id, last + number, priority, state, 0, 0, None, "", body)
            sample_rows.add_sample(ledger, row)
        note(ledger, "submitted", {"samples": ids, "state": state})


def samples(ledger: Ledger, *states: State) -> list[Queued]:
    """The samples in these states (all without any) in the order they are measured."""
    return [_queued(row) for row in sample_rows.samples_in(ledger, *states)]


def sample(ledger: Ledger, sample_id: str) -> Queued:
    """One sample; InputError with near ids when there is none."""
    row = sample_rows.sample_of_id(ledger, sample_id)
    if row is None:
        have = [s.sample_id for s in samples(ledger)][-5:]
        raise InputError(
            f"no sample {sample_id!r}",
            where="queue",
            remedy=f"latest: {', '.join(have) or 'none'}",
        )
    return _queued(row)


def _queued(row: SampleRow) -> Queued:
    values: tuple[Any, ...] = row
    return Queued(*values)


def counts(ledger: Ledger) -> dict[str, int]:
    """Count the samples in each state."""
    return sample_rows.number_by_state(ledger)


def advance(
    ledger: Ledger,
    sample_id: str,
    event: Event,
    reason: str = "",
    *,
    severity: Severity = "info",
    **changes: Any,
) -> Queued:
    """One legal transition with its line in the log; Refused when it is not legal.

    changes : further columns of the sample (job_id, attempt, failures, rank)
    """
    with ledger.transaction():
        before = sample(ledger, sample_id)
        try:
            after = following(before.state, event)
        except Refused as refusal:
            raise Refused(refusal.what, where=sample_id, remedy=refusal.remedy) from None
        change_sample(ledger, sample_id, **{"state": after, "reason": reason, **changes})
        body = {"event": event, "from": before.state, "to": after, "reason": reason}
        note(ledger, "sample", body, severity=severity, sample_id=sample_id)
        return sample(ledger, sample_id)


def claim(ledger: Ledger, *, besides: Sequence[str] = ()) -> Queued | None:
    """Take the next queued sample for measuring, or None; one transaction, so never twice.

    besides : ids that must wait (their retry is not due yet)
    """
    with ledger.transaction():
        if fact(ledger, "hold") is not None:
            return None
        waiting = [s for s in samples(ledger, "queued") if s.sample_id not in besides]
        if not waiting:
            return None
        first = waiting[0]
        return advance(ledger, first.sample_id, "claim", attempt=first.attempt + 1)


def assign(ledger: Ledger, sample_id: str, job: Job) -> None:
    """Keep the job under which a sample is measured, together with the job itself."""
    with ledger.transaction():
        ledger.add_job(job)
        change_sample(ledger, sample_id, job_id=job.job_id)
        note(ledger, "job", {"job_id": job.job_id}, sample_id=sample_id)


def move(ledger: Ledger, sample_id: str, place: int) -> None:
    """Put a waiting sample at `place` (1 = next) of the queue; it takes that place's priority.

    Raises Refused for a sample that does not wait.
    """
    with ledger.transaction():
        moved = sample(ledger, sample_id)
        if moved.state not in ("queued", "submitted"):
            raise Refused(
                f"{sample_id} is {moved.state}", remedy="only a sample that waits can be moved"
            )
        others = [s for s in samples(ledger, "queued", "submitted") if s.sample_id != sample_id]
        if not others:
            return
        at = min(max(place, 1), len(others) + 1) - 1
        after, before = others[max(at - 1, 0)], others[min(at, len(others) - 1)]
        rank = (after.rank + before.rank) / 2
        between = 0 < at < len(others) and after.priority == before.priority
        if between and not after.rank < rank < before.rank:  # out of digits
            _renumber(ledger)
            return move(ledger, sample_id, place)
        if at == 0:
            rank = before.rank - 1
        elif at == len(others) or after.priority != before.priority:
            rank = after.rank + 0.5
        beside = before if at == 0 else after
        change_sample(ledger, sample_id, rank=rank, priority=beside.priority)
        note(ledger, "moved", {"place": at + 1}, sample_id=sample_id)


def _renumber(ledger: Ledger) -> None:
    """Ranks 1, 2, 3, ... in the same order; in a transaction."""
    with ledger.transaction():
        for rank, each in enumerate(samples(ledger), 1):
            change_sample(ledger, each.sample_id, rank=rank)


def hold_all(ledger: Ledger, reason: str, *, severity: Severity = "warn") -> None:
    """Claim nothing more until released; what is measured now goes on."""
    with ledger.transaction():
        set_fact(ledger, "hold", reason)
        note(ledger, "holding", {"reason": reason}, severity=severity)


def release_all(ledger: Ledger) -> None:
    """Claim again."""
    with ledger.transaction():
        forget_facts(ledger, "hold", "failed_in_a_row")
        note(ledger, "released", {})


def recover(ledger: Ledger, retries: int | None = None) -> list[str]:
    """Let what was being measured or analysed at a start wait again, in its old place.

    The ids of what was interrupted.  Nothing that is durable is measured again.

    retries : what was being measured counts one more failure, and is held after so many; None
    where the processes ended in order
    """
    found = []
    with ledger.transaction():
        for s in samples(ledger, *ACTIVE):
            if s.state == "measuring":
                _interrupted(ledger, s, retries)
                found.append(s.sample_id)
            elif s.state == "analysing":
                advance(ledger, s.sample_id, "analysis_interrupted", "the analysis ended early")
                found.append(s.sample_id)
    return found


def _interrupted(ledger: Ledger, s: Queued, retries: int | None) -> None:
    reason, failures = "the process that measured it ended", s.failures + (retries is not None)
    if retries is not None and failures > retries:
        reason = f"{reason}, {failures} times"
        advance(ledger, s.sample_id, "fault", reason, severity="warn", failures=failures)
    else:
        advance(ledger, s.sample_id, "interrupted", reason, failures=failures)
