"""Symmetry of a crystal that its CIF writes out atom by atom in P1, as many databases do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gemmi
import numpy as np
import spglib

SYMPRECS_ANGSTROM = (0.02, 0.01, 0.001)
FARTHEST_ANGSTROM = 0.02  # that an atom may be moved by
MOST_ATOMS = 500
AS_ONE = 1e-3
spglib.error.OLD_ERROR_HANDLING = False  # errors are raised, not warned of


@dataclass(frozen=True)
class _SymmetryPlace:
    """A point of the cell [fractions], and what shares it."""

    at: np.ndarray
    atoms: tuple[gemmi.SmallStructure.Site, ...]

    @property
    def kind(self) -> tuple[tuple[str, float], ...]:
        """Elements and occupancies: what makes two places the same to symmetry."""
        return tuple(sorted((s.element.name, round(s.occ, 3)) for s in self.atoms))


@dataclass(frozen=True, eq=False)
class Standardised:
    """A crystal in its conventional cell and group, and how far atoms were moved for it [Å]."""

    crystal: gemmi.SmallStructure
    moved_angstrom: float


def with_symmetry(crystal: gemmi.SmallStructure) -> Standardised | None:
    """The same crystal, which is written out in P1, in its conventional cell and space group.

    The highest symmetry for which no atom moves by more than FARTHEST_ANGSTROM, since databases
    print three or four digits.  None when it is truly P1, or too large to tell.
    """
    if not 1 < len(crystal.sites) <= MOST_ATOMS:
        return None
    places = _places(crystal)
    kinds = sorted({place.kind for place in places})
    lattice = np.array(crystal.cell.orth.mat.tolist()).T.tolist()
    numbers = [1 + kinds.index(place.kind) for place in places]
    cell = (lattice, [place.at.tolist() for place in places], numbers)
    atoms = {n: next(p.atoms for p in places if p.kind == kinds[n - 1]) for n in set(numbers)}
    for symprec in SYMPRECS_ANGSTROM:
        try:
            found = spglib.get_symmetry_dataset(cell, symprec=symprec)
        except spglib.error.SpglibError:
            continue  # atoms nearer than symprec, or a cell that cannot be reduced
        if found is None or found.number == 1:
            continue
        moved = _moved_angstrom(found, [place.at for place in places])
        standard = _conventional(found, atoms) if moved <= FARTHEST_ANGSTROM else None
        if standard is not None:
            return Standardised(standard, moved)
    return None


def _moved_angstrom(found: spglib.SpglibDataset, places: Sequence[np.ndarray]) -> float:
    """Return how far the farthest atom is from its ideal place, in the standard cell [Å]."""
    lattice = np.asarray(found.std_lattice)
    ideal = np.asarray(found.std_positions)
    given = np.array(places) @ np.asarray(found.transformation_matrix).T + found.origin_shift
    farthest = 0.0
    for place in given:
        away = ideal - place
        away -= np.rint(away)
        farthest = max(farthest, float(np.linalg.norm(away @ lattice, axis=1).min()))
    return farthest


def _places(crystal: gemmi.SmallStructure) -> list[_SymmetryPlace]:
    """Sites of one place together: mixed occupation is one thing to symmetry."""
    places: list[_SymmetryPlace] = []
    for site in crystal.sites:
        at = np.array(site.fract.tolist())
        shared = next((i for i, p in enumerate(places) if _coincide(p.at, at)), None)
        if shared is None:
            places.append(_SymmetryPlace(at, (site,)))
        else:
            places[shared] = _SymmetryPlace(places[shared].at, (*places[shared].atoms, site))
    return places


def _conventional(
    found: spglib.SpglibDataset,
    atoms: Mapping[int, Sequence[gemmi.SmallStructure.Site]],
) -> gemmi.SmallStructure | None:
    """One place per orbit of spglib's standard cell, which has the setting of its Hall number.

    atoms : what stands at a place of each number; None for a setting that gemmi does not know
    """
    group = _group_of_hall(found.hall_number)
    if group is None:
        return None
    places = np.asarray(found.std_positions)
    if group.ext == "1":  # spglib's first origin; the tables and other programs prefer the second
        shift = group.basisop.inverse()
        places = np.array([shift.apply_to_xyz(place) for place in places.tolist()])
        group = gemmi.get_spacegroup_reference_setting(group.number)
    standard = gemmi.SmallStructure()
    standard.cell = gemmi.UnitCell(*_parameters(np.asarray(found.std_lattice)))
    standard.spacegroup_hm = group.xhm()
    standard.spacegroup = group
    taken: list[tuple[int, np.ndarray]] = []
    for place, number in zip(places, map(int, found.std_types), strict=True):
        if any(n == number and _coincide(place, other) for n, other in taken):
            continue
        for given in atoms[number]:
            standard.add_site(
                _moved(given, place, f"{given.element.name}{len(standard.sites) + 1}")
            )
        taken += [
            (number, np.array(op.apply_to_xyz(list(map(float, place)))))
            for op in group.operations()
        ]
    standard.setup_cell_images()
    return standard


def _moved(
    given: gemmi.SmallStructure.Site, place: np.ndarray, label: str
) -> gemmi.SmallStructure.Site:
    site = gemmi.SmallStructure.Site()
    site.element, site.occ, site.u_iso = given.element, given.occ, given.u_iso
    site.label, site.type_symbol, site.charge = label, given.type_symbol, given.charge
    site.fract = gemmi.Fractional(*map(float, place))
    return site


def _coincide(a: np.ndarray, b: np.ndarray) -> bool:
    away = a - b
    return bool(np.abs(away - np.rint(away)).max() < AS_ONE)


def _group_of_hall(hall_number: int) -> gemmi.SpaceGroup | None:
    kind = spglib.get_spacegroup_type(hall_number)
    if kind is None:
        return None
    operations = gemmi.symops_from_hall(kind.hall_symbol.replace("=", '"'))
    return gemmi.find_spacegroup_by_ops(operations)


def _parameters(lattice: np.ndarray) -> tuple[float, ...]:
    lengths = np.linalg.norm(lattice, axis=1)
    angles = [
        np.degrees(np.arccos(lattice[i] @ lattice[j] / (lengths[i] * lengths[j])))
        for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    # exact right and hexagonal angles, as the lattice means them
    return tuple(map(float, np.round(lengths, 6))) + tuple(map(float, np.round(angles, 4)))
