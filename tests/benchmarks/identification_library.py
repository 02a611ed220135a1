"""A library of CIFs from textbook structure types, to hide the right answers among.

Every type is filled with many chemically possible elements; cell lengths follow from the sum of
ionic (or metallic) radii, so neighbours differ by a few per mille to some per cent, as real
isostructural compounds do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np

# ionic radii [Å], Shannon (1976), six-coordinated, rounded
RADII: Mapping[int, Mapping[str, float]] = {
    1: {"Li": 0.76, "Na": 1.02, "K": 1.38, "Rb": 1.52, "Cs": 1.67, "Ag": 1.15, "Cu": 0.77},
    2: {"Mg": 0.72, "Ca": 1.00, "Sr": 1.18, "Ba": 1.35, "Mn": 0.83, "Fe": 0.78, "Co": 0.745,
        "Ni": 0.69, "Zn": 0.74, "Cd": 0.95, "Pb": 1.19, "Eu": 1.17},
    3: {"Al": 0.535, "Ga": 0.62, "Cr": 0.615, "Fe": 0.645, "V": 0.64, "Ti": 0.67, "Mn": 0.645,
        "Sc": 0.745, "In": 0.80, "Lu": 0.861, "Yb": 0.868, "Er": 0.89, "Y": 0.90, "Dy": 0.912,
        "Gd": 0.938, "Sm": 0.958, "Nd": 0.983, "La": 1.032, "Bi": 1.03, "Co": 0.545, "Ni": 0.56},
    4: {"Si": 0.40, "Ge": 0.53, "Mn": 0.53, "Ti": 0.605, "Ru": 0.62, "Sn": 0.69, "Zr": 0.72,
        "Hf": 0.71, "Ce": 0.87, "Pb": 0.775, "V": 0.58, "Th": 0.94, "U": 0.89},
    6: {"S": 0.12, "Se": 0.28, "Cr": 0.26, "Mo": 0.41, "W": 0.42},
    -1: {"F": 1.33, "Cl": 1.81, "Br": 1.96, "I": 2.20},
    -2: {"O": 1.40, "S": 1.84, "Se": 1.98, "Te": 2.21},
}  # fmt: skip
METALS = {"Al": 4.05, "Cu": 3.615, "Ag": 4.086, "Au": 4.078, "Ni": 3.524, "Pt": 3.924, "Pd": 3.891,
          "Pb": 4.951, "Rh": 3.803, "Ir": 3.839}  # fmt: skip
BCC = {"Fe": 2.866, "Cr": 2.885, "W": 3.165, "Mo": 3.147, "V": 3.024, "Nb": 3.301, "Ta": 3.303,
       "Na": 4.291, "K": 5.328, "Ba": 5.028}  # fmt: skip
HCP = {"Mg": (3.209, 5.211), "Zn": (2.665, 4.947), "Ti": (2.951, 4.684), "Zr": (3.232, 5.147),
       "Co": (2.507, 4.069), "Y": (3.648, 5.732), "Cd": (2.979, 5.618),
       "Ru": (2.706, 4.282)}  # fmt: skip
DIAMOND = {"C": 3.567, "Si": 5.431, "Ge": 5.658, "Sn": 6.489}

Site = tuple[str, float, float, float]
# name, group, number, (a, b, c, gamma) of a reference, its sum of radii, charges, sites
TYPES: Sequence[tuple[str, str, int, tuple[float, float, float, float], tuple[str, ...],
                      tuple[int, ...], tuple[Site, ...]]] = (
    ("rocksalt1", "F m -3 m", 225, (5.640, 5.640, 5.640, 90), ("Na", "Cl"), (1, -1),
     (("A", 0, 0, 0), ("B", 0.5, 0.5, 0.5))),
    ("rocksalt2", "F m -3 m", 225, (4.212, 4.212, 4.212, 90), ("Mg", "O"), (2, -2),
     (("A", 0, 0, 0), ("B", 0.5, 0.5, 0.5))),
    ("cesiumchloride", "P m -3 m", 221, (4.123, 4.123, 4.123, 90), ("Cs", "Cl"), (1, -1),
     (("A", 0, 0, 0), ("B", 0.5, 0.5, 0.5))),
    ("zincblende", "F -4 3 m", 216, (5.409, 5.409, 5.409, 90), ("Zn", "S"), (2, -2),
     (("A", 0, 0, 0), ("B", 0.25, 0.25, 0.25))),
    ("wurtzite", "P 63 m c", 186, (3.823, 3.823, 6.261, 120), ("Zn", "S"), (2, -2),
     (("A", 1 / 3, 2 / 3, 0), ("B", 1 / 3, 2 / 3, 0.375))),
    ("fluoritetype", "F m -3 m", 225, (5.463, 5.463, 5.463, 90), ("Ca", "F"), (2, -1),
     (("A", 0, 0, 0), ("B", 0.25, 0.25, 0.25))),
    ("fluoriteoxide", "F m -3 m", 225, (5.411, 5.411, 5.411, 90), ("Ce", "O"), (4, -2),
     (("A", 0, 0, 0), ("B", 0.25, 0.25, 0.25))),
    ("rutiletype", "P 42/m n m", 136, (4.594, 4.594, 2.959, 90), ("Ti", "O"), (4, -2),
     (("A", 0, 0, 0), ("B", 0.305, 0.305, 0))),
    ("rutilefluoride", "P 42/m n m", 136, (4.621, 4.621, 3.052, 90), ("Mg", "F"), (2, -1),
     (("A", 0, 0, 0), ("B", 0.303, 0.303, 0))),
    ("corundumtype", "R -3 c :H", 167, (4.959, 4.959, 13.594, 120), ("Cr", "O"), (3, -2),
     (("A", 0, 0, 0.3475), ("B", 0.306, 0, 0.25))),
    ("bixbyite", "I a -3", 206, (10.604, 10.604, 10.604, 90), ("Y", "O"), (3, -2),
     (("A", 0.25, 0.25, 0.25), ("A", -0.0325, 0, 0.25), ("B", 0.391, 0.152, 0.380))),
    ("perovskite24", "P m -3 m", 221, (3.905, 3.905, 3.905, 90), ("Sr", "Ti", "O"), (2, 4, -2),
     (("A", 0.5, 0.5, 0.5), ("B", 0, 0, 0), ("C", 0.5, 0, 0))),
    ("perovskite33", "P m -3 m", 221, (3.886, 3.886, 3.886, 90), ("La", "Fe", "O"), (3, 3, -2),
     (("A", 0.5, 0.5, 0.5), ("B", 0, 0, 0), ("C", 0.5, 0, 0))),
    ("spinel", "F d -3 m :2", 227, (8.083, 8.083, 8.083, 90), ("Mg", "Al", "O"), (2, 3, -2),
     (("A", 0.125, 0.125, 0.125), ("B", 0.5, 0.5, 0.5), ("C", 0.2624, 0.2624, 0.2624))),
    ("delafossite", "R -3 m :H", 166, (2.816, 2.816, 14.054, 120), ("Li", "Co", "O"), (1, 3, -2),
     (("A", 0, 0, 0.5), ("B", 0, 0, 0), ("C", 0, 0, 0.2605))),
    ("cadmiumiodide", "P -3 m 1", 164, (4.240, 4.240, 6.840, 120), ("Cd", "I"), (2, -1),
     (("A", 0, 0, 0), ("B", 1 / 3, 2 / 3, 0.249))),
    ("calcite", "R -3 c :H", 167, (4.990, 4.990, 17.061, 120), ("Ca",), (2,),
     (("A", 0, 0, 0), ("C", 0, 0, 0.25), ("O", 0.2568, 0, 0.25))),
    ("barite", "P n m a", 62, (8.884, 5.457, 7.157, 90), ("Ba", "S"), (2, 6),
     (("A", 0.1845, 0.25, 0.1585), ("B", 0.0624, 0.25, 0.6908), ("O", 0.9130, 0.25, 0.6070),
      ("O", 0.1821, 0.25, 0.5500), ("O", 0.0797, 0.0293, 0.8120))),
)  # fmt: skip
LARGEST_CHANGE = 0.16
HEAD = """data_{name}
_space_group_name_H-M_alt '{group}'
_space_group_IT_number {number}
_cell_length_a {a:.4f}
_cell_length_b {b:.4f}
_cell_length_c {c:.4f}
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


