"""Micro-absorption: its sign and size, with grains that nobody measured and with given ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.model import Parameter
from materialsdock.techniques.xrd.model import Fit, PhaseFit
from materialsdock.techniques.xrd.rietveld.absorption import (
    Absorber,
    absorber,
    corrected,
    left_of_intensity,
)
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.techniques.xrd.search import microabsorption
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, ZINCITE

CU_ALPHA = 1.540593
# µ/ρ of the International Tables C 4.2.4, summed over the elements, times the density
TABULATED = ((CORUNDUM, 126.0, 3.987), (ZINCITE, 280.0, 5.675), (FLUORITE, 304.0, 3.181))


@pytest.mark.parametrize(("structure", "mu", "density"), TABULATED, ids=lambda x: str(x)[:20])
def test_absorption_is_that_of_tables(structure, mu, density):
    found = absorber(crystal_of(structure), CU_ALPHA)
    assert found.mu_per_cm == pytest.approx(mu, rel=0.08)
    assert found.density_g_cm3 == pytest.approx(density, rel=0.002)


@pytest.mark.parametrize(
    ("x", "tau"),
    [(-0.1, 1.1660), (-0.05, 1.0808), (0.0, 1.0), (0.01, 0.9857), (0.05, 0.9264), (0.1, 0.8566)],
)
def test_brindleys_table(x, tau):
    assert left_of_intensity(np.array(x)) == pytest.approx(tau, rel=0.012)


@settings(max_examples=20, deadline=None)
@given(st.floats(10, 2000), st.floats(10, 2000), st.floats(5, 95), st.floats(0.1, 20))
def test_the_stronger_absorber_gains(one, other, share, diameter):
    absorbers = (Absorber(one, 4.0), Absorber(other, 4.0))
    percent = np.array([share, 100 - share])
    after = corrected(percent, absorbers, np.full(2, diameter))
    assert after.sum() == pytest.approx(100)
    assert np.sign(round(after[0] - share, 9)) in (0, np.sign(one - other))


def fit_of(weights, esd=0.2, tau=None):
    phases = tuple(PhaseFit(name, "", {}, weight, esd) for name, weight in weights.items())
    told = tuple(Parameter(f"{name}.brindley_tau", value) for name, value in (tau or {}).items())
    nothing = np.zeros(3)
    return Fit(5, 5, 1, 3, 1, phases, told, nothing, nothing, {}, {}, "", 0.0)


def test_unknown_grains_are_a_doubt_with_its_sign_and_no_correction():
    fit = fit_of({"corundum": 60.0, "LaB6": 40.0})
    found = microabsorption.doubt(fit, (CORUNDUM, LAB6), CU_ALPHA)
    assert found.spread["LaB6.weight_fraction"] > 3
    assert "LaB6 +1" in found.sentence
    assert "with grains of 1 µm" in found.sentence
    assert "with grains of 10 µm" in found.sentence
    assert "give --particle-size" in found.sentence
    assert np.sum(found.covariance) == pytest.approx(0, abs=1e-9)


def test_the_doubt_is_the_rms_over_grains_of_1_to_10_micrometres():
    """Against drawing sizes at random."""
    fit = fit_of({"corundum": 60.0, "zincite": 40.0})
    found = microabsorption.doubt(fit, (CORUNDUM, ZINCITE), CU_ALPHA)
    absorbers = [absorber(crystal_of(s), CU_ALPHA) for s in (CORUNDUM, ZINCITE)]
    sizes = np.exp(np.random.default_rng(0).uniform(0, np.log(10), (4000, 2)))
    moved = corrected(np.array([60.0, 40.0]), absorbers, sizes) - (60, 40)
    rms = np.sqrt((moved**2).mean(axis=0))
    assert list(found.spread.values()) == pytest.approx(rms, rel=0.05)


def test_grains_do_not_matter_where_counting_leaves_more_open():
    fit = fit_of({"zincite": 60.0, "fluorite": 40.0}, esd=3.0)
    assert microabsorption.doubt(fit, (ZINCITE, FLUORITE), CU_ALPHA).sentence == ""


def test_one_phase_absorbs_alike():
    assert microabsorption.doubt(fit_of({"zincite": 100.0}), (ZINCITE,), CU_ALPHA) is None


def test_given_grains_are_corrected_for_and_said():
    structures = [replace(s, particle_um=5.0) for s in (CORUNDUM, LAB6)]
    fit = fit_of({"corundum": 55.0, "LaB6": 45.0}, tau={"corundum": 1.2, "LaB6": 0.8})
    found = microabsorption.doubt(fit, structures, CU_ALPHA)
    assert "corrected for micro-absorption: corundum -9.7 (5 µm), LaB6 +9.7" in found.sentence
    assert "rough, for LaB6" in found.sentence


@pytest.mark.parametrize("sizes", [(4.0, 4.0, 4.0), (6.0, 2.0, 4.0)])
def test_given_grains_are_in_doubt_each_by_itself(sizes):
    """Against drawing sizes at random; where corrections cancel in a weight, doubts do not."""
    phases = (CORUNDUM, ZINCITE, FLUORITE)
    absorbers = [absorber(crystal_of(s), CU_ALPHA) for s in phases]
    seen = np.array([50.0, 20.0, 30.0])
    weights = corrected(seen, absorbers, np.array(sizes))
    tau = seen / weights
    names = [s.name for s in phases]
    fit = fit_of(dict(zip(names, weights, strict=True)), tau=dict(zip(names, tau, strict=True)))
    structures = [replace(s, particle_um=d) for s, d in zip(phases, sizes, strict=True)]
    found = microabsorption.doubt(fit, structures, CU_ALPHA)
    drawn = np.exp(0.3 * np.random.default_rng(0).normal(size=(4000, 3))) * sizes
    rms = np.sqrt(((corrected(seen, absorbers, drawn) - weights) ** 2).mean(axis=0))
    assert list(found.spread.values()) == pytest.approx(rms, rel=0.1)
    assert np.sum(found.covariance) == pytest.approx(0, abs=1e-6)
