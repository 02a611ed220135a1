"""Systematic doubt: half the range over choices, beyond noise, each source by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.refining import Here
from support.structures import simulated

from materialsdock.model import Parameter
from materialsdock.techniques.xrd.model import Diffractometer, Doubt, Fit, PhaseFit, Solution
from materialsdock.techniques.xrd.rietveld.recipe import default_recipe
from materialsdock.techniques.xrd.search import systematic
from materialsdock.techniques.xrd.search.final_fits import Refiner
from materialsdock.techniques.xrd.search.verdict import judge
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, ZINCITE

CU = Diffractometer()
RESIDUALS = 500.0


@pytest.fixture(scope="module")
def pattern():
    return simulated(((CORUNDUM, 1.0), (FLUORITE, 1.0)))


class Moving:
    """An engine whose cells and weights move with the recipe, by what it is told."""

    name = "moving"

    def __init__(self, moves, esd=1e-4):
        self.moves, self.esd = moves, esd

    def cell(self, a):
        angles = {key: Parameter(key, 90.0) for key in ("alpha", "beta", "gamma")}
        lengths = {key: Parameter(key, 5.0) for key in "bc"}
        return {"a": Parameter("a", a, self.esd, "Å"), **lengths, **angles}

    def refine(self, pattern, structures, diffractometer, recipe):
        cell, weight = self.moves.get(recipe["position"], (0.0, 0.0))
        rwp = 10.0 - 0.5 * (recipe["position"] == "zero+displacement" and "pays" in self.moves)
        if recipe["preferred_orientation"]:
            weight += self.moves.get("texture", 0.0)
        if recipe["coordinates"]:
            weight += self.moves.get("coordinates", 0.0)
        shares = (60 + weight, 40 - weight) if len(structures) == 2 else (100.0,)
        phases = tuple(
            PhaseFit(s.name, "", self.cell(5 + cell), share, 0.1)
            for s, share in zip(structures, shares, strict=True)
        )
        nothing = np.zeros(pattern.two_theta.size)
        return Fit(
            rwp,
            10.0,
            rwp / 10,
            nothing.size,
            20,
            phases,
            (),
            pattern.intensity,
            nothing,
            {},
            recipe,
            self.name,
            0.1,
        )


def doubted(pattern, moves, structures=(CORUNDUM, FLUORITE), diffractometer=CU, trials=()):
    engine = Moving(moves)
    recipe = {**default_recipe(pattern, structures, diffractometer), "effort": "final"}
    refine = Refiner(Here(), engine, structures, diffractometer, 60.0)
    fit = engine.refine(pattern, structures, diffractometer, recipe)
    found = (Solution(fit, 10.4, 3, (0,)),)
    return systematic.doubted(refine, pattern, found, RESIDUALS, trials)[0]


def source(solution, name):
    return next(doubt for doubt in solution.doubts if doubt.source == name)


def test_a_cell_moves_with_the_correction_of_positions(pattern):
    alone = doubted(pattern, {"zero": (0.002, 0.0)}, (CORUNDUM,))
    assert alone.systematic == pytest.approx({"corundum.a": 0.001})
    calibrated = replace(CU, calibrated=True)
    assert doubted(pattern, {"zero": (0.002, 0.0)}, (CORUNDUM,), calibrated).systematic == {
        "corundum.a": 0.0
    }


def test_zero_and_height_together_count_only_where_they_pay(pattern):
    flat = {"zero+displacement": (0.01, 0.0)}
    assert doubted(pattern, flat, (CORUNDUM,)).systematic["corundum.a"] == 0
    paid = doubted(pattern, {**flat, "pays": (0, 0)}, (CORUNDUM,))
    assert paid.systematic["corundum.a"] == pytest.approx(0.005)


def test_sources_of_a_mixture_add_in_quadrature(pattern):
    found = doubted(pattern, {"zero": (0.0, 0.8), "texture": 0.5, "coordinates": -0.6})
    weight = "corundum.weight_fraction"
    assert source(found, "peak positions").spread[weight] == pytest.approx(0.4)
    assert source(found, "recipes").spread[weight] == pytest.approx(0.3)
    assert source(found, "preferred orientation").spread[weight] == pytest.approx(0.5)
    grains = source(found, "grain size").spread[weight]
    assert grains > 0.5
    whole = np.sqrt(0.4**2 + 0.3**2 + 0.5**2 + grains**2)
    assert found.systematic[weight] == pytest.approx(whole)


def test_weights_move_together_in_their_covariance(pattern):
    found = doubted(pattern, {"zero": (0.0, 0.8), "texture": 0.5})
    covariance = systematic.covariance_of_weights(found)
    spread = [found.systematic[f"{name}.weight_fraction"] for name in ("corundum", "fluorite")]
    assert np.sqrt(np.diag(covariance)) == pytest.approx(spread)
    assert covariance.sum() == pytest.approx(0, abs=1e-9)  # what one gains the other loses
    assert systematic.covariance_of_weights(replace(found, doubts=())) is None


def test_what_noise_moves_is_no_doubt():
    assert systematic._beyond_noise((5.0, 1e-4), (5.0009, 1e-3)) == 0
    assert systematic._beyond_noise((5.0, 1e-4), (4.99, 1e-4)) == pytest.approx(-0.01)
    assert systematic._beyond_noise((5.0, None), (5.2, 0.1)) == pytest.approx(0.2)


def test_weights_in_doubt_are_not_accepted_but_the_phases_are_not_refused(pattern):
    fit = doubted(pattern, {}).fit
    noise = np.random.default_rng(0).normal(size=pattern.intensity.size) * pattern.sigma
    flat = np.full(pattern.intensity.size, 60.0)
    fit = replace(fit, y_calc=pattern.intensity + noise, y_background=flat)
    size = {f"{name}.weight_fraction": 3.0 for name in ("corundum", "fluorite")}
    doubt = Doubt("grain size", size)
    best = Solution(replace(fit, gof=1.0), 10.4, 3, (0,), systematic=size, doubts=(doubt,))
    found = judge(pattern, (best,), CU)
    assert found.word == "ambiguous"
    assert "systematic doubt of the weights is up to 3.0 wt%" in found.reasons[0]
    assert "--particle-size" in found.reasons[0]
    assert judge(pattern, (best,), CU, accuracy_wt=4.0).word == "accept"


def test_one_phase_has_no_doubt_of_its_weight(pattern):
    found = doubted(pattern, {}, (ZINCITE,))
    assert [doubt.source for doubt in found.doubts] == ["recipes", "peak positions"]
