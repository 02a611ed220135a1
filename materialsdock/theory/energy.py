"""Energy per atom of a refined crystal by any ASE calculator; the only importer of ase.

ASE (LGPL) is an extra that the user installs and whose calculator the user names by a dotted
string; nothing of it is imported before that.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gemmi
import numpy as np

from materialsdock.errors import InputError, ModelFault

FULL = 0.999
REMEDY = 'name a class, e.g. "ase.calculators.emt.EMT", and its arguments as JSON'


@dataclass(frozen=True)
class Calculator:
    """An ASE calculator by its dotted name, and what it is made with (plain JSON)."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def energy_per_atom(self, crystal: gemmi.SmallStructure) -> float:
        """Potential energy [eV per atom] of the crystal's unit cell, repeated without end.

        Raises InputError for a calculator that cannot be made or a crystal with partly occupied
        sites, ModelFault for an energy that is not finite; whatever the calculator itself raises
        goes through.
        """
        atoms = atoms_of(crystal)
        atoms.calc = self.make()
        energy = float(atoms.get_potential_energy()) / len(atoms)
        if not math.isfinite(energy):
            raise ModelFault(f"{self.name} gives an energy of {energy}", where="calculator")
        return energy

    def make(self) -> Any:
        """The calculator itself; InputError when there is none of this name and arguments."""
        module, _, attribute = self.name.replace(":", ".").rpartition(".")
        try:
            found = getattr(importlib.import_module(module or self.name), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(
                f"cannot load {self.name!r}: {error}", where="calculator", remedy=REMEDY
            ) from error
        try:
            return found(**self.arguments)
        except (TypeError, ValueError, LookupError) as error:
            raise InputError(
                f"{self.name} cannot be made with {dict(self.arguments)}: {error}",
                where="calculator",
                remedy=REMEDY,
            ) from error


def atoms_of(crystal: gemmi.SmallStructure) -> Any:
    """The unit cell as ase.Atoms, periodic in all directions.

    Raises InputError without ASE, and for partly occupied sites.
    """
    partly = [site.label for site in crystal.sites if site.occ < FULL]
    if partly:
        raise InputError(
            f"{', '.join(partly)} are partly occupied, which has no energy",
            where=crystal.name,
            remedy="give an ordered model of the structure",
        )
    try:
        from ase import Atoms
    except ModuleNotFoundError as error:
        raise InputError(
            "energies need the package ase",
            where="calculator",
            remedy="pip install 'materialsdock[hybrid]'",
        ) from error
    sites = list(crystal.get_all_unit_cell_sites())
    return Atoms(
        symbols=[site.element.name for site in sites],
        scaled_positions=[site.fract.tolist() for site in sites],
        cell=np.array(crystal.cell.orth.mat.tolist()).T,
        pbc=True,
    )


def formula(crystal: gemmi.SmallStructure) -> str:
    """The reduced chemical formula, elements in alphabetical order, e.g. "O3 Y2"."""
    counts: dict[str, float] = {}
    for site in crystal.get_all_unit_cell_sites():
        counts[site.element.name] = counts.get(site.element.name, 0.0) + site.occ
    whole = {name: round(count) for name, count in counts.items()}
    divisor = math.gcd(*whole.values())
    return " ".join(f"{name}{n // divisor}" for name, n in sorted(whole.items()))
