"""Rows of numbers with the names of their columns, as the lines above them say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from materialsdock.formats.lines import COMMENT, Lines, row
from materialsdock.model import FloatArray

WIDE_GAP = re.compile(r"\s{2,}|[\t,;|]+|\s\*\s?")  # between names that hold blanks
WITH_UNIT = re.compile(r"[^\s(\[]+(?:\s*[(\[][^)\]]*[)\]])?")  # a name, and its unit in brackets
LABELS = re.compile(r"^#L\s+")  # before the names of SPEC
REMEDY = "name a text file with a row of numbers for each point"


@dataclass(frozen=True, eq=False)
class Table:
    """The numbers of a file: values (n, k), the line (n,) each row stands on, k names.

    names : as the heading has them, "" where it has none; heading : the line they came from
    dropped : rows that were left out, in words
    """

    values: FloatArray
    line: Sequence[int]
    names: tuple[str, ...]
    heading: str = ""
    dropped: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.values.shape[1])


def read_table(lines: Lines, first: int = 1) -> Table:
    """The rows of numbers from line `first` on, with the names in the last heading above them.

    Numbers of another width above all rows are a title.  A last row that is shorter than the others
    was cut off while it was written.  Both are left out, as is text behind the rows.
    Raises InputError for no rows, and for rows that are not all of one width.
    """
    rows = list(lines.numbers(first))
    if not rows:
        number, text = next(lines.numbered(), (1, ""))
        lines.refuse(number, f"holds no rows of numbers, it begins with {text[:60]!r}", REMEDY)
    last, dropped = rows[-1][0], []
    if len(rows) > 2 and len(rows[0][1]) != len(rows[1][1]) == len(rows[2][1]):
        dropped.append(f"the numbers above the rows, line {rows.pop(0)[0]}")
    width = len(rows[0][1])
    if len(rows) > 2 and len(rows[-1][1]) < width:
        number, cut = rows.pop()
        dropped.append(f"the last row, line {number}, has {len(cut)} of {width} columns")
    below = (n for n, text in lines.numbered() if n > last and text[0] not in COMMENT)
    if footer := next(below, None):
        dropped.append(f"the text behind the rows, from line {footer} on")
    ragged = next((number for number, values in rows if len(values) != width), None)
    if ragged is not None:
        lines.refuse(ragged, f"a row has not {width} columns as the first", "mend that row")
    mixed = next((n for n, _ in rows if {";", ","} <= set(lines.text[n - 1])), None)
    if mixed is not None:
        lines.refuse(
            mixed,
            "commas and semicolons stand in one row: decimal commas, or signs for thousands?",
            "write decimal points, and no sign for thousands",
        )
    heading, names = _heading(lines, rows[0][0], width)
    values = np.array([values for _, values in rows])
    return Table(values, [number for number, _ in rows], names, heading, tuple(dropped))


def names_in(heading: str, width: int) -> tuple[str, ...] | None:
    """The `width` names of columns that a line holds, or None where it holds another number."""
    bare = LABELS.sub("", heading.strip()).lstrip(COMMENT).strip()
    for words in (WIDE_GAP.split(bare), bare.split(), WITH_UNIT.findall(bare)):
        names = [word.strip(" *\"'#") for word in words if word.strip(" *\"'#")]
        if len(names) == width:
            return tuple(names)
    return None


def _heading(lines: Lines, data: int, width: int) -> tuple[str, tuple[str, ...]]:
    """The last line above the data that names as many columns as they have, and the names."""
    above = [text for number, text in lines.numbered() if number < data]
    for text in reversed(above):
        if row(text) is None and (names := names_in(text, width)):
            return text, names
    return "", ("",) * width
