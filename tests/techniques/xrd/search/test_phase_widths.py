"""Peak widths of each phase of a mixture: taken where they pay, left where they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import PHASE_WIDTHS, SearchSpace, default_recipe
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search.objective import independent_residuals, objective
from materialsdock.testing.crystals import FLUORITE, LAB6
from materialsdock.testing.planted_powder import PlantedProfile, PlantedScene, planted

CU = Diffractometer()
BOTH = (LAB6, FLUORITE)
GRID = np.arange(20.0, 100.0, 0.03)


def mixed(*lorentzian, seed=0):
    """Equal weights of LaB6 and fluorite whose Lorentzian size widths are given [deg]."""
    rate = np.full(GRID.size, 40.0)
    weights = np.eye(2)
    for row, width in zip(weights, lorentzian, strict=True):
        # the other phase has no weight, so that the peaks of one have this width alone
        scene = PlantedScene(
            tuple(zip(BOTH, row, strict=True)), PlantedProfile(x=width), background=(0.0,)
        )
        one = planted(scene, two_theta=GRID, counts=1.0, seed=None).intensity
        rate += one * STRENGTH[tuple(row)]
    drawn = np.random.default_rng(seed).poisson(rate).astype(float)
    return Pattern(GRID, drawn, np.sqrt(np.maximum(drawn, 1)), np.ones(GRID.size))


STRENGTH = {(1.0, 0.0): 6000.0, (0.0, 1.0): 3000.0}


def refined(pattern, **recipe):
    return RietxEngine().refine(pattern, BOTH, CU, {"displacements": "off", **recipe})


def prices(pattern):
    residuals = independent_residuals(SearchSpace.of(pattern, BOTH, CU))
    fits = {widths: refined(pattern, phase_widths=widths) for widths in PHASE_WIDTHS}
    return {widths: objective(fit, residuals) for widths, fit in fits.items()}, fits


def test_planted_widths_are_found_and_pay():
    pattern = mixed(0.03, 0.25)
    price, fits = prices(pattern)
    found = {p.name: p for p in fits["own"].parameters}
    for name, planted_width in (("LaB6", 0.03), ("fluorite", 0.25)):
        own = found[f"{name}.lor_size"]
        assert own.value == pytest.approx(planted_width, abs=max(4 * own.esd, 0.006))
        assert own.unit == "deg"
    assert "x" not in found
    assert price["own"] < 0.9 * price["shared"]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.slow
def test_equal_widths_are_not_worth_a_parameter(seed):
    price, _ = prices(mixed(0.06, 0.06, seed=seed))
    assert price["shared"] < price["own"]


def test_a_trace_has_the_widths_of_a_strong_phase():
    fit = refined(mixed(0.06, 0.06), phase_widths="own", traces=["fluorite"])
    found = {p.name: p.value for p in fit.parameters}
    assert found["fluorite.lor_size"] == found["LaB6.lor_size"]


def test_one_phase_has_no_such_choice():
    pattern = mixed(0.06, 0.06)
    alone, both = (SearchSpace.of(pattern, s, CU) for s in ((LAB6,), BOTH))
    assert "phase_widths" not in alone.default_parameters()
    assert default_recipe(pattern, (LAB6,), CU)["phase_widths"] == "shared"
    assert [p.get("phase_widths") for p in both.first_parameters()][:2] == ["shared", "own"]
    assert replace(both, mixture=False) == alone
