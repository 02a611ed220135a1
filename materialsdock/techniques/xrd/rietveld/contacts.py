"""Distances between atoms that no crystal has."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import gemmi
import numpy as np

from materialsdock.model import FloatArray, Parameter, Structure
from materialsdock.techniques.xrd.model import PhaseFit
from materialsdock.techniques.xrd.rietveld.crystals import read_crystals

SHORTEST_SHARE = 0.6  # of the sum of two covalent radii
IMAGE = 0.1  # Å; closer images are one atom on a special position
FULL = 0.6  # sites of smaller occupancy may exclude each other


def too_short(
    structures: Sequence[Structure], phases: Sequence[PhaseFit], parameters: Sequence[Parameter]
) -> tuple[str, ...]:
    """One sentence for each phase with atoms closer than SHORTEST_SHARE of their covalent radii.

    parameters : coordinates are named phase.site.x; what is not named stays as in the CIF
    """
    values = {p.name: p.value for p in parameters}
    found = []
    for structure, phase in zip(structures, phases, strict=True):
        crystal = refined_crystal(structure, phase, values)
        found += [f"{phase.name}: {words}" for words in _contacts(crystal)]
    return tuple(found)


def refined_crystal(
    structure: Structure, phase: PhaseFit, values: Mapping[str, float]
) -> gemmi.SmallStructure:
    """The crystal of the CIF with the refined cell, coordinates and B; `values` by our names."""
    crystal = next(crystal for crystal in read_crystals(structure.cif) if crystal.sites)
    cell = [phase.cell[key].value for key in ("a", "b", "c", "alpha", "beta", "gamma")]
    crystal.cell.set(*cell)
    crystal.setup_cell_images()
    for site in crystal.sites:
        name = f"{phase.name}.{site.label}"
        old = site.fract
        site.fract = gemmi.Fractional(
            *(values.get(f"{name}.{axis}", getattr(old, axis)) for axis in "xyz")
        )
        site.occ = values.get(f"{name}.occupancy", site.occ)
        if f"{name}.biso" in values:
            site.u_iso = values[f"{name}.biso"] / (8 * math.pi**2)
    return crystal


def _contacts(crystal: gemmi.SmallStructure) -> Iterator[str]:
    everywhere = crystal.get_all_unit_cell_sites()
    fractions = np.array([site.fract.tolist() for site in everywhere])
    radii = np.array([site.element.covalent_r for site in everywhere])
    full = np.array([site.occ >= FULL for site in everywhere])
    said: set[frozenset[str]] = set()
    for site in crystal.sites:
        if site.occ < FULL:
            continue
        apart = _distances(fractions, site.fract.tolist(), crystal.cell)
        limit = SHORTEST_SHARE * (radii + site.element.covalent_r)
        for i in map(int, np.flatnonzero(full & (apart < limit))):
            pair = frozenset((site.label, everywhere[i].label))
            if pair not in said:
                said.add(pair)
                yield f"{site.label} and {everywhere[i].label} are {apart[i]:.2f} Å apart"


def _distances(fractions: FloatArray, one: Sequence[float], cell: gemmi.UnitCell) -> FloatArray:
    """(k,) the shortest distance [Å] of each atom's images to `one`, itself left out."""
    cells = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    offset = fractions - np.asarray(one)
    offset -= np.round(offset)
    matrix = np.array(cell.orth.mat.tolist())
    length = np.linalg.norm((offset[:, None] + cells[None]) @ matrix.T, axis=2)
    return np.asarray(np.where(length > IMAGE, length, np.inf).min(axis=1))
