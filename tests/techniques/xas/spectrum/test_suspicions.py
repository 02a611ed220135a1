"""What looks wrong in a spectrum is said, and a good one is left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from materialsdock.errors import InputError
from materialsdock.techniques.xas.commands.analyse_spectrum import edge_of
from materialsdock.techniques.xas.mixture.combination import XasCurve
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.techniques.xas.spectrum.suspicions import glitches, suspicions

E0 = 7112.0
ENERGY = E0 + np.concatenate(
    [np.arange(-150.0, -20.0, 4.0), np.arange(-20.0, 40.0, 0.5), np.arange(40.0, 500.0, 2.0)]
)


def said(energy, mu, name="Fe-K"):
    return " ".join(edge_of(XasCurve("scan", energy, mu), name, NOTHING_CHOSEN)[1])


@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.02])
@pytest.mark.parametrize("white_line", [0.0, 0.5, 1.5])
def test_nothing_is_said_of_a_good_spectrum(noise, white_line):
    mu = simulate_xanes(ENERGY, white_line=white_line, pre_edge_peak=0.3)
    mu += noise * np.random.default_rng(3).standard_normal(ENERGY.size)
    assert said(ENERGY, mu) == ""


@pytest.mark.parametrize("width", [1.5, 2.5])
def test_a_sharp_line_of_a_few_points_is_no_glitch(width):
    line = np.exp(-0.5 * ((ENERGY - E0 - 9.0) / (width * 0.5 / 2.35)) ** 2)
    assert not glitches(ENERGY, simulate_xanes(ENERGY) + line).size


@pytest.mark.parametrize("away", [13.5, 300.0])
def test_a_point_that_sticks_out_is_named_with_its_place(away):
    mu = simulate_xanes(ENERGY)
    at = int(np.searchsorted(ENERGY, E0 + away))
    mu[at] += 0.5
    assert f"1 single point sticks out, at {ENERGY[at]:.1f} eV" in said(ENERGY, mu)


def test_a_glitch_that_hides_the_edge_is_named_in_the_refusal():
    mu = simulate_xanes(ENERGY)
    mu[int(np.searchsorted(ENERGY, E0 + 300))] -= 3.0
    with pytest.raises(InputError, match=r"sticks out, at 7412\.0 eV"):
        said(ENERGY, mu)


def test_a_top_that_was_cut_off_is_a_detector_at_its_limit():
    clipped = np.minimum(simulate_xanes(ENERGY), 1.2)
    assert "exactly the largest value, 1.2" in " ".join(suspicions(ENERGY, clipped))


def test_another_edge_in_the_range_is_named():
    mu = simulate_xanes(ENERGY) + 0.6 * (0.5 + np.arctan((ENERGY - E0 - 300.0) / 1.0) / np.pi)
    assert "another edge, 0.57 times as high, lies about 7410 eV" in said(ENERGY, mu)


def test_little_behind_the_edge_is_said_and_widens_what_is_known():
    short = ENERGY < E0 + 50
    found = []
    for inside in (ENERGY < E0 + 150, short):
        curve = XasCurve("scan", ENERGY[inside], simulate_xanes(ENERGY[inside]))
        edge, notes = edge_of(curve, "Fe-K", NOTHING_CHOSEN)
        found.append((edge.numbers["edge_step"].systematic, " ".join(notes)))
    assert found[1][0] > 0.04
    assert "less than a whole oscillation" in found[1][1]
    assert "oscillation" not in found[0][1]


@pytest.mark.parametrize(("off", "side"), [(-20.0, "below"), (15.0, "above")])
def test_energies_where_no_bond_moves_an_edge_are_to_be_calibrated(off, side):
    mu = simulate_xanes(ENERGY)
    assert "calibrate" not in said(ENERGY, mu)
    assert f"eV {side} the tabulated Fe K, 7112 eV" in said(ENERGY + off, mu)
