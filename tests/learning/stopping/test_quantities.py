"""Quantities of a curve: closed forms against samples, least squares, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.errors import InputError
from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.gp.kernels import Kernel
from materialsdock.learning.stopping.quantities import (
    Linear,
    Sampled,
    area,
    as_evidence,
    cell_widths,
    estimates,
    fractions,
    xmcd_moments,
)
from materialsdock.techniques.xas.spectrum import wanted_quantities
from materialsdock.techniques.xas.spectrum.edge import find_edge, locate
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.techniques.xas.spectrum.white_line import white_line

GRID = np.linspace(7080.0, 7180.0, 201)
TRUTH = simulate_xanes(GRID)


@pytest.fixture(scope="module")
def posterior():
    rng = np.random.default_rng(0)
    found = GridPosterior(GRID, Kernel(6.0, 0.2), 0.8)
    for i in range(0, GRID.size, 4):
        found.update(i, float(TRUTH[i] + 0.01 * rng.standard_normal()), 1e-4)
    return found


def test_a_linear_functional_is_exact(posterior):
    weights = np.random.default_rng(1).normal(size=GRID.size) / GRID.size
    what = Linear("w", "", weights, 0.5)
    value, sd = what.estimate(posterior, np.empty((0, GRID.size)))
    assert value == pytest.approx(0.5 + weights @ posterior.mean)
    assert sd == pytest.approx(np.sqrt(weights @ posterior.covariance() @ weights))
    samples = posterior.sample(GRID, 4000, np.random.default_rng(2)) @ weights
    assert sd == pytest.approx(samples.std(), rel=0.05)


def test_weights_that_are_zero_cost_nothing_and_change_nothing(posterior):
    narrow = area(GRID, 7110.0, 7130.0)
    assert narrow.estimate(posterior, np.empty((0, GRID.size)))[1] == pytest.approx(
        np.sqrt(narrow.weights @ posterior.covariance() @ narrow.weights)
    )


def test_areas_are_trapezoids():
    uneven = np.array([0.0, 1.0, 1.5, 4.0])
    assert cell_widths(uneven) @ uneven**2 == pytest.approx(np.trapezoid(uneven**2, uneven))
    inside = (GRID >= 7100.0) & (GRID <= 7120.0)
    found = area(GRID, 7100.0, 7120.0).of(TRUTH)
    assert found == pytest.approx(np.trapezoid(TRUTH[inside], GRID[inside]))
    with pytest.raises(InputError, match="1 positions"):
        area(GRID, 7100.0, 7100.2)


def test_moments_of_a_dichroism():
    f = -np.exp(-((GRID - 7100) ** 2)) + 0.5 * np.exp(-((GRID - 7140) ** 2))
    p, q = xmcd_moments(GRID, 7120.0)
    assert p.of(f) == pytest.approx(-np.sqrt(np.pi))
    assert q.of(f) == pytest.approx(-0.5 * np.sqrt(np.pi))
    (r,) = xmcd_moments(GRID, 7120.0, steps=np.full(GRID.size, 0.2))
    assert r.of(f + 0.2) == pytest.approx(q.of(f))


@settings(max_examples=30)
@given(share=st.floats(-0.2, 1.2), other=st.floats(0.0, 0.5))
def test_fractions_come_back(share, other):
    references = {
        "a": TRUTH,
        "b": simulate_xanes(GRID, e0_ev=7114.0),
        "c": simulate_xanes(GRID, white_line=0.1),
    }
    mixed = share * TRUTH + other * references["b"] + (1 - share - other) * references["c"]
    found = fractions(GRID, references, 7090.0, 7170.0)
    assert [f.name for f in found] == ["fraction_a", "fraction_b", "fraction_c"]
    got = [f.of(mixed) for f in found]
    assert got == pytest.approx([share, other, 1 - share - other], abs=1e-8)


def test_fraction_sd_is_that_of_the_samples(posterior):
    references = {"a": TRUTH, "b": simulate_xanes(GRID, e0_ev=7114.0)}
    a, b = fractions(GRID, references, 7090.0, 7170.0)
    found = estimates(posterior, (a, b))
    assert found["fraction_a"][1] == pytest.approx(found["fraction_b"][1])
    samples = posterior.sample(GRID, 2000, np.random.default_rng(2))
    spread = np.std([a.of(sample) for sample in samples])
    assert found["fraction_a"][1] == pytest.approx(spread, rel=0.1)
    assert found["fraction_a"][0] == pytest.approx(1.0, abs=5 * found["fraction_a"][1])


@pytest.mark.parametrize(("names", "says"), [(("a",), "1 reference"), (("a", "b"), "alike")])
def test_references_that_say_nothing_are_refused(names, says):
    with pytest.raises(InputError, match=says):
        fractions(GRID, dict.fromkeys(names, TRUTH), 7090.0, 7170.0)


def test_the_edge_by_samples(posterior):
    what = wanted_quantities.quantities(["e0", "area:7100:7130"], GRID)
    found = estimates(posterior, what, size=100, seed=1)
    assert found == estimates(posterior, what, size=100, seed=1)
    value, sd = found["e0"]
    assert 0.0 < sd < 0.5
    assert value == pytest.approx(find_edge(GRID, TRUTH), abs=4 * sd)
    named = as_evidence(found)
    assert named["e0_sd"] == sd
    assert named["e0"] == value
    assert set(named) == {"e0", "e0_sd", "area:7100:7130", "area:7100:7130_sd"}


def test_samples_that_lean_to_one_side_are_worse_known(posterior):
    def cubed(grid, curve):
        return float(np.exp(30 * (curve[100] - posterior.mean[100])))

    _, sd = Sampled("x", "", cubed).estimate(
        posterior, posterior.sample(GRID, 500, np.random.default_rng(0))
    )
    found = [cubed(GRID, s) for s in posterior.sample(GRID, 500, np.random.default_rng(0))]
    assert sd > np.std(found)


def test_what_cannot_be_analysed_is_not_known(posterior):
    flat = GridPosterior(GRID, Kernel(6.0, 1e-6), 0.0)
    flat.update(0, 0.0, 1e-4)
    value, sd = estimates(flat, wanted_quantities.quantities(["e0"], GRID), size=10)["e0"]
    assert np.isnan(value)
    assert sd == np.inf

    def only_the_mean(grid, curve):
        if not np.array_equal(curve, posterior.mean):
            raise InputError("lost")
        return 1.0

    assert estimates(posterior, [Sampled("x", "", only_the_mean)], size=10)["x"] == (1.0, np.inf)


def test_linear_quantities_draw_no_samples(posterior):
    class Silent(GridPosterior):
        def sample(self, x, size, rng):
            raise AssertionError("sampled")

    quiet = Silent(GRID, posterior.kernel, 0.8)
    assert estimates(quiet, [area(GRID, 7100, 7130)])["area"][1] > 0


def test_white_line_of_a_known_curve():
    energy = np.linspace(7050.0, 7250.0, 801)
    mu = simulate_xanes(energy, pre_edge_peak=0.0)
    position, height = white_line(energy, locate(energy, mu))
    top = energy[np.argmax(np.where(energy < 7140, mu, 0))]
    assert position == pytest.approx(top, abs=1.0)
    assert 1.2 < height < 1.8


@pytest.mark.parametrize("name", ["e1", "area:1", "area:low:high", "area:1:2:3", ""])
def test_names_that_mean_nothing_are_refused(name):
    with pytest.raises(InputError, match=r"white_line_height.*area:LO:HI"):
        wanted_quantities.quantities([name], GRID)
