"""Search for the best refinement recipe (Ozaki et al. 2020), and for what fits as well.

One study per seed (TPE); the default recipe is its first trial.  Results are given in the order in
which they were asked: equal seeds and workers give equal trials (unless the clock stops one).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from materialsdock.errors import InputError, ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure, Trial
from materialsdock.optimisation.executors import trial_executor
from materialsdock.optimisation.processes import TrialExecutor
from materialsdock.optimisation.storage import opened
from materialsdock.rendering.numbers import many
from materialsdock.techniques.xrd.model import Assessment, Diffractometer, Fit, Solution
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.rietveld.limits import check_pattern, check_structures
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search.checks import ACCURACY_WT
from materialsdock.techniques.xrd.search.clusters import Cluster, clusters, compared
from materialsdock.techniques.xrd.search.final_fits import (
    Refiner,
    finals,
    placed,
    scored,
    solutions,
)
from materialsdock.techniques.xrd.search.objective import independent_residuals, objective
from materialsdock.techniques.xrd.search.second_look import reconsidered
from materialsdock.techniques.xrd.search.studies import (
    STARTUP_TRIALS,
    Study,
    TrialStore,
    fingerprint,
)
from materialsdock.techniques.xrd.search.systematic import doubted
from materialsdock.techniques.xrd.search.texture import Texture
from materialsdock.techniques.xrd.search.verdict import judge

FINALISTS = 2
MOST_FINALISTS = 4
FINAL_PATIENCE = 5.0
PATIENCE = 30

Asked = tuple[int, Any, dict[str, Any]]


@runtime_checkable
class Warmable(Protocol):
    """An engine with slow imports, which a new process does before its first trial."""

    def warm_up(self) -> None: ...


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The chosen fit, all trials, the solutions they fall into, and the verdict.

    fit : of the best solution: acceptable ones (no violations) first, then the objective
    trials : in the order they ended, those of an earlier search first
    solutions : best first, each refined with full effort; others are rivals to look at
    pattern : the pattern the arrays of the fits belong to (cut to the range)
    ended : why no more trials were made
    texture : axes of preferred orientation that were tried, an accepted one first
    """

    fit: Fit
    trials: tuple[Trial, ...]
    solutions: tuple[Solution, ...]
    assessment: Assessment
    pattern: Pattern
    ended: str
    texture: tuple[Texture, ...] = ()


