"""Atoms as ions or as neutral atoms: what a CIF says of it is mostly nobody's decision.

Scattering factors of both differ at low angles, so in a mixture the choice moves weights: ions
instead of atoms take 0.7 wt% to the corundum of the CPD-1 mixtures.
"""

from __future__ import annotations

from dataclasses import replace

import gemmi

from materialsdock.errors import InputError
from materialsdock.model import Structure
from materialsdock.techniques.xrd.rietveld.crystals import read_document

TYPE = "_atom_site_type_symbol"
ANIONS = {"O": "O2-", "F": "F1-", "Cl": "Cl1-", "Br": "Br1-"}
CATIONS = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs"), "1+"),
    **dict.fromkeys(("Mg", "Ca", "Sr", "Ba", "Mn", "Co", "Ni", "Cu", "Zn", "Cd", "Pb"), "2+"),
    **dict.fromkeys(("Al", "Sc", "Cr", "Fe", "Ga", "Y", "In", "La", "Dy"), "3+"),
    **dict.fromkeys(("Ti", "Zr", "Ce"), "4+"),
}


def turned(structure: Structure) -> Structure | None:
    """The structure with neutral atoms where it has ions, else with the usual ions of its atoms.

    None where there is nothing to turn: no ion and no anion, or no type symbols.
    """
    try:
        document = read_document(structure.cif)
    except (ValueError, RuntimeError) as fault:
        raise InputError(f"cannot be read: {fault}", where=f"CIF of {structure.name}") from fault
    changed = False
    for block in document:
        column = block.find_values(TYPE)
        symbols = [gemmi.cif.as_string(symbol) for symbol in column]
        new = _turned(symbols)
        changed = changed or new != symbols
        for i, symbol in enumerate(new):
            column[i] = symbol
    return replace(structure, cif=document.as_string()) if changed else None


def _turned(symbols: list[str]) -> list[str]:
    elements = [gemmi.Element(_letters(symbol)).name for symbol in symbols]
    if any(symbol[-1:] in "+-" for symbol in symbols if symbol):
        return elements
    if not set(ANIONS) & set(elements):
        return symbols
    return [ANIONS.get(e) or f"{e}{CATIONS.get(e, '')}" for e in elements]


def _letters(symbol: str) -> str:
    return "".join(c for c in symbol[:2] if c.isalpha())
