"""The state of a night, read from its ledger and its processes' heartbeats; nothing is locked."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from materialsdock.ledger.facts import fact
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import Noted, last_seq
from materialsdock.ledger.queries import (
    last_decision,
    last_document_of_job,
    number_of_observations,
    number_of_observations_of_job,
)
from materialsdock.night.control import intents
from materialsdock.night.queue import estimate, queue
from materialsdock.night.queue.history import Spent, alarms, night_began, spent
from materialsdock.night.status.state import ROLES, Pulse, Word, pulse, word_of

RECENT = 10_000  # lines of the log, a thousand samples or more: what the forecast rests on


@dataclass(frozen=True)
class Current:
    """The sample in the beam.

    lambda_t, threshold : of its last decision; seconds_measured : instrument time so far
    elapsed_s : wall clock of all attempts; last_event_age_s : since its last document
    missing : why it does not stop yet, in words
    """

    sample_id: str
    name: str
    recipe: str
    owner: str
    attempt: int
    job_id: str | None
    step: int | None
    points: int
    lambda_t: float | None
    threshold: float | None
    seconds_measured: float
    elapsed_s: float
    last_event_age_s: float | None
    missing: str = ""


@dataclass(frozen=True)
class Row:
    """One sample of the queue as people know it; place : 1 is next, None: it does not wait."""

    place: int | None
    sample_id: str
    name: str
    recipe: str
    position: int | None
    owner: str
    state: str
    attempt: int
    reason: str
    job_id: str | None


@dataclass(frozen=True)
class Status:
    """All of it at one moment.

    reason : why it holds or is at fault; hold : why nothing further will begin, or None
    at : wall clock [s since 1970], a label; lease : holder and seconds left, or None
    """

    daemon: Word
    reason: str
    hold: str | None
    at: float
    current: Current | None
    rows: tuple[Row, ...]
    counts: Mapping[str, int]
    points: int
    lease: Mapping[str, Any] | None
    alarms: tuple[Noted, ...]
    pulses: tuple[Pulse, ...]
    finish: estimate.Finish | None
    disk_free_bytes: int

    @property
    def stale(self) -> tuple[str, ...]:
        """The parts that should be fresh and are not, in words; () when all can be relied on."""
        return tuple(
            f"{p.role} without heartbeat for {p.age_s:.0f} s" for p in self.pulses if p.stale
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "stale": list(self.stale)}


def snapshot(data: DataDirectory, ledger: Ledger | None = None) -> Status:
    """Read what the night does now, and change nothing.

    ledger : one that is open already.  LedgerFault when it cannot be read.
    """
    if ledger is None:
        with Ledger(data.ledger) as opened:
            return snapshot(data, opened)
    now, samples = time.time(), queue.samples(ledger)
    took = spent(ledger, now, last_seq(ledger) - RECENT)
    pulses = tuple(pulse(data, role) for role in ROLES)
    current = _current(ledger, samples, took, now)
    hold, counts = fact(ledger, "hold"), queue.counts(ledger)
    sample_id = current.sample_id if current is not None else None
    word, reason = word_of(ledger, {p.role: p for p in pulses}, sample_id, hold, counts)
    began = night_began(ledger)
    return Status(
        word,
        reason,
        hold,
        now,
        current,
        rows_of(samples),
        counts,
        number_of_observations(ledger),
        _lease(ledger),
        tuple(alarms(ledger, began.seq if began else 0)),
        pulses,
        _finish(ledger, samples, took),
        shutil.disk_usage(data.path).free,
    )


def brief(data: DataDirectory, ledger: Ledger) -> str:
    """The word, the sample in the beam and why, on one line; cheap enough for every second."""
    pulses = {role: pulse(data, role) for role in ROLES}
    measured = queue.samples(ledger, "measuring")
    sample_id = measured[0].sample_id if measured else None
    hold, counts = fact(ledger, "hold"), queue.counts(ledger)
    word, reason = word_of(ledger, pulses, sample_id, hold, counts)
    said = f"{word} {sample_id}" if sample_id else f"{word}"
    return f"{said}: {reason}" if reason else f"{said}, {counts.get('queued', 0)} wait"


def _lease(ledger: Ledger) -> dict[str, Any] | None:
    held = intents.lease(ledger)
    return {"holder": held.holder, "left_s": held.until - time.monotonic()} if held else None


def _finish(
    ledger: Ledger, samples: Sequence[queue.Queued], took: Sequence[Spent]
) -> estimate.Finish | None:
    left = estimate.left_of(samples, took)
    if not left:
        return None
    return estimate.finish(
        left, estimate.known_from(took, estimate.forecast_of(ledger), estimate.speed_of(ledger))
    )


def rows_of(samples: Sequence[queue.Queued]) -> tuple[Row, ...]:
    """The queue as people see it."""
    rows, place = [], 0
    for s in samples:
        waits = s.state in ("queued", "submitted")
        place += waits
        body = s.body
        rows.append(
            Row(
                place if waits else None,
                s.sample_id,
                body.get("name") or s.sample_id,
                body.get("recipe") or body.get("technique") or "",
                body.get("position"),
                body.get("owner") or "",
                s.state,
                s.attempt,
                s.reason,
                s.job_id,
            )
        )
    return tuple(rows)


def _current(
    ledger: Ledger, samples: Sequence[queue.Queued], took: Sequence[Spent], now: float
) -> Current | None:
    found = next((s for s in samples if s.state == "measuring"), None)
    if found is None:
        return None
    job_id, body = found.job_id, found.body
    decided = last_decision(ledger, job_id) or {}
    verdict = decided.get("verdict") or {}
    elapsed = next((s.measuring_s for s in took if s.sample_id == found.sample_id), 0.0)
    points = number_of_observations_of_job(ledger, job_id)
    return Current(
        found.sample_id,
        body.get("name") or found.sample_id,
        body.get("recipe") or body.get("technique") or "",
        body.get("owner") or "",
        found.attempt,
        job_id,
        decided.get("step"),
        points,
        decided.get("lambda_t"),
        verdict.get("threshold"),
        decided.get("seconds_measured", 0.0),
        elapsed,
        _last_event_age_s(ledger, job_id, now),
        "" if verdict.get("stop") else verdict.get("reason", ""),
    )


def _last_event_age_s(ledger: Ledger, job_id: str | None, now: float) -> float | None:
    at = (last_document_of_job(ledger, job_id) or {}).get("time")
    if isinstance(at, list):  # of a page of events
        at = max(at, default=None)
    return None if at is None else max(0.0, now - at)
