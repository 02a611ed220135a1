"""Columns of numbers, whatever they mean: every reader of a file gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.model import FloatArray, Measured

FEWEST_POINTS = 20


@dataclass(frozen=True, eq=False)
class FileColumns:
    """Two columns x, y (n,) of a file, and the line each point came from (n,).

    kind : the format; notes : what the reader had to decide
    technique : of which it is, where the file or somebody says so
    """

    x: FloatArray
    y: FloatArray
    line: Sequence[int]
    kind: str
    sigma: FloatArray | None = None
    count_time_s: float | None = None
    wavelengths_angstrom: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    technique: str = ""


def read_columns(lines: Lines) -> FileColumns:
    """Two columns x, y, or three with the standard deviation; more are left unread, with a note."""
    rows = list(lines.numbers())
    if not rows:
        number, text = next(lines.numbered(), (1, ""))
        lines.refuse(
            number,
            f"holds no rows of numbers, it begins with {text[:60]!r}",
            "name a text file with columns 2θ and counts, or energy and µ",
        )
    width = len(rows[0][1])
    ragged = next((number for number, values in rows if len(values) != width), None)
    if ragged is not None:
        lines.refuse(ragged, f"a row has not {width} columns as the first", "mend that row")
    if width < 2:
        lines.refuse(rows[0][0], "one column only", "two columns are needed: position and counts")
    table = np.array([values for _, values in rows])
    found = FileColumns(
        table[:, 0], table[:, 1], [number for number, _ in rows], f"{width} columns"
    )
    if width == 3 and (table[:, 2] > 0).all():
        return replace(found, sigma=table[:, 2])
    if width > 2:
        return replace(found, notes=(f"columns 3 to {width} were not read",))
    return found


def measured(found: FileColumns, lines: Lines, technique: str) -> Measured:
    """The columns as a scan of `technique`; InputError for points not finite, or too few."""
    bad = np.flatnonzero(~(np.isfinite(found.x) & np.isfinite(found.y)))
    if bad.size:
        i = int(bad[0])
        lines.refuse(
            found.line[i],
            f"{found.x[i]:g}, {found.y[i]:g} is not finite ({bad.size} so)",
            "remove or measure these points again",
        )
    if found.x.size < FEWEST_POINTS:
        raise InputError(
            f"{found.x.size} points are too few",
            where=lines.name,
            remedy=f"name a scan of at least {FEWEST_POINTS} points",
        )
    return Measured(
        technique,
        found.x,
        found.y,
        found.sigma,
        found.count_time_s,
        found.wavelengths_angstrom,
        found.kind,
        found.notes,
    )


def values_of(lines: Lines, first: int, last: int | None = None) -> tuple[list[float], list[int]]:
    """All numbers of lines `first` to `last`, counted from 1, and the line of each."""
    found: list[float] = []
    where: list[int] = []
    for number, line in lines.numbered():
        if number < first or (last is not None and number > last):
            continue
        numbers = row(line)
        if numbers is None:
            lines.refuse(number, f"{line[:60]!r} are not counts", "the data block is damaged")
        found += numbers
        where += [number] * len(numbers)
    return found, where


def is_number(word: str | None) -> bool:
    """True for a word that can be read as a number."""
    return word is not None and row(word) is not None
