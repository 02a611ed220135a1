"""Atoms placed in one setting of a space group: special positions, copies, places, distances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import gemmi
import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.crystals import contacts, contents, symmetry
from materialsdock.techniques.xrd.crystals.contents import Formula
from materialsdock.techniques.xrd.crystals.group import PossibleSettings, cell_words, symmetric_cell
from materialsdock.techniques.xrd.crystals.orbits import SILENT_ANGSTROM, Operations
from materialsdock.techniques.xrd.crystals.sites import HIGHEST_OCCUPANCY, ListedAtoms
from materialsdock.techniques.xrd.crystals.values import some

MOST_FAULTS = 3
MERGED_ANGSTROM = 0.4  # gemmi takes images of a site nearer than this as one atom
SAME_PLACE = 0.1  # Å, between atoms that share a site
SAME_PACKING = 0.01  # relative: a symmetry that adds or takes atoms is wrong


@dataclass(frozen=True, eq=False)
class Placed:
    """The atoms in one setting: what the cell holds, and what speaks against it.

    amounts : atoms of each element in the cell; fault : "" where nothing speaks against it
    """

    crystal: gemmi.SmallStructure
    amounts: dict[str, float]
    notes: tuple[str, ...] = ()
    fault: str = ""


def place(
    cell: gemmi.UnitCell, setting: gemmi.SpaceGroup, atoms: ListedAtoms, formula: Formula | None
) -> Placed:
    """The atoms in one setting, on their special positions, each orbit once."""
    exact, notes = symmetric_cell(cell, setting)
    operations = Operations(exact, setting.operations())
    orbits = [
        operations.orbit(np.array(site.fract.tolist()), digits)
        for site, digits in zip(atoms.sites, atoms.digits, strict=True)
    ]
    crystal = _crystal(exact, setting, atoms.sites, [orbit.place for orbit in orbits])
    kept, copies = _without_copies(crystal)
    if copies:
        notes = (*notes, f"left out, symmetry gives them already: {some(copies)}")
        crystal = _crystal(exact, setting, kept, [np.array(s.fract.tolist()) for s in kept])
    rows = [(s, o) for s, o in zip(atoms.sites, orbits, strict=True) if s.label not in copies]
    moved = [(s.label, o.moved) for s, o in rows if o.moved > SILENT_ANGSTROM]
    if moved:
        words = some(label for label, _ in moved)
        farthest = max(distance for _, distance in moved)
        notes = (*notes, f"put on special positions: {words}, moved by up to {farthest:.3f} Å")
    amounts = contents.amounts_of([s for s, _ in rows], [o.multiplicity for _, o in rows])
    own = [
        f"{site.label} lies {orbit.nearest:.2f} Å from its own image"
        for site, orbit in rows
        if site.occ >= contacts.FULL and orbit.nearest < MERGED_ANGSTROM
    ]
    faults = list(_overfull(crystal)) or [*own, *contacts.impossible(crystal)]
    if not faults and formula and (wrong := formula.contradiction(amounts)):
        faults = [wrong]
    return Placed(crystal, amounts, notes, "; ".join(faults[:MOST_FAULTS]))


def _crystal(
    cell: gemmi.UnitCell,
    setting: gemmi.SpaceGroup,
    sites: Sequence[gemmi.SmallStructure.Site],
    places: Sequence[FloatArray],
) -> gemmi.SmallStructure:
    crystal = gemmi.SmallStructure()
    crystal.cell = cell
    crystal.spacegroup_hm, crystal.spacegroup = setting.xhm(), setting
    for site, place in zip(sites, places, strict=True):
        moved = site.clone()
        moved.fract = gemmi.Fractional(*map(float, place))
        crystal.add_site(moved)
    crystal.setup_cell_images()
    return crystal


def _sharing(crystal: gemmi.SmallStructure) -> Iterator[list[int]]:
    """The sites at the place of each site, itself among them, as ascending numbers."""
    search = gemmi.NeighborSearch(crystal, 1.0).populate()
    for order, site in enumerate(crystal.sites):
        near = {mark.atom_idx for mark in search.find_site_neighbors(site, 0.0, SAME_PLACE)}
        yield sorted({order, *near})


def _without_copies(
    crystal: gemmi.SmallStructure,
) -> tuple[list[gemmi.SmallStructure.Site], list[str]]:
    """The sites without those that are images of a full site before them, and their labels."""
    copies = set()
    sites = crystal.sites
    for order, group in enumerate(_sharing(crystal)):
        first, site = sites[group[0]], sites[order]
        alike = first.element == site.element and first.occ == site.occ > HIGHEST_OCCUPANCY / 2
        apart = np.array(first.fract.tolist()) - np.array(site.fract.tolist())
        away = gemmi.Fractional(*(apart - np.rint(apart)))
        # the same row twice is no image but a fault
        if alike and crystal.cell.orthogonalize(away).length() > SAME_PLACE:
            copies.add(order)
    kept = [site for order, site in enumerate(sites) if order not in copies]
    return kept, [sites[order].label for order in sorted(copies)]


def _overfull(crystal: gemmi.SmallStructure) -> Iterator[str]:
    said = set()
    for group in _sharing(crystal):
        total = sum(crystal.sites[i].occ for i in group)
        if total > HIGHEST_OCCUPANCY and tuple(group) not in said:
            said.add(tuple(group))
            names = " and ".join(crystal.sites[i].label for i in group[:3])
            yield f"{names} share a place with an occupancy of {total:.2f}"


def of_operations(cell: gemmi.UnitCell, group: PossibleSettings, atoms: ListedAtoms) -> Placed:
    """The crystal of operations that no table has: written out, then in the standard setting."""
    operations = gemmi.GroupOps(list(group.operations))
    every = Operations(cell, operations)
    sites, places = [], []
    for site, digits in zip(atoms.sites, atoms.digits, strict=True):
        orbit = every.orbit(np.array(site.fract.tolist()), digits)
        for image in every.images(orbit.place):
            sites.append(site)
            places.append(image)
    amounts = contents.amounts_of(sites, [1] * len(sites))
    p1 = _crystal(cell, gemmi.SpaceGroup("P 1"), sites, places)
    built, notes = symmetrised(Placed(p1, amounts))
    if not notes:
        raise InputError(
            f"its {len(group.operations)} listed operations are of no setting of the tables",
            remedy="write the structure in a standard setting",
        )
    said = f"its {len(group.operations)} listed operations are no setting of the tables"
    return replace(built, notes=(said, *built.notes, *notes))


def symmetrised(built: Placed) -> tuple[Placed, tuple[str, ...]]:
    """A crystal written out in P 1 in its own space group, and a note; as it is when truly P 1."""
    found = symmetry.with_symmetry(built.crystal)
    return (built, ()) if found is None else _in_own_group(built, found)


def _in_own_group(
    written_out: Placed, found: symmetry.Standardised
) -> tuple[Placed, tuple[str, ...]]:
    sites = tuple(site.clone() for site in found.crystal.sites)
    atoms = ListedAtoms(sites, np.zeros((len(sites), 3)), ())
    setting = found.crystal.spacegroup
    again = place(found.crystal.cell, setting, atoms, None)
    packed = [sum(b.amounts.values()) / b.crystal.cell.volume for b in (written_out, again)]
    if again.fault or abs(packed[1] / packed[0] - 1) > SAME_PACKING:
        return written_out, ()
    said = f"read as {setting.xhm()}"
    if found.moved_angstrom >= SILENT_ANGSTROM:
        said += f"; coordinates moved by up to {found.moved_angstrom:.3f} Å"
    return again, (f"{said}; cell {cell_words(found.crystal.cell)}",)
