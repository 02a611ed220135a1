"""The report of an absorption spectrum: figures, numbers, lines, and its blocks of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from materialsdock.model import Outcome
from materialsdock.rendering.drawing import Drawing
from materialsdock.rendering.numbers import number, with_esd
from materialsdock.techniques.xas.model import EdgeFit
from materialsdock.techniques.xas.report import analysis_figures, figures
from materialsdock.techniques.xas.report.sentences import beyond_json, sentences
from materialsdock.techniques.xas.signals import CALLED

TEMPLATE = Path(__file__).with_name("job.html")


def drawings(outcome: Outcome, shared: Sequence[Drawing]) -> list[Drawing]:
    """The figures there is data for, in reading order, those that all techniques share last."""
    found = outcome.found
    drawn = [figures.spectrum(outcome.measured, outcome.curve, outcome.summary)]
    if found.edge:
        drawn.append(figures.edge_position(outcome.measured, found.edge))
    if found.absorption:
        drawn += analysis_figures.beyond_edge(found.absorption)
    return [*drawn, *shared]


def summary(outcome: Outcome) -> dict[str, Any]:
    """The edge [eV], what lies beyond it, and the certificate; what there is not is None."""
    return {
        **_edge(outcome.found.edge),
        "warnings": warnings(outcome),
        **beyond_json(outcome.found.absorption),
        "certificate": outcome.summary.get("certificate"),
        "rmse_vs_replay": number(outcome.summary.get("rmse_vs_replay")),
        **({"signal": said} if (said := outcome.summary.get("signal")) else {}),
    }


def lines(outcome: Outcome) -> list[str]:
    """Say where the edge is, what lies beyond it, and what is certain of both."""
    found, signal = outcome.found, outcome.summary.get("signal") or {"remarks": []}
    said = [f"  {line}" for line in (*signal_sentences(outcome), *signal["remarks"])]
    if found.edge is not None:
        said += _edge_lines(found.edge)
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
    return {"edge": found.edge, "beyond": beyond, "signal_lines": signal_sentences(outcome)}


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


def _edge(edge: EdgeFit | None) -> dict[str, Any]:
    return {
        "e0_ev": number(edge.e0_ev) if edge else None,
        "e0_sd_ev": number(edge.e0_sd_ev) if edge else None,
        "edge_step": number(edge.edge_step) if edge else None,
        "edge_step_sd": number(edge.edge_step_sd) if edge else None,
    }


def _edge_lines(edge: EdgeFit) -> list[str]:
    lines = [
        f"  E0 = {with_esd(edge.e0_ev, edge.e0_sd_ev)} eV, "
        f"edge step {with_esd(edge.edge_step, edge.edge_step_sd)}"
    ]
    return lines + [f"  {warning}" for warning in edge.warnings]
