"""Energies weighed against the fit of a job, once its pattern is refined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from materialsdock.errors import InputError, MaterialsDockError
from materialsdock.fusion.hybrid.pareto import HYBRID, HybridResult
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.ledger.outcomes import plain_values
from materialsdock.model import Job, Outcome, Structure
from materialsdock.protocols import Stage
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.theory.energy import Calculator, formula


def check(job: Job) -> None:
    """InputError for a calculator that cannot be made, before anything is measured."""
    options = job.settings.get("analysis", {})
    if options.get("energy"):
        _calculator(options).make()


def weighed(outcome: Outcome, stage: Stage) -> Outcome:
    """The outcome with fit against energy, where a calculator is configured.

    What cannot be given an energy is said in the summary: the refinement counts anyway.
    """
    options = outcome.job.settings.get("analysis", {})
    refined = isinstance(outcome.measured, Pattern) and outcome.job.sample.structures
    if not options.get("energy") or not refined:
        return outcome
    stage("comparing fit and energy")
    try:
        found = _searched(outcome, options)
    except MaterialsDockError as fault:
        return replace(outcome, summary={**outcome.summary, "hybrid_missing": str(fault)})
    return replace(outcome, fused={**outcome.fused, HYBRID: plain_values(found)})


def _searched(outcome: Outcome, options: Mapping[str, Any]) -> HybridResult:
    """The Pareto set of the structures that compete, on the pattern that was refined.

    The search imports for half a second what a measurement without energies never needs.
    """
    from materialsdock.fusion.hybrid.search import hybrid_search
    from materialsdock.techniques.xrd.rietveld import engines

    candidates, others = rivals_and_others(outcome.job.sample.structures)
    return hybrid_search(
        outcome.measured,
        candidates,
        Diffractometer.of(outcome.job.settings["diffractometer"]),
        _calculator(options),
        others=others,
        trials=options.get("energy_trials", 20),
        seeds=tuple(options["seeds"][:1]),
        workers=options["workers"],
        time_limit_s=options["trial_time_limit_s"],
        engine=engines.engine(options.get("engine", engines.DEFAULT)),
        executor=_cluster(options),
    )


def _cluster(options: Mapping[str, Any]) -> Any:
    """The Dask cluster of the settings, None for processes of this machine."""
    if options.get("scheduler_address") is None:
        return None
    from materialsdock.optimisation.executors import trial_executor

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
        raise InputError(
            "no candidate structure is given", where="[analysis] energy", remedy="name --cif"
        )
    formulas = [formula(crystal_of(structure)) for structure in structures]
    pairs = list(zip(formulas, structures, strict=True))
    same = tuple(structure for each, structure in pairs if each == formulas[0])
    return same, tuple(structure for each, structure in pairs if each != formulas[0])
