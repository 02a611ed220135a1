"""First shells of measured standards, searched over settings with several seeds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.techniques.xas.exafs.feff import read_path
from materialsdock.techniques.xas.exafs.shell_problem import ShellProblem
from materialsdock.techniques.xas.exafs.shell_search import ShellAnswer, search_shell

# R(Fe-O) [Å] of a fit of two paths, Fe-O and Fe-Fe, to this very spectrum by xraylarch:
# examples/feffit/doc_feffit4.out, 2.107 ± 0.010 (Fe-Fe 3.071 ± 0.008).  The sample is wüstite,
# whose vacancies and tetrahedral iron disorder the shell; half of rock salt's cell is no reference.
WUSTITE, HALF_CELL = 2.107, 4.3108 / 2
# spectrum, path, edge, reference distance [Å], third cumulant (None: where it pays)
CASES = {
    "FeO": ("Fe/FeO_rt_01", "feff_feo01.dat", "Fe K", WUSTITE, None),
    "Cu 10 K": ("Cu/cu_metal_10K", "feffcu01.dat", "Cu K", 3.603 / 2**0.5, None),
    "Cu 300 K": ("Cu/cu_metal_rt", "feffcu01.dat", "Cu K", 3.6149 / 2**0.5, None),
}
BASELINES = {
    "baseline: Cu 300 K, never a third cumulant": (*CASES["Cu 300 K"][:4], False),
    "baseline: FeO, never a third cumulant": (*CASES["FeO"][:4], False),
}


# paths of another absorber, or of atoms that are not there
TRAPS = (
    ("Fe/FeS2_rt_01", "feff_feo01.dat"),
    ("Fe/Fe_metal_rt_01", "feff_feo01.dat"),
    ("Fe/Fe_Foil_rt_2016Foils", "feff_feo01.dat"),
    ("Fe/FeO_rt_01", "feffcu01.dat"),
    ("Fe/Fe_metal_rt_01", "feffcu01.dat"),
    ("Cu/cu_metal_10K", "feff_feo01.dat"),
    ("Cu/cu_metal_rt", "feff_feo01.dat"),
    ("Mn/MnO2_rt_01", "feff_feo01.dat"),
)


def traps(data: Path, *, trials: int, seeds: Sequence[int]) -> dict[str, Any]:
    """Try fits that must not be accepted, also with the absorber's name hidden; the verdicts."""
    said = {}
    for (spectrum, file), hidden in product(TRAPS, (False, True)):
        measured, path = (
            read_measured(data / "xasdatalibrary" / f"{spectrum}.xdi"),
            read_path(data / "xraylarch" / file),
        )
        path = replace(path, edge=None) if hidden else path
        try:
            problem = ShellProblem.of(measured.x, measured.y, path)
            verdict = search_shell(problem, trials=trials, seeds=list(seeds)).verdict
        except InputError as refused:
            verdict = f"refused: {refused.what}"
        said[f"{spectrum}, {file}{', absorber hidden' if hidden else ''}"] = verdict
    accepted = sum(verdict == "accept" for verdict in said.values())
    return {"verdicts": said, "accepted": accepted, "of": len(said)}


def shells(data: Path, *, trials: int, seeds: Sequence[int]) -> dict[str, Any]:
    """Results by sample."""
    found = {}
    for name, (spectrum, path, edge, reference, third) in {**CASES, **BASELINES}.items():
        measured = read_measured(data / "xasdatalibrary" / f"{spectrum}.xdi")
        problem = ShellProblem.of(
            measured.x,
            measured.y,
            read_path(data / "xraylarch" / path),
            edge=edge,
            third_cumulant=third,
        )
        began = time.perf_counter()
        answer = search_shell(problem, trials=trials, seeds=list(seeds))
        found[name] = {
            **summary(answer, reference),
            "trials": len(answer.trials),
            "seconds": round(time.perf_counter() - began, 1),
        }
    shell = found["FeO"]["R"]
    shell["from half of rock salt's cell"] = round(shell["median"] - HALF_CELL, 4)
    return found


def summary(answer: ShellAnswer, reference: float) -> dict[str, Any]:
    """Distance and the rest with spreads, misfits, and what the baselines say."""
    assert answer.best is not None
    done = [t for t in answer.trials if t.result is not None]
    own = min(done, key=lambda t: t.result.fit.r_factor)
    others = {
        name: {"median": round(each.median, 5), "sd": round(each.sd, 5)}
        for name, each in answer.known.items()
        if name != "distance"
    }
    r = answer.known["distance"]
    return {
        "R": {
            "median": round(r.median, 4),
            "sd": round(r.sd, 4),
            "spread over settings": round(r.spread, 4),
            "esd of a fit": round(r.esd, 4),
            "by seed": [round(each, 4) for each in r.seeds],
            "range over seeds": round(float(np.ptp(r.seeds)), 4),
            "reference": round(reference, 4),
            "from reference": round(r.median - reference, 4),
        },
        **others,
        "verdict": answer.verdict,
        "reasons": list(answer.reasons),
        "notes": list(answer.notes),
        "near-optimal": len(answer.near),
        "of them with a third cumulant": sum(
            bool(t.settings["third_cumulant"]) for t in answer.near
        ),
        "acceptable": sum(t.acceptable for t in answer.trials),
        "misfit": {
            "best": round(answer.best.misfit, 5),
            "default": round(answer.default.misfit, 5),
            "best / default": round(answer.best.misfit / answer.default.misfit, 3),
        },
        "baseline: default settings": {
            "R from reference": round(answer.default.result.fit.distance - reference, 4)
        },
        "baseline: least R-factor in its own window": {
            "R from reference": round(own.result.fit.distance - reference, 4),
            "misfit in the fixed window": round(own.misfit, 5),
            "acceptable": own.acceptable,
        },
    }
