"""Shifts of atoms that keep the symmetry of a crystal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import gemmi
import numpy as np

from materialsdock.model import FloatArray, Structure
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of, read_document

SAME = 1e-3  # fractional: a symmetry operation leaves an atom where it is


@dataclass(frozen=True, eq=False)
class Freedom:
    """One way in which a site may move: its label, and the shift per Å in fractions (3,)."""

    name: str
    label: str
    per_angstrom: FloatArray


def freedoms(crystal: gemmi.SmallStructure) -> list[Freedom]:
    """All shifts that the site symmetries allow, orthogonal and 1 Å long for each site."""
    to_cartesian = np.array(crystal.cell.orth.mat.tolist())
    to_fractions = np.linalg.inv(to_cartesian)
    operations = list(crystal.spacegroup.operations())
    found = []
    for site in crystal.sites:
        here = np.array(site.fract.tolist())
        kept = []
        for op in operations:
            there = np.array(op.apply_to_xyz(here.tolist()))
            if np.abs((there - here + 0.5) % 1 - 0.5).max() < SAME:
                kept.append(np.array(op.rot) / op.DEN)
        # the mean over the site's group projects on what every operation leaves alone
        projector = to_cartesian @ np.mean(kept, axis=0) @ to_fractions
        values, vectors = np.linalg.eigh((projector + projector.T) / 2)
        for number, k in enumerate(np.flatnonzero(values > 0.5)):
            axis = vectors[:, k] * (np.sign(vectors[np.argmax(np.abs(vectors[:, k])), k]) or 1)
            name = f"{site.label}.{number}"
            found.append(Freedom(name, site.label, to_fractions @ axis))
    return found


def shifted(structure: Structure, shifts_angstrom: Mapping[str, float]) -> Structure:
    """The structure with its sites moved by name of freedom [Å]; the rest of the CIF stays."""
    crystal = crystal_of(structure)
    moves: dict[str, FloatArray] = {}
    for freedom in freedoms(crystal):
        step = shifts_angstrom.get(freedom.name, 0.0) * freedom.per_angstrom
        moves[freedom.label] = moves.get(freedom.label, np.zeros(3)) + step
    document = read_document(structure.cif)
    at = {site.label: np.array(site.fract.tolist()) for site in crystal.sites}
    for block in document:
        keys = ["label", *(f"fract_{axis}" for axis in "xyz")]
        for row in block.find("_atom_site_", keys):
            label = row.str(0)
            if label in moves and np.any(moves[label]):
                for i, value in enumerate(at[label] + moves[label], 1):
                    row[i] = f"{value:.7f}"
    return replace(structure, cif=document.as_string())
