"""Columns of a sheet that are of this technique: the range that is scanned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import Scan
from materialsdock.profile.columns import Contradiction, Number, PlannedEntry, range_faults
from materialsdock.profile.sections import Section
from one_reflection.job import STEPS
from one_reflection.job import scan_of as scan_of_file
from one_reflection.section import Reflection

RANGE = ("reflection_from_deg", "reflection_to_deg")
SETTINGS = RANGE  # columns that change how long a sample takes
FACTS = ()  # columns that a job keeps as they are
STRUCTURES_IN = ""  # column that names the structures of a sample: none does


class Columns(Section):
    """Columns of a sheet: the range of 2θ [deg]."""

    reflection_from_deg: Number | None = None
    reflection_to_deg: Number | None = None


class RecipeKeys(Section):
    """Keys of [measure] of a recipe: none."""

    def faults(self) -> Iterator[str]:
        """Nothing can go wrong with no keys."""
        yield from ()


def contradictions(row: Any) -> Iterator[Contradiction]:
    """A range needs both ends, in order."""
    return range_faults(row, *RANGE)


def located(row: Any, folder: Path) -> Mapping[str, Any]:
    """No column names a file."""
    return {}


def applied(section: Reflection, said: Mapping[str, Any]) -> Reflection:
    """The section as it is: a row changes nothing of it."""
    return section


def structures(row: Any, profile: Any) -> tuple[()]:
    """No structure is asked for."""
    return ()


def scan_of(plan: PlannedEntry) -> Scan:
    """The range of a row, of the replayed file where there is one."""
    asked = tuple(getattr(plan.entry, name) for name in RANGE)
    if plan.replayed() is not None:
        return scan_of_file(plan.part(None if asked[0] is None else asked, strict=True))
    if asked[0] is None:
        raise InputError("no range", remedy=f"fill {' and '.join(RANGE)}")
    return Scan("reflection", np.linspace(*asked, STEPS))
