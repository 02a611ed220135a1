"""A stopping rule of your own: enough when the curve is known to 1 % of its height everywhere.

    python own_stopping_rule.py

A rule is any object with `judge(evidence) -> Verdict`; equal evidence must give equal verdicts.
Rules compose: here the own one, or a budget of points, whichever comes first.
"""

from dataclasses import dataclass

import numpy as np

from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.stopping.rules import AnyOf, BudgetRule
from materialsdock.model import Axis, Evidence, Observation, Verdict


@dataclass(frozen=True)
class KnownEverywhere:
    """Stop when the largest posterior sd is at most `wanted` [units of the curve]."""

    wanted: float

    def judge(self, evidence: Evidence) -> Verdict:
        """The verdict on all evidence so far; a sentence with the number in it."""
        largest = evidence.quantities.get("max_sd", float("inf"))
        known = largest <= self.wanted
        words = f"largest sd {largest:.3g} {'≤' if known else '>'} {self.wanted:g}"
        return Verdict(known, words, largest, self.wanted)


NOISE = 0.01
rng = np.random.default_rng(2)
axis = Axis("energy", "eV", np.linspace(7080.0, 7180.0, 201), resolution=2.0)
learner = SpectrumLearner(axis, count_time_s=1.0, narrow=(7100.0, 7130.0))
rule = AnyOf((KnownEverywhere(0.01), BudgetRule(maximum_points=150)))

step, verdict = 0, Verdict(False, "nothing measured yet")
while not verdict.stop:
    proposal = learner.ask()
    mu = 0.5 + np.arctan((proposal.start - 7112.0) / 2.0) / np.pi + NOISE * rng.normal()
    learner.tell([Observation(f"run/{step}", step, proposal.start, mu, NOISE, 1.0, "run")])
    verdict = rule.judge(learner.evidence())
    step += 1
print(step, verdict.reason)
