"""The processes of a night on one machine: its IOC, its supervisor, and what that starts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.faults.history import History
from support.made_site import copied, profile
from support.places import ROOT

from materialsdock.ledger.ledger import Ledger
from materialsdock.night.system import heartbeats
from materialsdock.night.system.heartbeats import alive
from materialsdock.profile import simulation

PREFIX = "SIM:"
END_S = 30.0
ROLES = ("guard", "daemon", "worker", "analyst", "librarian")


@dataclass
class Processes:
    """One data folder with its IOC and its supervisor.

    changes : keys of the profile with other values, and sections more
    patches : Python that is added at the end of files of the site; clients : what the clients
    of the IOC have otherwise in their environment, to reach it by a detour
    """

    folder: Path
    speed: float = 2000.0
    changes: Mapping[str, str] = field(default_factory=profile)
    patches: Mapping[str, str] = field(default_factory=dict)
    clients: Mapping[str, str] = field(default_factory=dict)
    seed: int = 1
    ioc: subprocess.Popen[bytes] | None = None
    up: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        (self.data / "run").mkdir(parents=True, exist_ok=True)
        (self.data / "scenes" / "changer").mkdir(parents=True)
        changes = {"speed": f"{self.speed}", **self.changes}
        self.site = copied(self.folder / "site", changes, self.patches)
        self.environment = simulation.channel_access(simulation.free_port())
        self.history = History(self.folder / "puts.jsonl")
        self.ledger = Ledger(self.data / "ledger.sqlite")

    def whole_environment(self) -> dict[str, str]:
        """Of every process of this night."""
        return {
            **os.environ,
            **self.environment,
            "PYTHONPATH": f"{self.site}{os.pathsep}{ROOT}",
            "OMP_NUM_THREADS": "1",
        }

    def start_ioc(self) -> None:
        """Start the simulated beamline, and wait until it answers."""
        command = [sys.executable, "-m", "sim_devices", "--prefix", PREFIX]
        command += ["--speed", str(self.speed), "--seed", str(self.seed)]
        command += ["--put-log", str(self.history.puts)]
        command += ["--scenes", str(self.data / "scenes" / "changer"), "--with-parent"]
        self._ended(self.ioc)
        self.history.note("ioc")
        with (self.folder / "ioc.log").open("ab") as kept:
            self.ioc = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=kept,
                env=self.whole_environment(),
                start_new_session=True,
                cwd=self.site,
            )
        assert self.ioc.stdout is not None
        assert self.ioc.stdout.readline().startswith(b"READY")

    def start_up(self) -> None:
        """Start the supervisor, as systemd would after a reboot."""
        command = [
            sys.executable,
            "-m",
            "materialsdock.night.processes.supervisor",
            "--no-beamline",
        ]
        command += ["--parent", str(os.getpid()), "--profile", "sim"]
        command += ["--data", str(self.data), "--site", str(self.site)]
        with (self.folder / "up.log").open("ab") as kept:
            self.up = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=kept,
                stderr=kept,
                env={**self.whole_environment(), **self.clients},
                cwd=self.site,
                start_new_session=True,
            )

    def pid(self, role: str) -> int | None:
        """The process of a role that lives now."""
        for name, process in (("ioc", self.ioc), ("up", self.up)):
            if role == name:
                return process.pid if process is not None and process.poll() is None else None
        beat = self.beat(role)
        return beat.pid if beat is not None and beat.alive else None

    def beat(self, role: str) -> heartbeats.Beat | None:
        """Read the last heartbeat of a role."""
        return heartbeats.read(self.data / "run" / f"{role}.beat")

    def signal(self, role: str, number: int = signal.SIGKILL) -> bool:
        """Send a signal to a role's process; whether there was one."""
        pid = self.pid(role)
        if pid is None:
            return False
        if role == "ioc" and number == signal.SIGSTOP:
            self.history.excuse("the IOC stands still")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if role == "ioc" and number == signal.SIGCONT:
            self.history.accuse()
        if number == signal.SIGKILL and role in ("ioc", "up"):
            process = self.ioc if role == "ioc" else self.up
            assert process is not None
            process.wait(END_S)
        return True

    def end(self) -> None:
        """End everything at once."""
        pids = [pid for role in ROLES if (pid := self.pid(role)) is not None]
        self._ended(self.up)  # the others die with it
        deadline = time.monotonic() + END_S
        while any(map(alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._ended(self.ioc)
        self.ledger.close()

    @staticmethod
    def _ended(process: subprocess.Popen[bytes] | None) -> None:
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
