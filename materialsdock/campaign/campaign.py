"""One job from sample to decision log; rebuilt at any time by replaying that log.

The campaign is the one stateful object of a measurement.  Whatever it knows it has first written
to the ledger, so a process that dies takes nothing with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from materialsdock.campaign import build, observing, steering
from materialsdock.campaign.steering import Steering, Step
from materialsdock.errors import DeviceFault, LedgerFault, Refused
from materialsdock.learning.people import FORCED
from materialsdock.model import Axis, Decision, Evidence, Job, Observation, Proposal, Verdict
from materialsdock.protocols import CampaignLedger
from materialsdock.technique import named

NOT_YET = Verdict(stop=False, reason="nothing measured yet")


def same_place(one: Proposal | None, other: Proposal | None) -> bool:
    """Return True if two proposals count the same; their scores may differ in the last digits."""
    if one is None or other is None:
        return one is other
    a, b = (np.array([p.start, p.stop, p.points, p.count_time_s, p.sweep]) for p in (one, other))
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-9))


def target_alone(job: Job) -> bool:
    """Return True if the job's verdicts rest on a target's value alone, and on no λ."""
    return bool(job.settings["stop"].get("mode") == "target")


class Campaign:
    """Holds the learner, the rule and the decisions of one job, and writes them to the ledger.

    `steer` may be called from another thread than the rest.
    """

    def __init__(self, job: Job, ledger: CampaignLedger) -> None:
        self.job = job
        self.learner = build.learner(job)
        self.rule = build.rule(job)
        self.axis = Axis.of(job.settings["axis"])
        self.observer = named(job.sample.technique).observer(job)
        self.steered: list[Steering] = []  # all that has had its effect
        self.decisions: list[Decision] = []
        self.listeners: list[Callable[[Decision], None]] = []
        self._ledger = ledger
        self._waiting: list[Observation] = []
        self._run_uid = ""
        self._primary: set[str] = set()
        self._lock = threading.RLock()
        self._pending: list[Steering] = []  # recorded, not yet with effect
        self._told = 0  # of `steered`: so many are named by decisions
        self._replaced = False  # the present proposal may not be the last decision's `next`
        self._recorded = True  # and the ledger says so
        self._ended: Verdict | None = None  # without another decision

    @classmethod
    def resume(cls, job_id: str, ledger: CampaignLedger) -> Campaign:
        """Rebuild a campaign from the ledger: its observations again, its decisions kept.

        Raises LedgerFault when the replay comes to another proposal than the one recorded.
        """
        campaign = cls(ledger.job(job_id), ledger)
        if named(campaign.job.sample.technique).way(campaign.job).observer is not None:
            for _, data in ledger.readings(job_id):
                campaign.observer.remember(data)
        rows: dict[int, list[Mapping[str, Any]]] = {}
        for step, row in ledger.steering(job_id):
            rows.setdefault(step, []).append(row)
        by_step: dict[int, list[Observation]] = {}
        for observation in ledger.observations(job_id):
            by_step.setdefault(observation.step, []).append(observation)
        for decision in ledger.decisions(job_id):
            campaign._begin_as(Step.of(rows.pop(decision.step, ())))
            campaign._replay(decision, by_step.pop(decision.step, []))
        campaign._waiting = [o for step in sorted(by_step) for o in by_step[step]]
        campaign._begin_as(Step.of(rows.pop(len(campaign.decisions), ())))
        if campaign._pending and not campaign._waiting:
            campaign._replace()
        return campaign

    def _begin_as(self, step: Step) -> None:
        """Apply what was asked before the present step began; the rest must wait."""
        self._apply(step.before)
        self._pending.extend(step.later)
        if step.proposal is not None:
            self._replaced = True
            self._same(self.learner.ask(), step.proposal, "is measured")

    def _replay(self, decision: Decision, observations: list[Observation]) -> None:
        if not observations:
            raise LedgerFault(
                f"the observations of step {decision.step} are missing",
                where=f"job {self.job.job_id}",
                remedy="restore the ledger from a copy",
            )
        self.learner.tell(observations)
        self._apply_pending()
        again = None if decision.verdict.stop else self.learner.ask()
        self._same(again, decision.next, "goes on")
        self._done(decision)

    def _same(self, again: Proposal | None, recorded: Proposal | None, what: str) -> None:
        if not same_place(again, recorded):
            raise LedgerFault(
                f"step {len(self.decisions)} {what} at {again}, but the ledger says {recorded}",
                where=f"job {self.job.job_id}",
                remedy="resume with the version of materialsdock that started the job",
            )

    def _done(self, decision: Decision) -> None:
        self.decisions.append(decision)
        self._told, self._replaced = len(self.steered), False

    def steer(self, asked: Steering) -> None:
        """Record what a person asks, then let it count from the next `ask` or `judge` on.

        What is being measured is measured to its end.  Raises InputError for bad values and
        Refused for a job that has ended or a forced position that was vetoed; then nothing is
        recorded.
        """
        with self._lock:
            if self.finished:
                raise Refused("the measurement has ended", where=f"job {self.job.job_id}")
            steering.check(asked, self.job, self.axis, [*self.steered, *self._pending])
            self._ledger.add_steering(self.job.job_id, len(self.decisions), asdict(asked))
            self._pending.append(asked)

    @property
    def needs_approval(self) -> bool:
        """True if a person must approve each proposal before it is measured."""
        return bool(self.job.settings.get("approval") == "points")

    @property
    def approved(self) -> bool:
        """True if the present proposal, as `ask` last gave it, was approved."""
        with self._lock:
            return steering.approved([*self.steered[self._told :], *self._pending])

    def _apply(self, asked: Sequence[Steering]) -> None:
        for each in asked:
            if each.kind == "veto":
                self.learner.exclude(*steering.bounds(each))
            elif each.kind == "force":
                self.learner.force(steering.bounds(each)[0])
            self.steered.append(each)
            if each.kind == "change":
                self.rule = steering.rule(self.job, self.steered)

    def _apply_pending(self) -> None:
        pending, self._pending = self._pending, []
        self._apply(pending)

    def _replace(self) -> Proposal | None:
        """The proposal after what was asked before it began; nothing when that ends the job."""
        self._apply_pending()
        halted = steering.halted(self.steered)
        proposal = None if halted else self.learner.ask()
        self._replaced, self._recorded = True, False
        if proposal is None:
            reason = self._and_excluded(halted or "no position is left to count")
            self._ended = replace(self.verdict, stop=True, reason=reason)
        return proposal

    def _and_excluded(self, reason: str) -> str:
        return "; ".join(filter(None, (reason, steering.excluded(self.steered, self.axis.unit))))

    @property
    def verdict(self) -> Verdict:
        """The last verdict."""
        if self._ended is not None:
            return self._ended
        return self.decisions[-1].verdict if self.decisions else NOT_YET

    @property
    def finished(self) -> bool:
        """True if the last decision was to stop."""
        return self.verdict.stop and not self._waiting

    @property
    def evidence(self) -> Evidence:
        """All evidence so far, under the present model."""
        return self.learner.evidence()

    def ask(self) -> Proposal | None:
        """Return what to measure next: the last decision's `next`, or the learner's first proposal.

        Where steering has made another one of it since, that is recorded before it is given.
        """
        with self._lock:
            if self._waiting:  # measured before a crash, not yet judged
                return self.judge(self._asked()).next
            if self._pending or (self._replaced and not self._recorded):
                if (proposal := self._replace()) is not None:
                    row = steering.began(proposal)
                    self._ledger.add_steering(self.job.job_id, len(self.decisions), row)
                self._recorded = True
            return self._asked_or_none()

    def _asked_or_none(self) -> Proposal | None:
        if self._ended is not None:
            return None
        if self._replaced or not self.decisions:
            return self.learner.ask()
        return self.decisions[-1].next

    def _asked(self) -> Proposal:
        proposal = self._asked_or_none()
        if proposal is None:
            raise LedgerFault(
                "a point was measured that was not proposed", where=f"job {self.job.job_id}"
            )
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
                self.observer,
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
        with self._lock:
            if not self._waiting:
                if self.decisions and self.decisions[-1].proposal == proposal:
                    return self.decisions[-1]
                raise DeviceFault(f"nothing was recorded at {proposal.start:g}", where="primary")
            began = time.perf_counter()
            told = tuple(self._waiting)
            self.learner.tell(told)
            self._apply_pending()
            decision = self._decide(proposal, told, began)
            self._ledger.add_decision(self.job.job_id, decision)
            self._done(decision)
            self._waiting.clear()
        for listener in self.listeners:
            listener(decision)
        return decision

    def _decide(self, proposal: Proposal, told: tuple[Observation, ...], began: float) -> Decision:
        evidence = self.learner.evidence()
        verdict, following = self._judged(evidence)
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
            steered="; ".join(s.sentence(self.axis.unit) for s in self.steered[self._told :]),
        )

    def _judged(self, evidence: Evidence) -> tuple[Verdict, Proposal | None]:
        """The rule's verdict as far as nobody has asked otherwise, and what comes next."""
        verdict, halted = self.rule.judge(evidence), steering.halted(self.steered)
        if halted:
            verdict = replace(verdict, stop=True, reason=halted)
        forced = any(each.kind == "force" for each in self.steered) and not halted
        following = self.learner.ask() if forced or not verdict.stop else None
        if verdict.stop and following is not None:
            if following.score == FORCED:  # who asks for a position gets it
                reason = f"a position that was asked for is still to be counted; {verdict.reason}"
                return replace(verdict, stop=False, reason=reason), following
            following = None
        if following is None and not verdict.stop:
            verdict = replace(
                verdict, stop=True, reason=f"no position is left to count; {verdict.reason}"
            )
        if verdict.stop:
            verdict = replace(verdict, reason=self._and_excluded(verdict.reason))
        return verdict, following
