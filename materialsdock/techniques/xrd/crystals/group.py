"""The space group that a CIF means: its symbols, number and operations must agree.

A statement allows some of gemmi's settings; what all statements and the cell allow is what the
file can mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import gemmi
import numpy as np
import spglib

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.crystals.values import some, value

SYMBOLS = ("_space_group_name_H-M_alt", "_symmetry_space_group_name_H-M")
HALL = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
NUMBER = ("_space_group_IT_number", "_symmetry_Int_Tables_number")
OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
# "F d -3 m Z", "F d -3 m :2", "F d -3 m (origin choice 2)", "R -3 c H", "R -3 c HR"
MARK = re.compile(r"(?i)\s*:?\s*(S|Z|HR?|R)$|\s*:\s*([12])$|\s*\(?origin\D*([12])\)?$")
EXTENSION = {"S": "1", "Z": "2", "HR": "H"}
MONOCLINIC = range(3, 16)
MOST_OPERATIONS = 192
LENGTH_SHARE = 5e-5  # from the mean that symmetry asks for; 4.7592 and 4.76 Å contradict
ANGLE_DEG = 0.01
SILENT_SHARE = 1e-7
NAME_IT = "write its Hermann-Mauguin symbol or its symmetry operations into the file"
TAKE_OUT = "take out of the file what is wrong of them"
OF_CELL = "correct the cell or the space group in the file"


@dataclass(frozen=True)
class GroupStatement:
    """One of the places where a CIF says its space group; allows : keys of settings."""

    words: str
    allows: frozenset[str]

    def __str__(self) -> str:
        meant = {_setting(key).xhm() for key in self.allows}
        numbers = sorted({_setting(key).number for key in self.allows})
        known = meant.pop() if len(meant) == 1 else f"number {', '.join(map(str, numbers))}"
        return f"{self.words} ({known})"


@dataclass(frozen=True, eq=False)
class PossibleSettings:
    """Settings that a file can mean.

    settings : that statements and cell allow, the likeliest first
    operations : of a setting that no table has, else empty
    """

    settings: tuple[gemmi.SpaceGroup, ...]
    notes: tuple[str, ...] = ()
    operations: tuple[gemmi.Op, ...] = ()


def possible_settings(block: gemmi.cif.Block, cell: gemmi.UnitCell) -> PossibleSettings:
    """The settings of a space group that the statements of a block and its cell allow.

    Raises InputError for no statement, statements that disagree, and a cell of another system.
    """
    statements, unread = _symbols(block)
    listed = [ops for tag in OPERATIONS if (ops := _listed(block, tag, unread))]
    for operations in listed:
        found = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(list(operations)))
        if found is None:
            return _untabulated(operations, statements, cell, unread)
        words = f"{len(operations)} listed operations"
        statements.append(GroupStatement(words, frozenset({found.xhm()})))
    if not statements:
        said = "; ".join(unread) or "neither symbol, number nor operations"
        raise InputError(f"has no space group that can be read: {said}", remedy=NAME_IT)
    allowed = frozenset.intersection(*(s.allows for s in statements))
    if not allowed:
        raise InputError(
            f"its space groups contradict each other: {_all(statements)}", remedy=TAKE_OUT
        )
    if unread and not any(len(s.allows) == 1 for s in statements):
        said = "; ".join(unread)
        raise InputError(f"has no space group that can be read: {said}", remedy=NAME_IT)
    settings = [_setting(key) for key in _ordered(statements, allowed)]
    fitting = [group for group in settings if _fits(cell, group)]
    if not fitting:
        names = some(group.xhm() for group in settings)
        raise InputError(f"cell {cell_words(cell)} contradicts {names}", remedy=OF_CELL)
    notes = [f"{words}, left out" for words in unread]
    if all(s.words.startswith("number") for s in statements):
        fitting, note = _standard(fitting)
        notes.append(note)
    return PossibleSettings(_one_axis(fitting), tuple(notes))


def _symbols(block: gemmi.cif.Block) -> tuple[list[GroupStatement], list[str]]:
    """Statements of the symbols and the number, and sentences on those that are in no table."""
    kinds: Sequence[tuple[str, Sequence[str], Callable[[str], frozenset[str]]]] = (
        ("H-M symbol", SYMBOLS, of_symbol),
        ("Hall symbol", HALL, of_hall),
        ("number", NUMBER, of_number),
    )
    statements, unread = [], []
    for kind, tags, settings in kinds:
        for text in dict.fromkeys(value(block, tag) for tag in tags):
            if not text:
                continue
            words = f"{kind} {text[:40]}" if kind == "number" else f"{kind} '{text[:40]}'"
            if allows := settings(text):
                statements.append(GroupStatement(words, allows))
            else:
                unread.append(f"{words} is in no table")
    return statements, unread


def of_symbol(text: str) -> frozenset[str]:
    """The settings that a Hermann-Mauguin symbol can mean, as any program writes it."""
    plain = " ".join(re.sub(r"\((\d)\)", r"\1", text.replace("_", "")).split())
    plain = re.sub(r"\s*\((?!\s*origin)[^)]*\)$", "", plain, flags=re.IGNORECASE)
    mark = MARK.search(plain)
    base = re.sub(r"\s*/\s*", "/", plain[: mark.start()] if mark else plain)
    alike = _named(base)
    letter = next(filter(None, mark.groups())).upper() if mark else ""
    chosen = [g for g in alike if g.ext == EXTENSION.get(letter, letter)]
    return frozenset(g.xhm() for g in chosen or alike)


def _named(symbol: str) -> list[gemmi.SpaceGroup]:
    """The settings of a symbol that says neither origin nor, maybe, its monoclinic axis."""
    short = symbol.replace(" ", "")
    found = gemmi.find_spacegroup_by_name(symbol) or gemmi.find_spacegroup_by_name(short)
    table = _table().values()
    if " 1" not in symbol and (found is None or found.number in MONOCLINIC):
        wanted = _short(found) if found else short
        if alike := [g for g in table if g.number in MONOCLINIC and _short(g) == wanted]:
            return alike
    return [g for g in table if found and g.number == found.number and g.hm == found.hm]


def of_hall(text: str) -> frozenset[str]:
    """The setting of a Hall symbol."""
    try:
        operations = gemmi.symops_from_hall(text.replace("''", '"'))
        found = gemmi.find_spacegroup_by_ops(operations)
    except (ValueError, RuntimeError):
        return frozenset()
    return frozenset({found.xhm()}) if found else frozenset()


def of_number(text: str) -> frozenset[str]:
    """All settings of a number of the International Tables."""
    number = int(text) if text.isdecimal() else 0
    return frozenset(g.xhm() for g in _table().values() if g.number == number)


@cache
def _table() -> dict[str, gemmi.SpaceGroup]:
    return {group.xhm(): group for group in gemmi.spacegroup_table()}


def _setting(key: str) -> gemmi.SpaceGroup:
    return _table()[key]


def _short(group: gemmi.SpaceGroup) -> str:
    """The symbol of a monoclinic group without its axis: P 1 1 21/m is P21/m."""
    return "".join(word for word in group.hm.split() if word != "1")


def _listed(block: gemmi.cif.Block, tag: str, unread: list[str]) -> tuple[gemmi.Op, ...]:
    """The operations of a block, each once; what cannot be read is added to `unread`."""
    texts = [gemmi.cif.as_string(text) for text in block.find_values(tag)]
    texts = [text for text in texts if text not in ("", "?", ".")]
    if any(text.count(",") != 2 or text.endswith(",") for text in texts):
        # x, y, z without quotes are three values
        texts = re.findall(r"[^,\s][^,]*,[^,]+,\s*\S+", " ".join(texts)) or texts
    if len(texts) > MOST_OPERATIONS:
        raise InputError(
            f"{len(texts)} operations are more than {MOST_OPERATIONS}", remedy=TAKE_OUT
        )
    operations = {}
    for text in texts:
        try:
            operation = gemmi.Op(text.strip().lower()).wrap()
        except (ValueError, RuntimeError):
            unread.append(f"operation {text[:40]!r} cannot be read")
            return ()
        operations[operation.triplet()] = operation
    if operations and not _is_group(list(operations.values())):
        raise InputError(
            f"its {len(operations)} listed operations are not a group",
            remedy="list all operations, or only the Hermann-Mauguin symbol",
        )
    return tuple(operations.values())


def _is_group(operations: list[gemmi.Op]) -> bool:
    try:
        group = gemmi.GroupOps(operations)
        group.add_missing_elements()
    except (ValueError, RuntimeError):
        return False
    return len(group) == len(operations)


def _untabulated(
    operations: tuple[gemmi.Op, ...],
    statements: Sequence[GroupStatement],
    cell: gemmi.UnitCell,
    unread: Sequence[str],
) -> PossibleSettings:
    """Operations of an origin or axes that no table has; the type must be what symbols say."""
    found = spglib.get_spacegroup_type_from_symmetry(
        [_rotation(op) for op in operations],
        [np.array(op.tran) / op.DEN for op in operations],
        np.array(cell.orth.mat.tolist()).T,
        1e-4,
    )
    if found is None:
        raise InputError(
            f"its {len(operations)} listed operations are of no space group", remedy=NAME_IT
        )
    number = int(found.number)
    if any(number not in {_setting(key).number for key in s.allows} for s in statements):
        words = f"{len(operations)} listed operations (number {number})"
        raise InputError(
            f"its space groups contradict each other: {_all(statements)}, {words}",
            remedy=TAKE_OUT,
        )
    if _averaged(cell, operations) is None:
        raise InputError(
            f"cell {cell_words(cell)} contradicts its listed operations", remedy=OF_CELL
        )
    notes = tuple(f"{words}, left out" for words in unread)
    return PossibleSettings((), notes, operations)


def _all(statements: Sequence[GroupStatement]) -> str:
    return ", ".join(map(str, statements))


def _ordered(statements: Sequence[GroupStatement], allowed: frozenset[str]) -> Iterator[str]:
    """Reference settings first, origin choice 2 before 1, then as in the table."""
    table = list(_table())

    def rank(key: str) -> tuple[bool, bool, int]:
        group = _setting(key)
        return not group.is_reference_setting(), group.ext == "1", table.index(key)

    yield from sorted(allowed, key=rank)


def _standard(fitting: list[gemmi.SpaceGroup]) -> tuple[list[gemmi.SpaceGroup], str]:
    """The setting that a number alone means; InputError where the cell leaves several others."""
    first = fitting[0]
    alike = [g for g in fitting if g.hm == first.hm]
    if not first.is_reference_setting() and len(alike) < len(fitting):
        raise InputError(
            f"number {first.number} alone leaves the settings {some(g.xhm() for g in fitting)}",
            remedy="write the Hermann-Mauguin symbol into the file",
        )
    return alike, f"number {first.number} is all that is said: read as {first.hm}"


def _one_axis(fitting: list[gemmi.SpaceGroup]) -> tuple[gemmi.SpaceGroup, ...]:
    """Of settings with different axes the first; the two origins of one symbol stay."""
    return tuple(g for g in fitting if g.hm == fitting[0].hm)


def _fits(cell: gemmi.UnitCell, group: gemmi.SpaceGroup) -> bool:
    return _averaged(cell, group.operations().sym_ops) is not None


def symmetric_cell(
    cell: gemmi.UnitCell, group: gemmi.SpaceGroup
) -> tuple[gemmi.UnitCell, tuple[str, ...]]:
    """The cell that the group keeps exactly, and a note when that is another."""
    exact = _averaged(cell, group.operations().sym_ops)
    assert exact is not None  # `possible_settings` left no other
    away = np.abs(np.array(exact.parameters) / np.array(cell.parameters) - 1).max()
    if away <= SILENT_SHARE:
        return exact, ()
    return exact, (f"cell {cell_words(cell)} read as {cell_words(exact)}, as {group.xhm()} asks",)


def _averaged(cell: gemmi.UnitCell, operations: Sequence[gemmi.Op]) -> gemmi.UnitCell | None:
    """The cell of the mean metric; None when that is another cell."""
    basis = np.array(cell.orth.mat.tolist())
    metric = basis.T @ basis
    rotations = np.array([_rotation(op) for op in operations], dtype=float)
    mean = np.mean(np.transpose(rotations, (0, 2, 1)) @ metric @ rotations, axis=0)
    if not (np.linalg.eigvalsh(mean) > 0).all():
        return None
    lengths = np.sqrt(np.diag(mean))
    cosines = [mean[i, j] / (lengths[i] * lengths[j]) for i, j in ((1, 2), (0, 2), (0, 1))]
    angles = np.degrees(np.arccos(cosines))
    given = np.array(cell.parameters)
    near = np.abs(lengths / given[:3] - 1).max() <= LENGTH_SHARE
    if not near or np.abs(angles - given[3:]).max() > ANGLE_DEG:
        return None
    return gemmi.UnitCell(*np.round(lengths, 7), *np.round(angles, 5))


def _rotation(operation: gemmi.Op) -> np.ndarray:
    return np.array(operation.rot) // operation.DEN


def cell_words(cell: gemmi.UnitCell) -> str:
    """The six numbers of a cell [Å, deg] for a sentence."""
    return " ".join(f"{x:.7g}" for x in cell.parameters)
