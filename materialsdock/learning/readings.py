"""Observations as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from materialsdock.model import Axis, FloatArray, Observation, Spectrum


def columns(observations: Sequence[Observation]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions, values and noise variances, each (n,)."""
    found = np.array([(o.x, o.y, o.sigma**2) for o in observations]).reshape(-1, 3).T
    return found[0], found[1], found[2]


def merged(axis: Axis, observations: Sequence[Observation]) -> Spectrum:
    """What was measured, by energy; repeat visits merged by their precision."""
    x, y, variance = columns(observations)
    places, inverse = np.unique(axis.index(x), return_inverse=True)
    total = np.bincount(inverse, 1.0 / variance)
    mean = np.bincount(inverse, y / variance) / total
    return Spectrum(axis.grid[places], mean, np.asarray(total**-0.5))


def largest_gap(x: FloatArray, region: tuple[float, float]) -> float:
    """Widest stretch of `region` without one of `x` (n,) [its unit]."""
    lo, hi = region
    inside = x[(x >= lo) & (x <= hi)]
    return float(np.diff(np.sort([lo, *inside, hi])).max())
