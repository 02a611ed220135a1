"""Columns of a sheet and keys of a recipe: the range that is scanned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.model import FloatArray, Scan
from materialsdock.profile.columns import Contradiction, Number, PlannedEntry, range_faults
from materialsdock.profile.sections import Measuring, Section

RANGE = ("scan_from", "scan_to")
SETTINGS = RANGE  # columns that change how long a sample takes
FACTS = ()  # columns that a job keeps as they are
STRUCTURES_IN = ""  # column that names the structures of a sample: none does


class Columns(Section):
    """Columns of a sheet: the range of the scan [unit of the technique's axis]."""

    scan_from: Number | None = None
    scan_to: Number | None = None


class RecipeKeys(Columns):
    """Keys of [measure] of a recipe: the same, for rows that name no range."""

    def faults(self) -> Iterator[str]:
        """Keys that do not go together, in words."""
        for (key, *_), reason in range_faults(self, *RANGE):
            yield f"{key} {reason}"


def contradictions(row: Any) -> Iterator[Contradiction]:
    """A range needs both ends, in order."""
    return range_faults(row, *RANGE)


def located(row: Any, folder: Path) -> Mapping[str, Any]:
    """Return no files: no column names one."""
    return {}


def applied(section: Measuring, said: Mapping[str, Any]) -> Measuring:
    """The section as it is: a row changes nothing of it."""
    return section


def structures(row: Any, profile: Any) -> tuple[()]:
    """Return no structures: none can be asked for."""
    return ()


def scan_of(plan: PlannedEntry) -> Scan:
    """The scan of a row: the replayed file as far as it is asked for, or the places of its range.

    Raises InputError for a range that is missing, or beyond the file.
    """
    start, stop = (plan.said(key) for key in RANGE)
    if plan.replayed() is not None:
        asked = None if start is None else (start, stop)
        part = plan.part(asked, strict=plan.entry.scan_from is not None)
        found: Scan = technique.named(plan.technique).job().scan_of(part)
        return found
    if start is None:
        columns = " and ".join(RANGE)
        raise InputError("no range", remedy=f"fill {columns}, or name a recipe that has them")
    return Scan(plan.technique, _places(plan, start, stop))


def _places(plan: PlannedEntry, start: float, stop: float) -> FloatArray:
    # slow to import, and whoever reads a sheet imports this file
    from materialsdock.techniques.ordinary.job import places
    from materialsdock.techniques.ordinary.section import section_of

    resolution = section_of(plan.profile, plan.technique).resolution
    return np.linspace(start, stop, places(start, stop, resolution))
