"""The kernel and the prior mean that a sweep is planned with, from a library where it agrees."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.learning.gp import hyperparameters
from materialsdock.learning.gp.cholesky import MeanFunction
from materialsdock.learning.gp.kernels import Covariance, Kernel
from materialsdock.learning.gp.posterior import engine
from materialsdock.learning.prior.library import LibraryPrior
from materialsdock.learning.prior.placement import Agreement, agreement, place, unplaced
from materialsdock.model import Axis, FloatArray

FIRST_SWEEP = 12
EXPECTED_NOISE = 0.01  # in edge steps, before the first count
LEAST = 4  # observations from which a kernel is learned
Model = Literal["warped", "stationary"]


class Knowledge(NamedTuple):
    """The kernel and the prior mean that a sweep is planned with.

    held : for how many sweeps it could not be learned anew; library : what the counts say of the
    library prior, where there is one
    """

    kernel: Covariance
    mean: float | MeanFunction
    held: int = 0
    library: Agreement | None = None


def beginning(axis: Axis, prior: LibraryPrior | None) -> Knowledge:
    """Return what is assumed before the first count."""
    if prior is None:
        return Knowledge(Kernel(float(np.ptp(axis.grid)) / 10.0, 1.0), 0.0)
    kernel = unplaced(prior)
    return Knowledge(kernel, kernel.mean)


def first_positions(axis: Axis, prior: LibraryPrior | None, weights: FloatArray) -> FloatArray:
    """Positions of the first sweep: even ones, or those that tell most of what a library leaves."""
    count = min(FIRST_SWEEP, axis.grid.size)
    if prior is None:
        return np.linspace(axis.grid[0], axis.grid[-1], count)
    known = beginning(axis, prior)
    blank = engine(axis.grid, known.kernel, known.mean)
    free = np.zeros(axis.grid.size, dtype=bool)
    return axis.grid[[i for i, _ in blank.sweep(EXPECTED_NOISE**2, weights, count, free)]]


def learned(
    axis: Axis,
    data: tuple[FloatArray, FloatArray, FloatArray],
    model: Model,
    prior: LibraryPrior | None,
) -> Knowledge:
    """Learn from `data`: positions, values, noise variances, each (n,), n ≥ 4.

    Raises ModelFault when no kernel can be learned, as when all positions are equal.
    """
    x, y, noise = data
    if not np.ptp(x) > 0:
        raise ModelFault(
            f"all {x.size} counts are at {x[0]:g}", where="learner", remedy="does the axis move?"
        )
    mean = float(y.mean())
    if not np.ptp(y) > 0:  # nothing to learn a kernel from
        return Knowledge(Kernel(float(np.ptp(axis.grid)) / 10.0, float(noise.mean())), mean)
    if model == "stationary":
        kernel = hyperparameters.fit(x, y - mean, noise, resolution=axis.resolution)[0]
    else:
        kernel = hyperparameters.best_warped(x, y - mean, noise, axis.grid, axis.resolution)
    if prior is None:
        return Knowledge(kernel, mean)
    without = hyperparameters.log_likelihood(kernel, x, y - mean, noise)
    placed = place(prior, x, y, noise)
    posterior = engine(axis.grid, placed, placed.mean)
    posterior.replay(axis.index(x), y, noise)
    found = agreement(posterior, without)
    if found.ok:
        return Knowledge(placed, placed.mean, library=found)
    return Knowledge(kernel, mean, library=found)
