"""Optimal design for counts: against dense algebra, simulation, and the theory's own optimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from materialsdock.errors import ModelFault
from materialsdock.learning.counting import fisher

X = np.linspace(-1.0, 1.0, 201)
PEAK = np.exp(-0.5 * (X / 0.05) ** 2)
Y = 20.0 + 300.0 * PEAK
JACOBIAN = np.stack([np.ones(X.size), X, PEAK], axis=1)
AREA = np.array([[0.0], [0.0], [1.0]])


def allocated(budget_s=40.0, seconds=None, **options):
    before = np.full(X.size, 0.05) if seconds is None else seconds
    settings = {"room": np.full(X.size, 1e3), "width": 4, "quantum_s": 0.1, **options}
    return before, fisher.allocate(Y, JACOBIAN, AREA, before, budget_s=budget_s, **settings)


def test_esd_is_that_of_least_squares_on_drawn_counts():
    rng, seconds = np.random.default_rng(1), np.where(X > 0, 3.0, 1.0)
    weight = np.sqrt(seconds / Y)
    found = [
        np.linalg.lstsq(
            JACOBIAN * weight[:, None], weight * rng.poisson(Y * seconds) / seconds, rcond=None
        )[0][2]
        for _ in range(2000)
    ]
    expected = fisher.esd(fisher.information(Y, JACOBIAN, seconds), AREA)[0]
    assert np.std(found) == pytest.approx(expected, rel=0.06)
    assert np.mean(found) == pytest.approx(300.0, abs=5 * expected / np.sqrt(2000))


@given(st.integers(0, 200), st.integers(0, 10**6))
def test_benefit_is_the_slope_of_the_variance(at, seed):
    rng = np.random.default_rng(seed)
    y, jacobian = rng.uniform(5, 500, X.size), rng.standard_normal((X.size, 4))
    gradient, seconds = rng.standard_normal((4, 2)), rng.uniform(0.5, 2.0, X.size)
    a = fisher.solve(fisher.information(y, jacobian, seconds), gradient)
    longer = seconds.copy()
    longer[at] += 1e-4

    def variance(t):
        return np.sum(fisher.esd(fisher.information(y, jacobian, t), gradient) ** 2)

    slope = (variance(seconds) - variance(longer)) / 1e-4
    assert fisher.benefit(y, jacobian, a)[at] == pytest.approx(slope, rel=2e-2, abs=1e-9)


def test_a_flat_direction_changes_nothing():
    doubled = np.column_stack([JACOBIAN, JACOBIAN[:, 1]])
    gradient = np.vstack([AREA, [[0.0]]])
    seconds = np.ones(X.size)
    lone = fisher.esd(fisher.information(Y, JACOBIAN, seconds), AREA)
    both = fisher.esd(fisher.information(Y, doubled, seconds), gradient)
    np.testing.assert_allclose(both, lone, rtol=1e-5)


def test_what_nothing_tells_is_refused():
    blind = np.column_stack([JACOBIAN, np.zeros(X.size)])
    told = fisher.information(Y, blind, np.ones(X.size))
    with pytest.raises(ModelFault, match="nothing counted so far depends"):
        fisher.esd(told, np.array([[0.0], [0.0], [0.0], [1.0]]))
    assert np.isfinite(fisher.esd(told, np.vstack([AREA, [[0.0]]]))).all()
    with pytest.raises(ModelFault, match="not finite"):
        fisher.information(Y, np.where(blind > 0.5, np.nan, blind), np.ones(X.size))


def test_a_rate_of_zero_is_not_infinite_information():
    y = np.where(np.abs(X) < 0.5, Y, 0.0)
    assert np.isfinite(fisher.information(y, JACOBIAN, np.ones(X.size))).all()


def test_the_allocation_meets_the_equivalence_theorem():
    before, given_s = allocated(400.0)
    seconds = before + given_s
    a = fisher.solve(fisher.information(Y, JACOBIAN, seconds), AREA)
    falls = fisher.benefit(Y, JACOBIAN, a)
    variance = float(fisher.esd(fisher.information(Y, JACOBIAN, seconds), AREA)[0] ** 2)
    # Kiefer & Wolfowitz: at the optimum no second is worth more than the average one
    assert falls[:200].reshape(50, 4).mean(axis=1).max() < 1.05 * variance / seconds.sum()


def test_the_allocation_beats_even_counting_within_its_budget():
    before, given_s = allocated()
    assert given_s.sum() <= 40.0 + 0.4
    even = before + given_s.sum() / X.size

    def variance(seconds):
        return fisher.esd(fisher.information(Y, JACOBIAN, seconds), AREA)[0] ** 2

    assert variance(before + given_s) < 0.5 * variance(even)


def test_room_and_the_wanted_esd_end_it():
    _, given_s = allocated(room=np.full(X.size, 0.3))
    assert given_s.max() <= 0.3 + 1e-9
    assert allocated(room=np.zeros(X.size))[1].sum() == 0
    target = 6.0
    before, given_s = allocated(80.0, wanted=target, quantum_s=0.01)
    reached = fisher.esd(fisher.information(Y, JACOBIAN, before + given_s), AREA)[0]
    assert 0.8 * target < reached <= target
