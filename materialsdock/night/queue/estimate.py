"""Estimate when the queue will be done: a bootstrap over what finished samples took.

Each of many simulated nights draws, for every sample that is left, the time of a finished one of
the same recipe (smoothed), times a level that the whole night shares.  The level carries what is
not known of a recipe after few samples (Student's t for the mean of their logarithms), without
which the P90 of a long queue would be far too sure of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import FloatArray
from materialsdock.night.queue import queue
from materialsdock.night.queue.history import Spent, key_of

NIGHTS = 1000
MOST = 400  # samples drawn one by one; further ones take as long as these on average
PRIOR_SD, PRIOR_COUNT = 0.4, 3.0  # of the logarithm of a time, before a recipe has its own
ENOUGH = 3  # finished samples of a recipe, from which its forecast is no longer asked
FORECAST, SPEED = "rehearsed", "speed"  # facts


@dataclass(frozen=True)
class Foretold:
    """One rehearsal: instrument seconds, and seconds of wall clock beside them."""

    instrument_s: float
    overhead_s: float = 0.0

    def at(self, speed: float) -> float:
        """Wall clock on an instrument that is `speed` times as fast as its own clock."""
        return self.instrument_s / speed + self.overhead_s


@dataclass(frozen=True, eq=False)
class Times:
    """The times of samples of one recipe: (n,) seconds, and in words where they are known from.

    borrowed : they are of other recipes, and say no more of this one than a single sample would
    """

    seconds: FloatArray
    origin: str
    borrowed: bool = False

    @property
    def freedom(self) -> float:
        """Degrees of freedom of their spread."""
        return PRIOR_COUNT + self.seconds.size - 1

    @property
    def sd(self) -> float:
        """Spread of the logarithm of one sample's time."""
        logs = np.log(np.maximum(self.seconds, 1e-3))
        squares = PRIOR_COUNT * PRIOR_SD**2 + ((logs - logs.mean()) ** 2).sum()
        return float(np.sqrt(squares / self.freedom))

    def level(self, rng: np.random.Generator, nights: int) -> FloatArray:
        """(nights,) factors of their mean, as far as n samples leave it open."""
        sd = self.sd if self.borrowed else self.sd / np.sqrt(self.seconds.size)
        return np.asarray(np.exp(np.clip(sd * rng.standard_t(self.freedom, nights), -3.0, 3.0)))

    def drawn(self, rng: np.random.Generator, nights: int) -> FloatArray:
        """(nights,) single times, smoothed by what resampling n of them takes off their spread."""
        jitter = self.sd / np.sqrt(self.seconds.size) * rng.standard_normal(nights)
        return np.asarray(rng.choice(self.seconds, nights) * np.exp(jitter))


@dataclass(frozen=True)
class Left:
    """One sample that is not done: its recipe and what it needs yet.

    elapsed_s : measuring already; measure : whether it has yet to be measured
    """

    recipe: str
    measure: bool = True
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Finish:
    """Seconds from now until everything is measured and analysed, and what that rests on.

    basis : where the times of each recipe are known from
    """

    p50_s: float | None
    p90_s: float | None
    samples: int
    basis: Mapping[str, str]


@dataclass(frozen=True)
class KnownSample:
    """Times by recipe: measuring, analysing."""

    measuring: Mapping[str, Times]
    analysing: Mapping[str, Times]


def known_from(
    done: Sequence[Spent], forecast: Mapping[str, Sequence[Foretold]], speed: float = 1.0
) -> KnownSample:
    """Collect the times of finished samples; recipes with few of them take their forecast along.

    forecast : of rehearsals by recipe; scaled by how much longer than it what finished took
    speed : instrument seconds per second
    """
    level = _level(done, forecast, speed)
    measuring = {}
    for recipe in sorted({s.recipe for s in done if s.measured} | set(forecast)):
        own = [s.measuring_s for s in done if s.measured and s.recipe == recipe]
        foretold = forecast.get(recipe, ()) if len(own) < ENOUGH else ()
        ahead = [level * each.at(speed) for each in foretold]
        if own or ahead:
            words = [f"{len(own)} finished"] * bool(own) + ["its forecast"] * bool(ahead)
            measuring[recipe] = Times(np.array([*own, *ahead]), " and ".join(words))
    analysing = {
        recipe: Times(
            np.array([s.analysing_s for s in done if s.analysed and s.recipe == recipe]), "finished"
        )
        for recipe in {s.recipe for s in done if s.analysed}
    }
    return KnownSample(measuring, analysing)


