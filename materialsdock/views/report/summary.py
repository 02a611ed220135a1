"""The numbers of an outcome as plain JSON values, and the one sentence that sums them up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from materialsdock.fusion.hybrid.pareto import HybridResult
from materialsdock.model import Decision
from materialsdock.outcome import Outcome
from materialsdock.rendering.numbers import count
from materialsdock.techniques.xas.model import EdgeFit
from materialsdock.techniques.xas.report.sentences import beyond_json
from materialsdock.techniques.xrd.model import PhaseFit

CELL = ("a", "b", "c", "alpha", "beta", "gamma")


def summary_json(outcome: Outcome) -> dict[str, Any]:
    """The dictionary that the command line prints: plain Python values, NaN and infinity as None.

    Times in seconds or milliseconds, cell lengths in Å, angles in degrees, weights and R factors
    in %, energies in eV, as the keys say.  What the measurement did not yield is None.
    """
    job = outcome.job
    summary: dict[str, Any] = {
        "technique": job.sample.technique,
        "sample": job.sample.name,
        "job_id": job.job_id,
        **_measurement(outcome.summary, outcome.decisions),
    }
    if job.sample.technique == "xrd":
        summary |= _refinement(outcome) | _search(outcome) | _verdict(outcome)
        summary["identification"] = outcome.summary.get("identification")
        summary["hybrid"] = _hybrid(outcome)
    else:
        summary |= _edge(outcome.edge) | beyond_json(outcome.absorption)
        summary["certificate"] = outcome.summary.get("certificate")
        summary["rmse_vs_replay"] = number(outcome.summary.get("rmse_vs_replay"))
    summary["plan"] = outcome.summary.get("plan")
    return summary


def hybrid_json(found: HybridResult) -> dict[str, Any]:
    """A hybrid analysis: its calculator, and the Pareto set by rising Rwp [%], energies [eV]."""
    return {
        "calculator": found.calculator,
        "arguments": dict(found.arguments),
        "trials": len(found.points),
        "trials_failed": sum(not point.counts for point in found.points),
        "pareto": [
            {
                "structure": point.structure,
                "rwp": round(point.rwp, 4),
                "energy_ev_per_atom": round(point.energy_ev, 6),
                "coordinates": "refined" if point.settings["refine"] else "shifted",
            }
            for point in found.front
        ],
        "sentences": list(found.sentences),
    }


def _hybrid(outcome: Outcome) -> dict[str, Any] | None:
    """The Pareto set, why there is none, or None where none was wanted."""
    if outcome.hybrid is not None:
        return hybrid_json(outcome.hybrid)
    missing = outcome.summary.get("hybrid_missing")
    return None if missing is None else {"missing": missing}


def headline(outcome: Outcome) -> str:
    """The outcome of a measurement in one sentence: points, share of time, reason to stop."""
    summary = _measurement(outcome.summary, outcome.decisions)
    measured, full = summary["points_measured"], summary["points_full_scan"]
    if measured is None:
        counted = "an unknown number of points"
    elif full is None or (measured == full and not outcome.decisions):
        counted = f"{count(measured)} points"
    elif measured <= full:
        counted = f"{count(measured)} of {count(full)} points"
    else:  # several passes count a position more than once
        counted = f"{count(measured)} exposures of {count(full)} positions"
    spent, whole = summary["seconds_measured"], summary["seconds_full_scan"]
    share = f" and {100 * spent / whole:.0f} % of the full-scan time" if spent and whole else ""
    reason = summary["stop_reason"]
    if reason and not outcome.decisions and measured == full:
        return f"{counted[0].upper()}{counted[1:]}: {reason.rstrip('.')}."
    if reason is None:
        return f"Ended after {counted}{share}, without a decision to stop."
    return f"Stopped after {counted}{share}: {reason.rstrip('.')}."


def number(value: Any) -> float | int | None:
    """A finite plain Python number, or None."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _measurement(given: Mapping[str, Any], decisions: tuple[Decision, ...]) -> dict[str, Any]:
    keys = ("points_measured", "points_full_scan", "seconds_measured", "seconds_full_scan")
    deciding_ms = [1e3 * decision.seconds_deciding for decision in decisions]
    return {
        **{key: number(given.get(key)) for key in keys},
        "lambda_final": number(given.get("lambda_final")),
        "lambda_threshold": number(given.get("threshold")),
        "stop_reason": given.get("stop_reason"),
        "decision_ms_p50": _percentile(deciding_ms, 50),
        "decision_ms_p95": _percentile(deciding_ms, 95),
    }


def _percentile(values: Iterable[float], percent: float) -> float | None:
    array = np.array(list(values))
    return number(np.percentile(array, percent)) if array.size else None


def _refinement(outcome: Outcome) -> dict[str, Any]:
    fit = outcome.fit
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
    if outcome.fit is None:
        return []
    spread = outcome.solutions[0].systematic if outcome.solutions else {}
    seen = {trace["name"]: trace for trace in outcome.summary.get("traces") or ()}
    return [_phase(phase, spread, seen.get(phase.name, {})) for phase in outcome.fit.phases]


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
    return {
        "trials": len(outcome.trials),
        "trials_failed": sum(trial.state == "fail" for trial in outcome.trials),
        "search_ended": outcome.summary.get("search_ended"),
        "start": outcome.summary.get("start"),
        "seconds": number(outcome.summary.get("seconds_refining")),
    }


def _verdict(outcome: Outcome) -> dict[str, Any]:
    found = outcome.assessment
    held = outcome.solutions[0].held_out if outcome.solutions else None
    return {
        "verdict": found.word if found else None,
        "reasons": list(found.reasons) if found else [],
        "rivals": list(found.rivals) if found else [],
        "notes": list(found.notes) if found else [],
        "held_out": {**asdict(held), "ratio": number(held.ratio)} if held else None,
    }


def _edge(edge: EdgeFit | None) -> dict[str, Any]:
    return {
        "e0_ev": number(edge.e0_ev) if edge else None,
        "e0_sd_ev": number(edge.e0_sd_ev) if edge else None,
        "edge_step": number(edge.edge_step) if edge else None,
        "edge_step_sd": number(edge.edge_step_sd) if edge else None,
        "warnings": list(edge.warnings) if edge else [],
    }
