"""Columns and recipe keys of absorption, and the scan that a row asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from materialsdock.errors import InputError
from materialsdock.model import Measured, Scan, Structure
from materialsdock.profile.columns import (
    Contradiction,
    Files,
    Number,
    OneOfWords,
    PlannedEntry,
    range_faults,
)
from materialsdock.profile.config import Profile
from materialsdock.profile.sections import Section, changed
from materialsdock.techniques.shared.composition import Composition
from materialsdock.techniques.xas.section import Xas
from materialsdock.techniques.xas.signals import SIGNALS
from materialsdock.techniques.xas.spectrum.edge import TABLE, Edge, find_edge, nearest_edge

EDGES = tuple(edge.name for edge in TABLE)
SHELLS = tuple(sorted({name.split()[1] for name in EDGES}))
ELEMENTS = tuple(dict.fromkeys(name.split()[0] for name in EDGES))
RANGE = ("energy_start_ev", "energy_stop_ev")
SETTINGS = ("element", "edge", *RANGE, "signal")  # columns that change how long a sample takes
FACTS = ("composition",)  # columns that a job keeps as they are
STRUCTURES_IN = ""  # column that names the structures of a sample: none does
NEAR_EDGE_EV = (150.0, 300.0)  # below and above it, where neither row nor recipe says
Energy = Annotated[Number, Field(gt=0, le=1e6)]


class Columns(Section):
    """Columns of a sheet: energy_*_ev [eV].

    standards : measured files, for fractions; signal : what is measured
    composition : elements or formula; a formula tells how much self-absorption there is
    """

    element: Annotated[str, OneOfWords(ELEMENTS)] | None = None
    edge: Annotated[str, OneOfWords(SHELLS)] | None = None
    energy_start_ev: Energy | None = None
    energy_stop_ev: Energy | None = None
    standards: Files = ()
    signal: Annotated[str, OneOfWords(SIGNALS)] | None = None
    composition: Composition = ""


class RecipeKeys(Section):
    """Keys of [measure] of a recipe: how far below and above the edge [eV], and the signal."""

    below_ev: float | None = Field(default=None, gt=0, le=10_000)
    above_ev: float | None = Field(default=None, gt=0, le=10_000)
    signal: Literal["transmission", "fluorescence", "yield"] | None = None

    def faults(self) -> Iterator[str]:
        """Keys that do not go together, in words."""
        if (self.below_ev is None) != (self.above_ev is None):
            yield "below_ev and above_ev come together"


def contradictions(row: Any) -> Iterator[Contradiction]:
    """Columns of a row that do not go together, and why."""
    if (row.element is None) != (row.edge is None):
        absent = "element" if row.element is None else "edge"
        yield (absent, "element", "edge"), "is missing: element and edge come together"
    elif row.element is not None and f"{row.element} {row.edge}" not in EDGES:
        have = [name.split()[1] for name in EDGES if name.split()[0] == row.element]
        yield ("edge", "element"), f"of {row.element} is not tabulated; there is {', '.join(have)}"
    yield from range_faults(row, *RANGE)


def located(row: Any, folder: Path) -> Mapping[str, Any]:
    """Columns of a row with its relative files taken from `folder`."""
    return {"standards": tuple(str(folder / p) for p in row.standards)}


def applied(section: Xas, said: Mapping[str, Any]) -> Xas:
    """The section with the standards, the signal and the composition that a row names."""
    files = tuple(Path(name) for name in said.get("standards", ()))
    asked = {"standards": files, **{key: said.get(key) for key in ("signal", "composition")}}
    found = {key: value for key, value in asked.items() if value}
    return changed(section, found) if found else section


def structures(row: Any, profile: Profile) -> tuple[Structure, ...]:
    """Return no structures: an absorption measurement asks for none."""
    return ()


def scan_of(plan: PlannedEntry) -> Scan:
    """The energies of a row: the replayed file as far as it is asked for, or its own.

    Raises InputError for a range that is missing, impossible, or beyond the file.
    """
    from materialsdock.techniques.xas import job

    measured = plan.replayed()
    if measured is None:
        edge = _named_edge(plan.entry) or _edge_within(plan.entry)
        return job.of_edge(edge, *(_range(plan, edge) or _around(edge, NEAR_EDGE_EV)))
    edge = _edge_of(plan.entry, measured)
    part = plan.part(_range(plan, edge), strict=plan.entry.energy_start_ev is not None)
    return job.scan_of(part, edge)


def _named_edge(row: Any) -> Edge | None:
    from materialsdock.techniques.xas import job

    if row.element is None or row.edge is None:
        return None
    return job.tabulated(row.element, row.edge)


def _edge_within(row: Any) -> Edge:
    """The one edge that a row's energies show."""
    from materialsdock.techniques.xas import job

    lo, hi = row.energy_start_ev or 0.0, row.energy_stop_ev or 0.0
    below, beyond = job.BEFORE_EDGE_EV, job.BEYOND_EDGE_EV
    found = [edge for edge in TABLE if lo + below <= edge.energy_ev <= hi - beyond]
    if len(found) != 1:
        shown = ", ".join(edge.name for edge in found) or "none"
        raise InputError(
            f"{lo:g} to {hi:g} eV shows {shown} of the tabulated edges",
            remedy="fill in element and edge",
        )
    return found[0]


def _edge_of(row: Any, measured: Measured) -> Edge:
    """The edge of a measured file; InputError where it is not the one that the row names."""
    from materialsdock.techniques.xas.spectrum.checks import check_element

    named, e0_ev = _named_edge(row), find_edge(measured.x, measured.y)
    if named is not None:
        check_element(e0_ev, named.name, str(row.replay))
    return named or nearest_edge(e0_ev)


def _range(plan: PlannedEntry, edge: Edge) -> tuple[float, float] | None:
    """Return the range that row or recipe ask for [eV]; None where both are silent."""
    start, stop = plan.entry.energy_start_ev, plan.entry.energy_stop_ev
    if start is not None and stop is not None:
        return start, stop
    below, above = plan.said("below_ev"), plan.said("above_ev")
    return None if below is None or above is None else _around(edge, (below, above))


def _around(edge: Edge, reach_ev: tuple[float, float]) -> tuple[float, float]:
    return edge.energy_ev - reach_ev[0], edge.energy_ev + reach_ev[1]
