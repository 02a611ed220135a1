"""The answers that clients got in a night, what they saw durable, and the IOC's log of puts."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.queries import listed_jobs, rows_as_kept

Line = Mapping[str, Any]


@dataclass
class History:
    """The answers that clients got and what was seen durable, beside the log of puts `puts`.

    answered : intents by number with their answer and when it was there; excused : intervals of
    the monotonic clock [s] in which an open shutter is the fault itself, and why
    """

    puts: Path
    samples: list[str] = field(default_factory=list)
    answered: dict[int, tuple[str, float]] = field(default_factory=dict)
    excused: list[tuple[float, float, str]] = field(default_factory=list)
    observations: dict[str, str] = field(default_factory=dict)
    decisions: dict[tuple[str, int], str] = field(default_factory=dict)
    _read: list[Line] = field(default_factory=list)
    _offset: int = 0

    def note(self, kind: str, **facts: Any) -> None:
        """A line of our own in the log of puts, while no IOC writes there."""
        with self.puts.open("a") as file:
            body = {"kind": kind, **facts, "wall": time.time(), "mono": time.monotonic()}
            file.write(f"{json.dumps(body)}\n")

    def excuse(self, why: str) -> None:
        """From now on an open shutter is what is being tested."""
        self.excused.append((time.monotonic(), math.inf, why))

    def accuse(self) -> None:
        """The last excuse is over."""
        began, _, why = self.excused[-1]
        self.excused[-1] = (began, time.monotonic(), why)

    def look(self, ledger: Ledger) -> None:
        """Remember what is durable now."""
        for job in listed_jobs(ledger):
            for body in rows_as_kept(ledger, job.job_id, "observations"):
                self.observations[json.loads(body)["uid"]] = body
            for body in rows_as_kept(ledger, job.job_id, "decisions"):
                self.decisions[job.job_id, json.loads(body)["step"]] = body

    def lines(self) -> Sequence[Line]:
        """The log of puts; a line that a kill tore off is left out."""
        if self.puts.is_file():
            with self.puts.open("rb") as file:
                file.seek(self._offset)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._offset += len(whole) + len(newline)
            for line in whole.splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    self._read.append(json.loads(line))
        return self._read

    def reread(self) -> None:
        """Begin again with the log, which was written anew."""
        self._read, self._offset = [], 0
