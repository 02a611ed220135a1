"""Measure an edge with the learner alone: ask, count, tell, judge, until the rule says stop.

    python library_spectrum.py

Nothing of a beamline is needed; replace `count` by your own instrument.
"""

import numpy as np

from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.model import Axis, Observation

NOISE = 0.005
rng = np.random.default_rng(1)


def count(energy_ev: float) -> float:
    """One noisy reading of an absorption edge at 7112 eV."""
    return 0.5 + np.arctan((energy_ev - 7112.0) / 2.0) / np.pi + NOISE * rng.normal()


axis = Axis("energy", "eV", np.linspace(7080.0, 7180.0, 401), resolution=1.5)
learner = SpectrumLearner(axis, count_time_s=1.0, narrow=(7100.0, 7130.0))
rule = rule_from_settings({"mode": "robust", "threshold": 0.05, "maximum_points": 120})

for step in range(120):
    proposal = learner.ask()
    mu = count(proposal.start)
    learner.tell([Observation(f"run/{step}", step, proposal.start, mu, NOISE, 1.0, "run")])
    verdict = rule.judge(learner.evidence())
    if verdict.stop:
        break
print(step + 1, verdict.reason)
