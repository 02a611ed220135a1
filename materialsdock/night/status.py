"""What a night is doing, read from its ledger and the beats of its processes; nothing is locked."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from materialsdock.data_directory import DataDirectory
from materialsdock.ledger import Ledger
from materialsdock.night import beats, control, eta, queue
from materialsdock.night.history import (
    Spent,
    alarms,
    last_decision,
    lines,
    night_began,
    spent,
)

Word = Literal[
    "ready", "running", "holding", "paused", "stopping", "aborting", "fault", "offline"
]  # fmt: skip
ROLES = ("daemon", "worker", "guard")
STALE_S = 3.0
ASKED: Mapping[str, Word] = {"abort": "aborting", "stop": "stopping"}


@dataclass(frozen=True)
class Pulse:
    """The last beat of a process; ages in seconds, None where it never ran since the boot."""

    role: str
    alive: bool
    phase: str = ""
    age_s: float | None = None
    progress_age_s: float | None = None
    pid: int | None = None

    @property
    def stale(self) -> bool:
        """Whether it lives, or should, and has been silent too long."""
        return self.phase != "ended" and self.age_s is not None and self.age_s > STALE_S


@dataclass(frozen=True)
class Current:
    """The sample in the beam.

    lambda_t, threshold : of its last decision; seconds_measured : instrument time so far
    elapsed_s : wall clock of all attempts; last_event_age_s : since its last document
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
    alarms: tuple[queue.Noted, ...]
    pulses: tuple[Pulse, ...]
    finish: eta.Finish | None
    disk_free_bytes: int

    @property
    def stale(self) -> tuple[str, ...]:
        """What should be fresh and is not, in words; () when all of this can be relied on."""
        return tuple(f"{p.role} silent for {p.age_s:.0f} s" for p in self.pulses if p.stale)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "stale": list(self.stale)}


def pulse(data: DataDirectory, role: str) -> Pulse:
    """The last beat of one process of this night."""
    beat = beats.read(data.path / "run" / f"{role}.beat")
    if beat is None:
        return Pulse(role, False)
    alive = beat.alive and beat.phase != "ended"
    return Pulse(role, alive, beat.phase, beat.loop_age_s(), beat.progress_age_s(), beat.pid)


def online(data: DataDirectory) -> bool:
    """Whether a daemon runs for this data folder."""
    return pulse(data, "daemon").alive


def snapshot(data: DataDirectory, ledger: Ledger | None = None) -> Status:
    """What the night does now; a pure read.

    ledger : one that is open already.  LedgerFault when it cannot be read.
    """
    if ledger is None:
        with Ledger(data.ledger) as opened:
            return snapshot(data, opened)
    now, samples = time.time(), queue.samples(ledger)
    took = spent(ledger, now)
    pulses = tuple(pulse(data, role) for role in ROLES)
    current = _current(ledger, samples, took, now)
    hold, counts = queue.fact(ledger, "hold"), queue.counts(ledger)
    sample_id = current.sample_id if current is not None else None
    word, reason = _word(ledger, {p.role: p for p in pulses}, sample_id, hold, counts)
    began = night_began(ledger)
    return Status(
        word,
        reason,
        hold,
        now,
        current,
        tuple(_rows(samples)),
        counts,
        ledger.rows("SELECT COUNT(*) FROM observations")[0][0],
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
    hold, counts = queue.fact(ledger, "hold"), queue.counts(ledger)
    word, reason = _word(ledger, pulses, sample_id, hold, counts)
    said = f"{word} {sample_id}" if sample_id else f"{word}"
    return f"{said}: {reason}" if reason else f"{said}, {counts.get('queued', 0)} wait"


def _lease(ledger: Ledger) -> dict[str, Any] | None:
    held = control.lease(ledger)
    return {"holder": held.holder, "left_s": held.until - time.monotonic()} if held else None


def _finish(
    ledger: Ledger, samples: Sequence[queue.Queued], took: Sequence[Spent]
) -> eta.Finish | None:
    left = eta.left_of(samples, took)
    if not left:
        return None
    return eta.finish(left, eta.known_from(took, eta.forecast_of(ledger)))


def _rows(samples: Sequence[queue.Queued]) -> list[Row]:
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
    return rows


def _current(
    ledger: Ledger, samples: Sequence[queue.Queued], took: Sequence[Spent], now: float
) -> Current | None:
    found = next((s for s in samples if s.state == "measuring"), None)
    if found is None:
        return None
    job_id, body = found.job_id, found.body
    decided = last_decision(ledger, job_id) or {}
    elapsed = next((s.measuring_s for s in took if s.sample_id == found.sample_id), 0.0)
    points = ledger.rows("SELECT COUNT(*) FROM observations WHERE job_id = ?", job_id)[0][0]
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
        (decided.get("verdict") or {}).get("threshold"),
        decided.get("seconds_measured", 0.0),
        elapsed,
        _last_event_age_s(ledger, job_id, now),
    )


def _last_event_age_s(ledger: Ledger, job_id: str | None, now: float) -> float | None:
    rows = ledger.rows(
        "SELECT body FROM documents WHERE job_id = ? ORDER BY seq DESC LIMIT 1", job_id
    )
    at = json.loads(rows[0][0]).get("time") if rows else None
    if isinstance(at, list):  # of a page of events
        at = max(at, default=None)
    return None if at is None else max(0.0, now - at)


def _word(
    ledger: Ledger,
    pulses: Mapping[str, Pulse],
    measuring: str | None,
    hold: str | None,
    counts: Mapping[str, int],
) -> tuple[Word, str]:
    daemon, worker = pulses["daemon"], pulses["worker"]
    if not daemon.alive:
        return "offline", "no daemon runs for this data folder"
    if daemon.stale:
        return "fault", f"the daemon has not turned for {daemon.age_s:.0f} s"
    if not worker.alive:
        return "fault", "no worker: it starts, or the instrument cannot be reached"
    if worker.stale:
        return "fault", f"the worker has been silent for {worker.age_s:.0f} s"
    if measuring is not None:
        return _measuring(ledger, worker, measuring)
    if hold is not None:
        return "holding", hold
    return ("running", "") if counts.get("analysing") else ("ready", "")


def _measuring(ledger: Ledger, worker: Pulse, sample_id: str) -> tuple[Word, str]:
    if word := _asked(ledger, sample_id):
        return word, ""
    if worker.phase == "paused":
        return "paused", ""
    if worker.phase == "holding":
        said = [n for n in lines(ledger, "condition") if n.body.get("kind") == "hold"]
        return "holding", str(said[-1].body["words"]) if said else ""
    return "running", ""


def _asked(ledger: Ledger, sample_id: str) -> Word | None:
    """A stop or abort that was asked since the sample was last claimed, and was not refused."""
    claimed = ledger.rows(
        "SELECT MAX(at) FROM events WHERE sample_id = ? AND kind = 'sample' "
        "AND body LIKE '%\"claim\"%'",
        sample_id,
    )[0][0]
    asked = ledger.rows(
        "SELECT verb FROM intents WHERE verb IN ('abort', 'stop') AND state != 'refused' "
        "AND at > ? ORDER BY verb LIMIT 1",
        claimed or 0.0,
    )
    return ASKED[asked[0][0]] if asked else None