def _level(
    done: Sequence[Spent], forecast: Mapping[str, Sequence[Foretold]], speed: float
) -> float:
    """Return how many times longer finished samples took than rehearsals of as many counts."""
    beside = {recipe: [each.overhead_s for each in rows] for recipe, rows in forecast.items()}
    every = [overhead_s for rows in beside.values() for overhead_s in rows] or [0.0]
    late = [
        s.measuring_s / Foretold(s.counted_s, mean(beside.get(s.recipe) or every)).at(speed)
        for s in done
        if s.measured and s.counted_s > 0
    ]
    return float(np.median(late)) if late else 1.0


def _of(recipe: str, known: Mapping[str, Times]) -> Times | None:
    """The recipe's own times, else those of all others together."""
    if recipe in known:
        return known[recipe]
    if not known:
        return None
    return Times(np.concatenate([t.seconds for t in known.values()]), "other recipes", True)


def finish(
    left: Sequence[Left], known: KnownSample, *, nights: int = NIGHTS, seed: int = 0
) -> Finish:
    """The distribution of the end over simulated nights; analysis runs beside the next sample.

    left : in the order they will be done.  None, with the reason in `basis`, where nothing
    comparable has finished and there is no forecast.
    """
    basis = {}
    for each in left:
        times = _of(each.recipe, known.measuring)
        basis[each.recipe] = times.origin if times else "nothing of its kind has finished yet"
    if not left:
        return Finish(0.0, 0.0, 0, {})
    if any(each.measure for each in left) and not known.measuring:
        return Finish(None, None, len(left), basis)
    rng = np.random.default_rng(seed)
    levels: dict[str, FloatArray] = {}
    clock, analysed = np.zeros(nights), np.zeros(nights)
    for each in left[:MOST]:
        if each.measure:
            clock = clock + _measuring(each, known, levels, rng, nights)
        tail = _of(each.recipe, known.analysing)
        analysed = np.maximum(analysed, clock)
        if tail is not None:
            analysed = analysed + tail.drawn(rng, nights)
    ends = analysed * max(1.0, len(left) / MOST)
    p50, p90 = np.quantile(ends, (0.5, 0.9))
    return Finish(float(p50), float(p90), len(left), basis)


def _measuring(
    each: Left,
    known: KnownSample,
    levels: dict[str, FloatArray],
    rng: np.random.Generator,
    nights: int,
) -> FloatArray:
    """(nights,) seconds a sample needs yet, given that it has taken `elapsed_s` so far."""
    times = _of(each.recipe, known.measuring)
    assert times is not None  # something has finished
    if each.recipe not in levels:
        levels[each.recipe] = times.level(rng, nights)
    if each.elapsed_s <= 0:
        return np.asarray(levels[each.recipe] * times.drawn(rng, nights))
    totals = levels[each.recipe][:, None] * times.seconds
    longer: NDArray[np.bool_] = totals > each.elapsed_s
    outlasted = ~longer.any(axis=1, keepdims=True)
    # one that outlasts all known ones may take as long again
    totals = np.where(outlasted, each.elapsed_s + totals, totals)
    chosen = ((longer | outlasted) * rng.random(totals.shape)).argmax(axis=1)
    return np.asarray(totals[np.arange(nights), chosen] - each.elapsed_s)


def left_of(samples: Sequence[queue.Queued], spent: Sequence[Spent]) -> list[Left]:
    """List what is not done yet, in the order in which it will be."""
    elapsed = {s.sample_id: s.measuring_s for s in spent}
    found = []
    for state in ("analysing", "measured", "measuring", "queued"):
        for s in samples:
            if s.state == state:
                began = elapsed.get(s.sample_id, 0.0) if state == "measuring" else 0.0
                found.append(Left(key_of(s.body), state in ("measuring", "queued"), began))
    return found


def forecast_of(ledger: Ledger) -> dict[str, list[Foretold]]:
    """Read what rehearsals predicted, by recipe; {} when there were none."""
    found: Any = fact(ledger, FORECAST) or {}
    return {recipe: [Foretold(*pair) for pair in pairs] for recipe, pairs in found.items()}


def keep_forecast(ledger: Ledger, forecast: Mapping[str, Sequence[Foretold]]) -> None:
    """Keep what rehearsals predicted, in place of what earlier ones did of the same recipes."""
    with ledger.transaction():
        both = {**forecast_of(ledger), **forecast}
        pairs = {recipe: [astuple(each) for each in rows] for recipe, rows in both.items()}
        set_fact(ledger, FORECAST, pairs)


def speed_of(ledger: Ledger) -> float:
    """Instrument seconds per second of the profile that the samples were submitted for."""
    return float(fact(ledger, SPEED) or 1.0)
