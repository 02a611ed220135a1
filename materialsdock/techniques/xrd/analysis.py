"""A powder pattern into its refinement: phases found, recipes searched."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import Refused
from materialsdock.learning.counting.multipass_learner import DETECTED, NEARLY, MultiPassLearner
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.learning.counting.steered_learner import SteeredLearner
from materialsdock.model import Job, Measured, Outcome, Trial
from materialsdock.protocols import LearningCampaign, RunWatch
from materialsdock.techniques.xrd.model import Assessment, Diffractometer, Fit, Solution
from materialsdock.techniques.xrd.phases.answer import (
    NONE,
    allowed_elements,
    check_store,
    doubted,
    phases_of,
)
from materialsdock.techniques.xrd.phases.remedies import lines_of, remedies
from materialsdock.techniques.xrd.rietveld import engines
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.rietveld.limits import check_pattern, check_structures
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace
from materialsdock.techniques.xrd.search import warm_start
from materialsdock.techniques.xrd.search.checks import ACCURACY_WT
from materialsdock.techniques.xrd.search.quantify import SpikedStandard
from materialsdock.techniques.xrd.search.search import SearchResult, cut, search
from materialsdock.techniques.xrd.search.second_look import findings
from materialsdock.techniques.xrd.search.warm_start import (
    PastSearch,
    first_parameters,
    instructive,
    recipe_of,
)

LEARNED = 10  # recipes at most that past searches propose
Measurement = Pattern


@dataclass(frozen=True, eq=False)
class Found:
    """The answer of powder diffraction; solutions : the fit and its rivals, best first.

    trials : of the search; assessment : the verdict on the fit, or why there is none
    """

    fit: Fit | None = None
    trials: tuple[Trial, ...] = ()
    solutions: tuple[Solution, ...] = ()
    assessment: Assessment | None = None


def check(job: Job) -> None:
    """Refuse, before anything is measured, an analysis that could not be made afterwards.

    Raises Refused for an engine that is not installed, InputError for a store without a structure
    of the wanted elements.
    """
    options, sample = job.settings.get("analysis", {}), job.sample
    if reason := engines.unusable(options.get("engine", engines.DEFAULT)):
        raise Refused(
            reason,
            where=f"--engine {options['engine']}",
            remedy=f"install it for this Python, or say --engine {engines.DEFAULT}",
        )
    if options.get("store") and not sample.structures:
        check_store(Path(options["store"]), allowed_elements(options, sample))


def analyse(
    campaign: LearningCampaign,
    summary: dict[str, Any],
    watch: RunWatch,
    past: Sequence[PastSearch] = (),
) -> Outcome:
    """Refine what the campaign measured; summary : the measurement in numbers, and the plan."""
    learner = campaign.learner
    if not isinstance(learner, MultiPassLearner):
        raise TypeError(f"no analysis for {type(learner).__name__}")
    measured = learner.pattern()
    grid = measured.two_theta
    mean, sd = learner.posterior(grid)
    curve = Pattern(grid, mean, sd, measured.count_time_s)
    summary["plan"] = passes(learner, summary["quantities"])
    decisions = tuple(campaign.decisions)
    outcome = Outcome(campaign.job, decisions, summary, measured, Found(), curve)
    return refined(outcome, measured, watch, past)


def refine_full(
    job: Job, measured: Measured, watch: RunWatch, past: Sequence[PastSearch] = ()
) -> Outcome:
    """Refine all of a measured pattern; the counts' own statistics weigh it when it has none."""
    seconds = float(job.settings["full_scan"]["full_time_s"])
    sigma = np.sqrt(np.maximum(measured.y, 1.0)) if measured.sigma is None else measured.sigma
    pattern = Pattern(
        measured.x, measured.y / seconds, sigma / seconds, np.full(measured.x.size, seconds)
    )
    full = job.settings["full_scan"]
    summary = {
        "technique": job.sample.technique,
        "sample": job.sample.name,
        "points_measured": full["points"],
        "points_full_scan": full["points"],
        "stop_reason": "a full scan, refined as it was measured",
    }
    return refined(Outcome(job, (), summary, pattern, Found()), pattern, watch, past)


