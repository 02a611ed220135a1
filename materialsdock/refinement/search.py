"""Search for the best refinement recipe (Ozaki et al. 2020); the only importer of optuna.

One Optuna study per seed (TPE); the default recipe is its first trial.  Trials run in killable
processes and are told in the order in which they were asked, so that equal seeds and equal
numbers of workers give equal trials (unless a trial is stopped by the clock).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import optuna

from materialsdock.errors import InputError, ModelFault
from materialsdock.model import Diffractometer, Fit, Pattern, Structure, Trial
from materialsdock.protocols import RefinementEngine
from materialsdock.refinement.executor import Executor
from materialsdock.refinement.guards import check_pattern, check_structures
from materialsdock.refinement.recipe import SearchSpace
from materialsdock.refinement.rietx_engine import RietxEngine

FINALISTS = 2
FINAL_PATIENCE = 5.0
STARTUP_TRIALS = 20


@runtime_checkable
class Warmable(Protocol):
    """An engine with slow imports, which a new process does before its first trial."""

    def warm_up(self) -> None: ...


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The chosen fit, all trials in the order they ended, and near-optimal alternatives.

    fit : the best of the finalists: acceptable ones (no violations) first, then the objective
    finalists : the best few recipes at final effort, best first; other recipes that fit as well
        are candidates that no one has looked at yet
    pattern : the pattern the arrays of the fits belong to (cut to the range)
    """

    fit: Fit
    trials: tuple[Trial, ...]
    finalists: tuple[Fit, ...]
    pattern: Pattern


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
    storage: str | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    engine: RefinementEngine | None = None,
) -> SearchResult:
    """Find a recipe whose fit of `pattern` is best, then refine the best few with full effort.

    trials : per seed; time_limit_s : of one trial (final fits get FINAL_PATIENCE times as long)
    range : 2θ limits [deg] to which the pattern is cut first, the same for every trial
    storage : URL of an Optuna storage, one per pattern; a study of the same seed is continued
    on_trial : called here, in order, after each trial

    Raises InputError for data or structures that cannot be refined, ModelFault when every trial
    failed (with the most common reason).
    """
    refiner: RefinementEngine = RietxEngine() if engine is None else engine
    pattern = pattern if range is None else _cut(pattern, *range)
    check_structures(structures)
    check_pattern(pattern, diffractometer.fwhm_deg)
    space = SearchSpace.of(pattern, structures, diffractometer)
    course = _Course(space, _independent_residuals(space), _studies(space, seeds, trials, storage))
    warm_up = refiner.warm_up if isinstance(refiner, Warmable) else None
    with Executor(workers=workers, time_limit_s=time_limit_s, warm_up=warm_up) as executor:
        drawn = ((pattern, structures, diffractometer, r) for r in course.recipes(trials))
        for _, outcome in executor.run(refiner.refine, drawn, ahead=1):
            trial = course.tell(outcome)
            if on_trial is not None:
                on_trial(trial)
        best = course.best(max(FINALISTS, workers))
        again = (
            (pattern, structures, diffractometer, {**f.recipe, "effort": "final"}) for f in best
        )
        patience = FINAL_PATIENCE * time_limit_s
        results = executor.run(refiner.refine, again, time_limit_s=patience)
        finals = [_finished(best[i], outcome) for i, outcome in results]
    finalists = tuple(sorted(finals, key=course.rank))
    return SearchResult(finalists[0], tuple(course.trials), finalists, pattern)


def objective(fit: Fit, independent_residuals: float) -> float:
    """Rwp [%] times a price per free parameter: the Bayesian information criterion.

    BIC = N ln χ² + k ln N, so equal BIC means equal Rwp·exp(k ln N / 2N).  Neighbouring residuals
    of a profile are correlated, so N counts peak widths in the range, not points; without the
    price every search runs to the largest number of background terms.
    """
    n = independent_residuals
    return fit.rwp * math.exp(fit.n_free * math.log(n) / (2 * n))


@dataclass
class _Course:
    """The state of a search: what was asked and not yet told, what was told, what it gave."""

    space: SearchSpace
    residuals: float
    studies: dict[int, optuna.Study]
    trials: list[Trial] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)
    _asked: list[tuple[int, optuna.trial.Trial, dict[str, Any]]] = field(default_factory=list)

    def recipes(self, trials: int) -> Iterator[dict[str, Any]]:
        """Ask the studies in turn, so that each is told as much as possible before it is asked."""
        for _ in range(trials):
            for seed, study in self.studies.items():
                trial = study.ask()
                recipe = self.space.suggest(trial)
                self._asked.append((seed, trial, recipe))
                yield recipe

    def tell(self, outcome: Fit | BaseException) -> Trial:
        """Take in the result of the oldest recipe that was asked for."""
        seed, asked, recipe = self._asked.pop(0)
        study = self.studies[seed]
        if isinstance(outcome, InputError):
            raise outcome  # the data's fault, not the recipe's: no other trial can do better
        if isinstance(outcome, BaseException) or not math.isfinite(outcome.rwp):
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
            reason = str(outcome) if isinstance(outcome, BaseException) else "Rwp is not finite"
            trial = Trial(asked.number, seed, None, recipe, "fail", reason)
        else:
            asked.set_constraint("violations", float(len(outcome.violations)))
            study.tell(asked, objective(outcome, self.residuals))
            self.fits.append(outcome)
            trial = Trial(asked.number, seed, outcome.rwp, recipe, "complete",
                          "; ".join(outcome.violations), outcome.seconds)  # fmt: skip
        self.trials.append(trial)
        return trial

    def rank(self, fit: Fit) -> tuple[bool, float]:
        """Smaller is better: acceptable fits come before the others, then the objective."""
        return bool(fit.violations), objective(fit, self.residuals)

    def best(self, count: int) -> list[Fit]:
        """The best few fits of different recipes; ModelFault when there is none."""
        if not self.fits:
            reason, times = Counter(t.reason for t in self.trials).most_common(1)[0]
            raise ModelFault(
                f"all {len(self.trials)} trials failed; {times} of them: {reason}",
                where="search of refinement recipes",
                remedy="check structures and wavelength, or allow more time per trial",
            )
        different = {repr(fit.recipe): fit for fit in self.fits}
        return sorted(different.values(), key=self.rank)[:count]


def _studies(
    space: SearchSpace, seeds: Sequence[int], trials: int, storage: str | None
) -> dict[int, optuna.Study]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    studies = {}
    for seed in seeds:
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=min(STARTUP_TRIALS, max(1, trials // 3))
        )
        study = optuna.create_study(
            sampler=sampler, storage=storage, study_name=f"seed {seed}", load_if_exists=True
        )
        if not study.trials:
            study.enqueue_trial(space.default_parameters())
        studies[seed] = study
    return studies


def _finished(quick: Fit, outcome: Fit | BaseException) -> Fit:
    """The fit at full effort, or the quick one with a warning that says why."""
    if isinstance(outcome, Fit):
        return outcome
    return replace(quick, warnings=(*quick.warnings, f"not refined to the end: {outcome}"))


def _independent_residuals(space: SearchSpace) -> float:
    low, high = space.limits_deg
    return max((high - low) / space.fwhm_deg, math.e)


def _cut(pattern: Pattern, low: float, high: float) -> Pattern:
    inside = (pattern.two_theta >= low) & (pattern.two_theta <= high)
    return Pattern(
        pattern.two_theta[inside],
        pattern.intensity[inside],
        pattern.sigma[inside],
        pattern.count_time_s[inside],
    )
