"""Everything of one night under one supervisor, where there is no systemd.

The simulated beamline (of a simulated profile), the guard and the daemon; what ends is started
again.  When the supervisor itself is killed, the kernel ends them too, and a new one goes on.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from materialsdock.ledger.folder import DataDirectory
from materialsdock.night.processes import simulated_beamline as beamlines
from materialsdock.night.system import heartbeats
from materialsdock.night.system.process import SILENT_S, Lock, die_with, end_holder
from materialsdock.profile import config, siteroot

log = logging.getLogger(__name__)
TURN_S = 0.1
PAUSES_S = (0.0, 0.5, 2.0, 5.0)
END_S = 20.0
CALM_S = 60.0


class Service:
    """One process that is started again whenever it ends, or is silent for too long.

    beat : the file of its heartbeats, where it has one
    """

    def __init__(
        self, name: str, command: Sequence[str], log_file: Path, beat: Path | None = None
    ) -> None:
        self.name, self.command, self.log_file = name, [*command], log_file
        self.beat = beat
        self.process: subprocess.Popen[bytes] | None = None
        self.starts: list[float] = []

    def turn(self) -> None:
        """Start it when it does not run and the pause after its last death is over."""
        if self.process is not None and self.process.poll() is None:
            if not self._silent(self.process.pid):
                return
            log.warning("%s has given no heartbeat for %g s and is ended", self.name, SILENT_S)
            self.process.kill()
            self.process.wait()
        now = time.monotonic()
        recent = [t for t in self.starts if now - t < CALM_S]
        if recent and now - recent[-1] < PAUSES_S[min(len(recent), len(PAUSES_S)) - 1]:
            return
        if self.process is not None:
            log.warning("%s ended with %s; started again", self.name, self.process.returncode)
            self._close()
        with self.log_file.open("ab") as kept:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,  # its end tells who listens there that we are gone
                stdout=kept,
                stderr=kept,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self.starts = [*recent, now]

    def _silent(self, pid: int) -> bool:
        """Return True if it is frozen: it lives, but its loop has not turned for far too long."""
        beat = heartbeats.read(self.beat) if self.beat is not None else None
        return beat is not None and beat.pid == pid and beat.loop_age_s() > SILENT_S

    def _close(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self) -> None:
        """Ask it to end, then make it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._close()


def services(
    profile: config.Profile, site: Path, data: DataDirectory, *, beamline: bool = True
) -> list[Service]:
    """List the services of one night, in the order in which they are started.

    beamline : start the simulated one, too; without it, one is there already
    """
    run = data.path / "run"
    common = ["--profile", profile.name, "--site", str(site), "--data", str(data.path)]
    found = []
    if beamline and (simulation := profile.simulated_by) is not None:
        os.environ.update(beamlines.environment(data, site))
        ioc = [*beamlines.command(simulation, data), "--with-parent"]
        found.append(Service("ioc", ioc, run / "ioc.log"))
    for name in ("guard", "daemon"):
        command = [sys.executable, "-m", f"materialsdock.night.processes.{name}", *common]
        command += ["--parent", str(os.getpid())]
        found.append(Service(name, command, run / f"{name}.log", run / f"{name}.beat"))
    return found


def up(profile: config.Profile, site: Path, data: DataDirectory, *, beamline: bool = True) -> None:
    """Supervise until SIGTERM or SIGINT; then end everything, the daemon first."""
    ended = threading.Event()
    lock = Lock(data.path / "run" / "up.lock", wait_s=2.0)
    for name in ("daemon", "guard"):  # of a supervisor that was killed before it had children die
        end_holder(data.path / "run" / f"{name}.lock", f"materialsdock.night.processes.{name}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    running = services(profile, site, data, beamline=beamline)
    try:
        while not ended.wait(TURN_S):
            for service in running:
                service.turn()
    finally:
        for service in reversed(running):
            service.end()
        lock.release()


def main() -> None:
    """`python -m materialsdock.night.processes.supervisor`: the same as `materialsdock up`.

    --parent : the process that it ends with, whatever ends that
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--site", type=Path, default=None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--no-beamline", dest="beamline", action="store_false")
    given = parser.parse_args()
    if given.parent:
        die_with(given.parent)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    site = siteroot.activate(given.site)
    profile = config.load(given.profile, site)
    up(profile, site, DataDirectory(given.data.resolve()), beamline=given.beamline)


if __name__ == "__main__":
    main()
