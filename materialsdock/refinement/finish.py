"""From the trials of a search to its solutions: final fits, differences, left-out blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.model import Diffractometer, Fit, Pattern, Solution, Structure, Trial
from materialsdock.protocols import RefinementEngine
from materialsdock.refinement import heldout
from materialsdock.refinement.clusters import (
    Cluster,
    choices,
    clusters,
    compared,
    difference,
    kind,
    material,
)
from materialsdock.refinement.executor import TrialExecutor

POSITIONS = ("displacement", "zero", "zero+displacement")

Chosen = Sequence[tuple[Trial, Cluster]]
Describe = Callable[[Fit, int, int, Mapping[str, Any]], Trial]


@dataclass(frozen=True)
class Refiner:
    """Refinements that are not trials; patience_s : wall clock of one of them."""

    pool: TrialExecutor
    engine: RefinementEngine
    structures: Sequence[Structure]
    diffractometer: Diffractometer
    patience_s: float

    def __call__(
        self, work: Sequence[tuple[Pattern, Mapping[str, Any]]]
    ) -> list[Fit | BaseException]:
        """Refine every (pattern, recipe), in order; failures come as values."""
        calls = [(pattern, self.structures, self.diffractometer, r) for pattern, r in work]
        results = self.pool.run(self.engine.refine, calls, time_limit_s=self.patience_s)
        return [outcome for _, outcome in results]


def solutions(
    refine: Refiner, pattern: Pattern, chosen: Chosen, describe: Describe
) -> tuple[Solution, ...]:
    """Each chosen trial refined with full effort; those that end at one answer are one solution.

    A recipe that fails with full effort is kept as quickly as the search refined it, with a
    warning.  Raises ModelFault when none can be repeated.
    """
    fits = _finals(refine, pattern, [trial.recipe for trial, _ in chosen])
    ended = {
        i: (fit, trial, group)
        for i, (fit, (trial, group)) in enumerate(zip(fits, chosen, strict=True))
        if fit is not None
    }
    if not ended:
        raise ModelFault(
            "none of the best trials could be repeated",
            where="search of refinement recipes",
            remedy="allow more time per trial",
        )
    finals = [describe(fit, i, trial.seed, fit.recipe) for i, (fit, trial, _) in ended.items()]
    merged = []
    counted: set[tuple[int, int]] = set()
    for final in clusters(finals):
        trials = _together([ended[t.number][2] for t in final.trials], counted)
        own = tuple(ended[t.number][1] for t in final.trials)
        merged.append((final.trials, Cluster(trials or own)))
    (best, *_), home = merged[0]
    found = []
    for (first, *_), group in merged:
        differs = difference(best.values, first.values)
        found.append(
            Solution(
                fit=ended[first.number][0],
                objective=float(first.objective or 0.0),
                trials=len(group.trials),
                seeds=group.seeds,
                differences=(*differs, *(choices(home, group) if differs else ())),
                material=material(best.values, first.values),
            )
        )
    return tuple(found)


def scored(
    refine: Refiner, pattern: Pattern, found: Sequence[Solution], fwhm_deg: float
) -> tuple[Solution, ...]:
    """The solutions with their scores on left-out blocks, refined at the effort of the search.

    Only the best and those that would change what is said of the sample are worth the time.
    """
    fold, blocks = heldout.folds(pattern, fwhm_deg)
    rest = [heldout.without(pattern, fold == k) for k in np.arange(heldout.FOLDS)]
    chosen = [i for i, solution in enumerate(found) if i == 0 or solution.material]
    work = [(left, {**found[i].fit.recipe, "effort": "search"}) for i in chosen for left in rest]
    outcomes = iter(refine(work))
    told = list(found)
    for i in chosen:
        fits = [outcome if isinstance(outcome, Fit) else None
                for outcome in itertools.islice(outcomes, len(rest))]  # fmt: skip
        told[i] = replace(told[i], held_out=heldout.score(pattern, fold, blocks, fits))
    return tuple(told)


def varied(refine: Refiner, pattern: Pattern, found: Sequence[Solution]) -> tuple[Solution, ...]:
    """The solutions, the best one with how far cells and weights move with the choices made.

    Its recipe is refined with the other corrections of peak positions as well: zero and height of
    the sample are nearly collinear with the cell, so an uncalibrated goniometer leaves more doubt
    than any esd says.
    """
    best = found[0]
    others = [p for p in POSITIONS if p != best.fit.recipe.get("position")]
    quick = {**best.fit.recipe, "effort": "search"}
    outcomes = refine([(pattern, {**quick, "position": position}) for position in others])
    fits = [s.fit for s in found] + [fit for fit in outcomes if isinstance(fit, Fit)]
    spread: dict[str, float] = {}
    rows = [compared(fit) for fit in fits if not fit.violations or fit is best.fit]
    for name, (_, esd) in rows[0].items():
        if esd is not None and kind(name) in ("length", "angle", "weight_fraction"):
            values = [row[name][0] for row in rows]
            spread[name] = (max(values) - min(values)) / 2
    return (replace(best, systematic=spread), *found[1:])


def _finals(
    refine: Refiner, pattern: Pattern, recipes: Sequence[Mapping[str, Any]]
) -> list[Fit | None]:
    outcomes = refine([(pattern, {**recipe, "effort": "final"}) for recipe in recipes])
    failed = [i for i, outcome in enumerate(outcomes) if not isinstance(outcome, Fit)]
    quick = refine([(pattern, recipes[i]) for i in failed])
    fits = [outcome if isinstance(outcome, Fit) else None for outcome in outcomes]
    for i, outcome in zip(failed, quick, strict=True):
        if isinstance(outcome, Fit):
            note = f"not refined to the end: {outcomes[i]}"
            fits[i] = replace(outcome, warnings=(*outcome.warnings, note))
    return fits


def _together(groups: Sequence[Cluster], counted: set[tuple[int, int]]) -> tuple[Trial, ...]:
    """The trials of all groups, each once, without those `counted` for a better solution."""
    trials = {(t.seed, t.number): t for group in groups for t in group.trials}
    found = tuple(trial for key, trial in trials.items() if key not in counted)
    counted.update(trials)
    return found
