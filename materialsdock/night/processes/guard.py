"""The guard: watches the worker's heartbeat, and brings the instrument into its safe state.

It runs no plans.  It feeds the instrument's own dead-man only while a live worker gets on, so the
shutter closes even when the guard itself is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from materialsdock.errors import LedgerFault, MaterialsDockError
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import Severity
from materialsdock.night.control import intents
from materialsdock.night.queue import queue
from materialsdock.night.system import heartbeats, logs
from materialsdock.night.system.heartbeats import Beat, Heart
from materialsdock.night.system.process import Lock, die_with, runs
from materialsdock.night.system.systemd_notify import ManagedHeart
from materialsdock.profile import config, siteroot
from materialsdock.profile.instrument import build_instrument, release
from materialsdock.protocols import Instrument

log = logging.getLogger(__name__)
TURN_S = 0.1
FEED_S = 0.5
ABORT_GRACE_S = 1.2
SHUTTER_LIMIT_S = 5.0
AGAIN_S = 2.0
WORKER = "materialsdock.night.processes.worker"


@dataclass(frozen=True)
class Limits:
    """The longest silence of a worker: of its loop, and beyond what a step should take [s]."""

    loop_s: float = 3.0
    margin_s: float = 10.0


def judge(beat: Beat | None, limits: Limits) -> str | None:
    """Say what is wrong with a worker; None when nothing is.

    Without a worker nothing is wrong that could be mended here: nothing is driven.
    """
    if beat is None or beat.phase == "ended":
        return None
    if not beat.alive:
        return f"worker {beat.pid} died while {beat.phase}"
    if beat.loop_age_s() > limits.loop_s:
        return f"worker {beat.pid} has been frozen for {beat.loop_age_s():.1f} s"
    late_s = 2 * beat.expected_s + limits.margin_s
    if beat.phase == "busy" and beat.progress_age_s() > late_s:
        return f"worker {beat.pid} has made no progress for {beat.progress_age_s():.1f} s"
    return None


def safe_state(instrument: Instrument) -> list[str]:
    """Close the shutter, verified; stop motors and detectors.  What could not be done, in words.

    Idempotent; everything is tried whatever fails before it.
    """
    failed = []
    shutter = instrument.devices.get("shutter")
    if shutter is not None:
        try:
            shutter.set("closed").wait(SHUTTER_LIMIT_S)
            if shutter.position != "closed":  # by the IOC itself: a monitor may be on its way yet
                failed.append("the shutter is not verified closed: it shows open")
        except Exception as error:  # noqa: BLE001 - whatever a device raises, the others follow
            failed.append(f"the shutter is not verified closed: {type(error).__name__} {error}")
    for role, device in instrument.devices.items():
        if role != "shutter" and hasattr(device, "stop"):
            try:
                device.stop()
            except Exception as error:  # noqa: BLE001
                failed.append(f"{role} was not stopped: {type(error).__name__} {error}")
    return failed


class Guard:
    """Watches one data folder's worker, and its instrument."""

    def __init__(
        self, instrument: Instrument, data: DataDirectory, heart: Heart, limits: Limits
    ) -> None:
        self.instrument, self.data, self.heart, self.limits = instrument, data, heart, limits
        self._safe_after: int | None = None  # the worker after whose end all was made safe
        self._words = ""
        self._fed = self._tried = 0.0
        self._ledger = Ledger(data.ledger)
        self._ended = threading.Event()

    def run(self) -> None:
        """Turn until told to end."""
        while not self._ended.wait(TURN_S):
            self.heart.beat()
            self.turn()

    def end(self, *_: Any) -> None:
        """End after this turn."""
        self._ended.set()

    def words(self) -> str:
        """Say what it sees, for people."""
        beat = heartbeats.read(self.data.path / "run" / "worker.beat")
        if beat is None or beat.phase == "ended":
            return "no worker drives the instrument"
        return judge(beat, self.limits) or f"worker {beat.pid} is {beat.phase}"

    def turn(self) -> None:
        """Look once, and act."""
        beat = heartbeats.read(self.data.path / "run" / "worker.beat")
        wrong = judge(beat, self.limits) or self._unheard_abort(beat)
        if wrong is None:
            self._safe_after = None
            if beat is not None and beat.phase != "ended":
                self._feed()
        elif beat is not None and beat.pid != self._safe_after and self._may_try():
            self._act(wrong, beat)

    def _may_try(self) -> bool:
        return time.monotonic() - self._tried > AGAIN_S

    def _feed(self) -> None:
        deadman = self.instrument.devices.get("deadman")
        if deadman is not None and time.monotonic() - self._fed > FEED_S:
            deadman.feed()
            self._fed = time.monotonic()

    def _unheard_abort(self, beat: Beat | None) -> str | None:
        """Find an abort that nobody has taken: the daemon is gone or stuck, and the worker too."""
        if beat is None or beat.phase in ("idle", "ended"):
            return None
        try:
            waiting = intents.pending(self._ledger)
        except LedgerFault as fault:
            log.warning("the ledger cannot be read: %s", fault)
            return None
        if any(i.verb == "abort" and ABORT_GRACE_S < intents.age_s(i) < 3600 for i in waiting):
            return f"worker {beat.pid} should abort, but the daemon did not receive the order"
        return None

    def _act(self, wrong: str, beat: Beat) -> None:
        """Kill what is stuck and make safe; tried again until all of it is verified."""
        began = time.monotonic()
        if beat.alive and runs(beat.pid, WORKER):
            with contextlib.suppress(ProcessLookupError):
                os.kill(beat.pid, signal.SIGKILL)
        failed = safe_state(self.instrument)
        self._tried = time.monotonic()
        if not failed:
            self._safe_after = beat.pid
        words = "; ".join(failed) or "shutter closed and verified, motors and detectors stopped"
        body = {"why": wrong, "safe_state": words, "seconds": self._tried - began}
        self._say(f"{wrong}: {words}", body, "critical" if failed else "warn")

    def _say(self, words: str, body: dict[str, Any], severity: Severity) -> None:
        """Log it, once; the guard goes on when the ledger cannot be written."""
        if words == self._words:
            return
        self._words = words
        log.critical("%s", words)
        try:
            queue.note(self._ledger, "safe_state", body, severity=severity)
        except MaterialsDockError as fault:
            log.critical("not in the ledger: %s", fault)


def instrument_of(profile: config.Profile) -> Instrument:
    """The instrument, as soon as it answers: a guard waits for its IOC."""
    while True:
        try:
            return build_instrument(profile)
        except MaterialsDockError as error:
            log.warning("%s", error)
            time.sleep(1.0)


def serve(profile: config.Profile, data: DataDirectory) -> None:
    """Guard until SIGTERM or SIGINT."""
    lock = Lock(data.path / "run" / "guard.lock", wait_s=5.0)
    with ManagedHeart(data.path / "run" / "guard.beat", lambda: guard.words()) as heart:
        limits = Limits(profile.night.loop_limit_s, profile.night.progress_margin_s)
        guard = Guard(instrument_of(profile), data, heart, limits)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, guard.end)
        heart.phase("busy")
        guard.run()
        heart.stopping()
        release(guard.instrument)
    lock.release()


def main() -> None:
    """`python -m materialsdock.night.processes.guard`: the same as `materialsdock guard`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--site", type=Path, default=None)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    if given.parent:
        die_with(given.parent)
    logs.begin(DataDirectory(given.data), "guard")
    profile = config.load(given.profile, siteroot.activate(given.site))
    serve(profile, DataDirectory(given.data))


if __name__ == "__main__":
    main()
