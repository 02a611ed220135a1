"""Symmetry of a crystal that its CIF writes out atom by atom in P1, as many databases do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gemmi
import numpy as np
import spglib

SYMPREC_ANGSTROM = 0.01
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


def with_symmetry(crystal: gemmi.SmallStructure) -> gemmi.SmallStructure:
    """The same crystal in its conventional cell and space group, when it is given in P1.

    As it is when it has a space group, is truly P1, or is too large to tell.
    """
    if crystal.spacegroup.number != 1 or not 1 < len(crystal.sites) <= MOST_ATOMS:
        return crystal
    places = _places(crystal)
    kinds = sorted({place.kind for place in places})
    lattice = np.array(crystal.cell.orth.mat.tolist()).T.tolist()
    numbers = [1 + kinds.index(place.kind) for place in places]
    cell = (lattice, [place.at.tolist() for place in places], numbers)
    try:
        found = spglib.get_symmetry_dataset(cell, symprec=SYMPREC_ANGSTROM)
    except spglib.error.SpglibError:
        return crystal  # atoms nearer than SYMPREC_ANGSTROM, or a cell that cannot be reduced
    if found is None or found.number == 1:
        return crystal
    atoms = {n: next(p.atoms for p in places if p.kind == kinds[n - 1]) for n in set(numbers)}
    return _conventional(crystal, found, atoms)


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
    crystal: gemmi.SmallStructure,
    found: spglib.SpglibDataset,
    atoms: Mapping[int, Sequence[gemmi.SmallStructure.Site]],
) -> gemmi.SmallStructure:
    """One place per orbit of spglib's standard cell, which has the setting of its Hall number.

    atoms : what stands at a place of each number
    """
    group = _group_of_hall(found.hall_number)
    if group is None:
        return crystal
    standard = gemmi.SmallStructure()
    standard.cell = gemmi.UnitCell(*_parameters(np.asarray(found.std_lattice)))
    standard.spacegroup_hm = group.xhm()
    standard.spacegroup = group
    taken: list[tuple[int, np.ndarray]] = []
    for place, number in zip(found.std_positions, map(int, found.std_types), strict=True):
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
    site.label, site.type_symbol = label, given.element.name
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
