"""Black-box minimisation over settings: the smallest use of optuna that a search needs.

One study per seed (TPE), asked and told in one process: equal seeds give equal trials.  What is
kept are all trials, because the answer is what the near-optimal ones agree on, not the best one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import optuna

from materialsdock.errors import InputError, ModelFault

STARTUP_TRIALS = 20
T = TypeVar("T")
Settings = dict[str, float | int | str]


@dataclass(frozen=True)
class Between:
    """A number from low to high; `whole` numbers only on request."""

    low: float
    high: float
    whole: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    values: tuple[float | int | str, ...]


Space = Mapping[str, Between | OneOf]


@dataclass(frozen=True, eq=False)
class Evaluated(Generic[T]):
    """One trial: its settings, misfit, constraints broken, and what the evaluation returned.

    misfit is infinite and result None when the settings could not be evaluated (reason says why).
    """

    number: int
    seed: int
    settings: Mapping[str, Any]
    misfit: float
    violations: tuple[str, ...]
    result: T | None
    reason: str = ""

    @property
    def acceptable(self) -> bool:
        """Evaluated, and no constraint broken."""
        return self.result is not None and not self.violations


def minimise(
    space: Space,
    evaluate: Callable[[Settings], tuple[float, Sequence[str], T]],
    *,
    trials: int,
    seed: int,
    start: Settings | None = None,
    on_trial: Callable[[Evaluated[T]], None] | None = None,
) -> tuple[Evaluated[T], ...]:
    """All trials of one seed, in order; `start` is the first of them.

    evaluate : settings -> (misfit, names of broken constraints, anything worth keeping); its
        InputError or ModelFault makes the trial a failed one

    Raises InputError for fewer than one trial.
    """
    if trials < 1:
        raise InputError(f"{trials} trials", where="search", remedy="ask for at least one")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=min(STARTUP_TRIALS, max(1, trials // 3))
    )
    study = optuna.create_study(sampler=sampler)
    if start is not None:
        study.enqueue_trial(start)
    found = []
    for _ in range(trials):
        trial = study.ask()
        settings = {name: _suggest(trial, name, choice) for name, choice in space.items()}
        done = _evaluated(trial.number, seed, settings, evaluate)
        if done.result is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            trial.set_constraint("violations", float(len(done.violations)))
            study.tell(trial, done.misfit)
        found.append(done)
        if on_trial is not None:
            on_trial(done)
    return tuple(found)


def _suggest(trial: optuna.trial.Trial, name: str, choice: Between | OneOf) -> float | int | str:
    if isinstance(choice, OneOf):
        picked = trial.suggest_categorical(name, choice.values)
        assert picked is not None
        return picked
    if choice.whole:
        return trial.suggest_int(name, int(choice.low), int(choice.high))
    return trial.suggest_float(name, choice.low, choice.high)


def _evaluated(
    number: int,
    seed: int,
    settings: Settings,
    evaluate: Callable[[Settings], tuple[float, Sequence[str], T]],
) -> Evaluated[T]:
    try:
        misfit, violations, result = evaluate(settings)
    except (InputError, ModelFault) as fault:
        return Evaluated(number, seed, settings, math.inf, (), None, str(fault))
    if not math.isfinite(misfit):
        return Evaluated(number, seed, settings, math.inf, (), None, "misfit is not finite")
    return Evaluated(number, seed, settings, float(misfit), tuple(violations), result)
