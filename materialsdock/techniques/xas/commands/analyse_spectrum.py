"""`materialsdock xas`: one absorption spectrum, analysed as far as what was given allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured, reading
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.model import Measured
from materialsdock.rendering.numbers import with_esd
from materialsdock.techniques.xas.exafs.background import (
    RBKG,
    SHORTEST_K,
    remove_background,
    wavenumber,
)
from materialsdock.techniques.xas.exafs.feff import read_path
from materialsdock.techniques.xas.exafs.shell_problem import ShellProblem
from materialsdock.techniques.xas.exafs.shell_search import ShellAnswer, search_shell
from materialsdock.techniques.xas.files.signal import FLUORESCENCE
from materialsdock.techniques.xas.mixture.choice import explain
from materialsdock.techniques.xas.mixture.combination import XasCurve, combine
from materialsdock.techniques.xas.model import EdgeFit, Oscillations
from materialsdock.techniques.xas.report.page import SpectrumAnalysis, write_page
from materialsdock.techniques.xas.report.sentences import (
    combination_json,
    edge_json,
    edge_sentences,
    mixture_sentences,
    settings_json,
    settings_sentence,
)
from materialsdock.techniques.xas.spectrum.checks import checked_edge, noise_of
from materialsdock.techniques.xas.spectrum.edge_fit import fit_edge
from materialsdock.techniques.xas.spectrum.edge_table import (
    edge_at,
    named,
    others_near,
    refuse_other,
)
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings
from materialsdock.techniques.xas.spectrum.suspicions import of_edge, of_scale, suspicions

SIGNS = {
    "distance": ("R", "Å"),
    "amplitude": ("S0²N", ""),
    "sigma2": ("σ²", "Å²"),
    "e0_shift_ev": ("ΔE0", "eV"),
    "third": ("C3", "Å³"),
}
SELF_ABSORPTION = (
    "fluorescence of a thick sample shows white line and oscillations too small (self-absorption): "
    "that is neither corrected here nor in the standard deviations; a dilute or a thin one is true"
)
Notes = tuple[str, ...]
SAMPLES, SEED = 64, 0


@dataclass(frozen=True)
class SpectrumRequest:
    """The request: the spectrum, standards, a FEFF path, how to read it, how long to search.

    keep_all : True gives every standard its fraction, needed or not
    chosen : settings of normalisation, background and mixture
    """

    spectrum: Path
    standards: Sequence[Path] = ()
    path: Path | None = None
    file: FileOptions = NOTHING_ASKED
    trials: int = 60
    seeds: int = 3
    out: Path | None = None
    keep_all: bool = False
    chosen: SpectrumSettings = NOTHING_CHOSEN


def read_curve(path: Path, file: FileOptions = NOTHING_ASKED) -> tuple[XasCurve, str, Notes]:
    """A spectrum, its edge where file or user name it, and what was read as what.

    Raises InputError as `read_measured` says it.
    """
    measured = read_measured(path, "xas", file)
    curve = XasCurve(path.stem, measured.x, measured.y, measured.sigma)
    notes = tuple(reading.sentences(reading.facts(measured, path, file)))
    if measured.reading.signal.startswith(FLUORESCENCE):
        notes = (SELF_ABSORPTION, *notes)
    return curve, file.edge or _edge_of(measured, path), notes


def _edge_of(measured: Measured, path: Path) -> str:
    """The edge that the reader found, "" for none it has a name for; InputError for a question."""
    name = measured.reading.edge
    if " or " in name:
        first = name.partition(" or ")[0].replace(" ", "-")
        raise InputError(
            f"the edge may be {name}", where=str(path), remedy=f"say which, e.g. --edge {first}"
        )
    return "" if name.startswith("unnamed") else name


def analyse(request: SpectrumRequest) -> SpectrumAnalysis:
    """Edge, χ(k) where there is any, fractions with standards, a first shell with a path.

    Raises InputError for bad files, another element's edge, or a spectrum too short for what was
    asked of it.
    """
    curve, name, notes = read_curve(request.spectrum, request.file)
    edge, doubts = edge_of(curve, name, request.chosen)
    wanted = edge.edge if edge.tabulated_ev is not None else None
    oscillations = _oscillations(curve, edge, request.chosen)
    combination = shell = None
    if request.standards:
        standards = [read_curve(each)[0] for each in request.standards]
        doubts += tuple(
            f"{each.name}: {doubt}"
            for each in standards
            for doubt in suspicions(each.energy_ev, each.mu)
        )
        fit = combine if request.keep_all else explain
        combination = fit(
            curve, standards, edge=wanted, e0_ev=edge.origin_ev, chosen=request.chosen
        )
    if request.path is not None:
        path = read_path(request.path)
        problem = ShellProblem.of(curve.energy_ev, curve.mu, path, edge=wanted)
        shell = search_shell(problem, trials=request.trials, seeds=range(request.seeds))
    found = (*doubts, *notes)
    return SpectrumAnalysis(curve, edge, oscillations, combination, shell, found)


def edge_of(curve: XasCurve, name: str, chosen: SpectrumSettings) -> tuple[EdgeFit, Notes]:
    """The edge with all its numbers, and a note where nobody but its energy said which it is."""
    doubts = suspicions(curve.energy_ev, curve.mu) if curve.mu.size else []
    try:
        found = checked_edge(curve.energy_ev, curve.mu, None, curve.name, chosen)
    except InputError as fault:
        if not doubts:
            raise
        what = "; ".join([fault.what, *doubts])
        raise InputError(what, where=fault.where, remedy=fault.remedy) from fault
    known = edge_at(found.edge_ev, named(name) if name else None)
    if chosen.e0 is not None and known.symbol:
        refuse_other(chosen.e0, known, "--e0")
    others = () if name else others_near(known, found.edge_ev)
    notes = (
        (f"{known.name} by its energy; {', '.join(map(str, others))} would lie near as well",)
        if others
        else ()
    )
    doubts += of_edge(curve.energy_ev, found.flat, found.edge_ev)
    doubts += of_scale(known, found.edge_ev)
    noise = noise_of(curve.mu) if curve.sigma is None else curve.sigma
    rng = np.random.default_rng(SEED)
    samples = curve.mu + noise * rng.standard_normal((SAMPLES, curve.mu.size))
    typical = float(np.median(noise))
    fit = fit_edge(curve.energy_ev, curve.mu, samples, edge=known, chosen=chosen, noise=typical)
    return fit, (*notes, *doubts)


def _oscillations(curve: XasCurve, edge: EdgeFit, chosen: SpectrumSettings) -> Oscillations | None:
    """χ(k) where the spectrum is long enough for any."""
    if float(wavenumber(curve.energy_ev[-1:], edge.origin_ev)[0]) < SHORTEST_K:
        return None
    rbkg = RBKG if chosen.rbkg is None else chosen.rbkg
    waves = remove_background(curve.energy_ev, curve.mu, edge.origin_ev, edge.edge_step, rbkg=rbkg)
    return replace(waves, k_range=chosen.k_range)


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
        **edge_json(analysis.edge),
        "edge_lines": [*edge_sentences(analysis.edge), *analysis.edge.warnings],
        "settings": settings_json(analysis.edge, analysis.oscillations),
        "notes": list(analysis.notes),
    }
    if analysis.combination is not None:
        said["combination"] = combination_json(analysis.combination)
    if analysis.shell is not None:
        said["first_shell"] = _shell(analysis.shell)
    return said


def sentences(said: dict[str, Any]) -> list[str]:
    """List what a person wants to read first, one line each."""
    lines = [f"{said['spectrum']}: {said['edge'] or 'unnamed'}, {said['points']} points"]
    lines += [*said["edge_lines"], settings_sentence(said["settings"])]
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
    return [*lines, *said["notes"]]


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
