"""A CIF block as one checked crystal: what the file means, or a refusal that names the place.

Nothing of a foreign CIF but numbers, elements, labels and a space group goes further than this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import gemmi
import numpy as np

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.crystals import contacts, contents
from materialsdock.techniques.xrd.crystals.contents import Description, Formula
from materialsdock.techniques.xrd.crystals.group import PossibleSettings, possible_settings
from materialsdock.techniques.xrd.crystals.placing import Placed, of_operations, place, symmetrised
from materialsdock.techniques.xrd.crystals.sites import ListedAtoms, has_atoms, listed_atoms
from materialsdock.techniques.xrd.crystals.values import number, some, value

CELL_ANGSTROM = (1.5, 300.0)
ANGLES_DEG = (20.0, 160.0)
CELL_TAGS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
GIVE_ATOMS = "give a CIF with an _atom_site loop"
GIVE_CELL = "give its three lengths in Å and three angles in degrees"
CORRECT = "correct the atoms, the space group or the formula in the file"
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


def read_crystal(block: gemmi.cif.Block) -> Crystal:
    """The crystal that a block means, with notes on every decision.

    Raises InputError for what contradicts itself, is incomplete, or may mean two things.
    """
    _refuse_other_kinds(block)
    if not has_atoms(block):
        raise InputError("has no atoms", remedy=GIVE_ATOMS)
    cell = _cell(block)
    group = possible_settings(block, cell)
    atoms = listed_atoms(block, cell)
    formula, said = contents.stated_formula(block)
    if atoms.lost and formula is None:
        raise InputError(
            f"no coordinates at {some(atoms.lost)}",
            remedy="give their coordinates, or take these rows out",
        )
    built = (
        of_operations(cell, group, atoms)
        if group.operations
        else _chosen(cell, group, atoms, formula)
    )
    if group.operations and formula and (wrong := formula.contradiction(built.amounts)):
        raise InputError(wrong, remedy=CORRECT)
    notes = [*group.notes, *atoms.notes, *said, *built.notes]
    if formula and formula.missing_hydrogen(built.amounts):
        notes.append("the hydrogen of the formula has no place")
    if built.crystal.spacegroup.number == 1:
        built, more = symmetrised(built)
        notes += more
    described = contents.described(built.crystal, built.amounts, tuple(dict.fromkeys(notes)))
    return Crystal(built.crystal, described)


def _tags(block: gemmi.cif.Block) -> Iterator[str]:
    for item in block:
        if item.loop is not None:
            yield from item.loop.tags
        elif item.pair is not None:
            yield str(item.pair[0])


def _refuse_other_kinds(block: gemmi.cif.Block) -> None:
    if found := [tag for tag in _tags(block) if OTHER_KINDS.match(tag)]:
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
        raise InputError(f"has no possible unit cell ({words})", remedy=GIVE_CELL)
    odd = [
        f"_cell_{tag} is {block.find_value(f'_cell_{tag}')!r:.20}"
        for tag, x in zip(CELL_TAGS, numbers, strict=True)
        if not np.isfinite(x)
    ]
    raise InputError(f"has no possible unit cell ({some(odd)})", remedy=GIVE_CELL)


def _chosen(
    cell: gemmi.UnitCell, group: PossibleSettings, atoms: ListedAtoms, formula: Formula | None
) -> Placed:
    """The atoms in the setting that nothing speaks against; InputError for none, or for two."""
    tried = [place(cell, setting, atoms, formula) for setting in group.settings]
    other = _other_origin(group.settings[0]) if len(tried) == 1 and tried[0].fault else None
    # a formula is strong enough to believe that the symbol names the wrong one of two origins
    if formula is not None and other is not None:
        tried.append(place(cell, other, atoms, formula))
    good = [built for built in tried if not built.fault]
    if not good:
        raise InputError(tried[0].fault, remedy=CORRECT)
    if len(tried) == 1:
        return good[0]
    if len(good) == 2:
        return _better_origin(*good)
    (wrong,) = (built for built in tried if built.fault)
    return _with_note(good[0], f"with the other, {wrong.fault}")


def _other_origin(setting: gemmi.SpaceGroup) -> gemmi.SpaceGroup | None:
    if setting.ext not in ("1", "2"):
        return None
    return gemmi.find_spacegroup_by_name(f"{setting.hm}:{'2' if setting.ext == '1' else '1'}")


def _with_note(built: Placed, why: str) -> Placed:
    setting = built.crystal.spacegroup
    said = f"read with origin choice {setting.ext} of {setting.hm}: {why}"
    return replace(built, notes=(*built.notes, said))


def _better_origin(first: Placed, second: Placed) -> Placed:
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
