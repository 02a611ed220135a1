"""`materialsdock xas`: one absorption spectrum, analysed as far as what was given allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured, reading
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.rendering.numbers import with_esd
from materialsdock.techniques.xas.commands.learn_prior import named_edge
from materialsdock.techniques.xas.exafs.background import SHORTEST_K, remove_background, wavenumber
from materialsdock.techniques.xas.exafs.feff import read_path
from materialsdock.techniques.xas.exafs.shell_problem import ShellProblem
from materialsdock.techniques.xas.exafs.shell_search import ShellAnswer, search_shell
from materialsdock.techniques.xas.mixture.choice import explain
from materialsdock.techniques.xas.mixture.combination import XasCurve, combine, normalisations
from materialsdock.techniques.xas.model import EdgeFit
from materialsdock.techniques.xas.report.page import SpectrumAnalysis, write_page
from materialsdock.techniques.xas.report.sentences import combination_json, mixture_sentences
from materialsdock.techniques.xas.spectrum.checks import checked_edge
from materialsdock.techniques.xas.spectrum.edge import half_height, nearest_edge
from materialsdock.techniques.xas.spectrum.normalise import normalise

SIGNS = {
    "distance": ("R", "Å"),
    "amplitude": ("S0²N", ""),
    "sigma2": ("σ²", "Å²"),
    "e0_shift_ev": ("ΔE0", "eV"),
    "third": ("C3", "Å³"),
}


@dataclass(frozen=True)
class SpectrumRequest:
    """The request: the spectrum, standards, a FEFF path, how to read it, how long to search.

    keep_all : True gives every standard its fraction, needed or not
    """

    spectrum: Path
    standards: Sequence[Path] = ()
    path: Path | None = None
    file: FileOptions = NOTHING_ASKED
    trials: int = 60
    seeds: int = 3
    out: Path | None = None
    keep_all: bool = False


def read_curve(path: Path, file: FileOptions = NOTHING_ASKED) -> tuple[XasCurve, tuple[str, ...]]:
    """A spectrum and what was read as what; InputError as `read_measured` says it."""
    measured = read_measured(path, "xas", file)
    curve = XasCurve(path.stem, measured.x, measured.y, measured.sigma)
    return curve, tuple(reading.sentences(reading.facts(measured, path, file)))


def analyse(request: SpectrumRequest) -> SpectrumAnalysis:
    """Edge, χ(k) where there is any, fractions with standards, a first shell with a path.

    Raises InputError for bad files, another element's edge, or a spectrum too short for what was
    asked of it.
    """
    curve, notes = read_curve(request.spectrum, request.file)
    wanted = named_edge(request.file.edge).name if request.file.edge else None
    found = checked_edge(curve.energy_ev, curve.mu, wanted, curve.name)
    edge = EdgeFit(
        found.e0_ev,
        _e0_spread(curve, found.e0_ev),
        found.edge_step,
        0.0,
        curve.energy_ev,
        found.flat,
        found.pre_edge,
        found.post_edge,
    )
    reach = float(wavenumber(curve.energy_ev[-1:], found.e0_ev)[0])
    oscillations = None
    if reach >= SHORTEST_K:
        oscillations = remove_background(curve.energy_ev, curve.mu, found.e0_ev, found.edge_step)
    combination = shell = None
    if request.standards:
        standards = [read_curve(each)[0] for each in request.standards]
        fit = combine if request.keep_all else explain
        combination = fit(curve, standards, edge=wanted)
    if request.path is not None:
        path = read_path(request.path)
        problem = ShellProblem.of(curve.energy_ev, curve.mu, path, edge=wanted)
        shell = search_shell(problem, trials=request.trials, seeds=range(request.seeds))
    name = wanted or nearest_edge(found.e0_ev).name
    return SpectrumAnalysis(curve, name, edge, oscillations, combination, shell, notes)


def run(request: SpectrumRequest) -> dict[str, Any]:
    """Analyse, write the report when a folder is given, and say what was found."""
    analysis = analyse(request)
    said = summary(analysis)
    if request.out is None:
        return said
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot be made: {error.strerror}", where=str(request.out), remedy="name a folder"
        ) from error
    page = write_page(request.out / f"{analysis.curve.name}.xas.html", analysis, sentences(said))
    return {**said, "report": str(page)}


def summary(analysis: SpectrumAnalysis) -> dict[str, Any]:
    """Return what `--json` prints."""
    said: dict[str, Any] = {
        "spectrum": analysis.curve.name,
        "points": int(analysis.curve.energy_ev.size),
        "edge": analysis.edge_name,
        "e0_ev": round(analysis.edge.e0_ev, 3),
        "e0_sd_normalisation_ev": round(analysis.edge.e0_sd_ev, 3),
        "edge_step": round(analysis.edge.edge_step, 5),
        "notes": list(analysis.notes),
    }
    if analysis.combination is not None:
        said["combination"] = combination_json(analysis.combination)
    if analysis.shell is not None:
        said["first_shell"] = _shell(analysis.shell)
    return said


def sentences(said: dict[str, Any]) -> list[str]:
    """List what a person wants to read first, one line each."""
    e0 = with_esd(said["e0_ev"], said["e0_sd_normalisation_ev"])
    lines = [f"{said['spectrum']}: {said['edge']}, E0 = {e0} eV, step {said['edge_step']:.3g}"]
    if "combination" in said:
        lines += mixture_sentences(said["combination"])
    if "first_shell" in said:
        shell = said["first_shell"]
        known = [
            f"{SIGNS[name][0]} = {with_esd(each['median'], each['sd'])} {SIGNS[name][1]}".strip()
            for name, each in shell["parameters"].items()
        ]
        lines.append(f"first shell: {shell['verdict']}" + (": " + ", ".join(known)) * bool(known))
        lines += shell["reasons"] + shell["notes"]
    return lines


def overview(said: dict[str, Any]) -> str:
    """`sentences` and where the report is."""
    report = [f"report: {said['report']}"] if "report" in said else []
    return "\n".join([*sentences(said), *report])


def _shell(found: ShellAnswer) -> dict[str, Any]:
    best = found.best
    return {
        "verdict": found.verdict,
        "reasons": list(found.reasons),
        "notes": list(found.notes),
        "parameters": {
            name: {
                "median": each.median,
                "sd": each.sd,
                "spread_over_settings": each.spread,
                "esd": each.esd,
                "by_seed": list(each.seeds),
                "unit": SIGNS[name][1],
            }
            for name, each in found.known.items()
        },
        "trials": len(found.trials),
        "near_optimal": len(found.near),
        "misfit": best.misfit if best is not None else None,
        "misfit_default": found.default.misfit if found.default.result is not None else None,
        "settings": dict(best.settings) if best is not None else None,
        "fixed_range": {
            "k": list(found.fixed.k),
            "r": list(found.fixed.r),
            "k_weight": found.fixed.k_weight,
        },
    }


def _e0_spread(curve: XasCurve, e0_ev: float) -> float:
    """sd [eV] of the half-height edge over choices of normalisation, 0 where there is but one."""
    try:
        choices = normalisations(e0_ev, [curve])
    except InputError:  # too short for any other choice
        return 0.0
    found = []
    for ranges in choices:
        flat = normalise(curve.energy_ev, curve.mu, e0_ev, ranges).flat
        found.append(half_height(curve.energy_ev, flat, e0_ev))
    return float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
