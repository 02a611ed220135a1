"""A night on one machine: real processes on loopback, things that kill them, and a checker.

The checker believes the ledger and the IOC's own log of puts, nothing that the programs under test
say of themselves.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from history import History

from materialsdock import simulation
from materialsdock.ledger import Ledger
from materialsdock.night import beats, control, queue

ROOT = Path(__file__).parents[2]
SITE = ("devices", "plans", "sim_devices", "profiles")
PREFIX = "SIM:"
END_S = 30.0
FACTOR = 3.0  # machines of a CI are slow, and so may be what is measured on them
TIMES = "MATERIALSDOCK_FAULT_TIMES"


def within(target_s: float) -> float:
    """The longest that a test lets something take whose target is `target_s`."""
    return FACTOR * target_s


def record(row: str, **seconds: float | str | None) -> None:
    """Print what was measured for a row of the fault matrix, and keep it where TIMES says."""
    rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in seconds.items()}
    line = json.dumps({"row": row, **rounded, "load": round(os.getloadavg()[0], 1)})
    print(line)
    if path := os.environ.get(TIMES):
        with Path(path).open("a") as file:
            file.write(f"{line}\n")


def profile(margin_s: float = 4.0, **night: object) -> dict[str, str]:
    """Changes of a profile for nights in which much is broken: nothing is set aside for that."""
    keys = {
        "failures_in_a_row": 1000,
        "retry_delays_s": [0.0] * 50,
        "disk_free_gb": 0.0,
        "progress_margin_s": margin_s,
        **night,
    }
    words = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return {"hysteresis_s": "0.5", "[night]": words}


class TooLate(AssertionError):
    """Something did not happen within its time."""


def until(what: Callable[[], Any], limit_s: float, words: str = "") -> float:
    """Wait until `what` is true; the seconds it took."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > limit_s:
            raise TooLate(f"{words or what} not within {limit_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began


def edge_mu(energy_ev: np.ndarray, e0_ev: float = 7112.0, white: float = 0.4) -> np.ndarray:
    """µ of a simulated edge."""
    step = 0.5 + np.arctan((energy_ev - e0_ev) / 1.5) / np.pi
    return 0.2 + step + white * np.exp(-0.5 * ((energy_ev - e0_ev - 4.0) / 2.0) ** 2)


def write_edge(path: Path, e0_ev: float = 7112.0, white: float = 0.4) -> Path:
    """A measured file of that edge, for sheets."""
    energy = np.arange(7060.0, 7200.0, 0.5)
    np.savetxt(path, np.column_stack([energy, edge_mu(energy, e0_ev, white)]), header="energy mu")
    return path


@dataclass
class Rig:
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
        self.site = self.folder / "site"
        self.site.mkdir()
        for name in SITE:
            shutil.copytree(ROOT / name, self.site / name)
        self._change_profile()
        for name, more in self.patches.items():
            with (self.site / name).open("a") as file:
                file.write(more)
        self.environment = simulation.channel_access(simulation.free_port())
        self.switched: dict[str, float] = {}
        self.history = History(self.folder / "puts.jsonl")
        self.ledger = Ledger(self.data / "ledger.sqlite")

    def _change_profile(self) -> None:
        """Lines of the profile replaced or sections appended, e.g. {"speed": "2000.0"}."""
        path = self.site / "profiles" / "sim" / "profile.toml"
        text = path.read_text()
        for key, value in {"speed": f"{self.speed}", **self.changes}.items():
            if key.startswith("[") and key in text:
                text = text.replace(key, f"{key}\n{value}", 1)
            elif key.startswith("["):
                text += f"\n{key}\n{value}\n"
            else:
                text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.M)
                assert count, f"no key {key} in the profile"
        path.write_text(text)

    # processes

    def _environment(self) -> dict[str, str]:
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
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=kept,
                env=self._environment(), start_new_session=True,
            )  # fmt: skip
        assert self.ioc.stdout is not None
        assert self.ioc.stdout.readline().startswith(b"READY")

    def start_up(self) -> None:
        """Start the supervisor, as systemd would after a reboot."""
        command = [sys.executable, "-m", "materialsdock", "up", "--no-beamline"]
        command += ["--out", str(self.data), "--site", str(self.site)]
        with (self.folder / "up.log").open("ab") as kept:
            self.up = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=kept, stderr=kept,
                env={**self._environment(), **self.clients}, start_new_session=True,
            )  # fmt: skip

    def pid(self, role: str) -> int | None:
        """The process of a role that lives now."""
        for name, process in (("ioc", self.ioc), ("up", self.up)):
            if role == name:
                return process.pid if process is not None and process.poll() is None else None
        beat = self.beat(role)
        return beat.pid if beat is not None and beat.alive else None

    def beat(self, role: str) -> beats.Beat | None:
        """What a role last said of itself."""
        return beats.read(self.data / "run" / f"{role}.beat")

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
        """End everything, in order when possible."""
        if self.up is not None and self.up.poll() is None:
            self.up.terminate()
            try:
                self.up.wait(END_S)
            except subprocess.TimeoutExpired:
                self.up.kill()
                self.up.wait()
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

    # the operator's side

    def submit(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Queue the rows of a sheet through the command line, as an operator does."""
        sheet = self.folder / f"sheet{time.monotonic_ns()}.json"
        sheet.write_text(json.dumps({"samples": list(rows)}))
        done = self.command("submit", str(sheet), "--out", str(self.data), "--site", str(self.site))
        assert done.returncode == 0, done.stderr
        self.history.samples += [row["sample_id"] for row in rows]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line."""
        return subprocess.run(
            [sys.executable, "-m", "materialsdock", *words],
            env=self._environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def ask(self, verb: str, **details: Any) -> control.Intent | None:
        """Ask the daemon for something and wait for its answer."""
        from materialsdock.night.audit import Actor

        who = Actor("tester", "here")
        found = control.wait(self.ledger, control.ask(self.ledger, verb, who, details), 10.0)
        if found is not None:
            self.history.answered[found.seq] = (found.state, time.monotonic())
        return found

    def edges(self, count: int, *, first: int = 1, points: int = 24, **more: Any) -> list[dict]:
        """Rows of a sheet: `count` simulated edges, each ended after `points` points."""
        source = self.folder / "edge.dat"
        if not source.is_file():
            write_edge(source)
        return [
            {
                "sample_id": f"S{number:04d}",
                "name": f"edge {number}",
                "position": number % 90,
                "technique": "xas",
                "replay": str(source),
                "maximum_points": points,
                **more,
            }
            for number in range(first, first + count)
        ]

    # what is seen from outside

    def put(self, name: str, value: float) -> None:
        """Write a PV of the IOC, as another client would."""
        from caproto.sync.client import write

        with self._channel_access():
            write(PREFIX + name, value, notify=True, timeout=5)

    def switch(self, fault: str, value: float = 1) -> None:
        """Switch a fault of the IOC; see sim_devices.records.Faults."""
        self.put(f"faults:{fault}", value)
        self.switched[fault] = value

    def get(self, name: str) -> float:
        """Read a PV of the IOC from the IOC itself."""
        from caproto.sync.client import read

        with self._channel_access():
            return float(read(PREFIX + name, timeout=5).data[0])

    @contextlib.contextmanager
    def _channel_access(self) -> Iterator[None]:
        before = {key: os.environ.get(key) for key in self.environment}
        os.environ.update(self.environment)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # caproto leaves sockets open
                yield
                gc.collect()
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value

    def states(self) -> Counter[str]:
        """How many samples are in each state."""
        return Counter(queue.counts(self.ledger))

    def sample(self, sample_id: str) -> queue.Queued:
        """One sample of the queue."""
        return queue.sample(self.ledger, sample_id)

    def settled(self) -> bool:
        """Whether nothing waits or goes on."""
        return not any(
            self.states()[state] for state in ("queued", "measuring", "measured", "analysing")
        )

    def points(self) -> int:
        """Observations that are durable."""
        return int(self.ledger.rows("SELECT COUNT(*) FROM observations")[0][0])

    def measuring(self, more_points: int = 3, limit_s: float = 60.0) -> float:
        """Wait until so many further points are durable; the seconds it took."""
        goal = self.points() + more_points
        return until(lambda: self.points() >= goal, limit_s, f"{more_points} more points")

    def seen(self) -> None:
        """Remember what is durable now: none of it may ever be missing again."""
        self.history.look(self.ledger)

    def shutter_closed(self) -> bool:
        """What the shutter's own readback says."""
        return self.get("shutter:Status") == 0

    def closed_at(self, since: float) -> float | None:
        """When the shutter was closed first, not before `since` (monotonic clock [s]).

        By the IOC's own log; None while it is still open.
        """
        is_open = False
        for line in self.history.lines():
            if line["kind"] not in ("ioc", "shutter"):
                continue
            if line["mono"] >= since:
                if not is_open:
                    return since
                if not line.get("value"):
                    return float(line["mono"])
            is_open = bool(line.get("value"))
        return None if is_open else since

    def notes(self, after_seq: int = 0, *kinds: str) -> list[queue.Noted]:
        """Lines of the night's log after a number, of these kinds (of all without any)."""
        found = queue.log(self.ledger, after_seq, 100_000)
        return [line for line in found if not kinds or line.kind in kinds]

    def last_note(self) -> int:
        """The number of the latest line of the night's log."""
        return int(self.ledger.rows("SELECT COALESCE(MAX(seq), 0) FROM events")[0][0])

    def measured_now(self) -> str | None:
        """The sample that is being measured."""
        found = queue.samples(self.ledger, "measuring")
        return found[0].sample_id if found else None

    # what tests do again and again

    def amid(self, limit_s: float = 60.0) -> str:
        """Wait until a sample is well under way, its end far and the shutter open; its id."""

        def well_under_way() -> bool:
            name = self.measured_now()
            job = name and self.sample(name).job_id
            count = "SELECT COUNT(*) FROM observations WHERE job_id = ?"
            done = self.ledger.rows(count, job)[0][0] if job else 0
            now = time.monotonic()
            return 2 <= done <= POINTS - 60 and self.closed_at(now) is None

        self.measuring(1, limit_s)
        until(well_under_way, limit_s, "a sample under way")
        name = self.measured_now()
        return self.amid(limit_s) if name is None else name

    def safe_after(self, began: float, target_s: float) -> float:
        """Seconds from `began` until the shutter was closed; TooLate beyond the target."""
        until(lambda: self.closed_at(began) is not None, within(target_s), "shutter closed")
        closed = self.closed_at(began)
        assert closed is not None
        return closed - began

    def told_after(self, seq: int, began: float, words: str, limit_s: float) -> float:
        """Seconds from `began` until the night's log had these words after line `seq`."""
        until(lambda: any(words in f"{n.kind} {n.body}" for n in self.notes(seq)), limit_s, words)
        return time.monotonic() - began

    def again_after(self, began: float, target_s: float) -> float:
        """Seconds from `began` until two points more than now were durable."""
        self.measuring(2, within(target_s))
        return time.monotonic() - began

    def finish(self) -> None:
        """Bring the night to its end: what is measured is stopped, what waits is cancelled."""
        queue.hold_all(self.ledger, "the tests are over")
        for waiting in queue.samples(self.ledger, "queued"):
            queue.advance(self.ledger, waiting.sample_id, "cancel")
        if self.measured_now():
            self.ask("stop")
        until(lambda: not self.measured_now(), 60, "the last sample stopped")
        for waiting in queue.samples(self.ledger, "queued"):
            queue.advance(self.ledger, waiting.sample_id, "cancel")
        until(self.settled, 120, "everything settled")


POINTS = 200


def calm(made: Rig) -> None:
    """No fault is on, nothing is held, samples wait, and one is well under way."""
    for name, value in made.switched.items():
        if value:
            made.switch(name, 0)
    if queue.fact(made.ledger, "hold"):
        made.ask("release_queue")
    if made.states()["queued"] < 3:
        first = sum(made.states().values()) + 1
        made.submit(made.edges(10, first=first, points=POINTS, threshold=1e-6))
    made.amid()


@contextlib.contextmanager
def rig(folder: Path, **options: Any) -> Iterator[Rig]:
    """A rig whose IOC and supervisor run; ended whatever happens."""
    made = Rig(folder, **options)
    try:
        made.start_ioc()
        made.start_up()
        yield made
    finally:
        made.end()
