"""The daemon's side of the analyst: one measured sample after the other, each to its end."""

from __future__ import annotations

import time
from typing import Any

from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue
from materialsdock.night.system import heartbeats
from materialsdock.night.system.process import Child, Message, deaf, death
from materialsdock.profile.sections import NightSettings


class AnalystBench:
    """The analyst, and the sample that it has."""

    def __init__(self, ledger: Ledger, data: DataDirectory, night: NightSettings) -> None:
        self.ledger, self.night = ledger, night
        self._beat = data.path / "run" / "analyst.beat"
        self.analyst: Child | None = None
        self.ready = False
        self.analysing: str | None = None
        self._asked = 0.0

    def kill(self) -> None:
        """End it now, and forget the sample that it had."""
        if self.analyst is not None:
            self.analyst.kill()
        self.analyst = self.analysing = None

    def hear(self) -> None:
        """Take what it has found, and note its death."""
        if self.analyst is None:
            return
        beat = heartbeats.read(self._beat)
        late = heartbeats.overdue(self._beat, self.analyst.pid, self.night.analysis_limit_s)
        if late or (self.analysing is not None and deaf(self.analyst, beat, self._asked)):
            self.analyst.kill()
        status = self.analyst.ended()
        for message in self.analyst.received():
            if message["said"] == "ready":
                self.ready = True
            elif message["said"] == "analysed":
                self._analysed(message)
            elif message["said"] == "fault":
                self._failed(message["sample"], message["fault"]["message"])
        if status is not None:
            self.analyst = None
            if self.analysing is not None:
                self._died(self.analysing, status)

    def next(self) -> None:
        """Send the next measured sample when it is free."""
        if not self.ready or self.analyst is None or self.analysing is not None:
            return
        if measured := queue.samples(self.ledger, "measured"):
            first = queue.advance(self.ledger, measured[0].sample_id, "analyse")
            self.analysing, self._asked = first.sample_id, time.monotonic()
            self.analyst.send({"do": "analyse", "sample": first.sample_id, "job": first.job_id})

    def _analysed(self, message: Message) -> None:
        self.analysing = None
        warnings = message["warnings"]
        event: Any = "finish_with_warnings" if warnings else "finish"
        queue.advance(self.ledger, message["sample"], event, "; ".join(warnings))

    def _failed(self, sample_id: str, why: str) -> None:
        self.analysing = None
        queue.advance(self.ledger, sample_id, "fail", why, severity="warn")

    def _died(self, sample_id: str, status: int) -> None:
        self.analysing = None
        deaths = queue.sample(self.ledger, sample_id).failures + 1
        words = death("analyst", status)["message"]
        if deaths > len(self.night.retry_delays_s):
            self._failed(sample_id, words)
        else:
            queue.advance(self.ledger, sample_id, "analysis_interrupted", words, failures=deaths)
