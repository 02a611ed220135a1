"""The doubt of places: of the spacing of points and of the monochromator, and not of noise."""

from __future__ import annotations

import numpy as np
import pytest

from materialsdock.techniques.xas.report.sentences import edge_sentences
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.edge_fit import fit_edge
from materialsdock.techniques.xas.spectrum.edge_table import named
from materialsdock.techniques.xas.spectrum.location_doubt import PLACED, location_doubt

E0, WIDTH_EV, SI_111 = 7112.0, 3.0, 1.0


def grid(step, offset=0.0):
    near = np.arange(-20.0 + offset, 40.0, step)
    return E0 + np.concatenate([np.arange(-150.0, -20.0, 5.0), near, np.arange(41.0, 400.0, 3.0)])


def mu(energy, second=0.0):
    """An arctan step, a white line lopsided by a shoulder, and another line 12 eV on."""
    x = energy - E0
    edge = 0.5 + np.arctan(x / 0.8) / np.pi
    lines = 0.6 * np.exp(-0.5 * ((x - 6) / 1.8) ** 2) + 0.25 * np.exp(-0.5 * ((x - 9) / 2.5) ** 2)
    return 0.3 + edge + lines + second * np.exp(-0.5 * ((x - 18) / 1.8) ** 2)


def fitted(energy, curve, **how):
    """The edge of a curve without noise."""
    return fit_edge(energy, curve, np.array([curve, curve]), edge=named("Fe-K"), **how)


def doubts(energy, curve, others=(), resolution_ev=1e-3):
    found = locate(energy, curve)
    return location_doubt(energy, found, others, WIDTH_EV, resolution_ev)


def test_the_place_is_wrong_by_about_as_much_as_the_spacing_leaves_open():
    fine = grid(0.01)
    true = fitted(fine, mu(fine)).numbers
    pulls = {name: [] for name in ("e0", "white_line_position")}
    for offset in np.linspace(0.0, 0.9, 9):
        energy = grid(1.0, offset)
        found = fitted(energy, mu(energy))
        of = doubts(energy, mu(energy))
        for name in pulls:
            pulls[name].append((found.numbers[name].value - true[name].value) / of[name])
            assert found.numbers[name].systematic > of[name]
    for name, values in pulls.items():
        assert 0.1 < np.sqrt(np.mean(np.square(values))) < 1.5, name


def test_wider_spacing_and_a_wider_monochromator_leave_more_open():
    by_step = [doubts(grid(step), mu(grid(step))) for step in (0.25, 1.0, 2.0)]
    by_width = [doubts(grid(0.25), mu(grid(0.25)), (), width) for width in (0.1, SI_111, 2.0)]
    for name in PLACED:
        for found in (by_step, by_width):
            assert found[0][name] < found[-1][name], name
    assert 0.002 < by_width[1]["white_line_position"] < 0.5


def test_noise_is_not_counted_twice():
    energy, rng = grid(0.5), np.random.default_rng(1)
    curves = [mu(energy) + 0.01 * rng.standard_normal(energy.size) for _ in range(33)]
    others = [locate(energy, curve).flat for curve in curves[1:]]
    told = doubts(energy, curves[0], others, SI_111)
    not_told = doubts(energy, curves[0], (), SI_111)
    for name in PLACED:
        assert told[name] <= not_told[name]
    assert told["white_line_position"] < not_told["white_line_position"]


def test_of_two_lines_about_as_high_it_is_said_that_the_place_is_not_clear():
    energy, second = grid(0.4), 0.6846
    for height in (second, second + 0.004):
        curve = mu(energy, height)
        found = fitted(energy, curve)
        assert found.numbers["white_line_position"].esd > 2.0
        assert any("another maximum" in each for each in found.warnings)
    clear = fitted(energy, mu(energy, 0.2))
    assert clear.numbers["white_line_position"].esd < 0.3
    assert not clear.warnings


def test_a_curve_that_only_rises_has_no_white_line():
    energy = grid(0.5)
    x = energy - E0
    curve = 0.5 + np.arctan(x / 8.0) / np.pi + 2e-3 * np.clip(x, 0.0, 45.0)
    found = fitted(energy, curve)
    assert "white_line_position" not in found.numbers
    assert "no white line: the curve has no maximum within 30 eV" in " ".join(edge_sentences(found))


@pytest.mark.parametrize("resolution_ev", [0.5, 3.0])
def test_the_resolution_of_the_instrument_is_asked_for(resolution_ev):
    energy = grid(0.25)
    usual, told = (
        fitted(energy, mu(energy), resolution_ev=width) for width in (None, resolution_ev)
    )
    place = [each.numbers["white_line_position"].systematic for each in (usual, told)]
    assert (place[1] > place[0]) == (resolution_ev > SI_111)