def passes(learner: MultiPassLearner, quantities: Mapping[str, float]) -> str:
    """Say what the counting was for, and how strong a peak must be not to have been missed."""
    count = int(quantities["passes"])
    many = f"{count} pass{'' if count == 1 else 'es'}"
    said = [f"{many} for {learner.objective}"]
    if isinstance(learner, SteeredLearner):
        said = [f"{many}, the first one even, the others steered towards {learner.quantity}"]
        if learner.even_passes:
            said.append(
                f"{learner.even_passes} counted evenly as steering failed, last: {learner.trouble}"
            )
    least = quantities["detectable_strength"]
    if np.isfinite(least):
        said.append(
            f"a peak of {least:.3g} counts/s over the background would have been found in "
            f"{NEARLY:.0%} of the range (expected at {DETECTED:g} sd)"
        )
    else:
        said.append(
            "the range was not counted completely: peaks of any height may have been missed"
        )
    return "; ".join(said)


def refined(
    outcome: Outcome,
    pattern: Pattern,
    watch: RunWatch,
    past: Sequence[PastSearch],
) -> Outcome:
    """The outcome with what the search found, and the part of the pattern it belongs to.

    A sample without structures is looked up in the configured store first; where nothing there
    matches confidently, or there is none, the outcome stays without a fit.
    """
    options = outcome.job.settings["analysis"]
    if limits := options.get("range"):
        pattern = cut(pattern, *limits)
    outcome = _identified(outcome, pattern, watch)
    if not outcome.job.sample.structures:
        return outcome
    check_structures(outcome.job.sample.structures)
    check_pattern(pattern, outcome.job.settings["diffractometer"]["fwhm_deg"])
    watch.stage("refining")
    began = time.perf_counter()
    first, origins = learned(past, pattern, outcome.job)
    searched = _searched(outcome.job, pattern, watch.trial, first)
    seconds = {"seconds_refining": time.perf_counter() - began, "search_ended": searched.ended}
    standard = SpikedStandard(**options["standard"]) if options.get("standard") else None
    said = findings(searched.solutions[0], searched.texture, standard)
    start = _start(outcome.job, pattern, first, origins, searched.trials)
    verdict = searched.assessment
    if identified := outcome.summary.get("identification"):
        verdict = doubted(verdict, identified)
    verdict = _advised(verdict, searched.pattern, outcome.job)
    return replace(
        outcome,
        summary={**outcome.summary, **seconds, **said, "start": start},
        measured=searched.pattern,
        found=Found(searched.fit, searched.trials, searched.solutions, verdict),
    )


def _advised(verdict: Assessment, pattern: Pattern, job: Job) -> Assessment:
    """The verdict with what else to try, where the structures do not agree with the pattern."""
    if verdict.word != NONE:
        return verdict
    diffractometer = Diffractometer.of(job.settings["diffractometer"])
    tried = remedies(pattern, diffractometer, [lines_of(s) for s in job.sample.structures])
    return replace(verdict, advice=(*verdict.advice, *tried))


def _searched(
    job: Job,
    pattern: Pattern,
    on_trial: Callable[[Trial], None],
    first: Sequence[Mapping[str, Any]],
) -> SearchResult:
    options = job.settings["analysis"]
    return search(
        pattern,
        job.sample.structures,
        Diffractometer.of(job.settings["diffractometer"]),
        trials=options["trials"],
        seeds=tuple(options["seeds"]),
        workers=options["workers"],
        time_limit_s=options["trial_time_limit_s"],
        storage=options.get("storage"),
        resume=options.get("resume", True),
        first=first,
        scheduler_address=options.get("scheduler_address"),
        on_trial=on_trial,
        engine=_engine(options),
        texture=options.get("texture") == "evidence",
        accuracy_wt=_accuracy_wt(job),
    )


