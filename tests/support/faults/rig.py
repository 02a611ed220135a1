"""A night on one machine: real processes on loopback, things that kill them, and a checker.

The checker believes the ledger and the IOC's own log of puts, nothing that the programs under test
say of themselves.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from support.faults.processes import PREFIX, Processes
from support.faults.waiting import TooLate, record, until, within
from support.made_site import edge_mu, profile, write_edge

from materialsdock.ledger.facts import fact
from materialsdock.ledger.night_log import Noted
from materialsdock.ledger.queries import number_of_observations, number_of_observations_of_job
from materialsdock.night.control import intents
from materialsdock.night.queue import queue
from materialsdock.sheets import sheet_files

__all__ = [
    "POINTS",
    "Rig",
    "TooLate",
    "calm",
    "edge_mu",
    "profile",
    "record",
    "rig",
    "until",
    "within",
    "write_edge",
]
POINTS = 200
WAITING = 3  # samples that wait at the least while something is broken


class Rig(Processes):
    """A night with its operator, and what is seen of it from outside."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.switched: dict[str, float] = {}

    # the operator's side

    def submit(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Queue the rows of a sheet as `materialsdock submit` does, without its start."""
        entries = sheet_files.read_sheet(self.sheet(rows))
        said = [(e, e.model_dump(mode="json", exclude_unset=True)) for e in entries]
        queue.submit(self.ledger, [(e.sample_id, e.priority, body) for e, body in said])
        self.history.samples += [row["sample_id"] for row in rows]

    def sheet(self, rows: Sequence[Mapping[str, Any]]) -> Path:
        """A file of these rows."""
        path = self.folder / f"sheet{time.monotonic_ns()}.json"
        path.write_text(json.dumps({"samples": list(rows)}))
        return path

    def command(self, *words: str, limit_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line."""
        return subprocess.run(
            [sys.executable, "-m", "materialsdock", *words],
            env=self.whole_environment(),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )

    def ask(self, verb: str, **details: Any) -> intents.Intent | None:
        """Ask the daemon for something and wait for its answer."""
        from materialsdock.night.control.audit import Actor

        who = Actor("tester", "here")
        found = intents.wait(self.ledger, intents.ask(self.ledger, verb, who, details), 10.0)
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
        """Count the samples in each state."""
        return Counter(queue.counts(self.ledger))

    def sample(self, sample_id: str) -> queue.Queued:
        """One sample of the queue."""
        return queue.sample(self.ledger, sample_id)

    def settled(self) -> bool:
        """Return True if nothing waits or goes on."""
        return not any(
            self.states()[state] for state in ("queued", "measuring", "measured", "analysing")
        )

    def points(self) -> int:
        """Observations that are durable."""
        return number_of_observations(self.ledger)

    def measuring(self, more_points: int = 3, limit_s: float = 60.0) -> float:
        """Wait until so many further points are durable; the seconds it took."""
        goal = self.points() + more_points
        return until(lambda: self.points() >= goal, limit_s, f"{more_points} more points")

    def seen(self) -> None:
        """Remember what is durable now: none of it may ever be missing again."""
        self.history.look(self.ledger)

    def shutter_closed(self) -> bool:
        """Return True if the shutter's own readback says closed."""
        return self.get("shutter:Status") == 0

    def closed_at(self, since: float) -> float | None:
        """Find when the shutter was closed first, not before `since` (monotonic clock [s]).

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

    def notes(self, after_seq: int = 0, *kinds: str) -> list[Noted]:
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
            done = number_of_observations_of_job(self.ledger, job) if job else 0
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


def calm(made: Rig) -> None:
    """No fault is on, nothing is held, samples wait, and one is well under way."""
    for name, value in made.switched.items():
        if value:
            made.switch(name, 0)
    if fact(made.ledger, "hold"):
        made.ask("release_queue")
    if made.states()["queued"] < WAITING:
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
        until(lambda: made.pid("guard") or not made.pid("up"), 60, "a guard")
        assert made.pid("up"), (made.folder / "up.log").read_text()
        yield made
    finally:
        made.end()
