"""The powder lines and the formula that the structure store works out of a crystal."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest

from materialsdock.techniques.xrd.crystals.contents import reduced_formula
from materialsdock.techniques.xrd.phases.powder_lines import powder_lines
from materialsdock.testing.crystals import ZINCITE


def test_intensities_agree_with_the_sum_over_atoms():
    """F = Σ f·occ·exp(−B s²)·exp(2πi h·x) over all atoms of the cell, written out here."""
    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(ZINCITE.cif)[0])
    atoms = [(s.element, s.fract.tolist(), s.u_iso) for s in crystal.get_all_unit_cell_sites()]
    weight = sum(el.weight for el, _, _ in atoms)
    crystal.change_occupancies_to_crystallographic()
    d, intensity = powder_lines(crystal, weight)
    for hkl, multiplicity in (((1, 0, 0), 6), ((0, 0, 2), 2), ((1, 0, 1), 12), ((1, 1, 0), 6)):
        stol2 = 1 / (4 * crystal.cell.calculate_d(list(hkl)) ** 2)
        f = sum(
            el.it92.calculate_sf(stol2)
            * np.exp(-8 * np.pi**2 * u * stol2 + 2j * np.pi * np.dot(hkl, x))
            for el, x, u in atoms
        )
        expected = multiplicity * abs(f) ** 2 / (weight * crystal.cell.volume)
        at = np.argmin(np.abs(d - crystal.cell.calculate_d(list(hkl))))
        assert intensity[at] == pytest.approx(expected, rel=1e-4)


def test_formula_is_reduced_and_keeps_partial_amounts():
    assert reduced_formula({"Ti": 4.0, "O": 8.0}) == "O2Ti"
    assert reduced_formula({"Li": 2.94, "Co": 3.0, "O": 6.0}) == "CoLi0.98O2"
