"""The plan of a sweep: how many points, which, in what order.

Functions here are pure: the plan follows from the posterior, what was measured, and the costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.curve.arrays import far_gap, largest_gap
from materialsdock.learning.gp import acquisition
from materialsdock.learning.gp.posterior import Engine
from materialsdock.learning.stopping.misfit import strongest_run
from materialsdock.model import FloatArray

Acquisition = Literal["imse", "variance"]
Picks = list[tuple[int, float]]  # (grid index, score)
PROBE_EVERY = 4
KNOWN_SD = 2.0  # posterior sd in units of the noise
OUTLIER = 3.5  # from how many sd off the curve on a point is looked at again
LARGEST = 100
LEAST_GAIN = 1e-300  # so that a second look never looks like a probe
COUNTING_SHARE = 4.0  # counting over travel that a sweep aims at


@dataclass(frozen=True)
class Costs:
    """The cost of a point: counting and settling [s], motion at `velocity` [units/s]."""

    count_time_s: float
    velocity: float
    settle_s: float

    def seconds(self, x: FloatArray, start: float | None = None) -> float:
        """Time [s] to count once at each of `x` (n,) in this order, coming from `start`."""
        way = np.abs(np.diff(x if start is None else np.insert(x, 0, start))).sum()
        return float(way / self.velocity + (self.count_time_s + self.settle_s) * x.size)


@dataclass(frozen=True, eq=False)
class Interest:
    """The features that are looked for on an axis of m positions, and where.

    weights : (m,) what the variance at each position is worth
    narrow : (lo, hi) where features as narrow as `resolution` [unit of the axis] may hide
    widest : (m,) how wide a stretch elsewhere may stay unmeasured; None: any
    acquisition : which rule chooses positions, see `picks`
    """

    weights: FloatArray
    narrow: tuple[float, float]
    resolution: float
    widest: FloatArray | None = None
    acquisition: Acquisition = "imse"


@dataclass(frozen=True, eq=False)
class Outset:
    """The state of knowledge when a sweep is planned.

    engine : the posterior; measured : (n,) positions so far, the present one last
    noise_variance : expected of the counts to come
    """

    engine: Engine
    measured: FloatArray
    noise_variance: float


def size(n: int, extent: float, costs: Costs) -> int:
    """Choose how many points the sweep after `n` points has.

    Small sweeps learn more per point, large ones travel less: as many as keep the way across
    `extent` [units] at a fifth of the time, between n/6 and n/2.
    """
    crossing = extent / costs.velocity
    wanted = COUNTING_SHARE * crossing / (costs.count_time_s + costs.settle_s)
    return int(np.clip(round(wanted), max(2, n // 6), max(4, min(n // 2, LARGEST))))


def picks(
    engine: Engine,
    noise_variance: float,
    weights: FloatArray,
    count: int,
    taken: NDArray[np.bool_],
    how: Acquisition = "imse",
) -> Picks:
    """`count` positions, best first, each taken in (variance only) before the next is chosen.

    imse : largest fall of Σ weights · variance (m,); variance : largest weighted variance, which
    for a stationary model is no more than an even scan, kept for comparison
    """
    if how == "imse":
        return engine.sweep(noise_variance, weights, count, taken)
    covariance, taken, found = engine.covariance(), taken.copy(), []
    for _ in range(count):
        scores = weights * np.diag(covariance)
        best = int(np.argmax(np.where(taken & (not taken.all()), -np.inf, scores)))
        found.append((best, float(scores[best])))
        column = covariance[best]
        covariance = covariance - np.outer(column, column) / (column[best] + noise_variance)
        taken[best] = True
    return found


def probe_count(n: int, count: int) -> int:
    """Count the probes among the `count` points after `n`: one in four, over sweeps of any size."""
    return (n + count) // PROBE_EVERY - n // PROBE_EVERY


def probes(
    grid: FloatArray,
    measured: FloatArray,
    taken: NDArray[np.bool_],
    narrow: tuple[float, float],
    resolution: float,
    count: int,
) -> Picks:
    """Looks into the largest gaps of `narrow`, where a feature may hide that no model can see.

    Where no gap is wider than `resolution` there is nothing to look for.
    """
    lo, hi = narrow
    inside = np.flatnonzero((grid >= lo) & (grid <= hi))
    places, blocked = grid[inside], taken[inside]
    measured, found = measured[(measured >= lo) & (measured <= hi)], []
    for _ in range(min(count, int((~blocked).sum()))):
        if largest_gap(measured, narrow) <= resolution:
            break
        i = acquisition.largest_gap_index(places, measured, blocked)
        found.append((int(inside[i]), 0.0))
        measured, blocked[i] = np.append(measured, places[i]), True
    return found


def far_probes(
    grid: FloatArray,
    measured: FloatArray,
    taken: NDArray[np.bool_],
    widest: FloatArray,
    count: int,
) -> Picks:
    """Looks into stretches wider than `widest` (m,) allows, where an oscillation may hide."""
    taken, found = taken.copy(), []
    for _ in range(min(count, int((~taken).sum()))):
        ratio, place = far_gap(measured, grid, widest)
        if ratio <= 1.0:
            break
        i = int(np.argmin(np.where(taken, np.inf, np.abs(grid - place))))
        found.append((i, 0.0))
        measured, taken[i] = np.append(measured, grid[i]), True
    return found


def doubt(
    engine: Engine, x: FloatArray, y: FloatArray, noise_variance: FloatArray, resolution: float
) -> float | None:
    """Find where the values y (n,) at x (n,) lie off the curve; None if they do nowhere."""
    off = (y - engine.at(x)[0]) / np.sqrt(noise_variance)
    size, place = strongest_run(x, off, resolution)
    return place if size > OUTLIER else None


def second_looks(
    grid: FloatArray, doubted: float, taken: NDArray[np.bool_], resolution: float, count: int
) -> list[int]:
    """Up to `count` free grid indices within two resolutions of a doubted place, the nearest first.

    Where none is free those within half a resolution are counted again.  More points there tell a
    wrong reading from a feature that the curve has smoothed over.
    """
    distance = np.abs(grid - doubted)
    near = np.flatnonzero(~taken & (distance <= 2.0 * resolution))
    if not near.size:
        near = np.flatnonzero(distance <= 0.5 * resolution)
    return [int(i) for i in near[np.argsort(distance[near], kind="stable")][:count]]


def plan(
    outset: Outset,
    interest: Interest,
    count: int,
    doubted: float | None = None,
    barred: NDArray[np.bool_] | None = None,
) -> tuple[tuple[int, float], ...]:
    """(grid index, score) of the next `count` points in travel order.

    One in four is a probe (score 0), every second one when the curve is known wherever the model
    can tell; second looks score below 0.
    doubted : place where points lie off the curve: one in four looks there again
    barred : (m,) positions that must not be counted; as many others as `count` must be free, or
        none, when those counted are counted again
    """
    if count == 0:
        return ()
    engine, measured, noise_variance = outset.engine, outset.measured, outset.noise_variance
    weights, resolution = interest.weights, interest.resolution
    grid, last, counted = engine.grid, float(measured[-1]), measured.size
    if barred is None or not barred.any():
        taken, barred = nearest(grid, measured), np.zeros(grid.size, dtype=bool)
    else:
        taken, weights = nearest(grid, measured) | barred, np.where(barred, 0.0, weights)
        taken = barred.copy() if taken.all() else taken
        measured = np.append(measured, grid[barred])  # nothing is looked for there
    again: list[int] = []
    if doubted is not None:
        again = second_looks(grid, doubted, taken, resolution, max(1, count // 4))
        again = [i for i in again if not barred[i]]
    gains = engine.imse(noise_variance, weights) if again else np.empty(0)
    chosen = [(i, -max(float(gains[i]), LEAST_GAIN)) for i in again]
    taken[again], count = True, count - len(again)
    known = engine.variance[~barred].max() <= KNOWN_SD**2 * noise_variance
    looks = count // 2 if known else probe_count(counted, count)
    hidden = probes(grid, measured, taken, interest.narrow, resolution, looks)
    taken[[i for i, _ in hidden]] = True
    if interest.widest is not None:
        hidden += far_probes(grid, measured, taken, interest.widest, looks - len(hidden))
        taken[[i for i, _ in hidden]] = True
    chosen += hidden
    left = count - len(hidden)
    chosen += picks(engine, noise_variance, weights, left, taken, interest.acquisition)
    order = acquisition.travel_order(grid[[i for i, _ in chosen]], last)
    return tuple(chosen[i] for i in order)


def nearest(grid: FloatArray, x: FloatArray) -> NDArray[np.bool_]:
    """(m,) whether a grid position is the nearest one to any of `x` (n,)."""
    mask = np.zeros(grid.size, dtype=bool)
    right = np.clip(np.searchsorted(grid, x), 1, grid.size - 1)
    mask[np.where(x - grid[right - 1] <= grid[right] - x, right - 1, right)] = True
    return mask
