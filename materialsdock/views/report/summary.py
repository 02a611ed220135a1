"""The numbers of an outcome as plain JSON values, and the one sentence that sums them up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from materialsdock import technique
from materialsdock.fusion.hybrid import in_report
from materialsdock.model import Decision, Outcome
from materialsdock.rendering.numbers import count, number


def summary_json(outcome: Outcome) -> dict[str, Any]:
    """The dictionary that the command line prints: plain Python values, NaN and infinity as None.

    Times in seconds or milliseconds, the rest as the keys say and the technique's own summary.
    What the measurement did not yield is None.
    """
    job = outcome.job
    summary: dict[str, Any] = {
        "technique": job.sample.technique,
        "sample": job.sample.name,
        "job_id": job.job_id,
        **_measurement(outcome.summary, outcome.decisions),
    }
    summary |= technique.named(job.sample.technique).report().summary(outcome)
    summary |= in_report.summary(outcome)
    summary["reading"] = job.settings.get("reading")
    summary["plan"] = outcome.summary.get("plan")
    return summary


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
        return f"Ended after {counted}{share}, without meeting its stop conditions."
    return f"Stopped after {counted}{share}: {reason.rstrip('.')}."


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
