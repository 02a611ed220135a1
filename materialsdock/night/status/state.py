"""The one word for what a night does, from its processes' heartbeats and what people asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from materialsdock.ledger.control_rows import last_asked
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import last_claimed_at, last_hold, last_line_of_kinds
from materialsdock.night.system import heartbeats

Word = Literal["ready", "running", "holding", "paused", "stopping", "aborting", "fault", "offline"]
ROLES = ("daemon", "worker", "guard")
STALE_S = 3.0
STARTS_S = 20.0  # a worker that imports and connects
HALTING: Mapping[str, Word] = {"abort": "aborting", "stop": "stopping"}


@dataclass(frozen=True)
class Pulse:
    """The last heartbeat of a process; ages in seconds, None where it never ran since the boot."""

    role: str
    alive: bool
    phase: str = ""
    age_s: float | None = None
    progress_age_s: float | None = None
    pid: int | None = None

    @property
    def stale(self) -> bool:
        """True if it lives, or should, and has been silent too long."""
        return self.phase != "ended" and self.age_s is not None and self.age_s > STALE_S


def pulse(data: DataDirectory, role: str) -> Pulse:
    """The last heartbeat of one process of this night."""
    beat = heartbeats.read(data.path / "run" / f"{role}.beat")
    if beat is None:
        return Pulse(role, False)
    alive = beat.alive and beat.phase != "ended"
    return Pulse(role, alive, beat.phase, beat.loop_age_s(), beat.progress_age_s(), beat.pid)


def online(data: DataDirectory) -> bool:
    """Return True if a daemon runs for this data folder."""
    return pulse(data, "daemon").alive


def word_of(
    ledger: Ledger,
    pulses: Mapping[str, Pulse],
    measuring: str | None,
    hold: str | None,
    counts: Mapping[str, int],
) -> tuple[Word, str]:
    """Name what the night does, and why, in words; "" where the word says all.

    measuring : id of the sample in the beam; hold : why nothing further begins
    """
    daemon, worker = pulses["daemon"], pulses["worker"]
    if not daemon.alive:
        return "offline", "no daemon runs for this data folder"
    if daemon.stale:
        return "fault", f"the daemon has given no heartbeat for {daemon.age_s:.0f} s"
    if not worker.alive:
        return _without_worker(ledger)
    if worker.stale:
        return "fault", f"the worker has given no heartbeat for {worker.age_s:.0f} s"
    if measuring is not None:
        return _measuring(ledger, worker, measuring)
    if hold is not None:
        return "holding", hold
    return ("running", "") if counts.get("analysing") else ("ready", "")


def _without_worker(ledger: Ledger) -> tuple[Word, str]:
    """Say why there is no worker: not yet after the daemon's start, ended, or unable to begin."""
    last = last_line_of_kinds(ledger, ["daemon", "unready", "job"])
    if last is not None and last.kind == "unready":
        return "fault", f"the worker cannot begin: {last.body['words']}"
    if last is not None and last.kind == "daemon" and 0 <= time.time() - last.at < STARTS_S:
        return "holding", "the worker is starting"
    return "fault", "no worker runs; one is started again, see run/worker.log for why"


def _measuring(ledger: Ledger, worker: Pulse, sample_id: str) -> tuple[Word, str]:
    if found := _asked(ledger, sample_id, *HALTING):
        verb, words = found
        if verb == "stop" and worker.phase == "holding":
            words += f"; but first: {last_hold(ledger)}; `materialsdock abort` ends it at once"
        return HALTING[verb], words
    if worker.phase == "paused":
        found = _asked(ledger, sample_id, "pause")
        return "paused", found[1] if found else ""
    if worker.phase == "holding":
        return "holding", last_hold(ledger)
    return "running", ""


def _asked(ledger: Ledger, sample_id: str, *verbs: str) -> tuple[str, str] | None:
    """The halt that was asked since the sample was last claimed, and by whom; the gravest first."""
    asked = last_asked(ledger, verbs, last_claimed_at(ledger, sample_id))
    if asked is None:
        return None
    why = f": {asked.body['reason']}" if asked.body.get("reason") else ""
    return asked.verb, f"asked by {asked.body['who']}{why}"
