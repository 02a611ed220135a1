"""Observations as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.model import Axis, FloatArray, Observation

LARGEST = 1e100  # of any number received: its square is one too


def usable(o: Observation) -> bool:
    """Return True if all its numbers are finite, also when squared, and its sd is positive."""
    size = np.abs([o.x, o.y, o.sigma]).max()
    return bool(size < LARGEST and o.sigma > 1 / LARGEST)


def columns(observations: Sequence[Observation]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions, values and noise variances, each (n,)."""
    found = np.array([(o.x, o.y, o.sigma**2) for o in observations]).reshape(-1, 3).T
    return found[0], found[1], found[2]


def merged(axis: Axis, observations: Sequence[Observation]) -> Spectrum:
    """Merge observations into one spectrum, by energy; repeat visits by their precision."""
    x, y, variance = columns(observations)
    places, inverse = np.unique(axis.index(x), return_inverse=True)
    total = np.bincount(inverse, 1.0 / variance)
    mean = np.bincount(inverse, y / variance) / total
    return Spectrum(axis.grid[places], mean, np.asarray(total**-0.5))


def height(x: FloatArray, y: FloatArray) -> float:
    """The height of what y (n,) at x (n,) shows on its straight background [unit of y]."""
    away = (x - x.mean()) / np.ptp(x)
    weight = np.gradient(x)
    middle = float(weight @ away / weight.sum())
    centred = away - middle
    slope = float(weight @ (centred * y) / (weight @ centred**2))
    return float(np.ptp(y - slope * away))


def largest_gap(x: FloatArray, region: tuple[float, float]) -> float:
    """Widest stretch of `region` without one of `x` (n,) [its unit]."""
    lo, hi = region
    inside = x[(x >= lo) & (x <= hi)]
    return float(np.diff(np.sort([lo, *inside, hi])).max())


def open_gap(x: FloatArray, axis: Axis, region: tuple[float, float]) -> float:
    """Widest stretch of `region` between any of x (n,) with a grid position not counted yet.

    0 once all of the grid there is counted: on a coarse axis some stretches stay wide for ever.
    """
    lo, hi = region
    free = np.ones(axis.grid.size, dtype=bool)
    free[axis.index(x)] = False
    left = axis.grid[free & (axis.grid > lo) & (axis.grid < hi)]
    ends = np.concatenate([[lo], np.sort(x[(x > lo) & (x < hi)]), [hi]])
    divisible = np.searchsorted(left, ends[1:]) > np.searchsorted(left, ends[:-1], "right")
    return float(np.diff(ends)[divisible].max(initial=0.0))


def far_gap(x: FloatArray, grid: FloatArray, widest: FloatArray) -> tuple[float, float]:
    """(ratio, place) of the stretch without one of `x` (n,) that is widest for where it lies.

    widest : (m,) how wide one may be about each position of `grid`; ratio 1 is just that
    """
    ends = np.concatenate([[grid[0]], np.sort(x), [grid[-1]]])
    middle = 0.5 * (ends[1:] + ends[:-1])
    ratio = np.diff(ends) / np.interp(middle, grid, widest)
    worst = int(ratio.argmax())
    return float(ratio[worst]), float(middle[worst])


def gaps(
    x: FloatArray, axis: Axis, narrow: tuple[float, float], widest: FloatArray | None
) -> dict[str, float]:
    """largest_gap of `narrow` and resolution [unit of the axis]; if `widest` is given, far_gap,
    where it is (far_gap_at), and how wide a gap may be there (far_gap_limit).

    open_gap, on an axis coarser than its resolution, is the widest that it could still divide.
    """
    found = {"largest_gap": largest_gap(x, narrow), "resolution": axis.resolution}
    if found["largest_gap"] > axis.resolution and np.diff(axis.grid).max() > axis.resolution:
        found["open_gap"] = open_gap(x, axis, narrow)
    if widest is None:
        return found
    ratio, place = far_gap(x, axis.grid, widest)
    limit = float(np.interp(place, axis.grid, widest))
    return found | {"far_gap": ratio, "far_gap_at": place, "far_gap_limit": limit}
