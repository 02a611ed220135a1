"""The numbers of a refinement as plain JSON values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from materialsdock.model import Outcome
from materialsdock.rendering.numbers import number
from materialsdock.techniques.xrd.model import Fit, PhaseFit
from materialsdock.techniques.xrd.report import uncertainty
from materialsdock.techniques.xrd.report.atoms import NUMBERS, Atom, atoms
from materialsdock.techniques.xrd.report.uncertainty import Uncertainty
from materialsdock.techniques.xrd.rietveld import rfactors

REMARK = re.compile(r"[A-Z][A-Z0-9_]+: ")  # CODE: what a refinement program notes of itself
LIBRARY = re.compile(r"[A-Z][A-Z0-9_]+: |\w+Warning: ")  # and Python, in outcomes of version 0.1
CELL = ("a", "b", "c", "alpha", "beta", "gamma")


def summary(outcome: Outcome) -> dict[str, Any]:
    """Refinement, search, verdict, and structures as read; what there is not is None.

    Cell lengths in Å, angles in degrees, weights and R factors in %, times in seconds.
    """
    found = _refinement(outcome) | _search(outcome) | _verdict(outcome)
    structures = [
        {"name": each.name, "notes": list(each.notes)} for each in outcome.job.sample.structures
    ]
    said = {
        "structures": structures,
        "identification": outcome.summary.get("identification"),
        "wavelengths_from": outcome.job.settings.get("wavelengths_from"),
    }
    return found | said


def _refinement(outcome: Outcome) -> dict[str, Any]:
    fit = outcome.found.fit
    return {
        "rwp": number(fit.rwp) if fit else None,
        "r_p": number(_profile(outcome)) if fit else None,
        "r_exp": number(fit.r_exp) if fit else None,
        "gof": number(fit.gof) if fit else None,
        "free_parameters": fit.n_free if fit else None,
        "engine": fit.engine if fit else None,
        "phases": _phases(outcome),
        "atoms": [_atom(atom) for atom in atoms(outcome)],
        "uncertainties": uncertainty.NOTATION,
        "doubts": _doubts(outcome),
        "amorphous": outcome.summary.get("amorphous"),
        "texture": outcome.summary.get("texture") or [],
        "violations": list(fit.violations) if fit else [],
        "warnings": sentences(fit) if fit else [],
        "remarks": remarks(fit) if fit else [],
    }


def _profile(outcome: Outcome) -> float:
    """Rp [%] of the fit."""
    return rfactors.profile(outcome.measured.intensity, outcome.found.fit.y_calc)


def sentences(fit: Fit) -> list[str]:
    """List what the fit warns of in words; a library's own words are remarks, or in the log."""
    return [line for line in fit.warnings if not LIBRARY.match(line)]


def remarks(fit: Fit) -> list[str]:
    """List what the refinement program notes in its own words, by its codes."""
    return [*(line for line in fit.warnings if REMARK.match(line)), *fit.remarks]


def _phases(outcome: Outcome) -> list[dict[str, Any]]:
    found = outcome.found
    if found.fit is None:
        return []
    systematic = uncertainty.spread(outcome)
    seen = {trace["name"]: trace for trace in outcome.summary.get("traces") or ()}
    return [_phase(phase, systematic, seen.get(phase.name, {})) for phase in found.fit.phases]


def _phase(
    phase: PhaseFit, systematic: Mapping[str, float], trace: Mapping[str, Any]
) -> dict[str, Any]:
    """The phase's numbers; *_esd is the combined one of *_esd_statistical and *_esd_systematic.

    limit : wt% below which it would not be seen, or, if it is not detected, below which it is
    """
    known = uncertainty.of_phase(phase, systematic)
    values = {key: p.value for key, p in phase.cell.items()}
    values[uncertainty.WEIGHT] = phase.weight_fraction
    said: dict[str, Any] = {"name": phase.name, "space_group": phase.space_group}
    for key in (*CELL, uncertainty.WEIGHT):
        of = known.get(key, Uncertainty(None, None))
        said[key] = number(values.get(key))
        said[f"{key}_esd"] = number(of.combined)
        said[f"{key}_esd_statistical"] = number(of.statistical)
        said[f"{key}_esd_systematic"] = number(of.systematic)
        said[f"{key}_systematic"] = number(of.systematic)
    said["r_bragg"] = number(phase.r_bragg)
    return {**said, "detected": trace.get("detected"), "limit": number(trace.get("limit"))}


def _atom(atom: Atom) -> dict[str, Any]:
    """The site's numbers, each with its combined esd where it was refined."""
    said: dict[str, Any] = {"phase": atom.phase, "label": atom.label, "element": atom.element}
    said["multiplicity"] = atom.multiplicity
    for key in NUMBERS:
        said[key] = number(atom.values[key])
        said[f"{key}_esd"] = number(atom.known[key].combined)
    return said


def _doubts(outcome: Outcome) -> list[dict[str, Any]]:
    """The sources of systematic doubt: by how much each moves what, and what to do about it."""
    best = outcome.found.solutions[:1]
    return [
        {
            "source": doubt.source,
            "spread": {name: number(size) for name, size in doubt.spread.items()},
            "sentence": doubt.sentence,
        }
        for doubt in (best[0].doubts if best else ())
    ]


def _search(outcome: Outcome) -> dict[str, Any]:
    trials = outcome.found.trials
    return {
        "trials": len(trials),
        "trials_failed": sum(trial.state == "fail" for trial in trials),
        "search_ended": outcome.summary.get("search_ended"),
        "start": outcome.summary.get("start"),
        "seconds": number(outcome.summary.get("seconds_refining")),
    }


def _verdict(outcome: Outcome) -> dict[str, Any]:
    found, solutions = outcome.found.assessment, outcome.found.solutions
    held = solutions[0].held_out if solutions else None
    return {
        "verdict": found.word if found else None,
        "reasons": list(found.reasons) if found else [],
        "rivals": list(found.rivals) if found else [],
        "notes": list(found.notes) if found else [],
        "advice": list(found.advice) if found else [],
        "held_out": {**asdict(held), "ratio": number(held.ratio)} if held else None,
    }
