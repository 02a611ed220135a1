"""A refined crystal, and the distances in it that no crystal has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import gemmi

from materialsdock.model import Parameter, Structure
from materialsdock.techniques.xrd.crystals.contacts import contacts
from materialsdock.techniques.xrd.model import PhaseFit
from materialsdock.techniques.xrd.rietveld.crystals import read_crystals


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
        found += [f"{phase.name}: {words}" for words in contacts(crystal)]
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