def _accuracy_wt(job: Job) -> float:
    """The accuracy [wt%] of weights that the job was counted for, else the usual one."""
    aim = job.settings.get("learner", {})
    wanted = aim.get("wanted_esd") if aim.get("objective") == "fractions" else None
    return float(wanted or ACCURACY_WT)


def _engine(options: Mapping[str, Any]) -> RefinementEngine:
    return engines.engine(options.get("engine", engines.DEFAULT))


def _identified(outcome: Outcome, pattern: Pattern, watch: RunWatch) -> Outcome:
    """The outcome with structures of the store, where the sample has none and one is configured."""
    job, options = outcome.job, outcome.job.settings["analysis"]
    if job.sample.structures or not options.get("store"):
        return outcome
    watch.stage("identifying phases")
    structures, said = phases_of(
        pattern,
        Diffractometer.of(job.settings["diffractometer"]),
        Path(options["store"]),
        allowed_elements(options, job.sample),
        engine=_engine(options),
        workers=options["workers"],
        time_limit_s=options["trial_time_limit_s"],
    )
    return replace(
        outcome,
        job=replace(job, sample=replace(job.sample, structures=structures)),
        summary={**outcome.summary, "identification": said},
        found=Found(assessment=None if structures else doubted(None, said)),
    )


def learned(
    past: Sequence[PastSearch], pattern: Pattern, job: Job
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return what earlier searches on the same instrument propose, and which jobs made them.

    Proposals for half of the trials at most; nothing where the job wants no warm start.
    """
    options = job.settings["analysis"]
    if not options.get("warm_start", True):
        return [], ()
    space, diffractometer = _space(job, pattern)
    others = [search for search in past if search.origin != job.job_id]
    used = instructive(others, space, diffractometer)
    count, seed = min(LEARNED, options["trials"] // 2), options["seeds"][0]
    first = first_parameters(used, space, diffractometer, count=count, seed=seed)
    return [dict(p) for p in first], tuple(p.origin for p in used)


def _space(job: Job, pattern: Pattern) -> tuple[SearchSpace, Diffractometer]:
    diffractometer = Diffractometer.of(job.settings["diffractometer"])
    return SearchSpace.of(pattern, job.sample.structures, diffractometer), diffractometer


def _start(
    job: Job,
    pattern: Pattern,
    first: Sequence[Mapping[str, Any]],
    origins: Sequence[str],
    trials: Sequence[Trial],
) -> dict[str, Any]:
    """Say where the search began, as plain JSON: recipes of earlier ones that were tried, whose."""
    space, _ = _space(job, pattern)
    made = [trial.recipe for trial in trials]
    tried = sum(recipe_of(parameters, space) in made for parameters in first)
    if not job.settings["analysis"].get("warm_start", True):
        sentence = "from the default recipe; earlier searches were not used (--no-warm-start)"
    elif not tried:
        sentence = "from the default recipe; no earlier search on this instrument to learn from"
    else:
        sentence = (
            f"from the default recipe and {tried} more, learned from "
            f"{len(origins)} earlier search{'' if len(origins) == 1 else 'es'} on this instrument"
        )
    return {"recipes": tried, "jobs": list(origins) if tried else [], "sentence": sentence}


def remembered(outcome: Outcome) -> dict[str, Any]:
    """Return what to keep of the outcome's search for later ones; {} where there was none."""
    if not outcome.found.trials:
        return {}
    of = Diffractometer.of(outcome.job.settings["diffractometer"])
    return warm_start.remembered(outcome.measured, of, outcome.found.trials)


def recalled(kept: Sequence[Mapping[str, Any]]) -> tuple[PastSearch, ...]:
    """The searches of which `remembered` was kept, each with its job as `origin`."""
    return tuple(warm_start.recalled(each) for each in kept)