def search(
    pattern: Pattern,
    structures: Sequence[Structure],
    diffractometer: Diffractometer,
    *,
    trials: int = 20,
    seeds: Sequence[int] = (0,),
    workers: int = 2,
    time_limit_s: float = 60.0,
    range: tuple[float, float] | None = None,
    patience: int | None = PATIENCE,
    storage: str | None = None,
    resume: bool = True,
    first: Sequence[Mapping[str, Any]] = (),
    on_trial: Callable[[Trial], None] | None = None,
    engine: RefinementEngine | None = None,
    executor: TrialExecutor | None = None,
    scheduler_address: str | None = None,
    hold_out: bool = True,
    doubt: bool | None = None,
    texture: bool = False,
    accuracy_wt: float = ACCURACY_WT,
) -> SearchResult:
    """Find a recipe whose fit of `pattern` is best, then refine the best few with full effort.

    trials : per seed, stored ones counted; time_limit_s : of one (final fits: FINAL_PATIENCE times)
    range : 2θ limits [deg] to which the pattern is cut first, the same for every trial
    patience : trials of every seed without improvement after which the search ends; None: never
    storage : URL of an Optuna storage; resume : go on with the same data's search kept there
    first : sampler parameters to try after the default ones (past successes)
    on_trial : called here, in order, after each trial
    executor : used instead of own processes, or of the Dask cluster at scheduler_address
    hold_out : score the solutions on held-out blocks of 2θ
    doubt : vary the choices made, for the systematic uncertainty; None: as hold_out
    texture : accept a preferred orientation where the evidence is good
    accuracy_wt : of weights [wt%]; a mixture with more systematic doubt is not accepted

    Raises InputError for data or structures that cannot be refined, ModelFault if all trials fail.
    """
    refiner: RefinementEngine = RietxEngine() if engine is None else engine
    say = on_trial or (lambda trial: None)
    pattern = pattern if range is None else cut(pattern, *range)
    check_structures(structures)
    check_pattern(pattern, diffractometer.fwhm_deg)
    space = SearchSpace.of(pattern, structures, diffractometer)
    own = _pool(refiner, workers, time_limit_s, scheduler_address)
    with opened(storage) as kept, own if executor is None else nullcontext(executor) as pool:
        belongs = fingerprint(pattern, structures, diffractometer, space)
        store = TrialStore(kept, belongs, resume)
        studies = _studies(seeds, trials, space, store, first)
        course = _SearchCourse(space, independent_residuals(space), studies, patience)
        drawn = ((pattern, structures, diffractometer, r) for r in course.recipes(trials))
        for _, outcome in pool.run(refiner.refine, drawn, ahead=1):
            say(course.tell(outcome))
        again = Refiner(pool, refiner, structures, diffractometer, FINAL_PATIENCE * time_limit_s)
        chosen = course.best(max(FINALISTS, min(workers, MOST_FINALISTS)))
        doubt = hold_out if doubt is None else doubt
        found, looks = course.finished(again, pattern, chosen, texture, hold_out, doubt)
    verdict, tried = judge(pattern, found, diffractometer, accuracy_wt), tuple(course.trials)
    return SearchResult(found[0].fit, tried, found, verdict, pattern, course.ended, looks)


def _pool(
    refiner: RefinementEngine, workers: int, time_limit_s: float, scheduler_address: str | None
) -> TrialExecutor:
    return trial_executor(
        workers=workers,
        time_limit_s=time_limit_s,
        warm_up=refiner.warm_up if isinstance(refiner, Warmable) else None,
        scheduler_address=scheduler_address,
    )


