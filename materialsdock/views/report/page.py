"""One job as one self-contained HTML page: no script, no request, light, dark and printable."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

import materialsdock
from materialsdock.fusion.hybrid.page import hybrid_block
from materialsdock.model import Parameter
from materialsdock.outcome import Outcome
from materialsdock.rendering import numbers
from materialsdock.rendering.plain_page import write_page
from materialsdock.rendering.svg import PALETTE
from materialsdock.techniques.xas.report import sentences
from materialsdock.techniques.xrd.model import PhaseFit
from materialsdock.views.report.figures import drawings
from materialsdock.views.report.summary import CELL, headline, summary_json
from materialsdock.views.report.words import quantities

LAST_DECISIONS = 20
CANDIDATES = 3
REMARK = re.compile(r"[A-Z][A-Z0-9_]+: ")  # CODE: what a refinement program notes of itself
PACKAGES = ("rietx", "numpy", "scipy", "optuna", "bluesky")
CELL_HEADS = {
    "a": "a (Å)",
    "b": "b (Å)",
    "c": "c (Å)",
    "alpha": "α (°)",
    "beta": "β (°)",
    "gamma": "γ (°)",
}


def write_report(outcome: Outcome, path: Path) -> Path:
    """Write the report of one job to `path`, whole or not at all, and return `path`.

    The same outcome gives the same bytes, as long as the software is the same.
    Raises InputError when the file cannot be written.
    """
    return write_page(render_report(outcome), path)


def render_report(outcome: Outcome) -> str:
    """The report of one job as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": numbers.count,
        "fixed": numbers.fixed,
        "duration": numbers.duration,
    }
    environment.globals["with_esd"] = numbers.with_esd
    return environment.get_template("page.html").render(_context(outcome))


def _context(outcome: Outcome) -> dict[str, Any]:
    summary = summary_json(outcome)
    return {
        "job": outcome.job,
        "summary": summary,
        "headline": headline(outcome),
        "violations": summary.get("violations", []),
        "warnings": [line for line in summary["warnings"] if not REMARK.match(line)],
        "remarks": [line for line in summary["warnings"] if REMARK.match(line)],
        "fit": outcome.fit,
        "assessment": outcome.assessment,
        "edge": outcome.edge,
        "beyond": sentences.sentences(outcome.absorption) if outcome.absorption else [],
        "cell_heads": CELL_HEADS,
        "phases": [_phase_row(phase, p) for phase, p in _rows(outcome, summary)],
        "quantities": quantities(outcome) if outcome.fit else [],
        "no_energies": outcome.summary.get("hybrid_missing"),
        "identification": summary.get("identification"),
        "candidates": _candidates(summary.get("identification") or {}),
        "hybrid": Markup(hybrid_block(outcome.hybrid)) if outcome.hybrid else "",
        "parameters": [_parameter_row(p) for p in outcome.fit.parameters] if outcome.fit else [],
        "drawings": [(d.title, d.caption, Markup(d.svg)) for d in drawings(outcome)],
        "decisions": outcome.decisions[-LAST_DECISIONS:],
        "decisions_total": len(outcome.decisions),
        "unit": "°" if outcome.job.sample.technique == "xrd" else "eV",
        "palette": PALETTE,
        "versions": _versions(),
        "settings": readable_json(outcome.job.settings),
        "recipe": readable_json(outcome.fit.recipe) if outcome.fit else None,
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
    fit = outcome.fit
    return zip(fit.phases, summary["phases"], strict=True) if fit else ()


def _phase_row(phase: PhaseFit, row: Mapping[str, Any]) -> dict[str, Any]:
    cell = {key: phase.cell.get(key, Parameter(key, float("nan"))) for key in CELL}
    return {
        "name": phase.name,
        "space_group": phase.space_group,
        "cell": [numbers.with_esd(cell[key].value, cell[key].esd) for key in CELL],
        "weight": f"< {row['limit']:.2g}" if _missed(row) else _weight(phase),
    }


def _missed(row: Mapping[str, Any]) -> bool:
    return row["detected"] is False and row["limit"] is not None


def _weight(phase: PhaseFit) -> str:
    if phase.weight_fraction_esd:
        return numbers.with_esd(phase.weight_fraction, phase.weight_fraction_esd)
    return numbers.with_esd(round(phase.weight_fraction, 1))


def _parameter_row(parameter: Parameter) -> tuple[str, str, str]:
    return parameter.name, numbers.with_esd(parameter.value, parameter.esd), parameter.unit


def _versions() -> dict[str, str]:
    versions = {"materialsdock": materialsdock.__version__, "Python": platform.python_version()}
    for package in PACKAGES:
        versions[package] = importlib.metadata.version(package)
    return versions


def readable_json(value: Mapping[str, Any]) -> str:
    """Indented JSON with each list of numbers on one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    return re.sub(r"\[[-+\d.eE,\s]*\]", lambda row: " ".join(row.group().split()), text)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
