"""The atoms of refined structures: coordinates, occupancies and displacements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from materialsdock.model import Outcome, Parameter
from materialsdock.techniques.xrd.report import uncertainty
from materialsdock.techniques.xrd.report.uncertainty import Uncertainty
from materialsdock.techniques.xrd.rietveld.contacts import refined_crystal
from materialsdock.techniques.xrd.rietveld.crystals import crystals_of

NUMBERS = ("x", "y", "z", "occupancy", "biso")


@dataclass(frozen=True)
class Atom:
    """One site of a phase, and its multiplicity in the cell.

    values : by NUMBERS: fractions, a share, Biso [Å²]; known : how well each is known
    """

    phase: str
    label: str
    element: str
    multiplicity: int
    values: Mapping[str, float]
    known: Mapping[str, Uncertainty]

    def words(self) -> list[str]:
        """The numbers as the report writes them."""
        return [self.known[key].words(self.values[key]) for key in NUMBERS]


def atoms(outcome: Outcome) -> tuple[Atom, ...]:
    """The sites of every phase as the fit left them; () where nothing was refined."""
    fit = outcome.found.fit
    structures = outcome.job.sample.structures
    known_cifs = all(crystals_of(structure) for structure in structures)
    if fit is None or len(structures) != len(fit.phases) or not known_cifs:
        return ()
    refined = {p.name: p for p in fit.parameters}
    spread = uncertainty.spread(outcome)
    found = []
    for phase, structure in zip(fit.phases, structures, strict=True):
        crystal = refined_crystal(structure, phase, {n: p.value for n, p in refined.items()})
        everywhere = [site.label for site in crystal.get_all_unit_cell_sites()]
        for site in crystal.sites:
            name = f"{phase.name}.{site.label}"
            values = dict(zip("xyz", site.fract.tolist(), strict=True))
            values |= {"occupancy": site.occ, "biso": 8 * math.pi**2 * site.u_iso}
            rows = {key: refined.get(f"{name}.{key}", Parameter(key, 0.0)) for key in NUMBERS}
            known = {
                key: Uncertainty(rows[key].esd, spread.get(f"{name}.{key}")) for key in NUMBERS
            }
            found.append(
                Atom(
                    phase.name,
                    site.label,
                    site.element.name,
                    everywhere.count(site.label),
                    values,
                    known,
                )
            )
    return tuple(found)
