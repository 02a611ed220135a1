"""Symmetry of a crystal that its CIF writes out atom by atom in P1, as many databases do."""

from __future__ import annotations

import gemmi
import numpy as np
import spglib

SYMPREC_ANGSTROM = 0.01
MOST_ATOMS = 500
AS_ONE = 1e-3


def with_symmetry(crystal: gemmi.SmallStructure) -> gemmi.SmallStructure:
    """The same crystal in its conventional cell and space group, when it is given in P1.

    As it is when it has a space group, is truly P1, or is too large or disordered to tell.
    """
    if crystal.spacegroup.number != 1 or not 1 < len(crystal.sites) <= MOST_ATOMS:
        return crystal
    kinds = [(s.element.atomic_number, round(s.occ, 3)) for s in crystal.sites]
    if any(occupancy < 1 for _, occupancy in kinds):
        return crystal
    lattice = np.array(crystal.cell.orth.mat.tolist()).T.tolist()
    places = [s.fract.tolist() for s in crystal.sites]
    found = spglib.get_symmetry_dataset(
        (lattice, places, [z for z, _ in kinds]), symprec=SYMPREC_ANGSTROM
    )
    if found is None or found.number == 1:
        return crystal
    return _conventional(crystal, found)


def _conventional(
    crystal: gemmi.SmallStructure, found: spglib.SpglibDataset
) -> gemmi.SmallStructure:
    """One site per orbit of spglib's standard cell, which has the setting of its Hall number."""
    group = _group_of_hall(found.hall_number)
    if group is None:
        return crystal
    standard = gemmi.SmallStructure()
    standard.cell = gemmi.UnitCell(*_parameters(np.asarray(found.std_lattice)))
    standard.spacegroup_hm = group.xhm()
    standard.spacegroup = group
    taken: list[tuple[int, np.ndarray]] = []
    for place, number in zip(found.std_positions, found.std_types, strict=True):
        if any(z == number and _coincide(place, other) for z, other in taken):
            continue
        site = gemmi.SmallStructure.Site()
        site.element = gemmi.Element(int(number))
        site.label = f"{site.element.name}{len(standard.sites) + 1}"
        site.type_symbol = site.element.name
        site.fract = gemmi.Fractional(*map(float, place))
        site.occ = 1.0
        site.u_iso = next(s.u_iso for s in crystal.sites if s.element.atomic_number == number)
        standard.add_site(site)
        taken += [(int(number), np.array(op.apply_to_xyz(list(map(float, place)))))
                  for op in group.operations()]  # fmt: skip
    standard.setup_cell_images()
    return standard


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
