"""Columns and recipe keys of powder diffraction, and the scan that a row asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from materialsdock.errors import InputError
from materialsdock.model import Scan, Structure
from materialsdock.profile.columns import (
    Contradiction,
    Files,
    Lines,
    Number,
    PlannedEntry,
    Positive,
    range_faults,
)
from materialsdock.profile.config import Profile
from materialsdock.profile.sections import Section, changed
from materialsdock.techniques.shared.composition import Composition
from materialsdock.techniques.xrd.section import Xrd

ANGLES = ("two_theta_start", "two_theta_stop", "two_theta_step")
AIM = ("objective", "wanted", "wanted_esd")
SETTINGS = ANGLES  # columns that change how long a sample takes
FACTS = ("composition",)  # columns that a job keeps as they are
STRUCTURES_IN = "phases"  # column that names the structures of a sample


def _directions(words: tuple[str, ...]) -> tuple[str, ...]:
    from materialsdock.techniques.xrd.options import direction

    for word in words:
        direction(word)
    return words


Angle = Annotated[Number, Field(ge=-180, le=180)]


class Columns(Section):
    """Columns of a sheet: two_theta_* [deg].

    composition : elements, for identification; phases : CIF files, or ids or names of the store
    texture : axes of preferred orientation of phases, e.g. corundum:0 0 1; zincite:1 0 0
    """

    two_theta_start: Angle | None = None
    two_theta_stop: Angle | None = None
    two_theta_step: Annotated[Positive, Field(le=10)] | None = None
    composition: Composition = ""
    phases: Files = ()
    texture: Annotated[Lines, AfterValidator(_directions)] = ()


class RecipeKeys(Section):
    """Keys of [measure] of a recipe: 2θ range and step [deg], and the aim as in [xrd]."""

    two_theta_start: float | None = Field(default=None, ge=-180, le=180)
    two_theta_stop: float | None = Field(default=None, ge=-180, le=180)
    two_theta_step: float | None = Field(default=None, gt=0, le=10)
    objective: Literal["peaks", "profile", "fractions", "parameter"] | None = None
    wanted: tuple[str, ...] | None = None
    wanted_esd: float | None = Field(default=None, gt=0)

    def faults(self) -> Iterator[str]:
        """Keys that do not go together, in words."""
        start, stop = self.two_theta_start, self.two_theta_stop
        if (start is None) != (stop is None):
            yield "two_theta_start and two_theta_stop come together"
        elif start is not None and stop is not None and start >= stop:
            yield f"two_theta_stop = {stop:g} is not above two_theta_start = {start:g}"


def contradictions(row: Any) -> Iterator[Contradiction]:
    """Columns of a row that do not go together, and why."""
    return range_faults(row, *ANGLES[:2])


def located(row: Any, folder: Path) -> Mapping[str, Any]:
    """Columns of a row with its relative files taken from `folder`; ids of the store stay."""
    return {"phases": tuple(str(folder / p) if is_file(p) else p for p in row.phases)}


def is_file(phase: str) -> bool:
    """Return True if a phase is named by its CIF file, not by its id or name in the store."""
    return "/" in phase or phase.casefold().endswith((".cif", ".cif.gz"))


def applied(section: Xrd, said: Mapping[str, Any]) -> Xrd:
    """The section with the aim that a row or a recipe says; another objective forgets the old."""
    aim = {key: said[key] for key in AIM if said.get(key) is not None}
    if not aim:
        return section
    # another objective does not keep what the profile wants of its own
    clean: dict[str, Any] = {"wanted": (), "wanted_esd": None} if "objective" in aim else {}
    return changed(section, {**clean, **aim})


def scan_of(plan: PlannedEntry) -> Scan:
    """The 2θ scan of a row: the replayed file as far as it is asked for, or its own.

    Raises InputError for a range that is missing, impossible, or beyond the file, and for a file of
    uneven steps.
    """
    from materialsdock.techniques.xrd import job

    angles = {key: plan.said(key) for key in ANGLES}
    start, stop, step = angles.values()
    if plan.replayed() is None:
        if missing := [key for key, value in angles.items() if value is None]:
            raise InputError(
                f"no {', '.join(missing)}",
                remedy="fill these columns, or name a recipe that has them",
            )
        return job.of_two_theta(start, stop, step)
    own = plan.entry
    if own.two_theta_step is not None:
        raise InputError("a file is replayed on its own steps", remedy="leave two_theta_step empty")
    asked = None if start is None else (start, stop)
    part = plan.part(asked, strict=own.two_theta_start is not None)
    job.even_grid(part.x)  # a row is measured, and no pass counts uneven steps
    return job.scan_of(part)


def structures(row: Any, profile: Profile) -> tuple[Structure, ...]:
    """The phases that a row names, from CIF files and from the profile's store.

    Raises InputError naming every one that cannot be had or is no crystal.
    """
    # slow to import, and whoever reads a sheet imports this file
    from materialsdock.techniques.xrd.rietveld.limits import check_structures

    found, faults = [], []
    for name in row.phases:
        try:
            found.append(_phase(name, profile))
        except InputError as fault:
            faults.append(str(fault))
    if faults:
        raise InputError("; ".join(faults))
    if found:
        check_structures(found)
    return _oriented(found, row.texture)


def _oriented(found: Sequence[Structure], texture: Sequence[str]) -> tuple[Structure, ...]:
    """The phases with the axes that a row gives them; InputError for an axis of no phase."""
    from materialsdock.techniques.xrd.options import direction

    names = [structure.name for structure in found]
    axes = dict(direction(word) for word in texture)
    if "" in axes and len(names) == 1:
        axes[names[0]] = axes.pop("")
    if unknown := [name for name in axes if name not in names]:
        raise InputError(
            f"texture of {', '.join(map(repr, unknown))}, which is no phase of the row",
            where="column texture",
            remedy=f"phases are: {', '.join(names) or 'none, fill the column phases'}",
        )
    return tuple(replace(s, preferred_orientation=axes.get(s.name)) for s in found)


def _phase(name: str, profile: Profile) -> Structure:
    from materialsdock.techniques.xrd.phases.answer import existing_store
    from materialsdock.techniques.xrd.phases.cif_files import read_structure

    if is_file(name):
        return read_structure(Path(name))
    if profile.analysis.store is None:
        raise InputError(
            f"{name!r} is not a CIF file, and the profile has no structure store",
            remedy="name a .cif file, or a store under [analysis]",
        )
    folder = Path(profile.analysis.store)
    known = existing_store(folder).entries(aliases=True)
    matching = [each for each in known if name in (each.entry_id, each.name)]
    if len(matching) != 1:
        ids = ", ".join(each.entry_id for each in matching[:5])
        raise InputError(
            f"{name!r} names {len(matching)} structures of the store",
            where=str(folder),
            remedy=f"give one of the ids {ids}" if ids else "see `materialsdock store list`",
        )
    return matching[0].structure()
