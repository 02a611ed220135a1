"""A powder pattern into its refinement: phases found, recipes searched, energies weighed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError, MaterialsDockError, Refused
from materialsdock.fusion.hybrid.search import hybrid_search
from materialsdock.model import Job, Structure, Trial
from materialsdock.optimisation.executors import trial_executor
from materialsdock.outcome import Outcome
from materialsdock.protocols import RefinementEngine
from materialsdock.techniques.xrd.model import Diffractometer, Pattern
from materialsdock.techniques.xrd.phases.answer import (
    allowed_elements,
    check_store,
    doubted,
    phases_of,
)
from materialsdock.techniques.xrd.rietveld import engines
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.techniques.xrd.rietveld.limits import check_pattern, check_structures
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace
from materialsdock.techniques.xrd.search.quantify import Standard
from materialsdock.techniques.xrd.search.search import SearchResult, cut, search
from materialsdock.techniques.xrd.search.second_look import findings
from materialsdock.techniques.xrd.search.warm_start import (
    PastSearch,
    first_parameters,
    instructive,
    recipe_of,
    remembered,
)
from materialsdock.theory.energy import Calculator, formula

LEARNED = 10  # recipes at most that past searches propose
Stage = Callable[[str], None]


def check(job: Job) -> None:
    """Refuse, before anything is measured, an analysis that could not be made afterwards.

    Raises Refused for an engine that is not installed, InputError for a store without a structure
    of the wanted elements, or a calculator that cannot be made.
    """
    options, sample = job.settings.get("analysis", {}), job.sample
    if sample.technique != "xrd":
        return
    if reason := engines.unusable(options.get("engine", engines.DEFAULT)):
        raise Refused(
            reason,
            where=f"--engine {options['engine']}",
            remedy=f"install it for this Python, or say --engine {engines.DEFAULT}",
        )
    if options.get("store") and not sample.structures:
        check_store(Path(options["store"]), allowed_elements(options, sample))
    if options.get("energy"):
        _calculator(options).make()


def with_analysis(job: Job, changes: Mapping[str, Any]) -> Job:
    """The job with `changes` to how it is analysed."""
    settings = {**job.settings.get("analysis", {}), **changes}
    return replace(job, settings={**job.settings, "analysis": settings}) if changes else job


def refined(
    outcome: Outcome,
    pattern: Pattern,
    stage: Stage,
    on_trial: Callable[[Trial], None],
    past: Sequence[PastSearch],
) -> Outcome:
    """The outcome with what the search found, and the part of the pattern it belongs to.

    A sample without structures is looked up in the configured store first; where nothing there
    matches confidently, or there is none, the outcome stays without a fit.
    """
    options = outcome.job.settings["analysis"]
    if limits := options.get("range"):
        pattern = cut(pattern, *limits)
    outcome = _identified(outcome, pattern, stage)
    if not outcome.job.sample.structures:
        return outcome
    check_structures(outcome.job.sample.structures)
    check_pattern(pattern, outcome.job.settings["diffractometer"]["fwhm_deg"])
    stage("refining")
    began = time.perf_counter()
    first, origins = learned(past, pattern, outcome.job)
    found = _searched(outcome.job, pattern, on_trial, first)
    seconds = {"seconds_refining": time.perf_counter() - began, "search_ended": found.ended}
    standard = Standard(**options["standard"]) if options.get("standard") else None
    said = findings(found.fit, found.texture, standard)
    start = _start(outcome.job, pattern, first, origins, found.trials)
    outcome = replace(
        outcome,
        summary={**outcome.summary, **seconds, **said, "start": start},
        measured=found.pattern,
        fit=found.fit,
        trials=found.trials,
        solutions=found.solutions,
        assessment=found.assessment,
    )
    if identified := outcome.summary.get("identification"):
        outcome = replace(outcome, assessment=doubted(outcome.assessment, identified))
    return _weighed(outcome, pattern, stage)


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
    )


def _engine(options: Mapping[str, Any]) -> RefinementEngine:
    return engines.engine(options.get("engine", engines.DEFAULT))


def _identified(outcome: Outcome, pattern: Pattern, stage: Stage) -> Outcome:
    """The outcome with structures of the store, where the sample has none and one is configured."""
    job, options = outcome.job, outcome.job.settings["analysis"]
    if job.sample.structures or not options.get("store"):
        return outcome
    stage("identifying phases")
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
        assessment=None if structures else doubted(None, said),
    )


def learned(
    past: Sequence[PastSearch], pattern: Pattern, job: Job
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """What earlier searches on the same instrument propose, and which jobs made them.

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
    """Where the search began, as plain JSON: recipes of earlier ones that were tried, whose."""
    space, _ = _space(job, pattern)
    made = [trial.recipe for trial in trials]
    tried = sum(recipe_of(parameters, space) in made for parameters in first)
    if not job.settings["analysis"].get("warm_start", True):
        sentence = "from the default recipe; what earlier searches found was not looked at"
    elif not tried:
        sentence = "from the default recipe; no earlier search on this instrument to learn from"
    else:
        sentence = (
            f"from the default recipe and {tried} more, learned from "
            f"{len(origins)} earlier search{'' if len(origins) == 1 else 'es'} on this instrument"
        )
    return {"recipes": tried, "jobs": list(origins) if tried else [], "sentence": sentence}


