"""Columns of numbers, whatever they mean: every reader of a file gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.formats.table import read_table
from materialsdock.model import FileReading, FloatArray, Measured

FEWEST_POINTS = 20


@dataclass(frozen=True, eq=False)
class FileColumns:
    """Two columns x, y (n,) of a file, and the line each point came from (n,).

    kind : the format; notes : what the reader had to decide
    technique : of which it is, where the file or somebody says so
    reading : what was taken as what; about : what a technique keeps of the file besides
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
    reading: FileReading = field(default_factory=FileReading)
    about: Any = None


def read_columns(lines: Lines) -> FileColumns:
    """Two columns x, y, or three with the standard deviation; more are left unread, with a note."""
    table = read_table(lines)
    if table.width < 2:
        lines.refuse(
            table.line[0], "one column only", "two columns are needed: position and counts"
        )
    x, y, *others = table.values.T
    sigma = others[0] if len(others) == 1 and (others[0] > 0).all() else None
    unread = range(4 if sigma is not None else 3, table.width + 1)
    return FileColumns(
        x,
        y,
        table.line,
        f"{table.width} columns",
        sigma,
        notes=(*lines.notes, *((unread_note(unread),) if unread else ())),
        reading=FileReading(
            columns=("1 as position", "2 as counts", "3 as standard deviation")[
                : 2 + (sigma is not None)
            ],
            sigma_from="" if sigma is None else "column 3",
            dropped=table.dropped,
        ),
    )


def unread_note(columns: range) -> str:
    """A note about columns of a file that nobody took."""
    if len(columns) == 1:
        return f"column {columns[0]} was not read"
    return f"columns {columns[0]} to {columns[-1]} were not read"


def measured(
    found: FileColumns, lines: Lines, technique: str, fewest: int = FEWEST_POINTS
) -> Measured:
    """The columns as a scan of `technique`; InputError for points not finite, or too few."""
    check_finite(found.x, found.y, found.line, lines)
    if found.x.size < fewest:
        raise InputError(
            f"{found.x.size} points are too few",
            where=lines.name,
            remedy=f"name a scan of at least {fewest} points",
        )
    return Measured(
        technique,
        found.x,
        found.y,
        found.sigma,
        found.count_time_s,
        found.wavelengths_angstrom,
        found.kind,
        tuple(dict.fromkeys((*lines.notes, *found.notes))),
        reading=found.reading,
        about=found.about,
    )


def check_finite(x: FloatArray, y: FloatArray, line: Sequence[int], lines: Lines) -> None:
    """Raise InputError at the first point (of n) that is not finite."""
    bad = np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    if bad.size:
        i = int(bad[0])
        lines.refuse(
            line[i],
            f"{x[i]:g}, {y[i]:g} is not finite ({bad.size} so)",
            "remove or measure these points again",
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
