"""A CIF block as one checked crystal: what the file means, or a refusal that names the place.

Nothing of a foreign CIF but numbers, elements, labels and a space group goes further than this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gemmi
import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.crystals import contacts, contents, symmetry
from materialsdock.techniques.xrd.crystals.contents import Description, Formula
from materialsdock.techniques.xrd.crystals.group import Meant, cell_words, meant, symmetric_cell
from materialsdock.techniques.xrd.crystals.orbits import SILENT_ANGSTROM, Operations
from materialsdock.techniques.xrd.crystals.sites import (
    HIGHEST_OCCUPANCY,
    Listed,
    has_atoms,
    listed,
)
from materialsdock.techniques.xrd.crystals.values import number, some, value

MOST_FAULTS = 3
CELL_ANGSTROM = (1.5, 300.0)
ANGLES_DEG = (20.0, 160.0)
CELL_TAGS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
MERGED_ANGSTROM = 0.4  # gemmi takes images of a site nearer than this as one atom
SAME_PLACE = 0.1  # Å, between atoms that share a site
SAME_PACKING = 0.01  # relative: a symmetry that adds or takes atoms is wrong
LOOSER = 1.1  # times the tightest contact: how much better an origin must be to be believed
# modulated and magnetic structures have more symmetry than a space group
OTHER_KINDS = re.compile(
    r"(?i)_(space_group[_.]magn|space_group_symop[_.]magn|atom_site_moment"
    r"|space_group[_.]ssg|space_group_symop[_.]ssg|cell_modulation|cell_wave_vector"
    r"|atom_site_fourier|atom_site_displace|atom_site_occ_fourier)"
)


@dataclass(frozen=True, eq=False)
class Crystal:
    """A crystal with occupancies as a CIF gives them, its description, and notes in it."""

    structure: gemmi.SmallStructure
    described: Description


@dataclass(frozen=True, eq=False)
class _Built:
    """The atoms in one setting: what the cell holds, and what speaks against it."""

    crystal: gemmi.SmallStructure
    amounts: dict[str, float]
    notes: tuple[str, ...]
    fault: str


def read_crystal(block: gemmi.cif.Block) -> Crystal:
    """The crystal that a block means, with notes on every decision.

    Raises InputError for what contradicts itself, is incomplete, or may mean two things.
    """
    _refuse_other_kinds(block)
    if not has_atoms(block):
        raise InputError("has no atoms")
    cell = _cell(block)
    group = meant(block, cell)
    atoms = listed(block, cell)
    formula, said = contents.stated_formula(block)
    if atoms.lost and formula is None:
        raise InputError(
            f"no coordinates at {some(atoms.lost)}",
            remedy="give their coordinates, or take these rows out",
        )
    built = (
        _of_operations(cell, group, atoms)
        if group.operations
        else _chosen(cell, group, atoms, formula)
    )
    if group.operations and formula and (wrong := formula.contradiction(built.amounts)):
        raise InputError(wrong, remedy="correct the file")
    notes = [*group.notes, *atoms.notes, *said, *built.notes]
    if formula and formula.missing_hydrogen(built.amounts):
        notes.append("the hydrogen of the formula has no place")
    if built.crystal.spacegroup.number == 1:
        built, more = _symmetrised(built)
        notes += more
    described = contents.described(built.crystal, built.amounts, tuple(dict.fromkeys(notes)))
    return Crystal(built.crystal, described)


def _refuse_other_kinds(block: gemmi.cif.Block) -> None:
    tags = [
        tag
        for item in block
        for tag in (item.loop.tags if item.loop else [item.pair[0]] if item.pair else [])
    ]
    if found := [tag for tag in tags if OTHER_KINDS.match(tag)]:
        magnetic = any("magn" in tag.lower() or "moment" in tag.lower() for tag in found)
        kind = "magnetic" if magnetic else "modulated"
        raise InputError(
            f"is a {kind} structure ({some(dict.fromkeys(found))})",
            remedy="give the CIF of its parent structure in an ordinary space group",
        )


def _cell(block: gemmi.cif.Block) -> gemmi.UnitCell:
    """The unit cell; InputError for one that is incomplete or impossible."""
    said = [value(block, f"_cell_{tag}") for tag in CELL_TAGS]
    numbers = [number(text) for text in said]
    low, high = CELL_ANGSTROM
    good = all(low <= x <= high for x in numbers[:3])
    good = good and all(ANGLES_DEG[0] <= x <= ANGLES_DEG[1] for x in numbers[3:])
    if good:
        cell = gemmi.UnitCell(*numbers)
        if np.isfinite(cell.volume) and cell.volume > 1.0:
            return cell
    if np.isfinite(numbers).all():
        words = " ".join(f"{x:g}" for x in numbers)
        raise InputError(f"has no possible unit cell ({words})")
    odd = [
        f"_cell_{tag} is {block.find_value(f'_cell_{tag}')!r:.20}"
        for tag, x in zip(CELL_TAGS, numbers, strict=True)
        if not np.isfinite(x)
    ]
    raise InputError(f"has no possible unit cell ({some(odd)})")


def _chosen(cell: gemmi.UnitCell, group: Meant, atoms: Listed, formula: Formula | None) -> _Built:
    """The atoms in the setting that nothing speaks against; InputError for none, or for two."""
    tried = [_built(cell, setting, atoms, formula) for setting in group.settings]
    other = _other_origin(group.settings[0]) if len(tried) == 1 and tried[0].fault else None
    # a formula is strong enough to believe that the symbol names the wrong one of two origins
    if formula is not None and other is not None:
        tried.append(_built(cell, other, atoms, formula))
    good = [built for built in tried if not built.fault]
    if not good:
        raise InputError(tried[0].fault, remedy="correct the space group or the atoms")
    if len(tried) == 1:
        return good[0]
    if len(good) == 2:
        return _told_apart(*good)
    (wrong,) = (built for built in tried if built.fault)
    return _with_note(good[0], f"with the other {wrong.fault}")


def _other_origin(setting: gemmi.SpaceGroup) -> gemmi.SpaceGroup | None:
    if setting.ext not in ("1", "2"):
        return None
    return gemmi.find_spacegroup_by_name(f"{setting.hm}:{'2' if setting.ext == '1' else '1'}")


def _with_note(built: _Built, why: str) -> _Built:
    setting = built.crystal.spacegroup
    said = f"read with origin choice {setting.ext} of {setting.hm}: {why}"
    return _Built(built.crystal, built.amounts, (*built.notes, said), "")


def _told_apart(first: _Built, second: _Built) -> _Built:
    """The first, which is the standard origin, where its atoms are clearly the better placed.

    Raises InputError where both can be meant.
    """
    looseness = [contacts.tightest(built.crystal) for built in (first, second)]
    if looseness[0] >= LOOSER * looseness[1]:
        return _with_note(first, "the symbol does not say which, this is the standard one")
    setting = first.crystal.spacegroup
    held = [
        f"{contents.reduced_formula(b.amounts)} ({sum(b.amounts.values()):.4g} atoms) "
        f"with origin choice {b.crystal.spacegroup.ext}"
        for b in (first, second)
    ]
    raise InputError(
        f"{setting.hm} has two origins and the file does not say which: {' or '.join(held)}",
        remedy=f"write '{setting.hm} :1' or '{setting.hm} :2', or the formula and Z, into the file",
    )


def _built(
    cell: gemmi.UnitCell, setting: gemmi.SpaceGroup, atoms: Listed, formula: Formula | None
) -> _Built:
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
    return _Built(crystal, amounts, notes, "; ".join(faults[:MOST_FAULTS]))


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


def _of_operations(cell: gemmi.UnitCell, group: Meant, atoms: Listed) -> _Built:
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
    built, notes = _symmetrised(_Built(p1, amounts, (), ""))
    if not notes:
        raise InputError(
            f"its {len(group.operations)} listed operations are of no setting of the tables",
            remedy="write the structure in a standard setting",
        )
    said = f"its {len(group.operations)} listed operations are no setting of the tables"
    return _Built(built.crystal, built.amounts, (said, *built.notes, *notes), "")


def _symmetrised(built: _Built) -> tuple[_Built, tuple[str, ...]]:
    """A crystal written out in P 1 in its own space group, and a note; as it is when truly P 1."""
    found = symmetry.with_symmetry(built.crystal)
    return (built, ()) if found is None else _again(built, found)


def _again(written_out: _Built, found: symmetry.Found) -> tuple[_Built, tuple[str, ...]]:
    sites = tuple(site.clone() for site in found.crystal.sites)
    atoms = Listed(sites, np.zeros((len(sites), 3)), ())
    setting = found.crystal.spacegroup
    again = _built(found.crystal.cell, setting, atoms, None)
    packed = [sum(b.amounts.values()) / b.crystal.cell.volume for b in (written_out, again)]
    if again.fault or abs(packed[1] / packed[0] - 1) > SAME_PACKING:
        return written_out, ()
    said = f"read as {setting.xhm()}"
    if found.moved_angstrom >= SILENT_ANGSTROM:
        said += f"; coordinates moved by up to {found.moved_angstrom:.3f} Å"
    return again, (f"{said}; cell {cell_words(found.crystal.cell)}",)
