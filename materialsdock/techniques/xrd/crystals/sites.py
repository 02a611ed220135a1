"""The atoms of a CIF block as it lists them: every value a number, every element known."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gemmi
import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.crystals.values import NULL, last_digit, number, some, value

MOST_SITES = 3000
HIGHEST_OCCUPANCY = 1.05
TYPICAL_U = 0.006  # Å², B = 0.5
U_RANGE = (1e-4, 0.1)
HIGHEST_CHARGE = 8
FARTHEST = 100.0  # cells; a coordinate beyond is none
HYDROGEN = ("H", "D")
COLUMNS = (
    "label",
    "type_symbol",
    "fract_x",
    "fract_y",
    "fract_z",
    "Cartn_x",
    "Cartn_y",
    "Cartn_z",
    "occupancy",
    "U_iso_or_equiv",
    "B_iso_or_equiv",
    "calc_flag",
)
CHARGE = re.compile(r"[A-Za-z]{1,2}(?:(\d*)([+-])|([+-])(\d+))$")
# what mineralogists write where the hydrogen was not found
OXYGEN = re.compile(r"(?i)(wat|ow|oh2|h2o|hoh|oh|o-h)(?=[^a-z]|$)")


@dataclass(frozen=True, eq=False)
class ListedAtoms:
    """The sites with a place, and the unit of the last printed digit of each coordinate (n, 3).

    lost : names of atoms that should have a place and have none
    """

    sites: tuple[gemmi.SmallStructure.Site, ...]
    digits: FloatArray
    notes: tuple[str, ...]
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Row:
    """One row of the table of atoms: what its columns say, and which say that it is not known."""

    said: dict[str, str]
    unknown: frozenset[str]
    order: int

    @property
    def name(self) -> str:
        return (
            self.said.get("label") or f"{self.said.get('type_symbol', 'atom')} in row {self.order}"
        )

    @property
    def element(self) -> str:
        """The text that names the element."""
        return self.said.get("type_symbol") or self.said.get("label", "")


def has_atoms(block: gemmi.cif.Block) -> bool:
    """Return True if the block lists atoms with places, as a crystal does and a journal not."""
    return any(len(block.find_values(f"_atom_site_{kind}_x")) for kind in ("fract", "Cartn"))


def listed_atoms(block: gemmi.cif.Block, cell: gemmi.UnitCell) -> ListedAtoms:
    """The atoms that have a place, in fractions of the cell.

    Raises InputError with every fault in one sentence.
    """
    rows = list(_rows(block))
    if len(rows) > MOST_SITES:
        raise InputError(
            f"{len(rows)} atom sites are more than {MOST_SITES}",
            remedy="give a structure for powder diffraction",
        )
    cartesian = not _has(rows, "fract_x") and _has(rows, "Cartn_x")
    keys = [f"{'Cartn' if cartesian else 'fract'}_{axis}" for axis in "xyz"]
    if faults := list(_faults(rows, keys)):
        raise InputError("; ".join(faults), remedy="correct these values in the file")
    kept = [row for row in rows if _placed(row, keys) and _occupancy(row) > 0]
    if not kept:
        raise InputError("has no atoms with coordinates", remedy="give their coordinates")
    lost = tuple(r.name for r in rows if not _placed(r, keys) and not _left_out(r))
    notes = list(_notes(rows, kept))
    places = np.array([[number(row.said[key]) for key in keys] for row in kept])
    digits = np.array([[last_digit(row.said[key]) for key in keys] for row in kept])
    if cartesian:
        matrix, vector = _transform(block, cell)
        places, digits = np.linalg.solve(matrix, (places - vector).T).T, digits / cell.a
        notes.append("Cartesian coordinates converted to fractions of the cell")
    labels, said = _labels(kept)
    aniso = _anisotropic(block, cell)
    sites = [
        _site(row, label, place, aniso)
        for row, label, place in zip(kept, labels, places, strict=True)
    ]
    return ListedAtoms(tuple(sites), digits, (*notes, *said), lost)


def _rows(block: gemmi.cif.Block) -> Iterator[_Row]:
    present = [name for name in COLUMNS if len(block.find_values(f"_atom_site_{name}"))]
    for order, row in enumerate(block.find("_atom_site_", present), 1):
        said = {name: gemmi.cif.as_string(row[i]).strip() for i, name in enumerate(present)}
        unknown = frozenset(name for i, name in enumerate(present) if row[i] == "?")
        known = {name: text for name, text in said.items() if text not in NULL}
        if known:
            yield _Row(known, unknown, order)


def _has(rows: Sequence[_Row], key: str) -> bool:
    return any(key in row.said for row in rows)


def _placed(row: _Row, keys: Sequence[str]) -> bool:
    return all(key in row.said for key in keys)


def _left_out(row: _Row) -> bool:
    """Hydrogen is often not found, dummies are no atoms."""
    return row.said.get("calc_flag") == "dum" or _element(row).name in HYDROGEN


def _element(row: _Row) -> gemmi.Element:
    text = row.element
    if OXYGEN.match(text):
        return gemmi.Element("O")
    letters = re.match(r"[A-Za-z]{1,2}", text)
    for word in (letters[0], letters[0][0]) if letters else ():
        if gemmi.Element(word).atomic_number > 0 and not text[len(word) :][:1].islower():
            return gemmi.Element(word)
    return gemmi.Element("X")


def _charge(row: _Row) -> int:
    found = CHARGE.match(row.element)
    if found is None:
        return 0
    digits, sign = (found[1] or "1", found[2]) if found[2] else (found[4], found[3])
    charge = int(digits or 0) * (1 if sign == "+" else -1)
    return charge if abs(charge) <= HIGHEST_CHARGE else 0


def _occupancy(row: _Row) -> float:
    return number(row.said["occupancy"]) if "occupancy" in row.said else 1.0


def _faults(rows: Sequence[_Row], keys: Sequence[str]) -> Iterator[str]:
    unknown = [repr(row.name) for row in rows if not _scatters(_element(row))]
    if unknown:
        yield f"unknown element, or one without scattering factor, at {some(unknown)}"
    numbers = (*keys, "occupancy", "U_iso_or_equiv", "B_iso_or_equiv")
    odd = [
        f"{key} {row.said[key]!r:.20} of {row.name}"
        for row in rows
        for key in numbers
        if key in row.said and not abs(number(row.said[key])) < math.inf
    ]
    if odd:
        yield f"no number: {some(odd)}"
    far = [row.name for row in rows if any(_beyond(row.said.get(key, "0")) for key in keys)]
    if far and keys[0] == "fract_x":
        yield f"no coordinates of an atom in the cell at {some(far)}"
    full = [
        f"{row.name} ({_occupancy(row):g})"
        for row in rows
        if not math.isnan(_occupancy(row)) and not 0 <= _occupancy(row) <= HIGHEST_OCCUPANCY
    ]
    if full:
        yield f"occupancy outside 0-1 at {some(full)}"


def _beyond(text: str) -> bool:
    return abs(number(text)) >= FARTHEST


def _scatters(element: gemmi.Element) -> bool:
    return element.atomic_number > 0 and element.it92 is not None


def _notes(rows: Sequence[_Row], kept: Sequence[_Row]) -> Iterator[str]:
    """Say what is left out, and what is read in another way than it is written."""
    if gone := [row.name for row in rows if row not in kept]:
        yield f"left out, without atom or place: {some(gone)}"
    if oxygen := [row.name for row in kept if OXYGEN.match(row.element)]:
        yield f"read as oxygen without its hydrogen: {some(oxygen)}"
    labelled = [
        f"{row.name} as {_element(row).name}"
        for row in kept
        if "type_symbol" not in row.said
        and not row.name.startswith(_element(row).name)
        and not OXYGEN.match(row.element)
    ]
    if labelled:
        yield f"elements read from the labels: {some(labelled)}"
    if heavy := [row.name for row in kept if _element(row).name == "D"]:
        yield f"deuterium scatters X-rays as hydrogen does: {some(heavy)}"
    if over := [f"{row.name} ({_occupancy(row):g})" for row in kept if _occupancy(row) > 1]:
        yield f"occupancy above 1 taken as 1: {some(over)}"
    if guessed := [row.name for row in kept if "occupancy" in row.unknown]:
        yield f"unknown occupancy taken as 1: {some(guessed)}"
    if impossible := [row.name for row in kept if (u := _u_iso(row)) is not None and u <= 0]:
        yield f"displacement at or below zero, U = {TYPICAL_U:g} Å² taken: {some(impossible)}"


def _u_iso(row: _Row) -> float | None:
    if "U_iso_or_equiv" in row.said:
        return number(row.said["U_iso_or_equiv"])
    if "B_iso_or_equiv" in row.said:
        return number(row.said["B_iso_or_equiv"]) / (8 * math.pi**2)
    return None


def _anisotropic(block: gemmi.cif.Block, cell: gemmi.UnitCell) -> dict[str, float]:
    """U_eq [Å²] of each label: a third of the trace in Cartesian axes.

    Fischer & Tillmanns (1988) Acta Cryst. C44, 775.
    """
    axes = ("11", "22", "33", "12", "13", "23")
    reciprocal = cell.reciprocal().parameters[:3]
    found = {}
    for row in block.find("_atom_site_aniso_", ["label", *(f"U_{axis}" for axis in axes)]):
        u11, u22, u33, u12, u13, u23 = (number(gemmi.cif.as_string(row[i])) for i in range(1, 7))
        tensor = np.array([[u11, u12, u13], [u12, u22, u23], [u13, u23, u33]])
        tensor = tensor * np.outer(reciprocal, reciprocal)
        basis = np.array(cell.orth.mat.tolist())
        found[gemmi.cif.as_string(row[0])] = float(np.trace(basis @ tensor @ basis.T)) / 3
    return found


def _labels(rows: Sequence[_Row]) -> tuple[list[str], tuple[str, ...]]:
    """A harmless name for each site, and a note on names used twice."""
    plain = [
        re.sub(r"[^A-Za-z0-9]+", "_", row.said.get("label", "")).strip("_")[:20] for row in rows
    ]
    names: list[str] = []
    twice: list[str] = []
    for order, (row, label) in enumerate(zip(rows, plain, strict=True), 1):
        name = label if label and label[0].isalpha() else f"{_element(row).name}{order}"
        if name in names:
            twice.append(name)
            tail = next(k for k in range(2, len(rows) + 2) if f"{name}_{k}" not in {*names, *plain})
            name = f"{name}_{tail}"
        names.append(name)
    if not twice:
        return names, ()
    return names, (
        f"labels used more than once are told apart by number: {some(dict.fromkeys(twice))}",
    )


def _site(
    row: _Row, label: str, place: FloatArray, aniso: dict[str, float]
) -> gemmi.SmallStructure.Site:
    site = gemmi.SmallStructure.Site()
    site.label, site.element = label, _element(row)
    site.charge = _charge(row)
    sign = "+" if site.charge > 0 else "-"
    site.type_symbol = site.element.name + (f"{abs(site.charge)}{sign}" if site.charge else "")
    site.fract = gemmi.Fractional(*map(float, place))
    site.occ = min(_occupancy(row), 1.0)
    u = _u_iso(row)
    u = aniso.get(row.said.get("label", ""), 0.0) if u is None else u
    low, high = U_RANGE
    # an absent or zero value would let light atoms scatter at high angles as no atom does
    site.u_iso = min(u, high) if math.isfinite(u) and u > low else TYPICAL_U
    return site


def _transform(block: gemmi.cif.Block, cell: gemmi.UnitCell) -> tuple[FloatArray, FloatArray]:
    """The matrix (3, 3) and vector (3,) [Å] from fractions to Cartesian coordinates.

    Raises InputError where the file does not say how the axes lie and they may lie in two ways.
    """
    tags = [f"matrix_{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]
    tags += [f"vector_{i}" for i in (1, 2, 3)]
    said = np.array([number(value(block, f"_atom_sites_Cartn_tran_{tag}") or "0") for tag in tags])
    matrix, vector = said[:9].reshape(3, 3), said[9:]
    if np.isfinite(said).all() and abs(np.linalg.det(matrix) / cell.volume - 1) < 1e-2:
        return matrix, vector
    if not matrix.any() and np.abs(np.array(cell.parameters[3:]) - 90).max() < 1e-3:
        return np.diag(cell.parameters[:3]), np.zeros(3)
    raise InputError(
        "gives Cartesian coordinates, and not how they lie in its cell",
        remedy="write fractional coordinates, or _atom_sites_Cartn_tran_matrix",
    )
