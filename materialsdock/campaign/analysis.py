"""From a finished campaign to an Outcome: refinement, or edge and what lies beyond."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.campaign.campaign import Campaign, target_alone
from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.learning.counting.multipass_learner import DETECTED, NEARLY, MultiPassLearner
from materialsdock.learning.counting.steered_learner import SteeredLearner
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.stopping.certificate import Certificate, certify
from materialsdock.model import FloatArray, Job, Measured, Trial
from materialsdock.outcome import Outcome
from materialsdock.techniques.xas import wanted_quantities
from materialsdock.techniques.xas.analysis import beyond_edge
from materialsdock.techniques.xas.edge import fit_edge
from materialsdock.techniques.xas.model import EdgeFit, Spectrum
from materialsdock.techniques.xrd.analysis import refined
from materialsdock.techniques.xrd.model import Pattern
from materialsdock.techniques.xrd.search.warm_start import PastSearch

POSTERIOR_SAMPLES = 200
BOUND_SIGMAS = 1.96  # a bound of 95 % in standard deviations
CERTIFIED = ("e0", "edge_step", "white_line_height")


def analyse(
    campaign: Campaign,
    stage: Callable[[str], None],
    on_trial: Callable[[Trial], None],
    past: Sequence[PastSearch] = (),
) -> Outcome:
    """Analyse what the campaign measured; the search runs in processes of its own.

    past : earlier searches; those on the same instrument say which recipes to try first
    """
    learner = campaign.learner
    if isinstance(learner, MultiPassLearner):
        return _diffraction(campaign, learner, stage, on_trial, past)
    if isinstance(learner, SpectrumLearner):
        return _absorption(campaign, learner, stage)
    raise TypeError(f"no analysis for {type(learner).__name__}")


def refine_full(
    job: Job,
    measured: Measured,
    stage: Callable[[str], None],
    on_trial: Callable[[Trial], None],
    past: Sequence[PastSearch] = (),
) -> Outcome:
    """Refine all of a measured pattern; the counts' own statistics weigh it when it has none."""
    seconds = float(job.settings["full_scan"]["full_time_s"])
    sigma = np.sqrt(np.maximum(measured.y, 1.0)) if measured.sigma is None else measured.sigma
    pattern = Pattern(
        measured.x, measured.y / seconds, sigma / seconds, np.full(measured.x.size, seconds)
    )
    full = job.settings["full_scan"]
    summary = {
        "technique": "xrd",
        "sample": job.sample.name,
        "points_measured": full["points"],
        "points_full_scan": full["points"],
        "stop_reason": "a full scan, refined as it was measured",
    }
    return refined(Outcome(job, (), summary, pattern), pattern, stage, on_trial, past)


def _diffraction(
    campaign: Campaign,
    learner: MultiPassLearner,
    stage: Callable[[str], None],
    on_trial: Callable[[Trial], None],
    past: Sequence[PastSearch],
) -> Outcome:
    job, measured = campaign.job, learner.pattern()
    grid = measured.two_theta
    mean, sd = learner.posterior(grid)
    curve = Pattern(grid, mean, sd, measured.count_time_s)
    summary = summarise(campaign)
    summary["plan"] = passes(learner, summary["quantities"])
    outcome = Outcome(job, tuple(campaign.decisions), summary, measured, curve=curve)
    return refined(outcome, measured, stage, on_trial, past)


def _absorption(
    campaign: Campaign, learner: SpectrumLearner, stage: Callable[[str], None]
) -> Outcome:
    stage("finding the edge")
    job, energy = campaign.job, learner.axis.grid
    mean, sd = learner.posterior(energy)
    samples = learner.sample(energy, POSTERIOR_SAMPLES, job.seed)
    summary = summarise(campaign)
    options = job.settings["learner"]
    names = dict.fromkeys([*CERTIFIED, *options.get("quantities", ())])
    quantities = wanted_quantities.quantities(names, energy, options.get("standards"))
    promised = certify(learner.present, campaign.evidence, quantities, seed=job.seed)
    edge, missing = _edge(energy, mean, samples)
    if edge is not None and promised.missing is not None:
        edge = _of_early_stop(edge, promised)
    summary["certificate"] = {
        **promised.as_dict(),
        "sentences": [*promised.sentences(), *missing],
    }
    summary["plan"] = plan(learner)
    replayed = job.settings.get("replay")
    if replayed and Path(replayed).is_file():
        truth = read_measured(Path(replayed), "xas")
        at_truth, _ = learner.posterior(truth.x)
        summary["rmse_vs_replay"] = float(np.sqrt(np.mean((at_truth - truth.y) ** 2)))
    stage("analysing the oscillations and the mixture")
    curve, measured = Spectrum(energy, mean, sd), learner.spectrum()
    return Outcome(
        job,
        tuple(campaign.decisions),
        summary,
        measured,
        edge=edge,
        curve=curve,
        absorption=beyond_edge(curve, samples, measured, edge, options.get("standards")),
    )


def _edge(
    energy: FloatArray, mean: FloatArray, samples: FloatArray
) -> tuple[EdgeFit | None, list[str]]:
    """The edge of the posterior mean (m,), or none and why: the measurement counts anyway."""
    try:
        return fit_edge(energy, mean, samples), []
    except InputError as fault:
        return None, [f"no edge was found: {fault}"]


def _of_early_stop(edge: EdgeFit, promised: Certificate) -> EdgeFit:
    """The edge with sd as wide as its untested bounds ask for: the posterior's own are too sure
    of themselves where points lie far apart.
    """
    bounds = {said.name: said.bound / BOUND_SIGMAS for said in promised.statements}
    sure = "sd are widened for the gaps, and not tested"
    if math.isinf(bounds["e0"]):
        sure = "how far off E0 may be cannot be said"
    early = f"stopped early ({promised.missing}): {sure}"
    return replace(
        edge,
        e0_sd_ev=max(edge.e0_sd_ev, bounds["e0"]),
        edge_step_sd=max(edge.edge_step_sd, bounds["edge_step"]),
        warnings=(*edge.warnings, early),
    )


def plan(learner: SpectrumLearner) -> str:
    """Whether the learner's sweeps or the expert's grid came after the first sweep, and why."""
    said = [] if learner.choice is None else [learner.choice.sentence()]
    library = learner.knowledge.library
    said += [] if library is None else [library.reason]
    return "; ".join(said) or "sweeps of the learner"


def passes(learner: MultiPassLearner, quantities: Mapping[str, float]) -> str:
    """What the counting was for, and how strong a peak must be not to have been missed."""
    count = int(quantities["passes"])
    many = f"{count} pass{'' if count == 1 else 'es'}"
    said = [f"{many} for {learner.objective}"]
    if isinstance(learner, SteeredLearner):
        said = [f"{many}, the first one even, steered towards {learner.quantity}"]
        if learner.even_passes:
            said.append(f"{learner.even_passes} could not be steered, last: {learner.trouble}")
    least = quantities["detectable_strength"]
    if np.isfinite(least):
        said.append(
            f"a peak of {least:.3g} counts/s over the background would have been found in "
            f"{NEARLY:.0%} of the range (expected at {DETECTED:g} sd)"
        )
    else:
        said.append("the range was not counted once: peaks may have been missed at any strength")
    return "; ".join(said)


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
