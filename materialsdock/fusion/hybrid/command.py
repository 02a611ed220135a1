"""`materialsdock hybrid`: structures that fit the pattern, against their energies."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured, reading
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.fusion.hybrid.page import render_hybrid
from materialsdock.fusion.hybrid.pareto import HybridResult, Point, hybrid_json
from materialsdock.fusion.hybrid.search import hybrid_search
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Sample
from materialsdock.profile import config, siteroot
from materialsdock.rendering.plain_page import write_page
from materialsdock.techniques.xrd import job as scanning
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases.cif_files import read_structure
from materialsdock.techniques.xrd.report.words import notes_of_reading
from materialsdock.theory.energy import Calculator


@dataclass(frozen=True)
class HybridRequest:
    """The request of the user; arguments : of the calculator, as JSON text; file : its reading."""

    pattern: Path
    cifs: Sequence[Path]
    calculator: str
    arguments: str = "{}"
    others: Sequence[Path] = ()
    trials: int = 40
    seeds: int = 1
    workers: int = 2
    profile: str = "sim"
    site: Path | None = None
    out: Path = Path("materialsdock-hybrid")
    file: FileOptions = NOTHING_ASKED


def calculator_of(name: str, arguments: str) -> Calculator:
    """The calculator of a dotted name and a JSON object; InputError for anything else."""
    remedy = 'write e.g. \'{"sigma": 2.3, "epsilon": 0.4}\''
    try:
        given = json.loads(arguments)
    except json.JSONDecodeError as error:
        said = f"{arguments!r} is not JSON: {error}"
        raise InputError(said, where="--arguments", remedy=remedy) from error
    if not isinstance(given, dict):
        said = f"{arguments!r} is not a JSON object"
        raise InputError(said, where="--arguments", remedy=remedy)
    return Calculator(name, given)


def run(
    request: HybridRequest, on_trial: Callable[[Point], None] | None = None
) -> tuple[HybridResult, dict[str, Any]]:
    """Search, write hybrid.html and the structures of the Pareto set, and say what was found.

    Raises InputError for what cannot be read, refined or given an energy.
    """
    calculator = calculator_of(request.calculator, request.arguments)
    calculator.make()
    _folder(request.out)
    measured = read_measured(request.pattern, "xrd", request.file)
    candidates = tuple(read_structure(path) for path in request.cifs)
    others = tuple(read_structure(path) for path in request.others)
    profile = config.load(request.profile, siteroot.activate(request.site))
    sample = Sample(request.pattern.stem, "xrd", 0, (*candidates, *others))
    job = scanning.job(scanning.scan_of(measured), sample, profile, stop={})
    seconds = float(job.settings["full_scan"]["full_time_s"])
    sigma = np.sqrt(np.maximum(measured.y, 1.0)) if measured.sigma is None else measured.sigma
    counted = np.full(measured.x.size, seconds)
    found = hybrid_search(
        Pattern(measured.x, measured.y / seconds, sigma / seconds, counted),
        candidates,
        Diffractometer.of(job.settings["diffractometer"]),
        calculator,
        others=others,
        trials=request.trials,
        seeds=tuple(range(request.seeds)),
        workers=request.workers,
        time_limit_s=float(job.settings["analysis"]["trial_time_limit_s"]),
        on_trial=on_trial,
    )
    read = notes_of_reading((*candidates, *others))
    found = replace(found, sentences=(*found.sentences, *read))
    for number, point in enumerate(found.front, 1):
        (request.out / f"pareto_{number:02d}.cif").write_text(point.cif, encoding="utf-8")
    read_as = reading.facts(measured, request.pattern, request.file)
    page = render_hybrid(found, sample.name, reading.sentences(read_as))
    report = write_page(page, request.out / "hybrid.html")
    return found, {**summary(found, report), "reading": read_as}


def _folder(out: Path) -> None:
    """Make the folder before anything is searched; InputError when that cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write into it: {error.strerror}",
            where=str(out),
            remedy="name a folder that may be written to with --out",
        ) from error


def summary(found: HybridResult, report: Path) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {**hybrid_json(found), "report": str(report)}


def overview(said: dict[str, Any]) -> str:
    """Sum up in a few lines what a person wants to read first."""
    rows = [
        f"  {row['structure']}: Rwp {row['rwp']:.3f} %, {row['energy_ev_per_atom']:.5f} eV/atom"
        for row in said["pareto"]
    ]
    head = f"{said['trials']} trials, {said['trials_failed']} failed"
    return "\n".join([head, *rows, *said["sentences"], f"report: {said['report']}"])
