"""The crystals that the text of a CIF describes: read here, and once for each text."""

from __future__ import annotations

from functools import lru_cache

import gemmi

from materialsdock.errors import InputError
from materialsdock.model import Structure


def read_document(cif: str) -> gemmi.cif.Document:
    """The CIF as a document of its own, free to be changed; ValueError where it is no CIF."""
    return gemmi.cif.read_string(cif)


def read_crystals(cif: str) -> list[gemmi.SmallStructure]:
    """Every data block as a crystal of its own, free to be changed, with atoms or without.

    Raises ValueError or RuntimeError, as gemmi does, where the text is no CIF.
    """
    return [gemmi.make_small_structure_from_block(block) for block in read_document(cif)]


@lru_cache(maxsize=64)
def _shared(cif: str) -> tuple[gemmi.SmallStructure, ...]:
    return tuple(read_crystals(cif))


def crystals_of(structure: Structure) -> tuple[gemmi.SmallStructure, ...]:
    """The crystals with atoms, shared by all who ask: to be looked at, never changed."""
    return tuple(crystal for crystal in _shared(structure.cif) if crystal.sites)


def crystal_of(structure: Structure) -> gemmi.SmallStructure:
    """The first crystal with atoms, shared by all who ask; InputError when there is none."""
    found = crystals_of(structure)
    if not found:
        raise InputError("has no atoms", where=f"CIF of {structure.name}")
    return found[0]
