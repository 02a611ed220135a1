"""Columns of a plain table, and what each of them is: by option, by heading, or by its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.formats.options import check_columns
from materialsdock.formats.table import LABELS, Table
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files import axis, headings, intensities

ASKED = (*headings.AXES, "counts", "cps", "sigma", "weight", "seconds", "attenuator")
GROUPS = (headings.AXES, ("counts", "cps", "relative"), ("sigma", "weight"))  # one of each
SURE = re.compile(r"2\s*[-_]?\s*(theta|θ|th)\b|two[-_ ]*theta|2θ|\btth\b", re.IGNORECASE)
ASK = "say which column is what: --columns two_theta=1,counts=2"
UNREAD = "unread"
FEWEST_COUNTED = 20  # rows, to say that they are counted
Meanings = list[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Assigned:
    """A table with the quantity and the unit of each column, "" where nobody says.

    names : of the columns, "" where the heading says nothing; x, y : numbers of the columns of
    positions and intensities, from 0; axis : what the positions are
    """

    table: Table
    quantities: tuple[str, ...]
    units: tuple[str, ...]
    names: tuple[str, ...]
    x: int
    y: int
    axis: str
    notes: tuple[str, ...] = ()

    def column(self, number: int) -> FloatArray:
        """The numbers (n,) of a column."""
        values: FloatArray = self.table.values[:, number]
        return values

    def shown(self, number: int) -> str:
        """A column in words: "column 3 (sigma)"."""
        name = self.names[number]
        return f"column {number + 1}{f' ({name})' if name else ''}"

    def first(self, *wanted: str) -> int | None:
        """The first column of one of the quantities, beside positions and intensities."""
        others = (i for i, q in enumerate(self.quantities) if q in wanted)
        return next((i for i in others if i not in (self.x, self.y)), None)


def claims(names: Sequence[str]) -> bool:
    """True where names of columns can only be those of a powder pattern."""
    meanings = [headings.meaning(name) for name in names]
    if any(quantity == "energy" for quantity, _ in meanings) or headings.transmits(names):
        return False
    return _sure(names) or _with_unit(meanings, ("q", "d"))


def assigned(table: Table, lines: Lines) -> Assigned:
    """The table with what its columns are.

    Raises InputError where nobody says it and the numbers do not show it.
    """
    _refuse_others(table, lines)
    meanings = _meanings(table, lines)
    quantities = [quantity for quantity, _ in meanings]
    if not any(quantities):
        _refuse_puzzles(table, lines)
    x, shown = _positions(quantities, table, lines)
    unknown = _unknown_first(table, x, quantities)
    y = _intensities(quantities, x, table, lines)
    names = table.names if any(quantities) else ("",) * table.width
    units = tuple(unit for _, unit in meanings)
    return Assigned(table, tuple(quantities), units, names, x, y, shown, unknown)


def _unknown_first(table: Table, x: int, quantities: Sequence[str]) -> tuple[str, ...]:
    """A note where positions are named, beside counts or a monitor, in a word that is not known."""
    beside = ("counts", "cps", "monitor")
    named = any(headings.meaning(name)[0] in beside for name in table.names)
    if quantities[x] or not table.names[x] or not named:
        return ()
    return (f"column {x + 1} is named {table.names[x]!r}, and was taken as 2θ",)


def _meanings(table: Table, lines: Lines) -> Meanings:
    """The quantity and the unit of each column: by option, or else by heading.

    A heading counts where it names 2θ or a unit of positions, or counts and something else: a
    title may have as many words as there are columns, and samples may be called a, b, c, d.
    """
    found = [headings.meaning(name) for name in table.names]
    said = [quantity for quantity, _ in found if quantity]
    counts = len(said) > 1 and bool({"counts", "cps", "relative"} & set(said))
    if not (counts or _sure(table.names) or _with_unit(found, headings.AXES)):
        found = [("", "")] * table.width
    asked = lines.options.columns
    check_columns(asked, ASKED, table.width, lines.name)
    for name, numbers in asked.items():
        if len(numbers) > 1:
            raise InputError(
                f"several columns for {name}",
                where=f"{lines.name}, --columns",
                remedy="name one column for each quantity of a powder pattern",
            )
        alike = next((group for group in GROUPS if name in group), (name,))
        found = [(UNREAD if q in alike else q, unit) for q, unit in found]
        found[numbers[0] - 1] = (name, found[numbers[0] - 1][1])
    return found


def _sure(names: Sequence[str]) -> bool:
    return any(SURE.search(name) for name in names)


def _with_unit(meanings: Meanings, quantities: Sequence[str]) -> bool:
    """True where a column of positions names one of its units."""
    return any(q in quantities and axis.unit_of(u) in axis.UNITS[q] for q, u in meanings)


def _positions(quantities: Sequence[str], table: Table, lines: Lines) -> tuple[int, str]:
    """The column of positions and what they are: 2θ in the first one where none is called so."""
    for quantity in headings.AXES:
        if quantity in quantities:
            return quantities.index(quantity), quantity
    if "energy" in quantities:
        lines.refuse(table.line[0], f"{table.heading.strip()[:60]!r} names energies", ASK)
    if "" not in quantities:
        lines.refuse(table.line[0], "no column of positions among those that are named", ASK)
    return quantities.index(""), "two_theta"


def _intensities(quantities: Sequence[str], x: int, table: Table, lines: Lines) -> int:
    """The column of intensities; where none is called so, the first that says nothing."""
    for wanted in (("counts", "cps"), ("relative",), ("",)):
        found = [i for i, q in enumerate(quantities) if q in wanted and i != x]
        if "" in wanted and len(found) > 1 and any(quantities):
            named = ", ".join(f"{i + 1} {table.names[i]}".rstrip() for i in found[:8])
            lines.refuse(table.line[0], f"which of these columns are the counts: {named}", ASK)
        if found:
            return found[0]
    lines.refuse(table.line[0], "no column of counts among those that are named", ASK)


def _refuse_others(table: Table, lines: Lines) -> None:
    """Refuse a first column that is named as no position of a pattern, and transformed counts."""
    if lines.options.columns or lines.options.unit:
        return
    first = table.names[0]
    if headings.meaning(first)[0] == "other":
        lines.refuse(table.line[0], f"column 1 is named {first!r}, which is no 2θ, θ, Q or d", ASK)
    if LABELS.match(table.heading) and first and not headings.meaning(first)[0]:
        lines.refuse(table.line[0], f"the scan is over {first!r}: is that 2θ?", ASK)
    bent = next((name for name in table.names if headings.TRANSFORMED.match(name)), None)
    above = next((text for n, text in reversed(list(lines.numbered())) if n < table.line[0]), "")
    if bent is None and (match := headings.TRANSFORMED_ABOVE.search(above)):
        bent = match[0].strip(" ,;")
    if bent is not None:
        lines.refuse(
            table.line[0],
            f"a column is named {bent!r}: its logarithm or root hides the counting noise",
            "export the intensities themselves",
        )


def _refuse_puzzles(table: Table, lines: Lines) -> None:
    """Refuse numbers without a heading whose first column is no position, or whose rows go on."""
    values = table.values
    first = values[:, 0]
    if len(first) >= FEWEST_COUNTED and first[0] in (0, 1) and (np.diff(first) == 1).all():
        lines.refuse(
            table.line[0],
            f"column 1 counts the rows, {first[0]:g} to {first[-1]:g}: steps of 1° from there?",
            "name the column of 2θ, e.g. --columns two_theta=1,counts=2",
        )
    if table.width > 2 and values.shape[0] > 2 and np.isfinite(values).all():
        counted = np.array_equal(values[:, 0], values[0, 0] + np.arange(len(values)))
        step = np.diff(values[:, 1])
        if counted and step.min() > 0 and np.ptp(step) < 0.01 * step.mean():
            lines.refuse(table.line[0], "column 1 counts the rows, column 2 runs evenly", ASK)
    if table.width > 4 and len(values) > 1 and _rows_go_on(values[:, 1:]):
        lines.refuse(
            table.line[0],
            f"{table.width} columns without a heading, whose rows may go on from line to line",
            f"{ASK}, or export two columns",
        )


def _rows_go_on(values: FloatArray) -> bool:
    """True where each row of whole numbers seems to continue the one before."""
    if not intensities.whole(values):
        return False
    between = np.abs(values[1:, 0] - values[:-1, -1]).mean()
    return bool(between <= 2 * np.abs(np.diff(values, axis=1)).mean())
