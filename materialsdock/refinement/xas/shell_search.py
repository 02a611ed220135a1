"""Search over what an analyst would choose: the extrinsic settings of a first-shell fit.

The misfit of every trial is measured in one fixed window of k and R with one weight: a fit that
may choose its own window shrinks it until it fits.  The answer is a distribution: the median and
spread over all acceptable trials that fit as well as the best one, over several seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from materialsdock.errors import InputError, ModelFault
from materialsdock.model import FloatArray
from materialsdock.refinement.blackbox import Evaluated, minimise
from materialsdock.refinement.xas.shell import FourierRange
from materialsdock.refinement.xas.shell_problem import FREE, Analysed, ShellProblem

GOOD, BAD = 0.05, 0.15  # misfits; an R-factor of 0.02 is usual for a good first shell
NUMBERS = ("distance", "amplitude", "sigma2", "e0_shift_ev")


@dataclass(frozen=True)
class Known:
    """A number over near-optimal settings: median, half the 16-84 % width, typical fit esd.

    seeds : the median of each seed; sd : spread and esd together, never below the seeds' own
    """

    median: float
    spread: float
    esd: float
    seeds: tuple[float, ...]

    @property
    def sd(self) -> float:
        """√(spread² + esd²), at least the standard deviation between seeds."""
        between = float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else 0.0
        return max(float(np.hypot(self.spread, self.esd)), between)


@dataclass(frozen=True, eq=False)
class ShellAnswer:
    """What a search found.

    default : the trial at default settings, the baseline; best : the best acceptable one
    near : acceptable trials that fit as well as the best; verdict with its `reasons`
    """

    verdict: Literal["accept", "ambiguous", "no confident match"]
    reasons: tuple[str, ...]
    known: Mapping[str, Known]
    fixed: FourierRange
    default: Evaluated[Analysed]
    best: Evaluated[Analysed] | None
    near: tuple[Evaluated[Analysed], ...] = ()
    trials: tuple[Evaluated[Analysed], ...] = field(default=(), repr=False)


def search_shell(
    problem: ShellProblem,
    *,
    trials: int = 60,
    seeds: Sequence[int] = (0, 1, 2),
    on_trial: Callable[[Evaluated[Analysed]], None] | None = None,
) -> ShellAnswer:
    """Search the extrinsic settings, `trials` per seed, and say what near-optimal ones agree on.

    Raises InputError for no seeds, ModelFault when every trial failed.
    """
    if not seeds:
        raise InputError("no seeds", where="search", remedy="give at least one")
    found = [
        trial
        for seed in seeds
        for trial in minimise(
            problem.space(),
            problem.evaluate,
            trials=trials,
            seed=seed,
            start=problem.default(),
            on_trial=on_trial,
        )
    ]
    if all(trial.result is None for trial in found):
        reason, times = Counter(t.reason for t in found).most_common(1)[0]
        raise ModelFault(
            f"all {len(found)} trials failed; {times} of them: {reason}",
            where="first-shell search",
            remedy="check the spectrum and the path",
        )
    return _answer(problem, tuple(found))


def near_optimal(
    trials: Sequence[Evaluated[Analysed]], n_idp: float
) -> tuple[Evaluated[Analysed], ...]:
    """Acceptable trials within one standard deviation of the best misfit, best first.

    Of χ²: Σ ≤ Σ_best (1 + 1/(N_idp − p)), the misfit standing for the noise.  Equal settings,
    such as the default that starts every seed, count once.
    """
    good = {repr(t.settings): t for t in trials if t.acceptable}
    ordered = sorted(good.values(), key=lambda t: t.misfit)
    limit = ordered[0].misfit * (1 + 1 / (n_idp - FREE)) if ordered else 0.0
    return tuple(t for t in ordered if t.misfit <= limit)


def _answer(problem: ShellProblem, trials: tuple[Evaluated[Analysed], ...]) -> ShellAnswer:
    near = near_optimal(trials, problem.fixed.independent_points)
    default = trials[0]
    if not near:
        reasons = Counter(
            what.split(" is ")[0].split(" = ")[0] for t in trials for what in t.violations
        )
        said = tuple(f"{what}: {n} of {len(trials)} trials" for what, n in reasons.most_common(3))
        return ShellAnswer("no confident match", said, {}, problem.fixed, default, None, (), trials)
    seeds = sorted({t.seed for t in trials})
    by_seed = [
        near_optimal([t for t in trials if t.seed == s], problem.fixed.independent_points)
        for s in seeds
    ]
    known = {name: _known(name, near, by_seed) for name in NUMBERS}
    verdict, said = _judge(near[0].misfit, known["distance"], by_seed)
    return ShellAnswer(verdict, said, known, problem.fixed, default, near[0], near, trials)


def _known(
    name: str,
    near: Sequence[Evaluated[Analysed]],
    by_seed: Sequence[Sequence[Evaluated[Analysed]]],
) -> Known:
    values, esds = _values(name, near)
    low, high = np.percentile(values, [16, 84])
    medians = tuple(float(np.median(_values(name, each)[0])) for each in by_seed if each)
    return Known(float(np.median(values)), float(high - low) / 2, float(np.median(esds)), medians)


def _values(name: str, trials: Sequence[Evaluated[Analysed]]) -> tuple[FloatArray, FloatArray]:
    fits = [t.result.fit.parameters[name] for t in trials if t.result is not None]
    return np.array([p.value for p in fits]), np.array([p.esd for p in fits], dtype=float)


def _judge(
    best: float, distance: Known, by_seed: Sequence[Sequence[Any]]
) -> tuple[Literal["accept", "ambiguous", "no confident match"], tuple[str, ...]]:
    if best > BAD:
        return "no confident match", (f"the best misfit is {best:.3f}: one shell does not fit",)
    doubts = []
    if best > GOOD:
        doubts.append(f"misfit {best:.3f} is above {GOOD}")
    if any(not each for each in by_seed):
        doubts.append("a seed found no acceptable settings")
    apart = max(distance.seeds) - min(distance.seeds)
    if apart > 2 * np.hypot(distance.esd, distance.spread):
        doubts.append(f"seeds differ by {apart:.3f} Å")
    if distance.spread > max(distance.esd, 0.01):
        doubts.append(f"settings that fit equally well spread R by {distance.spread:.3f} Å")
    return ("ambiguous", tuple(doubts)) if doubts else ("accept", ())
