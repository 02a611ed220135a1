"""Structures of well-known substances as CIF texts."""

from __future__ import annotations

from collections.abc import Sequence

from materialsdock.model import Structure

HEADER = """\
data_{name}
_space_group_name_H-M_alt '{group}'
_space_group_IT_number {number}
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma {gamma}
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
_atom_site_B_iso_or_equiv
"""


def cif(
    name: str,
    group: str,
    number: int,
    cell: tuple[float, float, float],
    atoms: Sequence[tuple[str, str, float, float, float]],
    gamma: float = 90,
) -> Structure:
    """A structure of fully occupied sites (label, element, x, y, z); lengths [Å], gamma [deg]."""
    a, b, c = cell
    text = HEADER.format(name=name, group=group, number=number, a=a, b=b, c=c, gamma=gamma)
    rows = "".join(f"{' '.join(map(str, atom))} 1.0 0.4\n" for atom in atoms)
    return Structure(name, text + rows)


CORUNDUM = cif(
    "corundum",
    "R -3 c :H",
    167,
    (4.7592, 4.7592, 12.9920),
    [("Al1", "Al", 0, 0, 0.3522), ("O1", "O", 0.3063, 0, 0.25)],
    gamma=120,
)
ZINCITE = cif(
    "zincite",
    "P 63 m c",
    186,
    (3.2498, 3.2498, 5.2066),
    [("Zn1", "Zn", 0.333333, 0.666667, 0), ("O1", "O", 0.333333, 0.666667, 0.382)],
    gamma=120,
)
FLUORITE = cif(
    "fluorite",
    "F m -3 m",
    225,
    (5.4631, 5.4631, 5.4631),
    [("Ca1", "Ca", 0, 0, 0), ("F1", "F", 0.25, 0.25, 0.25)],
)
LAB6 = cif(
    "LaB6",
    "P m -3 m",
    221,
    (4.157, 4.157, 4.157),
    [("La1", "La", 0, 0, 0), ("B1", "B", 0.2, 0.5, 0.5)],
)
YTTRIA = cif(
    "yttria",
    "I a -3",
    206,
    (10.604, 10.604, 10.604),
    [
        ("Y1", "Y", 0.25, 0.25, 0.25),
        ("Y2", "Y", -0.0325, 0, 0.25),
        ("O1", "O", 0.391, 0.152, 0.380),
    ],
)
