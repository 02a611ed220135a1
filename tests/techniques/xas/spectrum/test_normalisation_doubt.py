"""The doubt of a normalisation: as large as its errors, and blind to noise."""

from __future__ import annotations

import numpy as np
import pytest

from materialsdock.techniques.xas.spectrum.edge import half_height, locate
from materialsdock.techniques.xas.spectrum.edge_fit import fit_edge, widened
from materialsdock.techniques.xas.spectrum.edge_table import named
from materialsdock.techniques.xas.spectrum.normalisation_doubt import doubt, neighbours
from materialsdock.techniques.xas.spectrum.normalise import Ranges
from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings

E0, WIDTH, STEP = 7112.0, 1.25, 1.7
ENERGY = E0 + np.concatenate(
    [np.arange(-150.0, -20.0, 5.0), np.arange(-20.0, 40.0, 0.4), np.arange(40.0, 400.0, 2.0)]
)


def wavy(amplitude, phase=0.0, energy=ENERGY):
    """A line, an arctan step and the wave of a shell at 2 Å behind it."""
    relative = energy - E0
    edge = 0.5 + np.arctan(2 * relative / WIDTH) / np.pi
    k = np.sqrt(np.maximum(relative, 0.0) / 3.81)
    fade = 1 - np.exp(-((k / 2.2) ** 4))
    wave = fade * np.sin(4.0 * k + phase) * np.exp(-((k / 8.0) ** 2))
    return 0.4 - 2e-4 * relative + STEP * edge * (1 + amplitude * wave)


def test_the_step_is_wrong_by_about_as_much_as_it_is_doubted():
    pulls = []
    for phase in np.linspace(0.0, 6.0, 13):
        mu = wavy(0.1, phase)
        found = locate(ENERGY, mu)
        pulls.append((found.edge_step - STEP) / doubt(ENERGY, mu, found, WIDTH).edge_step)
    assert 0.4 < np.sqrt(np.mean(np.square(pulls))) < 1.4
    assert np.abs(pulls).max() < 3.0


def test_larger_structure_is_doubted_more_and_noise_is_no_structure():
    sizes = []
    for amplitude in (0.0, 0.05, 0.2):
        mu = wavy(amplitude)
        sizes.append(doubt(ENERGY, mu, locate(ENERGY, mu), WIDTH).edge_step)
    assert sizes == sorted(sizes)
    noise = 0.02
    noisy = wavy(0.0) + noise * np.random.default_rng(1).standard_normal(ENERGY.size)
    found = locate(ENERGY, noisy)
    told, not_told = (doubt(ENERGY, noisy, found, WIDTH, each).edge_step for each in (noise, 0.0))
    assert told < not_told


def test_a_wide_core_hole_is_doubted_where_a_narrow_one_is_not():
    mu = wavy(0.0)
    found = locate(ENERGY, mu)
    narrow, wide = (doubt(ENERGY, mu, found, width).edge_step for width in (0.1, 5.0))
    assert wide > 1.5 * narrow


def test_neighbours_begin_with_the_choice_itself_and_stay_inside():
    chosen = Ranges((-150.0, -30.0), (15.0, 400.0), 2)
    found = list(neighbours(chosen))
    assert found[0] == chosen
    assert len(set(found)) == len(found) > 8
    for each in found:
        assert -150.0 <= each.pre_ev[0] < each.pre_ev[1] < 0
        assert 0 < each.post_ev[0] < each.post_ev[1] <= 400.0
    shortest = Ranges((-35.0, -30.0), (15.0, 60.0), 2)
    assert list(neighbours(shortest)) == [shortest]


def test_an_edge_fit_holds_both_kinds_of_uncertainty():
    mu, rng = wavy(0.05), np.random.default_rng(3)
    samples = mu + 0.01 * rng.standard_normal((30, ENERGY.size))
    found = fit_edge(ENERGY, mu, samples, edge=named("Fe-K"))
    assert (found.edge, found.tabulated_ev) == ("Fe K", 7112.0)
    for known in found.numbers.values():
        assert known.statistical > 0
        assert known.esd == pytest.approx(np.hypot(known.statistical, known.systematic))
    assert found.e0_sd_ev == found.numbers["e0"].esd
    assert found.edge_step_sd == found.numbers["edge_step"].esd
    assert found.numbers["inflection"].value == pytest.approx(E0, abs=0.5)
    assert found.origin_ev == found.e0_ev
    wide = widened(found, 2.0, {"edge_step": 9.0})
    assert wide.numbers["e0"].statistical == 2 * found.numbers["e0"].statistical
    assert wide.numbers["edge_step"].statistical == 9.0
    assert wide.edge_step_sd > 9.0


def test_a_chosen_e0_is_what_ranges_are_counted_from_and_not_the_edge():
    mu = wavy(0.05)
    found = fit_edge(ENERGY, mu, mu[None], chosen=SpectrumSettings(e0=E0 + 6))
    assert found.origin_ev == E0 + 6
    assert found.e0_ev == pytest.approx(E0, abs=0.5)
    assert found.normalisation["pre1"] == pytest.approx(-150.0)
    at = half_height(ENERGY, found.flat, E0)
    assert at == found.e0_ev
