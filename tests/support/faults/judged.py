"""The parts of a night that are judged, each read once."""

from __future__ import annotations

from dataclasses import dataclass

from support.faults.history import History

from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue


@dataclass
class Night:
    """The parts of a night that the invariants look at.

    ended : whether every sample ought to have come to its end; at_most : jobs that are replayed
    and rebuilt, which takes seconds each: those whose sample was begun most often
    """

    ledger: Ledger
    history: History
    ended: bool = True
    at_most: int | None = None

    def __post_init__(self) -> None:
        self.lines = self.history.lines()
        self.log = queue.log(self.ledger, 0, 1_000_000)
        self.jobs = self.ledger.jobs()
        self.samples = queue.samples(self.ledger)
        begun = {s.job_id: s.attempt for s in self.samples}
        often = sorted(self.jobs, key=lambda job: -begun.get(job.job_id, 0))
        self.replayed = often[: self.at_most]
        finished = [job for job in often if self.ledger.outcome(job.job_id) is not None]
        self.rebuilt = finished[: self.at_most]
