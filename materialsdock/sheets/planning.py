"""An entry with its recipe and the profile: the technique, the range, and when to stop."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured, scans
from materialsdock.model import Measured, Scan
from materialsdock.profile import recipes
from materialsdock.profile.config import Profile
from materialsdock.profile.recipes import Recipe
from materialsdock.sheets.entry import Entry, contradictions
from materialsdock.techniques.xas.checks import check_element
from materialsdock.techniques.xas.edge import TABLE, Edge, find_edge, nearest_edge

NEAR_EDGE_EV = (150.0, 300.0)  # below and above it, where neither entry nor recipe says
Range = tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """An entry, its recipe, and the profile as the recipe changes it."""

    entry: Entry
    recipe: Recipe | None
    profile: Profile
    technique: str

    def said(self, key: str) -> Any:
        """What the entry says, or else its recipe; None where both are silent."""
        own = getattr(self.entry, key)
        return own if own is not None or self.recipe is None else getattr(self.recipe.measure, key)

    @property
    def stop(self) -> dict[str, Any]:
        """What changes of the profile's stopping; minutes are those of the instrument."""
        minutes = self.entry.maximum_minutes
        own = {
            "threshold": self.entry.threshold,
            "maximum_points": self.entry.maximum_points,
            "maximum_seconds": None if minutes is None else 60.0 * minutes,
        }
        of_recipe = {} if self.recipe is None else recipes.stop_changes(self.recipe)
        return {**of_recipe, **{key: value for key, value in own.items() if value is not None}}


def planned(entry: Entry, profile: Profile, profile_folder: Path) -> Plan:
    """The entry with its recipe; InputError where they, or they and the profile, disagree."""
    recipe = recipes.load_recipe(entry.recipe, profile_folder) if entry.recipe else None
    of_recipe = recipe.measure.technique if recipe else None
    technique = entry.technique or of_recipe
    if technique is None or (of_recipe or technique) != technique:
        raise InputError(
            f"technique {technique}, but recipe {entry.recipe!r} is for {of_recipe}",
            remedy="choose another recipe",
        )
    if getattr(profile, technique) is None:
        raise InputError(f"profile {profile.name!r} has no [{technique}] section")
    own = entry.model_copy(update={"technique": technique})
    if wrong := contradictions(own, ()):
        raise InputError("; ".join(f"{column} {reason}" for column, reason in wrong))
    changed = recipes.applied(recipe, profile, profile_folder) if recipe else profile
    if entry.standards and changed.xas is not None:
        files = tuple(Path(name) for name in entry.standards)
        changed = changed.model_copy(update={"xas": changed(changed.xas, {"standards": files})})
    return Plan(own, recipe, changed, technique)


def scan_of(plan: Plan) -> Scan:
    """What a full scan would measure: the replayed file as far as it is asked for, or its own.

    Raises InputError for a range that is missing, impossible, or beyond the file.
    """
    if plan.entry.replay is not None:
        return _replayed(plan)
    return _angles(plan) if plan.technique == "xrd" else _energies(plan)


def _angles(plan: Plan) -> Scan:
    values = {key: plan.said(key) for key in recipes.ANGLES}
    if missing := [key for key, value in values.items() if value is None]:
        raise InputError(
            f"no {', '.join(missing)}", remedy="fill these columns, or name a recipe that has them"
        )
    return scans.of_two_theta(*values.values())


def _energies(plan: Plan) -> Scan:
    entry = plan.entry
    edge = _named_edge(entry) or _edge_within(entry)
    return scans.of_edge(edge, *(_range(plan, edge) or _around(edge, NEAR_EDGE_EV)))


def _named_edge(entry: Entry) -> Edge | None:
    if entry.element is None or entry.edge is None:
        return None
    return scans.tabulated(entry.element, entry.edge)


def _edge_within(entry: Entry) -> Edge:
    """The one edge that an entry's energies show."""
    lo, hi = entry.energy_start_ev or 0.0, entry.energy_stop_ev or 0.0
    below, beyond = scans.BEFORE_EDGE_EV, scans.BEYOND_EDGE_EV
    found = [edge for edge in TABLE if lo + below <= edge.energy_ev <= hi - beyond]
    if len(found) != 1:
        shown = ", ".join(edge.name for edge in found) or "none"
        raise InputError(
            f"{lo:g} to {hi:g} eV shows {shown} of the tabulated edges",
            remedy="fill in element and edge",
        )
    return found[0]


def _range(plan: Plan, edge: Edge | None) -> Range | None:
    """What entry or recipe ask for [unit of the axis]; None where both are silent."""
    if plan.technique == "xrd":
        start, stop = plan.said("two_theta_start"), plan.said("two_theta_stop")
        return None if start is None else (start, stop)
    if plan.entry.energy_start_ev is not None and plan.entry.energy_stop_ev is not None:
        return plan.entry.energy_start_ev, plan.entry.energy_stop_ev
    measure = plan.recipe.measure if plan.recipe else None
    if edge is None or measure is None or measure.below_ev is None or measure.above_ev is None:
        return None
    return _around(edge, (measure.below_ev, measure.above_ev))


def _around(edge: Edge, reach_ev: Range) -> Range:
    return edge.energy_ev - reach_ev[0], edge.energy_ev + reach_ev[1]


def _replayed(plan: Plan) -> Scan:
    """The scan of the file that is replayed, as far as entry or recipe ask for it."""
    entry, measured = plan.entry, read(str(plan.entry.replay), plan.technique)
    if entry.two_theta_step is not None:
        raise InputError("a file is replayed on its own steps", remedy="leave two_theta_step empty")
    edge = None if plan.technique == "xrd" else _edge_of(entry, measured)
    asked = _range(plan, edge)
    if asked is None:
        return scans.of_measured(measured, edge)
    if entry.two_theta_start is not None or entry.energy_start_ev is not None:
        _refuse_beyond(asked, measured, str(entry.replay))
    return scans.of_measured(scans.cut(measured, *asked), edge)


def _edge_of(entry: Entry, measured: Measured) -> Edge:
    """The edge of a measured file; InputError where it is not the one that the entry names."""
    named, e0_ev = _named_edge(entry), find_edge(measured.x, measured.y)
    if named is not None:
        check_element(e0_ev, named.name, str(entry.replay))
    return named or nearest_edge(e0_ev)


def _refuse_beyond(asked: Range, measured: Measured, where: str) -> None:
    slack = float(np.median(np.diff(measured.x)))
    if asked[0] < measured.x[0] - slack or asked[1] > measured.x[-1] + slack:
        raise InputError(
            f"{asked[0]:g} to {asked[1]:g} is more than its {measured.x[0]:g} to "
            f"{measured.x[-1]:g}",
            where=where,
            remedy="ask for a range that the file covers",
        )


def read(file: str, technique: str) -> Measured:
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
    return _read(path, technique, (status.st_mtime_ns, status.st_size, status.st_ino))


@functools.lru_cache(maxsize=8)
def _read(path: Path, technique: str, stamp: tuple[int, ...]) -> Measured:
    return read_measured(path, technique)
