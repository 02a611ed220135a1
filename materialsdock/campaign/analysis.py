"""From a finished campaign to an Outcome: its technique analyses it, then energies are weighed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from materialsdock import technique
from materialsdock.campaign.campaign import Campaign, target_alone
from materialsdock.fusion.hybrid import after_refinement
from materialsdock.model import Job, Measured, Outcome, Trial
from materialsdock.protocols import RunWatch


def analyse(
    campaign: Campaign,
    stage: Callable[[str], None],
    on_trial: Callable[[Trial], None],
    past: Sequence[Any] = (),
) -> Outcome:
    """Analyse what the campaign measured; the search runs in processes of its own.

    past : earlier searches; those on the same instrument say which recipes to try first
    """
    part = technique.named(campaign.job.sample.technique).analysis()
    watch = RunWatch(stage=stage, trial=on_trial)
    found = part.analyse(campaign, summarise(campaign), watch, past)
    return after_refinement.weighed(found, stage)


def refine_full(
    job: Job,
    measured: Measured,
    stage: Callable[[str], None],
    on_trial: Callable[[Trial], None],
    past: Sequence[Any] = (),
) -> Outcome:
    """Refine all of a measured file; the counts' own statistics weigh it when it has none."""
    part = technique.named(job.sample.technique).analysis()
    found = part.refine_full(job, measured, RunWatch(stage=stage, trial=on_trial), past)
    return after_refinement.weighed(found, stage)


def check(job: Job) -> None:
    """Refuse, before anything is measured, an analysis that could not be made afterwards.

    Raises what the technique's own check raises, InputError for a calculator that cannot be made.
    """
    technique.named(job.sample.technique).analysis().check(job)
    after_refinement.check(job)


def with_analysis(job: Job, changes: Mapping[str, Any]) -> Job:
    """The job with `changes` to how it is analysed."""
    settings = {**job.settings.get("analysis", {}), **changes}
    return replace(job, settings={**job.settings, "analysis": settings}) if changes else job


def summarise(campaign: Campaign) -> dict[str, Any]:
    """The measurement in numbers: points and instrument seconds against the full scan, the stop."""
    job, decisions = campaign.job, campaign.decisions
    quantities = campaign.evidence.quantities
    deciding_ms = 1e3 * np.array([d.seconds_deciding for d in decisions])
    full = job.settings["full_scan"]
    return {
        "technique": job.sample.technique,
        "sample": job.sample.name,
        "points_measured": int(quantities["points"]),
        "points_full_scan": full["points"],
        "seconds_measured": float(quantities["seconds"]),
        "seconds_full_scan": full["seconds"],
        "full_time_s": full["full_time_s"],
        "lambda_final": decisions[-1].lambda_t if decisions else None,
        "threshold": None if target_alone(job) else campaign.verdict.threshold,
        "stop_reason": campaign.verdict.reason,
        "decision_ms_p50": float(np.percentile(deciding_ms, 50)),
        "decision_ms_p95": float(np.percentile(deciding_ms, 95)),
        "quantities": {key: float(value) for key, value in quantities.items()},
    }
