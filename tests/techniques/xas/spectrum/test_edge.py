"""Normalisation and edge: against closed forms, and in the right order on real standards."""

from __future__ import annotations

import numpy as np
import pytest
from support.places import SHARED

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.techniques.xas.spectrum.edge import find_edge, first_inflection, locate
from materialsdock.techniques.xas.spectrum.edge_fit import fit_edge
from materialsdock.techniques.xas.spectrum.normalise import normalise
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

ENERGY = np.linspace(7000.0, 7300.0, 1201)
LIBRARY = SHARED / "xas" / "xasdatalibrary"


def arctan_edge(e0, width=1.5, step=2.0):
    line = 0.5 - 1e-4 * (ENERGY - 7112)
    return line + step * (0.5 + np.arctan((ENERGY - e0) / width) / np.pi)


@pytest.mark.parametrize("e0", [7105.0, 7112.0, 7121.3])
def test_an_arctan_edge_is_found_at_its_middle(e0):
    assert find_edge(ENERGY, arctan_edge(e0)) == pytest.approx(e0, abs=0.15)


def test_scale_and_slope_do_not_move_the_edge():
    mu = simulate_xanes(ENERGY)
    e0 = find_edge(ENERGY, mu)
    tilted = 3.7 * mu - 2.0 + 1e-3 * (ENERGY - 7112)
    assert find_edge(ENERGY, tilted) == pytest.approx(e0, abs=0.05)


@pytest.mark.parametrize("height", [0.0, 0.2, 0.45, 0.7])
def test_a_pre_edge_peak_however_strong_is_not_the_edge(height):
    mu = simulate_xanes(ENERGY, pre_edge_peak=height)
    assert find_edge(ENERGY, mu) == pytest.approx(
        find_edge(ENERGY, simulate_xanes(ENERGY)), abs=0.6
    )


@pytest.mark.parametrize("height", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_the_first_inflection_is_of_the_main_rise(height, noise):
    mu = simulate_xanes(ENERGY, pre_edge_peak=height)
    mu = mu + noise * np.random.default_rng(0).standard_normal(ENERGY.size)
    found = locate(ENERGY, mu)
    assert first_inflection(ENERGY, found.flat, found.e0_ev) == pytest.approx(7120.2, abs=0.4)


def test_a_shoulder_of_the_rise_is_the_first_inflection_as_of_foils():
    shoulder = 0.4 * (0.5 + np.arctan((ENERGY - 7112.0) / 0.7) / np.pi)
    main = 0.6 * (0.5 + np.arctan((ENERGY - 7119.0) / 1.2) / np.pi)
    found = locate(ENERGY, 0.3 + shoulder + main)
    assert found.e0_ev > 7116.0
    assert first_inflection(ENERGY, found.flat, found.e0_ev) == pytest.approx(7112.0, abs=0.2)
    with pytest.raises(InputError, match="inflection"):
        first_inflection(ENERGY, np.zeros_like(ENERGY), 7119.0)


def test_the_flat_curve_runs_from_zero_to_one():
    mu = arctan_edge(7112.0)
    found = normalise(ENERGY, mu, 7112.0)
    assert found.edge_step == pytest.approx(2.0, rel=0.05)
    assert np.abs(found.flat[ENERGY < 7080]).max() < 0.05
    assert np.abs(found.flat[ENERGY > 7200] - 1).max() < 0.05


def test_the_sd_is_the_spread_of_the_samples():
    rng = np.random.default_rng(2)
    shifts = rng.normal(0.0, 0.3, 300)
    samples = np.array([arctan_edge(7112.0 + shift) for shift in shifts])
    found = fit_edge(ENERGY, arctan_edge(7112.0), samples)
    assert found.e0_ev == pytest.approx(7112.0, abs=0.1)
    assert found.e0_sd_ev == pytest.approx(0.3, rel=0.15)
    assert not found.warnings


def test_samples_without_an_edge_are_counted():
    flat = np.ones((4, ENERGY.size))
    found = fit_edge(ENERGY, arctan_edge(7112.0), np.vstack([flat, [arctan_edge(7112.0)] * 6]))
    assert found.warnings == ("4 of 10 posterior samples have no edge",)


@pytest.mark.parametrize(
    "mu",
    [np.ones_like(ENERGY), -arctan_edge(7112.0), arctan_edge(7299.0)],
    ids=["flat", "down", "end"],
)
def test_a_curve_without_an_edge_is_refused(mu):
    with pytest.raises(InputError):
        find_edge(ENERGY, mu)


def test_a_spectrum_of_a_few_ev_is_refused_in_words():
    short = np.linspace(7110.0, 7112.0, 25)
    with pytest.raises(InputError, match="the spectrum is 2 eV long"):
        find_edge(short, short)


@pytest.mark.skipif(not LIBRARY.is_dir(), reason="no measured data beside the checkout")
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("Fe", {"FeO_rt_01": 7119.3, "Fe3O4_rt_01": 7121.7, "Fe2O3_rt_01": 7123.1}),
        ("Mn", {"MnO_rt_01": 6544.1, "MnO2_rt_01": 6551.6}),
    ],
)
def test_edges_of_standards_rise_with_oxidation(folder, expected):
    found = []
    for name, e0 in expected.items():
        measured = read_measured(LIBRARY / folder / f"{name}.xdi")
        found.append(find_edge(measured.x, measured.y))
        assert found[-1] == pytest.approx(e0, abs=0.5)
    assert found == sorted(found)
