"""Learning to learn: what earlier searches on an instrument say about where the next should begin.

Which recipe is best depends on the instrument (its peak shape, background, axial divergence) more
than on the sample, so recipes are compared by how far they stayed behind the best of their own
search, and a few that would do well for all past samples are tried first (initialisation by
meta-learning: Feurer, Springenberg and Hutter 2015, AAAI 29).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Trial
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import WARMUP_SPAN_DEG, WIDTHS, SearchSpace

KEPT_TRIALS = 200
SIMILAR_WIDTH = 1.5
SAME_ANGSTROM = 1e-3
WORST_EXCESS = 0.3
DRAWS = 400
EXPLORE = 0.15
FEW = 5
LEAST_TRIALS = 8
TREES = 60
SAME = 1e-3
Parameters = dict[str, Any]


@dataclass(frozen=True)
class PastTrial:
    """A recipe, what it gave (the objective, smaller is better), and whether it was physical."""

    recipe: Mapping[str, Any]
    objective: float
    acceptable: bool


@dataclass(frozen=True)
class PastSearch:
    """One finished search: its instrument, 2θ limits [deg], peak width [deg], and its trials.

    origin : the job that made it
    """

    diffractometer: Diffractometer
    limits_deg: tuple[float, float]
    fwhm_deg: float
    trials: tuple[PastTrial, ...]
    origin: str = ""


_past = TypeAdapter(PastSearch)


def remembered(
    pattern: Pattern, diffractometer: Diffractometer, trials: Sequence[Trial]
) -> dict[str, Any]:
    """Make of a search what is to be kept, as plain JSON; `recalled` reads it back."""
    told = [t for t in trials if t.objective is not None][:KEPT_TRIALS]
    kept = PastSearch(
        diffractometer,
        (float(pattern.two_theta[0]), float(pattern.two_theta[-1])),
        float(told[0].recipe["fwhm_deg"]) if told else diffractometer.fwhm_deg,
        tuple(PastTrial(t.recipe, t.objective or 0.0, not t.violations) for t in told),
    )
    return asdict(kept)


def recalled(kept: Mapping[str, Any]) -> PastSearch:
    """The search that `remembered` wrote down, also after a way through JSON."""
    return _past.validate_python(kept)


def same_instrument(past: PastSearch, diffractometer: Diffractometer, fwhm_deg: float) -> bool:
    """Return True if a search had this geometry, these lines and peaks about as wide."""
    then = past.diffractometer
    lines, now = then.wavelengths_angstrom, diffractometer.wavelengths_angstrom
    ratio = past.fwhm_deg / fwhm_deg
    return (
        then.geometry == diffractometer.geometry
        and len(lines) == len(now)
        and bool(np.allclose(lines, now, rtol=0, atol=SAME_ANGSTROM))
        and 1 / SIMILAR_WIDTH <= ratio <= SIMILAR_WIDTH
    )


def first_parameters(
    searches: Iterable[PastSearch],
    space: SearchSpace,
    diffractometer: Diffractometer,
    *,
    count: int = 8,
    seed: int = 0,
) -> list[Parameters]:
    """Sampler parameters worth trying first in `space`, the most promising first.

    searches : all that are remembered; only those of the same instrument are used
    count : how many at most; none when nothing was learned

    Candidates are the good recipes of the past and recombinations of them.  For every past search
    a forest of extremely randomised trees (Geurts et al. 2006, Mach. Learn. 63, 3) says how far
    each would have stayed behind the best; they are taken in the order in which they complete a
    portfolio that has something good for every search.
    """
    tried = [
        [(_translated(t.recipe, p.limits_deg, space), excess) for t, excess in _excesses(p)]
        for p in instructive(searches, space, diffractometer)
    ]
    if not tried:
        return []
    good = [parameters for rows in tried for parameters in _good(rows)]
    everything = [parameters for rows in tried for parameters, _ in rows]
    random = np.random.default_rng(seed)
    candidates = _once([*good, *_recombined(good, everything, random)])
    table = _table(candidates, space)
    foreseen = [_forest(rows, space, seed).predict(table) for rows in tried]
    return [candidates[i] for i in _portfolio(np.array(foreseen), count)]


def instructive(
    searches: Iterable[PastSearch], space: SearchSpace, diffractometer: Diffractometer
) -> tuple[PastSearch, ...]:
    """Select searches on the same instrument that made enough trials, one at least acceptable."""
    return tuple(
        past
        for past in searches
        if same_instrument(past, diffractometer, space.fwhm_deg)
        and len(_excesses(past)) >= LEAST_TRIALS
    )


def recipe_of(parameters: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """The recipe that these sampler parameters give in `space`."""
    return space.suggest(_Follower(parameters, space.default_parameters()))


def _good(rows: Sequence[tuple[Parameters, float]]) -> list[Parameters]:
    """The best tenth of a search, at least FEW, the best first."""
    order = np.argsort([excess for _, excess in rows], kind="stable")
    return [rows[i][0] for i in order[: max(FEW, len(rows) // 10)]]


def _forest(
    rows: Sequence[tuple[Parameters, float]], space: SearchSpace, seed: int
) -> Any:  # an ExtraTreesRegressor
    # half a second that no command should wait for before there is a past to learn from
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=seed)
    return forest.fit(_table([p for p, _ in rows], space), [excess for _, excess in rows])


def _portfolio(excess: FloatArray, count: int) -> list[int]:
    """Columns of (searches, candidates) that cover all rows with small numbers, greedily.

    Each next one lowers most the mean over searches of the smallest excess taken so far (Feurer et
    al. 2022, J. Mach. Learn. Res. 23, 261); when none does so by SAME, covering begins anew.
    """
    taken: list[int] = []
    open_ = np.ones(excess.shape[1], dtype=bool)
    covered = np.full(excess.shape[0], np.inf)
    while len(taken) < count and open_.any():
        left = np.minimum(covered[:, None], excess).mean(axis=0)
        best = int(np.argmin(np.where(open_, left, np.inf)))
        if covered.mean() - left[best] < SAME:
            covered[:] = np.inf
            continue
        taken.append(best)
        open_[best] = False
        covered = np.minimum(covered, excess[:, best])
    return taken


def _excesses(past: PastSearch) -> list[tuple[PastTrial, float]]:
    """Measure each trial against the best acceptable one: ln of the ratio, from 0 to the cap."""
    best = min((t.objective for t in past.trials if t.acceptable), default=None)
    if best is None:
        return []
    return [
        (t, min(float(np.log(t.objective / best)), WORST_EXCESS) if t.acceptable else WORST_EXCESS)
        for t in past.trials
    ]


def parameters_of(recipe: Mapping[str, Any], limits_deg: tuple[float, float]) -> Parameters:
    """The sampler's parameters that give this recipe; the inverse of SearchSpace.suggest."""
    widths = {f"refine_{w}": w in recipe["widths"] for w in WIDTHS}
    low, high = recipe["warmup_deg"]
    spare = max(limits_deg[1] - limits_deg[0] - WARMUP_SPAN_DEG, 1e-9)
    room = max(limits_deg[1] - low - WARMUP_SPAN_DEG, 1e-9)
    warmup = {
        "warmup_low": float(np.clip((low - limits_deg[0]) / spare, 0, 1)),
        "warmup_reach": float(np.clip((high - low - WARMUP_SPAN_DEG) / room, 0, 1)),
    }
    return {**recipe, **widths, **warmup}


