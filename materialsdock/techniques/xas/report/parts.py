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
from materialsdock.techniques.xas.signals import CALLED

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
        "warnings": warnings(outcome),
        "settings": settings_json(outcome.found.edge, _waves(outcome)),
        **beyond_json(outcome.found.absorption),
        "certificate": outcome.summary.get("certificate"),
        "rmse_vs_replay": number(outcome.summary.get("rmse_vs_replay")),
        **({"signal": said} if (said := outcome.summary.get("signal")) else {}),
        "largest_error_vs_replay": number(outcome.summary.get("largest_error_vs_replay")),
    }


def lines(outcome: Outcome) -> list[str]:
    """Say where the edge is, what lies beyond it, and what is certain of both."""
    found, signal = outcome.found, outcome.summary.get("signal") or {"remarks": []}
    said = [f"  {line}" for line in (*signal_sentences(outcome), *signal["remarks"])]
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
    signal = outcome.summary.get("signal") or {"remarks": []}
    return [*signal["remarks"], *(outcome.found.edge.warnings if outcome.found.edge else ())]


def context(outcome: Outcome) -> dict[str, Any]:
    """The values of the template."""
    found = outcome.found
    beyond = sentences(found.absorption) if found.absorption else []
    edge = found.edge
    mixed = found.absorption.combination if found.absorption else None
    table = parameters(edge, _waves(outcome), mixed) if edge else []
    return {
        "edge": edge,
        "beyond": beyond,
        "signal_lines": signal_sentences(outcome),
        "parameters": table,
        "both": both,
        "esds": ESDS,
    }


def signal_sentences(outcome: Outcome) -> list[str]:
    """Say what was measured, where it was not transmission: elements and their dead time."""
    said = outcome.summary.get("signal")
    if said is None:
        return []
    name = CALLED.get(said["name"], said["name"])
    if "elements" not in said:
        return [f"measured by {name}"]
    points = outcome.summary["points_measured"]
    used = ", ".join(map(str, said["elements"]))
    found = [f"measured by {name}, elements {used}, corrected for dead time"]
    if said["dead_time"] is not None:
        low, high = (100 * each for each in said["dead_time"])
        found[0] += f" of {low:.1f} to {high:.1f} %"
    out = [f"element {n} at {k} of {points} points" for n, k in said["left_out"].items()]
    return [*found, *([f"left out: {', '.join(out)}"] if out else [])]


def _waves(outcome: Outcome) -> Oscillations | None:
    beyond: AbsorptionFit | None = outcome.found.absorption
    return None if beyond is None else beyond.oscillations


def _edge_lines(edge: EdgeFit, waves: Oscillations | None) -> list[str]:
    settings = settings_sentence(settings_json(edge, waves))
    lines = [*edge_sentences(edge), *([settings] if settings else []), *edge.warnings]
    return [f"  {line}" for line in lines]
