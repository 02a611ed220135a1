"""What is advised where no structure agrees: another cell, wavelength or zero."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.structures import simulated

from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases.remedies import lines_of, remedies
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, ZINCITE, cif

CU = Diffractometer()
LARGE = cif(
    "corundum",
    "R -3 c :H",
    167,
    (4.8544, 4.8544, 13.2518),
    [("Al1", "Al", 0, 0, 0.3522), ("O1", "O", 0.3063, 0, 0.25)],
    gamma=120,
)


@pytest.fixture(scope="module")
def pattern():
    return simulated(((CORUNDUM, 1.0),))


def advice(pattern, structure, diffractometer=CU):
    return remedies(pattern, diffractometer, [lines_of(structure)])


def test_a_common_factor_of_the_cell_is_found(pattern):
    (said,) = advice(pattern, LARGE)
    assert "all lengths times about 0.98" in said
    assert "the wavelength is about 1.57" in said


@pytest.mark.parametrize(("anode", "wavelength"), [("Co", 1.789), ("Mo", 0.70932)])
def test_another_anode_is_found(pattern, anode, wavelength):
    taken_as = Diffractometer(wavelengths_angstrom=(wavelength,), weights=(1.0,))
    (said,) = advice(pattern, CORUNDUM, taken_as)
    assert "agrees with Cu Kα" in said


def test_a_zero_of_most_of_a_degree_is_found():
    pattern = simulated(((FLUORITE, 1.0),))
    moved = replace(pattern, two_theta=pattern.two_theta + 0.8)
    assert any("off by +0.7" in said or "off by +0.8" in said for said in advice(moved, FLUORITE))


def test_the_right_structure_and_another_phase_need_none_of_them(pattern):
    assert advice(pattern, CORUNDUM) == ()
    assert advice(pattern, ZINCITE) == ()
