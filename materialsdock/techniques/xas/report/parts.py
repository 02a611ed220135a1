"""The report of an absorption spectrum: figures, numbers, lines, and its blocks of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from materialsdock.model import Outcome
from materialsdock.rendering.drawing import Drawing
from materialsdock.rendering.numbers import number
from materialsdock.techniques.xas.model import AbsorptionFit, EdgeFit, Oscillations
from materialsdock.techniques.xas.report import analysis_figures, figures
from materialsdock.techniques.xas.report.sentences import (
    ESDS,
    beyond_json,
    both,
    edge_json,
    edge_sentences,
    parameters,
    sentences,
    settings_json,
    settings_sentence,
)

TEMPLATE = Path(__file__).with_name("job.html")


def drawings(outcome: Outcome, shared: Sequence[Drawing]) -> list[Drawing]:
    """The figures there is data for, in reading order, those that all techniques share last."""
    found = outcome.found
    drawn = [figures.spectrum(outcome.measured, outcome.curve, outcome.summary)]
    if found.edge:
        drawn.append(figures.edge_position(outcome.measured, found.edge))
        drawn.append(figures.derivative(found.edge))
    if found.absorption:
        drawn += analysis_figures.beyond_edge(found.absorption)
    return [*drawn, *shared]


def summary(outcome: Outcome) -> dict[str, Any]:
    """The edge [eV], what lies beyond it, and the certificate; what there is not is None."""
    return {
        **edge_json(outcome.found.edge),
        "settings": settings_json(outcome.found.edge, _waves(outcome)),
        **beyond_json(outcome.found.absorption),
        "certificate": outcome.summary.get("certificate"),
        "rmse_vs_replay": number(outcome.summary.get("rmse_vs_replay")),
        "largest_error_vs_replay": number(outcome.summary.get("largest_error_vs_replay")),
    }


def lines(outcome: Outcome) -> list[str]:
    """Say where the edge is, what lies beyond it, and what is certain of both."""
    found, said = outcome.found, []
    if found.edge is not None:
        said += _edge_lines(found.edge, _waves(outcome))
    if found.absorption is not None:
        said += [f"  {line}" for line in sentences(found.absorption)]
    promised = outcome.summary.get("certificate")
    if promised:
        said += ["  certificate:", *(f"    {line}" for line in promised["sentences"])]
    return said


def warnings(outcome: Outcome) -> list[str]:
    """List what a person should look at before the result is used, in words."""
    return list(outcome.found.edge.warnings) if outcome.found.edge else []


def context(outcome: Outcome) -> dict[str, Any]:
    """The values of the template."""
    found = outcome.found
    beyond = sentences(found.absorption) if found.absorption else []
    edge = found.edge
    table = parameters(edge, _waves(outcome)) if edge else []
    return {"edge": edge, "beyond": beyond, "parameters": table, "both": both, "esds": ESDS}


def _waves(outcome: Outcome) -> Oscillations | None:
    beyond: AbsorptionFit | None = outcome.found.absorption
    return None if beyond is None else beyond.oscillations


def _edge_lines(edge: EdgeFit, waves: Oscillations | None) -> list[str]:
    settings = settings_sentence(settings_json(edge, waves))
    lines = [*edge_sentences(edge), *([settings] if settings else []), *edge.warnings]
    return [f"  {line}" for line in lines]