def _translated(
    recipe: Mapping[str, Any], limits_deg: tuple[float, float], space: SearchSpace
) -> Parameters:
    """A past recipe in the present space: limits scaled, choices that are gone replaced."""
    follower = _Follower(parameters_of(recipe, limits_deg), space.default_parameters())
    space.suggest(follower)
    return follower.drawn


class _Follower:
    """A trial that answers with given values where the space allows them, else the default's."""

    def __init__(self, wanted: Mapping[str, Any], default: Mapping[str, Any]) -> None:
        self.wanted, self.default = wanted, default
        self.drawn: Parameters = {}
        self.choices: dict[str, Sequence[Any]] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The wanted choice, the default's when it is gone, else the first one."""
        offered = (self.wanted.get(name), self.default.get(name), *choices)
        self.choices[name] = choices
        self.drawn[name] = next(value for value in offered if value in choices)
        return self.drawn[name]

    def suggest_float(self, name: str, low: float, high: float) -> float:
        """The wanted number, brought within the limits."""
        value = self.wanted.get(name, self.default.get(name, low))
        self.drawn[name] = float(np.clip(value, low, high))
        return float(self.drawn[name])

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """The wanted number, brought within the limits."""
        self.drawn[name] = round(self.suggest_float(name, low, high))
        return int(self.drawn[name])


def _recombined(
    good: Sequence[Parameters], tried: Sequence[Parameters], random: np.random.Generator
) -> Iterator[Parameters]:
    """Each parameter from one of two good recipes, seldom from any recipe at all."""
    for _ in range(DRAWS):
        first, second = (good[i] for i in random.integers(len(good), size=2))
        anyone = tried[int(random.integers(len(tried)))]
        yield {
            name: anyone[name] if random.random() < EXPLORE else (first, second)[i][name]
            for name, i in zip(first, random.integers(2, size=len(first)), strict=True)
        }


def _once(candidates: Iterable[Parameters]) -> list[Parameters]:
    """Each once, in their order."""
    return list({repr(sorted(c.items())): c for c in candidates}.values())


def _table(parameters: Sequence[Parameters], space: SearchSpace) -> FloatArray:
    """(n, m) numbers as they are, choices one-hot, in the order of the space."""
    listing = _Follower({}, space.default_parameters())
    space.suggest(listing)
    columns = [
        np.array([p[name] == choice for p in parameters], dtype=float)
        for name, choices in listing.choices.items()
        for choice in choices
    ]
    columns += [
        np.array([p[name] for p in parameters], dtype=float)
        for name in listing.drawn
        if name not in listing.choices
    ]
    return np.column_stack(columns)