def _studies(
    seeds: Sequence[int],
    trials: int,
    space: SearchSpace,
    store: TrialStore,
    first: Sequence[Mapping[str, Any]],
) -> dict[int, Study]:
    """One study per seed, which tries the default recipe, then past successes, then an expert's."""
    startup = min(STARTUP_TRIALS, max(1, trials // 3))
    default, *expert = space.first_parameters()
    tried = (default, *first, *expert)
    return {seed: Study(seed, space, store, first=tried, startup=startup) for seed in seeds}


def cut(pattern: Pattern, low: float, high: float) -> Pattern:
    """The part of a pattern between two 2θ limits [deg]; InputError when there is none."""
    if low > high:
        raise InputError(
            f"{low:g} to {high:g} deg runs backwards",
            where="range",
            remedy=f"give the lower limit first: {high:g} {low:g}",
        )
    inside = (pattern.two_theta >= low) & (pattern.two_theta <= high)
    if not low < high or not inside.any():
        raise InputError(
            f"no points between {low:g} and {high:g} deg",
            where="range",
            remedy=f"choose within {pattern.two_theta[0]:g} to {pattern.two_theta[-1]:g}",
        )
    return Pattern(
        pattern.two_theta[inside],
        pattern.intensity[inside],
        pattern.sigma[inside],
        pattern.count_time_s[inside],
    )


@dataclass
class _SearchCourse:
    """The state of a search: trials that still run, trials with results, what they gave."""

    space: SearchSpace
    residuals: float
    studies: dict[int, Study]
    patience: int | None
    trials: list[Trial] = field(default_factory=list)
    ended: str = ""
    _asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trials = [trial for study in self.studies.values() for trial in study.trials]

    def recipes(self, trials: int) -> Iterator[dict[str, Any]]:
        """Ask the studies in turn, so that each has most results before it is asked."""
        counted = {seed: len(study.trials) for seed, study in self.studies.items()}
        while any(count < trials for count in counted.values()):
            for seed, study in self.studies.items():
                if counted[seed] >= trials:
                    continue
                if self._settled():
                    self.ended = f"no seed improved in {many(self.patience or 0, 'trial')}"
                    return
                counted[seed] += 1
                asked, recipe = study.ask()
                self._asked.append((seed, asked, recipe))
                yield recipe
        made = "1 trial per seed was" if trials == 1 else f"{trials} trials per seed were"
        self.ended = f"{made} made, seeds: {len(self.studies)}"

    def _settled(self) -> bool:
        if self.patience is None:
            return False
        return all(s.since_improvement() >= self.patience for s in self.studies.values())

    def tell(self, outcome: Fit | BaseException) -> Trial:
        """Take in the result of the oldest recipe that was asked for."""
        seed, asked, recipe = self._asked.pop(0)
        if isinstance(outcome, InputError):
            raise outcome  # the data's fault, not the recipe's: no other trial can do better
        if isinstance(outcome, BaseException) or not math.isfinite(outcome.rwp):
            reason = str(outcome) if isinstance(outcome, BaseException) else "Rwp is not finite"
            trial = Trial(asked.number, seed, None, recipe, "fail", reason)
        else:
            trial = self.described(outcome, asked.number, seed, recipe)
        self.studies[seed].tell(asked, trial)
        self.trials.append(trial)
        return trial

    def described(self, fit: Fit, number: int, seed: int, recipe: Mapping[str, Any]) -> Trial:
        """Make of a fit the trial that is kept."""
        return Trial(
            number,
            seed,
            fit.rwp,
            recipe,
            "complete",
            "; ".join(fit.violations),
            fit.seconds,
            objective(fit, self.residuals),
            fit.violations,
            compared(fit),
        )

    def best(self, count: int) -> list[tuple[Trial, Cluster]]:
        """The best trial of each cluster, then of other recipes; ModelFault when there is none."""
        groups = clusters(self.trials)
        if not groups:
            reason, times = Counter(t.reason for t in self.trials).most_common(1)[0]
            raise ModelFault(
                f"all {len(self.trials)} trials failed; {times} of them: {reason}",
                where="search of refinement recipes",
                remedy="check structures and wavelength, or allow more time per trial",
            )
        chosen = [(group.trials[0], group) for group in groups[:MOST_FINALISTS]]
        rest = [(trial, group) for group in groups for trial in group.trials[1:]]
        recipes = [trial.recipe for trial, _ in chosen]
        for trial, group in sorted(rest, key=lambda pair: pair[0].objective or 0.0):
            if len(chosen) < count and trial.recipe not in recipes:
                chosen.append((trial, group))
                recipes.append(trial.recipe)
        return chosen

    def finished(
        self,
        again: Refiner,
        pattern: Pattern,
        chosen: Sequence[tuple[Trial, Cluster]],
        texture: bool,
        hold_out: bool,
        doubt: bool,
    ) -> tuple[tuple[Solution, ...], tuple[Texture, ...]]:
        """The chosen trials at full effort, best first, and the axes of texture that were tried."""
        fits = finals(again, pattern, chosen)
        found = solutions(fits, chosen, self.described, self.residuals)
        turned = placed(again, pattern, chosen, found, self.residuals)
        if turned is not chosen:  # by one trial before those that are refined already
            fits = [*finals(again, pattern, turned[:1]), *fits]
            chosen = turned
            found = solutions(fits, chosen, self.described, self.residuals)
        final = reconsidered(
            again, pattern, chosen, found, self.described, self.residuals, texture=texture
        )
        again, found, looks = final
        if hold_out:
            found = scored(again, pattern, found, self.space.fwhm_deg)
        if doubt:
            found = doubted(again, pattern, found, self.residuals, self.trials)
        return found, looks
