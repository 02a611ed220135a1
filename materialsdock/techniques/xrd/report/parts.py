"""The report of a refinement: figures, numbers, lines, and its blocks of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from materialsdock.model import Outcome, Parameter
from materialsdock.rendering import numbers
from materialsdock.rendering.drawing import Drawing
from materialsdock.rendering.plain_json import readable_json
from materialsdock.techniques.xrd.model import PhaseFit
from materialsdock.techniques.xrd.report import figures, uncertainty
from materialsdock.techniques.xrd.report.atoms import atoms
from materialsdock.techniques.xrd.report.numbers import CELL, summary
from materialsdock.techniques.xrd.report.scale import scale_of
from materialsdock.techniques.xrd.report.uncertainty import Uncertainty
from materialsdock.techniques.xrd.report.words import (
    lines,
    notation,
    notes_of_reading,
    quantities,
    warnings,
)

__all__ = [
    "TEMPLATE",
    "context",
    "drawings",
    "lines",
    "summary",
    "warnings",
]  # what the seam asks for
TEMPLATE = Path(__file__).with_name("job.html")
CANDIDATES = 3
CELL_HEADS = {
    "a": "a (Å)",
    "b": "b (Å)",
    "c": "c (Å)",
    "alpha": "α (°)",
    "beta": "β (°)",
    "gamma": "γ (°)",
}


def drawings(outcome: Outcome, shared: Sequence[Drawing]) -> list[Drawing]:
    """The figures there is data for, in reading order, those that all techniques share between."""
    found, drawn = outcome.found, []
    scale = scale_of(outcome)
    if outcome.decisions or not found.fit:  # else the refinement's figure shows all of it
        drawn.append(figures.pattern(outcome.measured, outcome.curve, scale))
    if found.fit:
        drawn.append(figures.rietveld(outcome.measured, found.fit, scale))
        drawn.append(figures.worst(outcome.measured, found.fit, scale))
    drawn += shared
    if any(trial.state == "complete" for trial in found.trials):
        drawn.append(figures.search(found.trials, found.fit))
    return drawn


def context(outcome: Outcome) -> dict[str, Any]:
    """The values of the template."""
    found, said = outcome.found, summary(outcome)
    fit, spread = found.fit, uncertainty.spread(outcome)
    free = {key for phase in (fit.phases if fit else ()) for key in uncertainty.independent(phase)}
    shown = [key for key in CELL if key in free]
    return {
        "warnings": said["warnings"],
        "remarks": said["remarks"],
        "atoms": [(a, a.words()) for a in atoms(outcome)],
        "profile": said["r_p"],
        "fit": fit,
        "notes_of_reading": notes_of_reading(outcome.job.sample.structures),
        "assessment": found.assessment,
        "cell_heads": [CELL_HEADS[key] for key in shown],
        "phases": [_phase_row(phase, p, shown, spread) for phase, p in _rows(outcome, said)],
        "notation": notation(outcome) if fit else "",
        "quantities": quantities(outcome) if fit else [],
        "identification": said["identification"],
        "candidates": _candidates(said["identification"] or {}),
        "parameters": [_parameter_row(p, spread) for p in fit.parameters] if fit else [],
        "recipe": readable_json(fit.recipe) if fit else None,
    }


def _candidates(identification: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The best candidates for each phase that was sought."""
    return [
        {"sought": number, **row}
        for number, ranked in enumerate(identification.get("candidates", ()), 1)
        for row in ranked[:CANDIDATES]
    ]


def _rows(
    outcome: Outcome, summary: Mapping[str, Any]
) -> Iterable[tuple[PhaseFit, Mapping[str, Any]]]:
    fit = outcome.found.fit
    return zip(fit.phases, summary["phases"], strict=True) if fit else ()


def _phase_row(
    phase: PhaseFit, row: Mapping[str, Any], shown: Sequence[str], spread: Mapping[str, float]
) -> dict[str, Any]:
    """The phase's line of the table; a length that symmetry makes equal to a says so."""
    known = uncertainty.of_phase(phase, spread)
    free = uncertainty.independent(phase)
    weight = known[uncertainty.WEIGHT]
    return {
        "name": phase.name,
        "space_group": phase.space_group,
        "cell": [_cell(phase, key, key in free, known[key]) for key in shown],
        "bragg": "" if phase.r_bragg is None else numbers.fixed(phase.r_bragg),
        "weight": f"< {row['limit']:.2g}" if _missed(row) else _weight(phase, weight),
    }


def _cell(phase: PhaseFit, key: str, free: bool, known: Uncertainty) -> str:
    value = phase.cell[key].value
    if free:
        return known.words(value)
    return "= a" if value == phase.cell["a"].value else numbers.with_esd(value)


def _missed(row: Mapping[str, Any]) -> bool:
    return row["detected"] is False and row["limit"] is not None


def _weight(phase: PhaseFit, known: Uncertainty) -> str:
    if known.combined:
        return known.words(phase.weight_fraction)
    return numbers.with_esd(round(phase.weight_fraction, 1))


def _parameter_row(parameter: Parameter, spread: Mapping[str, float]) -> tuple[str, str, str]:
    known = Uncertainty(parameter.esd, spread.get(parameter.name))
    return parameter.name, known.words(parameter.value), parameter.unit
