"""Columns and recipe keys of absorption, and the scan that a row asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import gemmi
from pydantic import AfterValidator, Field

from materialsdock.errors import InputError
from materialsdock.model import Measured, Scan, Structure
from materialsdock.profile.columns import (
    Contradiction,
    Files,
    Line,
    Number,
    OneOfWords,
    PlannedEntry,
    Whole,
    range_faults,
)
from materialsdock.profile.config import Profile
from materialsdock.profile.sections import Section, changed
from materialsdock.techniques.shared.composition import Composition
from materialsdock.techniques.xas.section import SpectrumKeys, Xas
from materialsdock.techniques.xas.signals import SIGNALS
from materialsdock.techniques.xas.spectrum.edge import find_edge
from materialsdock.techniques.xas.spectrum.edge_table import (
    SHELLS,
    Edge,
    edge_at,
    edges_between,
    named,
    shells_of,
)
from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings

ELEMENTS = tuple(gemmi.Element(number).name for number in range(3, 99))  # lithium to californium
RANGE = ("energy_start_ev", "energy_stop_ev")
SETTINGS = ("element", "edge", *RANGE, "signal")  # columns that change how long a sample takes
FACTS = ("composition",)  # columns that a job keeps as they are
STRUCTURES_IN = ""  # column that names the structures of a sample: none does
NEAR_EDGE_EV = (150.0, 300.0)  # below and above it, where neither row nor recipe says
Energy = Annotated[Number, Field(gt=0, le=1e6)]
CHOSEN = tuple(SpectrumSettings.__dataclass_fields__)
PAIRS = ("pre", "norm", "k_range")
BETWEEN_NUMBERS = re.compile(r"[\s:;,]+")


def _setting(name: str, value: Any) -> Any:
    """A setting as a cell has it, text or number, as SpectrumSettings takes it."""
    if name not in PAIRS or not isinstance(value, str):
        return value
    try:
        low, high = (float(word) for word in BETWEEN_NUMBERS.split(value.strip()))
    except ValueError:
        raise InputError("is not two numbers such as -150 -30") from None
    return low, high


def _usable(name: str) -> AfterValidator:
    def checked(value: Any) -> Any:
        try:
            SpectrumSettings.of({name: _setting(name, value)} if value != "" else {})
        except InputError as fault:
            raise ValueError(fault.what) from None
        return value

    return AfterValidator(checked)


class Columns(Section):
    """Columns of a sheet: energy_*_ev [eV]; standards : measured files, for fractions.

    element : alone it says which of the edges that the energies show is meant
    signal : the quantity that is measured
    composition : elements or formula; a formula tells how much self-absorption there is
    e0 : energy [eV] that ranges and k are counted from; pre, norm : range of the pre-edge line and
    of the post-edge polynomial, two numbers [eV from e0]; order : of that polynomial, 0 to 3
    rbkg : distance [Å] below which everything is background; k_range : of the Fourier transform,
    two numbers [1/Å]; shift : [eV] by which a mixture may be shifted against its standards
    """

    element: Annotated[str, OneOfWords(ELEMENTS)] | None = None
    edge: Annotated[str, OneOfWords(SHELLS)] | None = None
    energy_start_ev: Energy | None = None
    energy_stop_ev: Energy | None = None
    standards: Files = ()
    signal: Annotated[str, OneOfWords(SIGNALS)] | None = None
    composition: Composition = ""
    e0: Annotated[Number, _usable("e0")] | None = None
    pre: Annotated[Line, _usable("pre")] = ""
    norm: Annotated[Line, _usable("norm")] = ""
    order: Annotated[Whole, _usable("order")] | None = None
    rbkg: Annotated[Number, _usable("rbkg")] | None = None
    k_range: Annotated[Line, _usable("k_range")] = ""
    shift: Annotated[Number, _usable("shift")] | None = None


class RecipeKeys(SpectrumKeys):
    """Keys of [measure] of a recipe: how far about the edge [eV], the signal, and the analysis."""

    below_ev: float | None = Field(default=None, gt=0, le=10_000)
    above_ev: float | None = Field(default=None, gt=0, le=10_000)
    signal: Literal["transmission", "fluorescence", "yield"] | None = None

    def faults(self) -> Iterator[str]:
        """Keys that do not go together, in words."""
        if (self.below_ev is None) != (self.above_ev is None):
            yield "below_ev and above_ev come together"


def contradictions(row: Any) -> Iterator[Contradiction]:
    """Columns of a row that do not go together, and why."""
    if row.edge is not None and row.element is None:
        yield ("element", "edge"), "is missing: of which element is the edge?"
    elif row.edge is not None and row.edge not in (have := shells_of(row.element)):
        yield ("edge", "element"), f"of {row.element} is not tabulated; there is {', '.join(have)}"
    yield from range_faults(row, *RANGE)


def located(row: Any, folder: Path) -> Mapping[str, Any]:
    """Columns of a row with its relative files taken from `folder`."""
    return {"standards": tuple(str(folder / p) for p in row.standards)}


def applied(section: Xas, said: Mapping[str, Any]) -> Xas:
    """The section with the standards, the signal and the settings that a row or a recipe names."""
    files = tuple(Path(name) for name in said.get("standards", ()))
    chosen = {key: _setting(key, said[key]) for key in CHOSEN if said.get(key) not in (None, "")}
    asked = {"standards": files, **{key: said.get(key) for key in ("signal", "composition")}}
    changes = {**chosen, **{key: value for key, value in asked.items() if value}}
    return changed(section, changes) if changes else section


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
    return None if row.edge is None else named(f"{row.element} {row.edge}")


def _edge_within(row: Any) -> Edge:
    """The one edge that a row's energies show."""
    from materialsdock.techniques.xas import job

    lo, hi = row.energy_start_ev or 0.0, row.energy_stop_ev or 0.0
    below, beyond = job.BEFORE_EDGE_EV, job.BEYOND_EDGE_EV
    found = edges_between(lo + below, hi - beyond, row.element)
    if len(found) != 1:
        shown = ", ".join(edge.name for edge in found) or "none"
        whose = "the tabulated edges" if row.element is None else f"the edges of {row.element}"
        raise InputError(
            f"{lo:g} to {hi:g} eV shows {shown} of {whose}",
            remedy="fill in element and edge",
        )
    return found[0]


def _edge_of(row: Any, measured: Measured) -> Edge:
    """The edge of a measured file; InputError where it is not the one that row or file name."""
    said = measured.reading.edge
    wanted = _named_edge(row) or (named(said) if said else None)
    if wanted is not None and row.element not in (None, wanted.symbol):
        raise InputError(
            f"the file is of {wanted.name}, the row of {row.element}",
            where=str(row.replay),
            remedy="name the element that was measured, or another file",
        )
    return edge_at(find_edge(measured.x, measured.y), wanted, row.element, str(row.replay))


def _range(plan: PlannedEntry, edge: Edge) -> tuple[float, float] | None:
    """Return the range that row or recipe ask for [eV]; None where both are silent."""
    start, stop = plan.entry.energy_start_ev, plan.entry.energy_stop_ev
    if start is not None and stop is not None:
        return start, stop
    below, above = plan.said("below_ev"), plan.said("above_ev")
    return None if below is None or above is None else _around(edge, (below, above))


def _around(edge: Edge, reach_ev: tuple[float, float]) -> tuple[float, float]:
    return edge.energy_ev - reach_ev[0], edge.energy_ev + reach_ev[1]
