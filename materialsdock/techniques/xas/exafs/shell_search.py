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
from materialsdock.optimisation.blackbox import Evaluated, minimise
from materialsdock.techniques.xas.exafs.shell import FourierRange, fit_shell
from materialsdock.techniques.xas.exafs.shell_problem import Analysed, ShellProblem

GOOD, BAD = 0.05, 0.15  # misfits; an R-factor of 0.02 is usual for a good first shell
USUAL_SHARE = (0.7, 1.05)  # S0² of all elements
NUMBERS = ("distance", "amplitude", "sigma2", "e0_shift_ev")


@dataclass(frozen=True)
class KnownShell:
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
    """The result of a search.

    default : the trial at default settings, the baseline; best : the best acceptable one
    near : acceptable trials that fit as well as the best; verdict with its `reasons`
    notes : what another model of the same data would say
    """

    verdict: Literal["accept", "ambiguous", "no confident match"]
    reasons: tuple[str, ...]
    known: Mapping[str, KnownShell]
    fixed: FourierRange
    default: Evaluated[Analysed]
    best: Evaluated[Analysed] | None
    near: tuple[Evaluated[Analysed], ...] = ()
    trials: tuple[Evaluated[Analysed], ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()


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
    trials: Sequence[Evaluated[Analysed]], spare: float
) -> tuple[Evaluated[Analysed], ...]:
    """Acceptable trials within one standard deviation of the best misfit, best first.

    Of χ²: Σ ≤ Σ_best (1 + 1/spare), spare = N_idp − p, the misfit standing for the noise.
    Equal settings, such as the default that starts every seed, count once.
    """
    good = {repr(t.settings): t for t in trials if t.acceptable}
    ordered = sorted(good.values(), key=lambda t: t.misfit)
    limit = ordered[0].misfit * (1 + 1 / spare) if ordered else 0.0
    return tuple(t for t in ordered if t.misfit <= limit)


def _answer(problem: ShellProblem, trials: tuple[Evaluated[Analysed], ...]) -> ShellAnswer:
    spare = problem.spare
    near = near_optimal(trials, spare)
    default = trials[0]
    if not near:
        broken = Counter(what for t in trials for what in t.violations)
        said = tuple(f"{what}: {n} of {len(trials)} trials" for what, n in broken.most_common(3))
        return ShellAnswer("no confident match", said, {}, problem.fixed, default, None, (), trials)
    best = near[0]
    if best.misfit > BAD:
        said = (f"the best misfit is {best.misfit:.3f}: one shell does not fit",)
        return ShellAnswer("no confident match", said, {}, problem.fixed, default, best, (), trials)
    seeds = sorted({t.seed for t in trials})
    by_seed = [near_optimal([t for t in trials if t.seed == s], spare) for s in seeds]
    uneven = [t for t in near if t.settings["third_cumulant"]]
    names = [*NUMBERS] + ["third"] * (len(uneven) == len(near))
    known = {name: _known(name, near, by_seed) for name in names}
    doubts = _doubts(best.misfit, known, problem.path.degeneracy, by_seed)
    return ShellAnswer(
        "ambiguous" if doubts else "accept",
        doubts,
        known,
        problem.fixed,
        default,
        best,
        near,
        trials,
        _notes(problem, best),
    )


def _known(
    name: str,
    near: Sequence[Evaluated[Analysed]],
    by_seed: Sequence[Sequence[Evaluated[Analysed]]],
) -> KnownShell:
    values, esds = _values(name, near)
    low, high = np.percentile(values, [16, 84])
    medians = tuple(float(np.median(v)) for v in (_values(name, e)[0] for e in by_seed) if v.size)
    return KnownShell(
        float(np.median(values)), float(high - low) / 2, float(np.median(esds)), medians
    )


def _values(name: str, trials: Sequence[Evaluated[Analysed]]) -> tuple[FloatArray, FloatArray]:
    fits = [
        t.result.fit.parameters[name]
        for t in trials
        if t.result is not None and name in t.result.fit.parameters
    ]
    return np.array([p.value for p in fits]), np.array([p.esd for p in fits], dtype=float)


def _doubts(
    misfit: float,
    known: Mapping[str, KnownShell],
    degeneracy: float,
    by_seed: Sequence[Sequence[Any]],
) -> tuple[str, ...]:
    distance, share = known["distance"], known["amplitude"].median / degeneracy
    apart = max(distance.seeds) - min(distance.seeds)
    least, most = USUAL_SHARE
    said = {
        f"misfit {misfit:.3f} is above {GOOD}": misfit > GOOD,
        "a seed found no acceptable settings": any(not each for each in by_seed),
        f"seeds differ by {apart:.3f} Å": apart > 2 * np.hypot(distance.esd, distance.spread),
        f"settings that fit equally well spread R by {distance.spread:.3f} Å": distance.spread
        > max(distance.esd, 0.01),
        f"S0²N is {share:.2f} of the path's N, where {least} to {most} is usual: vacancies, "
        "disorder or neighbours that this path does not describe": not least <= share <= most,
    }
    return tuple(what for what, so in said.items() if so)


def _notes(problem: ShellProblem, best: Evaluated[Analysed]) -> tuple[str, ...]:
    """Say what a third cumulant would make of the best settings, where the range can hold one."""
    if best.result is None or "third" in best.result.fit.parameters:
        return ()
    analysed = best.result
    if analysed.fit.range.independent_points <= len(analysed.fit.parameters) + 1:
        return ()
    other = fit_shell(analysed.data, problem.path, analysed.fit.range, third_cumulant=True)
    r, esd = other.distance, other.parameters["distance"].esd or np.inf
    return (
        f"distances spread unevenly (a third cumulant) would make R {r:.3f} ± {esd:.3f} Å "
        f"and the R-factor {other.r_factor:.2g} in place of {analysed.fit.r_factor:.2g}",
    )
