"""CIFs that tests of the structure store write: rock salt with faults, one crystal in two ways."""

from __future__ import annotations

import gemmi
import numpy as np

from materialsdock.techniques.xrd.crystals.plain import plain_cif
from materialsdock.testing.crystals import HEADER

SITES = (
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n"
    "_atom_site_fract_y\n_atom_site_fract_z\n"
)
SALT = (
    "data_{name}\n_symmetry_space_group_name_H-M '{group}'\n_cell_length_a {a}\n"
    "_cell_length_b {a}\n_cell_length_c {a}\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
    "_cell_angle_gamma 90\n{more}\n" + SITES + "{rows}\n"
)
PLUMBOUS = (
    HEADER.format(name="PbSO4", group="P n m a", number=62, a=8.48, b=5.398, c=6.958, gamma=90)
    + """\
Pb1 Pb 0.1879 0.25 0.1675 1 0.5
S1 S 0.0633 0.25 0.6842 1 0.5
O1 O 0.9080 0.25 0.5960 1 0.5
O2 O 0.1940 0.25 0.5430 1 0.5
O3 O 0.0820 0.0260 0.8090 1 0.5
"""
)


def salt(name="halite", a=5.640, group="F m -3 m", more="", rows="Na1 Na 0 0 0\nCl1 Cl 0.5 0 0"):
    """Rock salt, or what a fault makes of it."""
    return SALT.format(name=name, a=a, group=group, more=more, rows=rows)


def in_p1(text, move, scale):
    """Every atom of the cell, in another cell of the same volume and another origin."""
    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(text)[0])
    other = gemmi.SmallStructure()
    a, b, c, *angles = crystal.cell.changed_basis_forward(move, False).parameters
    other.cell = gemmi.UnitCell(scale * a, scale * b, scale * c, *angles)
    other.spacegroup_hm, other.spacegroup = "P 1", gemmi.SpaceGroup("P 1")
    for site in crystal.get_all_unit_cell_sites():
        moved = site.clone()
        place = np.add(move.apply_to_xyz(site.fract.tolist()), [0.1, 0.2, 0.3])
        moved.fract = gemmi.Fractional(*(place % 1.0))
        other.add_site(moved)
    return plain_cif(other, "again")


def written(folder, **texts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        data = text if isinstance(text, bytes) else text.encode()
        (folder / f"{name}.cif").write_bytes(data)
    return folder
