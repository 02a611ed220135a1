"""An entry with its recipe and the profile: the technique, the range, and when to stop."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.formats.scans import cut
from materialsdock.model import Measured, Scan
from materialsdock.profile import recipes
from materialsdock.profile.config import Profile
from materialsdock.profile.files import file_options
from materialsdock.profile.recipes import Recipe
from materialsdock.sheets.entry import SheetEntry, contradictions

Range = tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """An entry, its recipe, and the profile, in its folder, as the recipe changes it."""

    entry: SheetEntry
    recipe: Recipe | None
    profile: Profile
    technique: str
    folder: Path = Path()

    def said(self, key: str) -> Any:
        """Return the value in the entry, or else in its recipe; None where both are silent."""
        own = getattr(self.entry, key, None)  # a key of recipes need not be a column
        if own is not None or self.recipe is None:
            return own
        return getattr(self.recipe.measure, key, None)

    def replayed(self) -> Measured | None:
        """The file that is replayed; None where none is."""
        replay = self.entry.replay
        return None if replay is None else read(replay, self.technique, self.file_options)

    @property
    def file_options(self) -> FileOptions:
        """The words of the row, or else of the profile, about the file that is replayed."""
        return file_options(self.entry).over(file_options(self.profile.formats, self.folder))

    def part(self, asked: Range | None, *, strict: bool) -> Measured:
        """The replayed file as far as it is asked for [unit of its axis]; None: all of it.

        strict : refuse a range beyond the file; otherwise the file ends it
        """
        measured = read(str(self.entry.replay), self.technique, self.file_options)
        if asked is None:
            return measured
        if strict:
            _refuse_beyond(asked, measured, str(self.entry.replay))
        return cut(measured, *asked)

    @property
    def stop(self) -> dict[str, Any]:
        """The changes to the profile's stopping; minutes are those of the instrument."""
        minutes = self.entry.maximum_minutes
        own = {
            "threshold": self.entry.threshold,
            "maximum_points": self.entry.maximum_points,
            "maximum_seconds": None if minutes is None else 60.0 * minutes,
        }
        of_recipe = {} if self.recipe is None else recipes.stop_changes(self.recipe)
        return {**of_recipe, **{key: value for key, value in own.items() if value is not None}}


def planned(entry: SheetEntry, profile: Profile, profile_folder: Path) -> Plan:
    """The entry with its recipe; InputError where they, or they and the profile, disagree."""
    recipe = recipes.load_recipe(entry.recipe, profile_folder) if entry.recipe else None
    of_recipe = recipe.measure.technique if recipe else None
    name = entry.technique or of_recipe
    if name is None or (of_recipe or name) != name:
        raise InputError(
            f"technique {name}, but recipe {entry.recipe!r} is for {of_recipe}",
            remedy="choose another recipe",
        )
    if name not in profile.techniques:
        raise InputError(f"profile {profile.name!r} has no [{name}] section")
    own = entry.model_copy(update={"technique": name})
    if wrong := contradictions(own, ()):
        raise InputError("; ".join(f"{column} {reason}" for column, reason in wrong))
    changed = recipes.applied(recipe, profile, profile_folder) if recipe else profile
    said = {column: getattr(own, column) for column in own.model_fields_set}
    section = technique.named(name).sheet().applied(changed.section(name), said)
    return Plan(own, recipe, changed.with_section(name, section), name, profile_folder)


def scan_of(plan: Plan) -> Scan:
    """Return what a full scan would measure: the replayed file as far as asked for, or its own.

    Raises InputError for a range that is missing, impossible, or beyond the file.
    """
    found: Scan = technique.named(plan.technique).sheet().scan_of(plan)
    return found


def _refuse_beyond(asked: Range, measured: Measured, where: str) -> None:
    slack = float(np.median(np.diff(measured.x)))
    if asked[0] < measured.x[0] - slack or asked[1] > measured.x[-1] + slack:
        raise InputError(
            f"{asked[0]:g} to {asked[1]:g} is more than its {measured.x[0]:g} to "
            f"{measured.x[-1]:g}",
            where=where,
            remedy="ask for a range that the file covers",
        )


def read(file: str, technique: str, options: FileOptions = NOTHING_ASKED) -> Measured:
    """A measured file, read again only when it has changed; InputError when it cannot be."""
    path = Path(file)
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(
            error.strerror or str(error), where=file, remedy="name a readable file"
        ) from error
    if not path.is_file():
        raise InputError("is not a regular file", where=file, remedy="name a measured file")
    return _read(path, technique, options, (status.st_mtime_ns, status.st_size, status.st_ino))


@functools.lru_cache(maxsize=8)
def _read(path: Path, technique: str, options: FileOptions, stamp: tuple[int, ...]) -> Measured:
    return read_measured(path, technique, options)
