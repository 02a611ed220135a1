"""The plan of a sweep: its size, its probes, and when an expert's grid goes first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from materialsdock.learning.curve import arrays, expert_grid, sweeps
from materialsdock.learning.curve.sweeps import Costs, Interest, Outset
from materialsdock.learning.gp import acquisition
from materialsdock.learning.gp.kernels import Kernel
from materialsdock.learning.gp.posterior import engine

GRID = np.linspace(0.0, 100.0, 201)
NOISE = 0.01**2
FREE, SLOW = Costs(1.0, 1e6, 0.1), Costs(0.1, 5.0, 0.1)


def measured_engine(x):
    found = engine(GRID, Kernel(8.0, 1.0))
    for index in np.searchsorted(GRID, x):
        found.update(int(index), float(np.sin(GRID[index] / 9.0)), NOISE)
    return found


@given(n=st.integers(1, 2000), extent=st.floats(1.0, 2000.0), velocity=st.floats(0.1, 1e4))
def test_a_sweep_is_at_most_half_of_what_is_known(n, extent, velocity):
    count = sweeps.size(n, extent, Costs(1.0, velocity, 0.1))
    assert 2 <= count <= max(4, n // 2)
    assert count <= sweeps.LARGEST


def test_costly_motion_makes_larger_sweeps():
    assert sweeps.size(60, 100.0, FREE) == 10
    assert sweeps.size(60, 100.0, SLOW) == 30


def test_seconds_add_motion_counting_and_settling():
    costs = Costs(2.0, 10.0, 0.5)
    assert costs.seconds(np.array([10.0, 30.0, 20.0])) == pytest.approx(3 * 2.5 + 3.0)
    assert costs.seconds(np.array([10.0]), start=0.0) == pytest.approx(2.5 + 1.0)
    assert costs.seconds(np.empty(0), start=3.0) == 0.0


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_one_in_four_is_a_probe_however_small_the_sweeps(sizes):
    n, probes = 0, 0
    for count in sizes:
        looks = sweeps.probe_count(n, count)
        assert 0 <= looks <= count
        probes, n = probes + looks, n + count
    assert probes == n // 4


def test_probes_look_into_the_largest_gaps_of_the_narrow_region_only():
    x = np.array([0.0, 40.0, 60.0, 100.0])
    found = sweeps.probes(GRID, x, sweeps.nearest(GRID, x), (40.0, 60.0), 4.0, 10)
    places = sorted(GRID[i] for i, _ in found)
    assert all(40 < p < 60 for p in places)
    assert np.diff([40.0, *places, 60.0]).max() <= 4.0
    assert all(score == 0.0 for _, score in found)
    assert len(found) < 10  # and none once no gap is wider than the resolution


@pytest.mark.parametrize("how", ["imse", "variance"])
def test_picks_are_free_positions_and_lower_the_variance(how):
    x = np.array([0.0, 20.0, 90.0])
    start = measured_engine(x)
    taken = sweeps.nearest(GRID, x)
    found = sweeps.picks(start, NOISE, np.ones(GRID.size), 6, taken, how)
    assert len({i for i, _ in found}) == 6
    assert not any(taken[i] for i, _ in found)
    before = start.variance.sum()
    for index, _ in found:
        start.update(index, float(start.mean[index]), NOISE)
    assert start.variance.sum() < 0.35 * before


def test_scores_of_a_sweep_add_up_to_the_fall_of_the_variance():
    x, weights = np.array([0.0, 50.0]), np.gradient(GRID)
    start = measured_engine(x)
    before = float(weights @ start.variance)
    found = sweeps.picks(start, NOISE, weights, 5, sweeps.nearest(GRID, x))
    for index, _ in found:
        start.update(index, 0.0, NOISE)
    fall = before - float(weights @ start.variance)
    assert sum(score for _, score in found) == pytest.approx(fall, rel=1e-6)


def choice(costs, positions):
    x = np.array([0.0, 33.0, 66.0, 100.0])
    at = np.searchsorted(GRID, positions)
    weights = np.gradient(GRID)
    return expert_grid.choose(Outset(measured_engine(x), x, NOISE), at, weights, costs)


def test_the_expert_goes_first_where_motion_is_slow_and_the_grid_is_good():
    even = np.arange(2.5, 100.0, 5.0)
    found = choice(SLOW, even)
    assert found.expert
    assert found.expert_s < found.learner_s
    assert "the expert's grid after" in found.sentence()


def test_the_learner_goes_first_where_the_grid_wastes_points():
    dense = GRID[GRID < 30.0]
    found = choice(Costs(5.0, 1e3, 0.1), dense)
    assert not found.expert
    assert "adaptive sweeps" in found.sentence()


def test_the_experts_plan_leaves_out_what_was_counted_and_goes_one_way():
    found = choice(SLOW, np.array([0.0, 10.0, 33.0, 50.0, 90.0]))
    assert [float(GRID[i]) for i, _ in found.plan] == [90.0, 50.0, 10.0]
    assert all(gain > 0 for _, gain in found.plan)


def test_travel_starts_at_the_nearer_end():
    order = acquisition.travel_order(np.array([5.0, 1.0, 9.0]), start=8.0)
    assert order.tolist() == [2, 0, 1]


def test_places_off_the_curve_are_looked_at_again():
    grid = np.linspace(0.0, 10.0, 101)
    taken = np.zeros(grid.size, dtype=bool)
    taken[[50, 51]] = True
    assert sweeps.second_looks(grid, 5.0, taken, 0.2, 3) == [49, 48, 52]
    taken[46:55] = True
    assert sweeps.second_looks(grid, 5.0, taken, 0.21, 3) == [50, 49, 51]  # once more


def test_a_doubt_needs_points_off_the_curve():
    x = np.array([1.0, 4.0, 5.0, 9.0])
    engine = measured_engine(x)
    calm = engine.at(x)[0]
    assert sweeps.doubt(engine, x, calm, np.full(4, 1e-4), 1.5) is None
    off = calm + np.array([0.0, 0.03, 0.03, 0.0])
    assert sweeps.doubt(engine, x, off, np.full(4, 1e-4), 1.5) == 4.5


def test_probes_close_stretches_too_wide_for_oscillations():
    grid = np.linspace(0.0, 100.0, 101)
    widest = np.where(grid < 50.0, 100.0, 10.0)
    measured = np.array([0.0, 50.0, 75.0, 100.0])
    assert arrays.far_gap(measured, grid, widest) == (2.5, 62.5)
    taken = sweeps.nearest(grid, measured)
    found = [i for i, _ in sweeps.far_probes(grid, measured, taken, widest, 20)]
    assert min(found) > 50
    assert arrays.far_gap(np.append(measured, grid[found]), grid, widest)[0] <= 1.0
    assert sweeps.far_probes(grid, np.append(measured, grid[found]), taken, widest, 20) == []


def test_a_plan_marks_second_looks_by_their_score():
    x = np.array([0.0, 33.0, 66.0, 100.0])
    interest = Interest(np.gradient(GRID), (40.0, 60.0), 4.0)
    plan = sweeps.plan(Outset(measured_engine(x), x, NOISE), interest, 12, doubted=33.0)
    again = GRID[[i for i, score in plan if score < 0]]
    assert again.size == 3
    assert np.abs(again - 33.0).max() <= 8.0
    assert {0.0} < {max(score, 0.0) for _, score in plan}  # probes and gains are there too
