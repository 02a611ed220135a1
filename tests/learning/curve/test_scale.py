"""The learner of curves sees no unit: a step of 0.004 is measured as a step of 1."""

from __future__ import annotations

import numpy as np
import pytest

from materialsdock.learning.curve.arrays import height
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.model import Axis, Observation
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

AXIS = Axis("energy", "eV", np.linspace(7080.0, 7180.0, 201), 1.5)
STOP = {"mode": "robust", "threshold": 0.05, "sd_over_height": 0.1, "full_scan_seconds": 220.0}


def measured(step, noise):
    """Positions, quantities and verdict of a measurement; noise in steps of the edge."""
    rng = np.random.default_rng(0)
    learner, rule = SpectrumLearner(AXIS, count_time_s=1.0), rule_from_settings(STOP)
    at, n = [], 0
    while n < 1000:
        proposal = learner.ask()
        y = step * (simulate_xanes(np.array([proposal.start]))[0] + noise * rng.standard_normal())
        told = Observation(f"r/{n}", n, proposal.start, y, noise * step, 1.0, "r")
        learner.tell([told])
        at, n = [*at, proposal.start], n + 1
        verdict = rule.judge(learner.evidence())
        if verdict.stop:
            break
    return at, learner.evidence().quantities, verdict


@pytest.mark.parametrize("step", [0.004, 1e-14, 1e6])
def test_the_size_of_a_step_changes_nothing_but_the_unit(step):
    at, quantities, verdict = measured(1.0, 0.02)
    same, others, again = measured(step, 0.02)
    assert same == at
    assert others["rmse_bound"] == pytest.approx(step * quantities["rmse_bound"], rel=1e-6)
    assert others["height"] == pytest.approx(step * quantities["height"], rel=1e-6)
    assert verdict.statistic == pytest.approx(again.statistic, rel=1e-6)


def test_a_weak_edge_gains_by_averaging_and_ends_with_the_time_of_the_full_scan():
    at, quantities, verdict = measured(0.004, 1.0)
    assert verdict.reason.startswith("the time of the full scan, 220 s, is used up")
    assert "not reached: " in verdict.reason
    assert "% of the height of the curve" in verdict.reason
    assert quantities["seconds"] <= 220.0
    assert quantities["rmse"] < 0.5 * 0.004  # of a single point it is 0.004
    assert len(at) > 100


def test_the_height_of_a_curve_stands_on_its_background():
    x = np.linspace(0.0, 10.0, 1001)
    step = np.where(x > 5.0, 0.004, 0.0)
    assert height(x, step) == pytest.approx(0.004, rel=0.3)
    assert height(x, step + 3.0 - 0.2 * x) == pytest.approx(height(x, step), rel=1e-6)
    assert height(x, 3.0 - 0.2 * x) == pytest.approx(0.0, abs=1e-9)
