"""The contents of a cell: formula, density, and if they are what the CIF states."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gemmi

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.crystals.values import number, value

HIGHEST_DENSITY = 40.0  # g/cm³; osmium has 22.6
AVOGADRO = 0.602214076  # u/Å³ to g/cm³ is its inverse
ALIKE = 0.05  # relative, between contents and formula
TRACE = 0.02  # atoms per formula unit, which rounding of the formula leaves open
WORD = re.compile(r"([A-Z][a-z]?)(\d+\.?\d*|\.\d+)?(?:\(\d+\))?[\s,]*")
HYDROGEN = "H"


@dataclass(frozen=True)
class Description:
    """A crystal in short: reduced formula, elements, cell [Å, deg], density [g/cm³].

    notes : what the reader of its CIF had to decide
    """

    formula: str
    elements: tuple[str, ...]
    space_group: str
    number: int
    cell: tuple[float, ...]
    density: float
    weight_u: float
    notes: tuple[str, ...] = ()

    @property
    def cell_volume_per_weight(self) -> float:
        """Å³/u, so that cells of different content can be compared."""
        return 1 / (self.density * AVOGADRO)


@dataclass(frozen=True)
class Formula:
    """The contents that a CIF states: atoms of a formula unit, units in the cell if it says."""

    amounts: Mapping[str, float]
    units: float | None

    def contradiction(self, amounts: Mapping[str, float]) -> str:
        """Say how the contents of a cell contradict the formula; empty where they agree.

        Hydrogen is often not found: it does not count.  A formula may be that of the whole cell.
        """
        held, stated = _heavy(amounts), _heavy(self.amounts)
        ratio = sum(held.values()) / sum(stated.values()) if stated else 0.0
        if not self._agree(held, stated, ratio):
            return (
                f"the cell holds {reduced_formula(held)}, "
                f"the formula says {reduced_formula(stated)}"
            )
        possible = (1.0, ratio if self.units is None else self.units)
        if any(abs(ratio / units - 1) <= ALIKE for units in possible):
            return ""
        return (
            f"the cell holds {ratio:.3g} formula units of {reduced_formula(stated)}, "
            f"Z says {self.units:g}"
        )

    def _agree(self, held: Mapping[str, float], stated: Mapping[str, float], ratio: float) -> bool:
        return bool(stated) and all(
            abs(held.get(name, 0.0) - ratio * stated.get(name, 0.0))
            <= ratio * max(ALIKE * stated.get(name, 0.0), TRACE)
            for name in {*held, *stated}
        )

    def missing_hydrogen(self, amounts: Mapping[str, float]) -> bool:
        """Return True if the formula has hydrogen and the cell none."""
        return HYDROGEN in _as_hydrogen(self.amounts) and HYDROGEN not in _as_hydrogen(amounts)


def stated_formula(block: gemmi.cif.Block) -> tuple[Formula | None, tuple[str, ...]]:
    """The formula and Z of a block, None where it has none, and a note when it is not readable."""
    text = value(block, "_chemical_formula_sum")
    if not text:
        return None, ()
    words = list(WORD.finditer(text))
    known = all(gemmi.Element(word[1]).atomic_number > 0 for word in words)
    if not known or "".join(word[0] for word in words) != text:
        return None, (f"formula '{text[:40]}' cannot be read, contents not compared with it",)
    amounts: dict[str, float] = {}
    for word in words:
        amounts[word[1]] = amounts.get(word[1], 0.0) + float(word[2] or 1)
    units = number(value(block, "_cell_formula_units_Z"))
    formula = Formula(amounts, units if units > 0 else None)
    return (formula if _heavy(amounts) else None), ()


def _as_hydrogen(amounts: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, amount in amounts.items():
        name = HYDROGEN if name == "D" else name
        found[name] = found.get(name, 0.0) + amount
    return {name: amount for name, amount in found.items() if amount > 0}


def _heavy(amounts: Mapping[str, float]) -> dict[str, float]:
    return {k: v for k, v in _as_hydrogen(amounts).items() if k != HYDROGEN}


def amounts_of(
    sites: Sequence[gemmi.SmallStructure.Site], multiplicities: Sequence[int]
) -> dict[str, float]:
    """Atoms of each element in the cell."""
    found: dict[str, float] = {}
    for site, multiplicity in zip(sites, multiplicities, strict=True):
        name = site.element.name
        found[name] = found.get(name, 0.0) + site.occ * multiplicity
    return found


def described(
    crystal: gemmi.SmallStructure, amounts: Mapping[str, float], notes: tuple[str, ...] = ()
) -> Description:
    """Formula, cell and density of a crystal; amounts : atoms of each element in the cell.

    Raises InputError for a density that no crystal has.
    """
    weight = sum(gemmi.Element(name).weight * amount for name, amount in amounts.items())
    density = weight / (crystal.cell.volume * AVOGADRO)
    if density > HIGHEST_DENSITY:
        raise InputError(f"density {density:.0f} g/cm³ is impossible, atoms lie on each other")
    return Description(
        formula=reduced_formula(amounts),
        elements=tuple(sorted(amounts)),
        space_group=crystal.spacegroup.xhm(),
        number=crystal.spacegroup.number,
        cell=tuple(float(x) for x in crystal.cell.parameters),
        density=density,
        weight_u=weight,
        notes=notes,
    )


def reduced_formula(amounts: Mapping[str, float]) -> str:
    """Amounts in the cell over their common divisor, alphabetical: {"O": 8, "Ti": 4} is O2Ti."""
    whole = math.gcd(*(max(round(n), 1) for n in amounts.values()))
    parts = []
    for name in sorted(amounts):
        count = f"{amounts[name] / whole:.3g}"
        parts.append(name if count == "1" else name + count)
    return "".join(parts)
