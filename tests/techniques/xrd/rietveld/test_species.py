"""Atoms of a CIF as ions, and ions as atoms."""

from __future__ import annotations

import pytest

from materialsdock.errors import InputError
from materialsdock.model import Structure
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.techniques.xrd.rietveld.species import turned
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, cif

QUARTZ = cif(
    "quartz",
    "P 32 2 1",
    154,
    (4.9134, 4.9134, 5.4052),
    [("Si1", "Si", 0.4699, 0, 0.666667), ("O1", "O", 0.4141, 0.2681, 0.785367)],
    gamma=120,
)


def sites(structure):
    return [(site.element.name, site.charge) for site in crystal_of(structure).sites]


@pytest.mark.parametrize(
    ("structure", "ions"),
    [
        (CORUNDUM, [("Al", 3), ("O", -2)]),
        (FLUORITE, [("Ca", 2), ("F", -1)]),
        (QUARTZ, [("Si", 0), ("O", -2)]),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_atoms_become_the_usual_ions_and_atoms_again(structure, ions):
    other = turned(structure)
    assert sites(other) == ions
    assert sites(turned(other)) == sites(structure)
    assert crystal_of(other).cell.parameters == crystal_of(structure).cell.parameters


def test_what_has_no_anion_stays_as_it_is():
    assert turned(LAB6) is None


def test_what_is_no_cif_is_refused():
    with pytest.raises(InputError, match="cannot be read"):
        turned(Structure("odd", "loop_ _a _b 1"))
