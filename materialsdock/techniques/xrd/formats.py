"""Powder patterns: every format that materialsdock.techniques.xrd.files knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns, measured
from materialsdock.formats.lines import Lines
from materialsdock.model import Measured
from materialsdock.techniques.xrd import files
from materialsdock.techniques.xrd.files.assigned import ASKED as QUANTITIES
from materialsdock.techniques.xrd.files.intensities import whole

__all__ = ["OPTIONS", "QUANTITIES", "checked", "is_mine", "read"]

LARGEST_ANGLE_DEG = 180.0
OPTIONS = ("wavelengths_angstrom", "anode", "instrument")
FEWEST_POINTS = 3  # to be looked at; a job wants more


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
        what = f"{negative.size} negative counts, first {found.y[negative[0]]:g}"
        if whole(found.y):
            remedy = "a powder pattern is counts ≥ 0 on increasing 2θ"
            lines.refuse(found.line[negative[0]], what, remedy)
        note = f"{what}: intensities are no counts, they can be looked at but not refined"
        found = replace(found, notes=(*found.notes, note))
    if not found.y.any():
        raise InputError("all counts are zero", where=lines.name, remedy="name a measured pattern")
    return measured(found, lines, "xrd", FEWEST_POINTS)