def search_of(outcome: Outcome) -> dict[str, Any]:
    """What to keep of the outcome's search for later ones; {} where there was none."""
    if not outcome.trials or not isinstance(outcome.measured, Pattern):
        return {}
    of = Diffractometer.of(outcome.job.settings["diffractometer"])
    return {"search": remembered(outcome.measured, of, outcome.trials)}


def _weighed(outcome: Outcome, pattern: Pattern, stage: Stage) -> Outcome:
    """The outcome with fit against energy, where a calculator is configured.

    What cannot be given an energy is said in the summary: the refinement counts anyway.
    """
    options, of = outcome.job.settings["analysis"], outcome.job
    if not options.get("energy"):
        return outcome
    stage("weighing fit against energy")
    try:
        candidates, others = rivals_and_others(of.sample.structures)
        found = hybrid_search(
            pattern,
            candidates,
            Diffractometer.of(of.settings["diffractometer"]),
            _calculator(options),
            others=others,
            trials=options.get("energy_trials", 20),
            seeds=tuple(options["seeds"][:1]),
            workers=options["workers"],
            time_limit_s=options["trial_time_limit_s"],
            engine=_engine(options),
            executor=_cluster(options),
        )
    except MaterialsDockError as fault:
        return replace(outcome, summary={**outcome.summary, "hybrid_missing": str(fault)})
    return replace(outcome, hybrid=found)


def _cluster(options: Mapping[str, Any]) -> Any:
    """The Dask cluster of the settings, None for processes of this machine."""
    if options.get("scheduler_address") is None:
        return None
    return trial_executor(
        workers=options["workers"],
        time_limit_s=options["trial_time_limit_s"],
        scheduler_address=options["scheduler_address"],
    )


def _calculator(options: Mapping[str, Any]) -> Calculator:
    return Calculator(options["energy"], options.get("energy_arguments") or {})


def rivals_and_others(
    structures: Sequence[Structure],
) -> tuple[tuple[Structure, ...], tuple[Structure, ...]]:
    """The structures of the first one's composition, which compete, and the phases besides."""
    if not structures:
        raise InputError("no structure to weigh", where="[analysis] energy", remedy="name --cif")
    formulas = [formula(crystal_of(structure)) for structure in structures]
    pairs = list(zip(formulas, structures, strict=True))
    same = tuple(structure for each, structure in pairs if each == formulas[0])
    return same, tuple(structure for each, structure in pairs if each != formulas[0])
