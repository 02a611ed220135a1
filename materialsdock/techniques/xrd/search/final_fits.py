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
from materialsdock.techniques.xrd.model import Diffractometer, Fit, Solution
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.rietveld.recipe import BACKGROUND_TERMS
from materialsdock.techniques.xrd.search import heldout
from materialsdock.techniques.xrd.search.clusters import (
    Cluster,
    Values,
    choices,
    clusters,
    compared,
    difference,
    kind,
    material,
)

EQUAL = 1.01  # of the best objective or Rwp: what another search might have chosen
GRAIN_UM = 5.0  # diameter that careful milling reaches; coarser powders give spotty rings anyway
TAU = ".brindley_tau"
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


def varied(
    refine: Refiner, pattern: Pattern, found: Sequence[Solution], trials: Sequence[Trial] = ()
) -> tuple[Solution, ...]:
    """The solutions, the best one with how far cells and weights move with the choices made.

    Half the range over the solutions, the `trials` nearly as good (EQUAL), and the best recipe with
    other choices: with the other corrections of peak positions, because zero and height of the
    sample are nearly collinear with the cell; in a mixture also with another background, other
    displacements, and coordinates held or free.  Where no grain size is stated, what grains may do
    is added in quadrature.
    """
    best = found[0]
    quick = {**best.fit.recipe, "effort": "search"}
    others = [{"position": p} for p in POSITIONS if p != quick.get("position")]
    changes = _mixture_changes(quick) if len(best.fit.phases) > 1 else []
    outcomes = refine([(pattern, {**quick, **change}) for change in (*others, *changes)])
    fits = [fit for fit in outcomes[: len(others)] if isinstance(fit, Fit)]
    fits += [
        fit
        for fit in outcomes[len(others) :]
        if isinstance(fit, Fit) and fit.rwp <= EQUAL * best.fit.rwp
    ]
    rows: list[Values] = [compared(fit) for fit in fits if not fit.violations]
    rows += [compared(s.fit) for s in found[1:] if not s.fit.violations]
    rows += [t.values for t in trials if _equal(t, best.objective)]
    best, grains = _with_grains(refine, pattern, best, quick)
    spread: dict[str, float] = {}
    for name, (value, esd) in compared(best.fit).items():
        if esd is not None and kind(name) in ("length", "angle", "weight_fraction"):
            values = [value, *(row[name][0] for row in rows if name in row)]
            spread[name] = math.hypot((max(values) - min(values)) / 2, grains.get(name, 0.0))
    return (replace(best, systematic=spread), *found[1:])


def _equal(trial: Trial, objective: float) -> bool:
    """Return True if a trial is physical and so good that another search might have chosen it."""
    return (
        trial.objective is not None
        and not trial.violations
        and trial.objective <= EQUAL * objective
    )


def _mixture_changes(recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Choices that an expert could as well have made for a mixture."""
    low, high = BACKGROUND_TERMS
    terms = recipe["background_terms"]
    return [
        {"displacements": "per_phase" if recipe["displacements"] == "per_site" else "per_site"},
        {"coordinates": not recipe["coordinates"]},
        {"background_terms": max(low, terms - 4) if terms + 4 > high else terms + 4},
    ]


def _with_grains(
    refine: Refiner, pattern: Pattern, best: Solution, quick: Mapping[str, Any]
) -> tuple[Solution, dict[str, float]]:
    """Bound how far micro-absorption may move the weights [wt%] where no grain size is stated.

    Name -> half the range of W'_i = (W_i/τ_i)/Σ(W_j/τ_j), to first order, when each phase by itself
    has grains between none and GRAIN_UM (τ: Brindley 1945, Phil. Mag. 36, 347); and the solution
    with a warning where that is more than an esd.  The fit is not changed: a size that nobody
    measured is no correction, only a doubt.
    """
    if len(best.fit.phases) < 2 or any(s.particle_um is not None for s in refine.structures):
        return best, {}
    grained = [replace(s, particle_um=GRAIN_UM) for s in refine.structures]
    (coarse,) = replace(refine, structures=grained)([(pattern, quick)])
    told = coarse.parameters if isinstance(coarse, Fit) else ()
    tau = {p.name.removesuffix(TAU): p.value for p in told if p.name.endswith(TAU)}
    phases = best.fit.phases
    if tau.keys() != {p.name for p in phases}:
        return best, {}
    weight = np.array([p.weight_fraction for p in phases])
    gain = np.array([1 / tau[p.name] - 1 for p in phases])
    moved = weight[:, None] * (np.eye(weight.size) - weight / 100) * gain
    half = {p.name: float(row) / 2 for p, row in zip(phases, np.abs(moved).sum(1), strict=True)}
    if any(half[p.name] > (p.weight_fraction_esd or 0.0) for p in phases):
        moves = ", ".join(f"{name} by {move:.1f}" for name, move in half.items())
        said = (
            f"grain sizes are not stated: micro-absorption in grains of up to {GRAIN_UM:g} µm may "
            f"move {moves} wt%"
        )
        best = replace(best, fit=replace(best.fit, warnings=(*best.fit.warnings, said)))
    return best, {f"{name}.weight_fraction": move for name, move in half.items()}


def _finals(
    refine: Refiner, pattern: Pattern, recipes: Sequence[Mapping[str, Any]]
) -> list[Fit | None]:
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
