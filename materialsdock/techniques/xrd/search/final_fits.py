"""From the trials of a search to its solutions: final fits, differences, held-out blocks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure, Trial
from materialsdock.optimisation.processes import TrialExecutor
from materialsdock.techniques.xrd.model import BOTH, Diffractometer, Fit, Solution
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.search import heldout
from materialsdock.techniques.xrd.search.clusters import (
    Cluster,
    choices,
    clusters,
    difference,
    material,
)
from materialsdock.techniques.xrd.search.objective import as_good, objective

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
    fits: Sequence[Fit | None], chosen: Chosen, describe: Describe, residuals: float
) -> tuple[Solution, ...]:
    """The solutions of chosen trials by their final `fits`; those of one answer are one solution.

    residuals : that count as independent; what is not as good as the best by them is left out
    Raises ModelFault when none could be repeated.
    """
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
    best = min(finals, key=_rank)
    for final in clusters(finals, as_good(ended[best.number][0], residuals)):
        trials = _together([ended[t.number][2] for t in final.trials], counted)
        own = tuple(ended[t.number][1] for t in final.trials)
        merged.append((final.trials, Cluster(trials or own)))
    (first_of_all, *_), home = merged[0]
    found = []
    for (first, *_), group in merged:
        differs = difference(first_of_all.values, first.values)
        found.append(
            Solution(
                fit=ended[first.number][0],
                objective=float(first.objective or 0.0),
                trials=len(group.trials),
                seeds=group.seeds,
                differences=(*differs, *(choices(home, group) if differs else ())),
                material=material(first_of_all.values, first.values),
            )
        )
    return tuple(found)


def placed(
    refine: Refiner, pattern: Pattern, chosen: Chosen, found: Sequence[Solution], residuals: float
) -> Chosen:
    """The chosen trials, first the best one with the correction of peak positions that fits best.

    Zero and height of the sample move peaks almost alike, and the cell with them, so a search that
    has tried one of them only must not decide (0.4° of zero is worth 0.1 % of a cell).
    """
    best = found[0].fit
    position = best.recipe["position"]
    others = [p for p in refine.diffractometer.corrections if p not in (position, BOTH)]
    quick = {**best.recipe, "effort": "search"}
    outcomes = refine([(pattern, {**quick, "position": p}) for p in others])
    fits = [fit for fit in outcomes if isinstance(fit, Fit) and not fit.violations]
    # at the effort of the search, as the others are refined
    here = next((t.objective for t, _ in chosen if t.recipe == quick), None)
    least = found[0].objective if here is None else here
    better = [fit for fit in fits if objective(fit, residuals) < least]
    if not better:
        return chosen
    first = min(better, key=lambda fit: objective(fit, residuals))
    (trial, group), *_ = chosen
    turned = replace(trial, recipe={**best.recipe, "position": first.recipe["position"]})
    return [(turned, group), *chosen]


def _rank(trial: Trial) -> tuple[bool, float]:
    return bool(trial.violations), trial.objective or math.inf


def scored(
    refine: Refiner, pattern: Pattern, found: Sequence[Solution], fwhm_deg: float
) -> tuple[Solution, ...]:
    """The solutions with their scores on held-out blocks, refined at the effort of the search.

    Only the best and those that would change what is said of the sample are worth the time.
    """
    fold, blocks = heldout.folds(pattern, fwhm_deg)
    rest = [heldout.without(pattern, fold == k) for k in np.arange(heldout.FOLDS)]
    chosen = [i for i, solution in enumerate(found) if i == 0 or solution.material]
    work = [(left, {**found[i].fit.recipe, "effort": "search"}) for i in chosen for left in rest]
    outcomes = iter(refine(work))
    told = list(found)
    for i in chosen:
        fits = [
            outcome if isinstance(outcome, Fit) else None
            for outcome in itertools.islice(outcomes, len(rest))
        ]
        told[i] = replace(told[i], held_out=heldout.score(pattern, fold, blocks, fits))
    return tuple(told)


def finals(refine: Refiner, pattern: Pattern, chosen: Chosen) -> list[Fit | None]:
    """Each chosen trial refined with full effort; None for one that cannot be repeated.

    A recipe that fails with full effort is kept as quickly as the search refined it, with a
    warning.
    """
    recipes = [trial.recipe for trial, _ in chosen]
    outcomes = refine([(pattern, {**recipe, "effort": "final"}) for recipe in recipes])
    failed = [i for i, outcome in enumerate(outcomes) if not _usable(outcome)]
    quick = refine([(pattern, recipes[i]) for i in failed])
    fits = [outcome if _usable(outcome) else None for outcome in outcomes]
    for i, outcome in zip(failed, quick, strict=True):
        if _usable(outcome):
            why = "Rwp is not finite" if isinstance(outcomes[i], Fit) else outcomes[i]
            note = f"not refined to the end: {why}"
            fits[i] = replace(outcome, warnings=(*outcome.warnings, note))
    return fits


def _usable(outcome: Fit | BaseException) -> TypeGuard[Fit]:
    return isinstance(outcome, Fit) and math.isfinite(outcome.rwp)


def _together(groups: Sequence[Cluster], counted: set[tuple[int, int]]) -> tuple[Trial, ...]:
    """The trials of all groups, each once, without those `counted` for a better solution."""
    trials = {(t.seed, t.number): t for group in groups for t in group.trials}
    found = tuple(trial for key, trial in trials.items() if key not in counted)
    counted.update(trials)
    return found
