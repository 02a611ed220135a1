"""One job from sample to decision log; rebuilt at any time by replaying that log.

The campaign is the one stateful object of a measurement.  Whatever it knows it has first written
to the ledger, so a process that dies takes nothing with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from materialsdock import building, observing
from materialsdock.errors import DeviceFault, LedgerFault
from materialsdock.model import (
    Decision,
    Evidence,
    Job,
    Observation,
    Proposal,
    Verdict,
)
from materialsdock.protocols import Ledger

NOT_YET = Verdict(stop=False, reason="nothing measured yet")


def same_place(one: Proposal | None, other: Proposal | None) -> bool:
    """Whether two proposals count the same; their scores may differ in the last digits."""
    if one is None or other is None:
        return one is other
    a, b = (np.array([p.start, p.stop, p.points, p.count_time_s, p.sweep]) for p in (one, other))
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-9))


def target_alone(job: Job) -> bool:
    """Whether the statistic of its verdicts is a target's value, and no λ."""
    return bool(job.settings["stop"].get("mode") == "target")


class Campaign:
    """Holds the learner, the rule and the decisions of one job, and writes them to the ledger."""

    def __init__(self, job: Job, ledger: Ledger) -> None:
        self.job = job
        self.learner = building.learner(job)
        self.rule = building.rule(job)
        self.decisions: list[Decision] = []
        self.listeners: list[Callable[[Decision], None]] = []
        self._ledger = ledger
        self._waiting: list[Observation] = []
        self._run_uid = ""
        self._primary: set[str] = set()

    @classmethod
    def resume(cls, job_id: str, ledger: Ledger) -> Campaign:
        """Rebuild a campaign from the ledger: every observation is told, every decision kept.

        Raises LedgerFault when the replay comes to another proposal than the one recorded.
        """
        campaign = cls(ledger.job(job_id), ledger)
        by_step: dict[int, list[Observation]] = {}
        for observation in ledger.observations(job_id):
            by_step.setdefault(observation.step, []).append(observation)
        for decision in ledger.decisions(job_id):
            campaign._replay(decision, by_step.pop(decision.step))
        campaign._waiting = [o for step in sorted(by_step) for o in by_step[step]]
        return campaign

    def _replay(self, decision: Decision, observations: list[Observation]) -> None:
        self.learner.tell(observations)
        again = None if decision.verdict.stop else self.learner.ask()
        if not same_place(again, decision.next):
            raise LedgerFault(
                f"step {decision.step} goes on at {again}, but the ledger says {decision.next}",
                where=f"job {self.job.job_id}",
                remedy="resume with the version of materialsdock that started the job",
            )
        self.decisions.append(decision)

    @property
    def verdict(self) -> Verdict:
        """The last verdict."""
        return self.decisions[-1].verdict if self.decisions else NOT_YET

    @property
    def finished(self) -> bool:
        """Whether the last decision was to stop."""
        return self.verdict.stop and not self._waiting

    @property
    def evidence(self) -> Evidence:
        """All evidence so far, under the present model."""
        return self.learner.evidence()

    def ask(self) -> Proposal | None:
        """What to measure next: the last decision's `next`, or the learner's first proposal."""
        if self._waiting:  # measured before a crash, not yet judged
            return self.judge(self._asked()).next
        return self._asked_or_none()

    def _asked_or_none(self) -> Proposal | None:
        return self.decisions[-1].next if self.decisions else self.learner.ask()

    def _asked(self) -> Proposal:
        proposal = self._asked_or_none()
        if proposal is None:
            raise LedgerFault("an observation without a proposal", where=f"job {self.job.job_id}")
        return proposal

    def look_ahead(self) -> None:
        """Work out, while the present proposal is measured, what does not depend on its result."""
        self.learner.look_ahead()

    def receive(self, name: str, document: dict[str, Any]) -> None:
        """Commit a document, and the observations in it, before the plan goes on."""
        if name == "start":
            self._run_uid, self._primary = document["uid"], set()
        elif name == "descriptor" and document["name"] == "primary":
            self._primary.add(document["uid"])
        found: list[Observation] = []
        if document.get("descriptor") in self._primary:
            found = observing.observations(
                self.job.sample.technique,
                name,
                document,
                run_uid=self._run_uid,
                step=len(self.decisions),
            )
        self._ledger.add_documents(self.job.job_id, [(name, document)], found)
        self._waiting.extend(found)

    def judge(self, proposal: Proposal) -> Decision:
        """Tell, judge, commit.  Called twice for one step, it answers the same decision.

        Raises DeviceFault when the step recorded nothing.
        """
        if not self._waiting:
            if self.decisions and self.decisions[-1].proposal == proposal:
                return self.decisions[-1]
            raise DeviceFault(f"nothing was recorded at {proposal.start:g}", where="primary")
        began = time.perf_counter()
        told = tuple(self._waiting)
        self.learner.tell(told)
        decision = self._decide(proposal, told, began)
        self._ledger.add_decision(self.job.job_id, decision)
        self.decisions.append(decision)
        self._waiting.clear()
        for listener in self.listeners:
            listener(decision)
        return decision

    def _decide(self, proposal: Proposal, told: tuple[Observation, ...], began: float) -> Decision:
        evidence = self.learner.evidence()
        verdict = self.rule.judge(evidence)
        following = None if verdict.stop else self.learner.ask()
        if following is None and not verdict.stop:
            verdict = Verdict(
                True,
                f"nothing left to count; {verdict.reason}",
                verdict.statistic,
                verdict.threshold,
            )
        mean, sd = self.learner.posterior(np.array([(following or proposal).start]))
        return Decision(
            step=len(self.decisions),
            proposal=proposal,
            observations=tuple(o.uid for o in told),
            verdict=verdict,
            lambda_t=None if target_alone(self.job) else verdict.statistic,
            s=float(np.mean(evidence.s[-len(told) :])),
            z2=float(np.mean(evidence.z2[-len(told) :])),
            mean=float(mean[0]),
            sd=float(sd[0]),
            hyperparameters=dict(self.learner.hyperparameters()),
            seconds_measured=float(evidence.quantities["seconds"]),
            seconds_deciding=time.perf_counter() - began,
            next=following,
        )
