"""The daemon: claims samples, supervises the worker and the analyst, and answers people.

All it knows is in the ledger, so a new daemon goes on where the last one ended.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from materialsdock.errors import LedgerFault
from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import Severity
from materialsdock.night.control.dispatch import Desk
from materialsdock.night.processes.analyst_link import AnalystBench
from materialsdock.night.queue import queue
from materialsdock.night.queue.after_fault import FaultAction, FaultClass, after_fault, severity_of
from materialsdock.night.status import watchers
from materialsdock.night.status.snapshot import brief
from materialsdock.night.system import clock_and_disk, heartbeats, logs, systemd_notify
from materialsdock.night.system.process import (
    Child,
    Lock,
    Message,
    deaf,
    death,
    die_with,
    end_holder,
)
from materialsdock.profile import config, siteroot

log = logging.getLogger(__name__)
TURN_S = 0.1
LEDGER_AGAIN_S = 2.0
RESPAWN_S = (0.0, 0.5, 2.0, 5.0, 15.0)
ROOM = "materialsdock.night.processes"


class NightDaemon:
    """The queue of one instrument, its worker and its analyst."""

    def __init__(
        self,
        profile: config.Profile,
        site: Path,
        data: DataDirectory,
        ledger: Ledger,
        heart: systemd_notify.ManagedHeart,
    ) -> None:
        self.profile, self.site, self.data = profile, site, data
        self.ledger, self.heart = ledger, heart
        self.worker: Child | None = None
        self.librarian: Child | None = None
        self.bench = AnalystBench(ledger, data, profile.night)
        self.ready = False
        self.measuring: str | None = None
        self._sent = 0.0  # monotonic clock when the worker was sent its sample
        self._unready = ""  # why no worker gets ready
        self._due: dict[str, float] = {}  # monotonic clock from which a retry may begin
        self._spawned: dict[str, list[float]] = {}
        self._ended = threading.Event()
        self._watch = clock_and_disk.ClockWatch(data.path, profile.night)
        self.desk = Desk(ledger)

    def run(self) -> None:
        """Turn until told to end, then end the children in order."""
        self._recover()
        while not self._ended.wait(TURN_S):
            self.heart.beat()
            try:
                self.turn()
            except LedgerFault as fault:
                self._without_ledger(fault)
        self._finish()

    def end(self, *_: Any) -> None:
        """End after this turn."""
        self._ended.set()

    def turn(self) -> None:
        """Look at everything once."""
        for kind, severity, body in self._watch.look():
            queue.note(self.ledger, kind, body, severity=severity)
        self._hear_worker()
        self.bench.hear()
        self.desk.serve(self.worker, self.measuring)
        self._spawn_missing()
        self._measure_next()
        self.bench.next()

    def _without_ledger(self, fault: LedgerFault) -> None:
        """End the worker and wait for the disk: what cannot be kept must not be measured."""
        log.critical("%s", fault)
        if self.worker is not None:
            self.worker.kill()
        self.bench.kill()
        self.worker = self.measuring = None
        while not self._ended.wait(LEDGER_AGAIN_S):
            self.heart.beat()
            try:
                self._recover()
            except LedgerFault as again:
                log.critical("%s", again)
            else:
                return

    def _recover(self) -> None:
        for name in ("worker", "analyst", "librarian"):
            lock = self.data.path / "run" / f"{name}.lock"
            if pid := end_holder(lock, f"{ROOM}.{name}"):
                queue.note(self.ledger, "orphan", {"killed": pid, "role": name}, severity="warn")
        with self.ledger.transaction():
            self.desk.recover()
            interrupted = queue.recover(self.ledger, len(self.profile.night.retry_delays_s))
        queue.note(self.ledger, "daemon", {"started": True, "interrupted": interrupted})

    def _finish(self) -> None:
        self.heart.stopping()
        queue.note(self.ledger, "daemon", {"started": False})
        for child in (self.worker, self.bench.analyst, self.librarian):
            if child is not None:
                child.end()
        self.desk.recover()
        queue.recover(self.ledger)

    def _spawn(self, name: str) -> Child | None:
        """A new child, not sooner than the pauses after earlier deaths allow."""
        now = time.monotonic()
        recent = [t for t in self._spawned.get(name, []) if now - t < 60.0]
        pause = RESPAWN_S[min(len(recent), len(RESPAWN_S) - 1)]
        if recent and now - recent[-1] < pause:
            return None
        self._spawned[name] = [*recent, now]
        arguments = ["--profile", self.profile.name, "--data", str(self.data.path)]
        arguments += ["--site", str(self.site)]
        kept = self.data.path / "run" / f"{name}.log"
        return Child(f"{ROOM}.{name}", arguments, kept, {"OMP_NUM_THREADS": "1"})

    def _spawn_missing(self) -> None:
        if self.worker is None:
            self.ready, self.worker = False, self._spawn("worker")
        if self.bench.analyst is None:
            self.bench.ready, self.bench.analyst = False, self._spawn("analyst")
        if self.librarian is None:
            self.librarian = self._spawn("librarian")
        elif self.librarian.ended() is not None:
            self.librarian = None

    def _hear_worker(self) -> None:
        if self.worker is None:
            return
        beat = heartbeats.read(self.data.path / "run" / "worker.beat")
        if self.measuring is not None and deaf(self.worker, beat, self._sent):
            self.worker.kill()
        status = self.worker.ended()  # before its last words are read
        for message in self.worker.received():
            self._worker_said(message)
        if status is not None:
            self.worker = None
            if self.measuring is not None:
                self._faulted(self.measuring, death("worker", status))

    def _worker_said(self, message: Message) -> None:
        said = message["said"]
        if said == "ready":
            self.ready, self._unready = True, ""
        elif said == "measured":
            queue.advance(self.ledger, message["sample"], "measured", failures=0)
            self._succeeded()
            self.measuring = None
        elif said == "fault":
            # after a fault of the instrument the worker ends, and another begins
            self.ready = self.ready and not message["ends"]
            self._faulted(message["sample"], message["fault"])
        elif said in ("paused", "resumed"):
            queue.note(self.ledger, said, {}, sample_id=self.measuring)
            if said == "resumed":
                self.desk.resumed()
        elif said == "unpaused":
            queue.hold_all(self.ledger, f"{self.measuring} was over before it could pause")
        elif said == "unready" and message["words"] == self._unready:
            return  # once is enough, however often it is tried again
        elif said in ("done", "refused"):
            self.desk.answered(message)
        else:
            self._unready = message["words"] if said == "unready" else self._unready
            severity = severity_of(message)
            queue.note(self.ledger, said, message, severity=severity, sample_id=self.measuring)

    def _measure_next(self) -> None:
        if not self.ready or self.worker is None or self.measuring is not None:
            return
        now = time.monotonic()
        resting = [name for name, due in self._due.items() if due > now]
        claimed = self._watch.next_sample(self.ledger, resting)
        if claimed is not None:
            self.measuring, self._sent = claimed.sample_id, now
            self.worker.send({"do": "measure", "sample": claimed.sample_id})

    def _faulted(self, sample_id: str, fault: Mapping[str, Any]) -> None:
        self.measuring = None
        kind: FaultClass = "operator" if self.desk.aborting(sample_id) else fault["class"]
        before = queue.sample(self.ledger, sample_id)
        row = list(fact(self.ledger, "failed_in_a_row") or ())
        night = self.profile.night
        action = after_fault(
            kind,
            sample_id,
            before.failures,
            row,
            retry_delays_s=night.retry_delays_s,
            in_a_row=night.failures_in_a_row,
        )
        with self.ledger.transaction():  # a paused sample must never wait without the hold
            self._carry_out(action, before, fault, row)
            if action.event == "interrupted":
                self.desk.interrupted(sample_id, fault["message"])
            self.desk.sample_ended("the measurement was ended")

    def _carry_out(
        self, action: FaultAction, before: queue.Queued, fault: Mapping[str, Any], row: list[str]
    ) -> None:
        place = f"{fault['where']}: " if fault.get("where") else ""
        reason = f"{place}{fault['message']}"
        severity: Severity = "info" if action.event == "aborted" else "warn"
        with self.ledger.transaction():
            failures = before.failures + int(action.event == "interrupted")
            queue.advance(
                self.ledger,
                before.sample_id,
                action.event,
                reason,
                severity=severity,
                failures=failures,
            )
            if action.event == "fault":
                set_fact(self.ledger, "failed_in_a_row", [*row, before.sample_id])
            if action.hold_all:
                queue.hold_all(self.ledger, action.hold_all, severity="critical")
        self._due[before.sample_id] = time.monotonic() + action.delay_s

    def _succeeded(self) -> None:
        if fact(self.ledger, "failed_in_a_row"):
            set_fact(self.ledger, "failed_in_a_row", [])
        self.desk.sample_ended("the measurement has ended")


def daemon_heart(data: DataDirectory, ledger: Ledger) -> systemd_notify.ManagedHeart:
    """The heart of the daemon; its words are those of `materialsdock status`."""

    def words() -> str:
        try:
            return brief(data, ledger)
        except LedgerFault as fault:
            return f"fault: {fault}"

    return systemd_notify.ManagedHeart(data.path / "run" / "daemon.beat", words)


def serve(profile: config.Profile, site: Path, data: DataDirectory) -> None:
    """Run the night of one data folder until SIGTERM or SIGINT."""
    lock = Lock(data.path / "run" / "daemon.lock", wait_s=2.0)
    logs.begin(data, "daemon", secrets=logs.secrets_in(profile.night.notify_file))
    with Ledger(data.ledger) as ledger, daemon_heart(data, ledger) as heart:
        night = NightDaemon(profile, site, data, ledger, heart)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, night.end)
        heart.phase("busy")
        with watchers.telling(profile, data):
            night.run()
    lock.release()


def main() -> None:
    """`python -m materialsdock.night.processes.daemon`: the same as `materialsdock serve`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--site", type=Path, default=None)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    if given.parent:
        die_with(given.parent)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    site = siteroot.activate(given.site)
    serve(config.load(given.profile, site), site, DataDirectory(given.data))


if __name__ == "__main__":
    main()
