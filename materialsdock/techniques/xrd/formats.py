"""Powder patterns: every format that materialsdock.techniques.xrd.files knows."""

from __future__ import annotations

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns, measured
from materialsdock.formats.lines import Lines
from materialsdock.model import Measured
from materialsdock.techniques.xrd import files

LARGEST_ANGLE_DEG = 180.0


def read(lines: Lines) -> FileColumns | None:
    """A pattern in a format that announces itself, or None."""
    return files.read(lines)


def is_mine(found: FileColumns) -> bool:
    """True where x can be 2θ [deg]."""
    return bool(found.x.min() > -LARGEST_ANGLE_DEG and found.x.max() <= LARGEST_ANGLE_DEG)


def checked(found: FileColumns, lines: Lines) -> Measured:
    """The columns as a powder pattern; InputError with the line of the first fault."""
    if found.about is None:  # bare columns, which say nothing of themselves
        found = files.read_bare(lines)
    negative = np.flatnonzero(found.y < 0)
    if negative.size:
        lines.refuse(
            found.line[negative[0]],
            f"{negative.size} negative counts, first {found.y[negative[0]]:g}",
            "a powder pattern is counts ≥ 0 on increasing 2θ",
        )
    if not found.y.any():
        raise InputError("all counts are zero", where=lines.name, remedy="name a measured pattern")
    return measured(found, lines, "xrd")