def library() -> Iterator[tuple[str, str]]:
    """(name, text) of every CIF, always the same ones in the same order."""
    for name, group, number, cell, reference, charges, sites in TYPES:
        typical = sum(RADII[q][el] for q, el in zip(charges, reference, strict=True))
        for elements in product(*(RADII[q] for q in charges)):
            radii = sum(RADII[q][el] for q, el in zip(charges, elements, strict=True))
            scale = (radii + _rest(charges)) / (typical + _rest(charges))
            if len(set(elements)) == len(elements) and abs(scale - 1) < LARGEST_CHANGE:
                yield _written(
                    f"{name}_{''.join(elements)}",
                    group,
                    number,
                    cell,
                    scale,
                    dict(zip("ABC", elements, strict=False)),
                    sites,
                )
    yield from _metals()


def _rest(charges: Sequence[int]) -> float:
    """Radii of the elements that a type holds fixed (the oxygen of carbonates and sulfates)."""
    return 0.0 if min(charges) < 0 else 1.40


def _metals() -> Iterator[tuple[str, str]]:
    one: tuple[Site, ...] = (("A", 0, 0, 0),)
    for el, a in METALS.items():
        yield _written(f"fcc_{el}", "F m -3 m", 225, (a, a, a, 90), 1.0, {"A": el}, one)
    for el, a in BCC.items():
        yield _written(f"bcc_{el}", "I m -3 m", 229, (a, a, a, 90), 1.0, {"A": el}, one)
    for el, (a, c) in HCP.items():
        place: tuple[Site, ...] = (("A", 1 / 3, 2 / 3, 0.25),)
        yield _written(f"hcp_{el}", "P 63/m m c", 194, (a, a, c, 120), 1.0, {"A": el}, place)
    for el, a in DIAMOND.items():
        place = (("A", 0.125, 0.125, 0.125),)
        yield _written(f"diamond_{el}", "F d -3 m :2", 227, (a, a, a, 90), 1.0, {"A": el}, place)


