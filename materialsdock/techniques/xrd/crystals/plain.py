"""Crystals written anew in our own plain words, which every engine reads in one way."""

from __future__ import annotations

import gemmi

COLUMNS = (
    "label",
    "type_symbol",
    "fract_x",
    "fract_y",
    "fract_z",
    "occupancy",
    "U_iso_or_equiv",
)


def plain_cif(crystal: gemmi.SmallStructure, name: str, strain: float = 0.0) -> str:
    """A minimal CIF of the crystal; strain : relative change of the cell lengths."""
    a, b, c, alpha, beta, gamma = crystal.cell.parameters
    scale = 1 + strain
    head = [
        f"data_{name}",
        f"_space_group_name_H-M_alt '{crystal.spacegroup.xhm()}'",
        f"_space_group_IT_number {crystal.spacegroup.number}",
        *(f"_cell_length_{k} {x * scale:.6f}" for k, x in zip("abc", (a, b, c), strict=True)),
        f"_cell_angle_alpha {alpha:.5f}",
        f"_cell_angle_beta {beta:.5f}",
        f"_cell_angle_gamma {gamma:.5f}",
        "loop_",
        "_space_group_symop_operation_xyz",
        *(f"'{op.triplet()}'" for op in crystal.spacegroup.operations()),
        "loop_",
        *(f"_atom_site_{column}" for column in COLUMNS),
    ]
    rows = [
        f"{site.label} {site.type_symbol} {' '.join(f'{x:.8f}' for x in site.fract.tolist())} "
        f"{site.occ:.5f} {site.u_iso:.5f}"
        for site in crystal.sites
    ]
    return "\n".join([*head, *rows]) + "\n"


def strained(cif: str, strain: float) -> str:
    """A `plain_cif` with cell lengths (1 + strain) times as long."""
    block = gemmi.cif.read_string(cif).sole_block()
    for key in ("_cell_length_a", "_cell_length_b", "_cell_length_c"):
        block.set_pair(key, f"{float(block.find_value(key)) * (1 + strain):.6f}")
    return str(block.as_string())
