"""The numbers of a refinement as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from materialsdock.model import Outcome
from materialsdock.rendering.numbers import number
from materialsdock.techniques.xrd.model import PhaseFit

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
        "r_exp": number(fit.r_exp) if fit else None,
        "gof": number(fit.gof) if fit else None,
        "free_parameters": fit.n_free if fit else None,
        "engine": fit.engine if fit else None,
        "phases": _phases(outcome),
        "amorphous": outcome.summary.get("amorphous"),
        "texture": outcome.summary.get("texture") or [],
        "violations": list(fit.violations) if fit else [],
        "warnings": list(fit.warnings) if fit else [],
    }


def _phases(outcome: Outcome) -> list[dict[str, Any]]:
    found = outcome.found
    if found.fit is None:
        return []
    spread = found.solutions[0].systematic if found.solutions else {}
    seen = {trace["name"]: trace for trace in outcome.summary.get("traces") or ()}
    return [_phase(phase, spread, seen.get(phase.name, {})) for phase in found.fit.phases]


def _phase(
    phase: PhaseFit, spread: Mapping[str, float], trace: Mapping[str, Any]
) -> dict[str, Any]:
    """The phase's numbers; *_systematic: half the range over other corrections and solutions.

    limit : wt% below which it would not be seen, or, if it is not detected, below which it is
    """
    cell: dict[str, Any] = {}
    for key in CELL:
        parameter = phase.cell.get(key)
        cell[key] = number(parameter.value) if parameter else None
        cell[f"{key}_esd"] = number(parameter.esd) if parameter else None
        cell[f"{key}_systematic"] = number(spread.get(f"{phase.name}.{key}"))
    return {
        "name": phase.name,
        "space_group": phase.space_group,
        **cell,
        "weight_fraction": number(phase.weight_fraction),
        "weight_fraction_esd": number(phase.weight_fraction_esd),
        "weight_fraction_systematic": number(spread.get(f"{phase.name}.weight_fraction")),
        "detected": trace.get("detected"),
        "limit": number(trace.get("limit")),
    }


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