def _written(
    name: str,
    group: str,
    number: int,
    cell: tuple[float, float, float, float],
    scale: float,
    elements: Mapping[str, str],
    sites: Sequence[Site],
) -> tuple[str, str]:
    a, b, c, gamma = cell
    head = HEAD.format(
        name=name, group=group, number=number, a=a * scale, b=b * scale, c=c * scale, gamma=gamma
    )
    rows = [
        f"{elements.get(role, role)}{i} {elements.get(role, role)} {x:.5f} {y:.5f} {z:.5f} 1 0.5"
        for i, (role, x, y, z) in enumerate(sites, 1)
    ]
    return name, head + "\n".join(rows) + "\n"


def scaled(texts: Sequence[tuple[str, str]], count: int, seed: int) -> Iterator[tuple[str, str]]:
    """`count` more CIFs: cells of the library scaled by up to ±5 % as solid solutions are."""
    rng = np.random.default_rng(seed)
    for n in range(count):
        name, text = texts[int(rng.integers(len(texts)))]
        factor = 1 + float(rng.uniform(0.012, 0.05)) * float(rng.choice([-1, 1]))
        lines = [
            f"{line.split()[0]} {float(line.split()[1]) * factor:.4f}"
            if line.startswith("_cell_length")
            else line
            for line in text.splitlines()
        ]
        yield f"{name}_x{n}", "\n".join(lines).replace(f"data_{name}", f"data_{name}_x{n}") + "\n"
