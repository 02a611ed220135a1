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

from materialsdock import config, siteroot
from materialsdock.data_directory import DataDirectory
from materialsdock.errors import LedgerFault
from materialsdock.ledger import Ledger
from materialsdock.night import logs, queue, service, telling, watch
from materialsdock.night.beats import overdue
from materialsdock.night.desk import Desk
from materialsdock.night.policy import Action, FaultClass, after_fault
from materialsdock.night.process import Child, Lock, Message, die_with, end_holder

log = logging.getLogger(__name__)
TURN_S = 0.1
LEDGER_AGAIN_S = 2.0
RESPAWN_S = (0.0, 0.5, 2.0, 5.0, 15.0)
ROOM = "materialsdock.night"


class Night:
    """The queue of one instrument, its worker and its analyst."""

    def __init__(
        self, profile: config.Profile, site: Path, data: DataDirectory, ledger: Ledger,
        heart: service.ManagedHeart,
    ) -> None:  # fmt: skip
        self.profile, self.site, self.data = profile, site, data
        self.ledger, self.heart = ledger, heart
        self.worker: Child | None = None
        self.analyst: Child | None = None
        self.librarian: Child | None = None
        self.ready = self.analyst_ready = False
        self.measuring: str | None = None
        self.analysing: str | None = None
        self._due: dict[str, float] = {}  # monotonic clock from which a retry may begin
        self._spawned: dict[str, list[float]] = {}
        self.desk = Desk(ledger)
        self._ended = threading.Event()
        self._watch = watch.Watch(data.path, profile.night)

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
        self._hear_analyst()
        self.desk.serve(self.worker, self.measuring)
        self._spawn_missing()
        self._measure_next()
        self._analyse_next()

    def _without_ledger(self, fault: LedgerFault) -> None:
        """What cannot be kept must not be measured: end the worker and wait for the disk."""
        log.critical("%s", fault)
        for child in (self.worker, self.analyst):
            if child is not None:
                child.kill()
        self.worker = self.analyst = None
        self.measuring = self.analysing = None
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
        interrupted = queue.recover(self.ledger)
        self.desk.recover()
        queue.note(self.ledger, "daemon", {"started": True, "interrupted": interrupted})

    def _finish(self) -> None:
        self.heart.stopping()
        queue.note(self.ledger, "daemon", {"started": False})
        for child in (self.worker, self.analyst, self.librarian):
            if child is not None:
                child.end()
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
        if self.analyst is None:
            self.analyst_ready, self.analyst = False, self._spawn("analyst")
        if self.librarian is None:
            self.librarian = self._spawn("librarian")
        elif self.librarian.ended() is not None:
            self.librarian = None

    def _hear_worker(self) -> None:
        if self.worker is None:
            return
        status = self.worker.ended()  # before its last words are read
        for message in self.worker.received():
            self._worker_said(message)
        if status is not None:
            self.worker = None
            if self.measuring is not None:
                self._faulted(self.measuring, _death("worker", status))

    def _worker_said(self, message: Message) -> None:
        said = message["said"]
        if said == "ready":
            self.ready = True
        elif said == "measured":
            queue.advance(self.ledger, message["sample"], "measured", failures=0)
            self._succeeded()
            self.measuring = None
        elif said == "fault":
            # after a fault of the instrument the worker ends, and another begins
            self.ready = self.ready and message["fault"]["class"] != "infrastructure"
            self._faulted(message["sample"], message["fault"])
        elif said in ("paused", "resumed"):
            queue.note(self.ledger, said, {}, sample_id=self.measuring)
        elif said in ("done", "refused"):
            self.desk.answered(message)
        else:
            queue.note(self.ledger, said, message, sample_id=self.measuring)

    def _hear_analyst(self) -> None:
        if self.analyst is None:
            return
        beat = self.data.path / "run" / "analyst.beat"
        if overdue(beat, self.analyst.pid, self.profile.night.analysis_limit_s):
            self.analyst.kill()
        status = self.analyst.ended()
        for message in self.analyst.received():
            if message["said"] == "ready":
                self.analyst_ready = True
            elif message["said"] == "analysed":
                self._analysed(message)
            elif message["said"] == "fault":
                self._analysis_failed(message["sample"], message["fault"]["message"])
        if status is not None:
            self.analyst = None
            if self.analysing is not None:
                self._analyst_died(self.analysing, status)

    def _measure_next(self) -> None:
        if not self.ready or self.worker is None or self.measuring is not None:
            return
        if why := self._watch.no_more():
            if queue.fact(self.ledger, "hold") is None:
                queue.hold_all(self.ledger, why)
            return
        now = time.monotonic()
        resting = [name for name, due in self._due.items() if due > now]
        claimed = queue.claim(self.ledger, besides=resting)
        if claimed is not None:
            self.measuring = claimed.sample_id
            self.worker.send({"do": "measure", "sample": claimed.sample_id})

    def _faulted(self, sample_id: str, fault: Mapping[str, Any]) -> None:
        self.measuring = None
        kind: FaultClass = "operator" if self.desk.aborting else fault["class"]
        before = queue.sample(self.ledger, sample_id)
        row = list(queue.fact(self.ledger, "failed_in_a_row") or ())
        night = self.profile.night
        action = after_fault(
            kind, sample_id, before.failures, row,
            retry_delays_s=night.retry_delays_s, in_a_row=night.failures_in_a_row,
        )  # fmt: skip
        self._carry_out(action, before, fault, row)
        self.desk.sample_ended("the measurement was ended")

    def _carry_out(
        self, action: Action, before: queue.Queued, fault: Mapping[str, Any], row: list[str]
    ) -> None:
        place = f"{fault['where']}: " if fault.get("where") else ""
        reason = f"{place}{fault['message']}"
        severity: queue.Severity = "info" if action.event == "aborted" else "warn"
        with self.ledger.transaction():
            failures = before.failures + int(action.event == "interrupted")
            queue.advance(self.ledger, before.sample_id, action.event, reason,
                          severity=severity, failures=failures)  # fmt: skip
            if action.event == "fault":
                queue.set_fact(self.ledger, "failed_in_a_row", [*row, before.sample_id])
            if action.hold_all:
                queue.hold_all(self.ledger, action.hold_all, severity="critical")
        self._due[before.sample_id] = time.monotonic() + action.delay_s

    def _succeeded(self) -> None:
        if queue.fact(self.ledger, "failed_in_a_row"):
            queue.set_fact(self.ledger, "failed_in_a_row", [])
        self.desk.sample_ended("the measurement has ended")

    def _analyse_next(self) -> None:
        if not self.analyst_ready or self.analyst is None or self.analysing is not None:
            return
        waiting = queue.samples(self.ledger, "measured")
        if waiting:
            first = queue.advance(self.ledger, waiting[0].sample_id, "analyse")
            self.analysing = first.sample_id
            self.analyst.send({"do": "analyse", "sample": first.sample_id, "job": first.job_id})

    def _analysed(self, message: Message) -> None:
        self.analysing = None
        warnings = message["warnings"]
        event: Any = "finish_with_warnings" if warnings else "finish"
        queue.advance(self.ledger, message["sample"], event, "; ".join(warnings))

    def _analysis_failed(self, sample_id: str, why: str) -> None:
        self.analysing = None
        queue.advance(self.ledger, sample_id, "fail", why, severity="warn")

    def _analyst_died(self, sample_id: str, status: int) -> None:
        self.analysing = None
        deaths = queue.sample(self.ledger, sample_id).failures + 1
        words = _death("analyst", status)["message"]
        if deaths > len(self.profile.night.retry_delays_s):
            self._analysis_failed(sample_id, words)
        else:
            queue.advance(self.ledger, sample_id, "analysis_interrupted", words, failures=deaths)


def _death(who: str, status: int) -> dict[str, Any]:
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return {"class": "infrastructure", "message": f"the {who} ended with {how}", "where": ""}


def serve(profile: config.Profile, site: Path, data: DataDirectory) -> None:
    """Run the night of one data folder until SIGTERM or SIGINT."""
    lock = Lock(data.path / "run" / "daemon.lock", wait_s=2.0)
    logs.begin(data, "daemon", secrets=logs.secrets_in(profile.night.notify_file))
    with Ledger(data.ledger) as ledger, service.daemon_heart(data, ledger) as heart:
        night = Night(profile, site, data, ledger, heart)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, night.end)
        heart.phase("busy")
        with telling.telling(profile, data):
            night.run()
    lock.release()


def main() -> None:
    """`python -m materialsdock.night.daemon`: the same as `materialsdock serve`."""
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
