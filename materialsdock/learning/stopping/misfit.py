"""Residuals about a curve: their sum of squares, and the strongest run of them to one side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.stopping.quantities import Posterior
from materialsdock.model import FloatArray

SUSPICIOUS = 1.3  # reduced χ² that is looked at closely
NEIGHBOURS = 4  # at most, in a run
REACH = 2.0  # resolutions that a run may span


def strongest_run(x: FloatArray, off: FloatArray, resolution: float) -> tuple[float, float]:
    """(size, place) of the run of 1 to 4 neighbours that lies farthest off the curve.

    x, off : (n,) positions in any order and standardised residuals, n ≥ 1.  Size is |Σ off| / √k
    of a run of k within two resolutions: a matched filter, standard normal at most when the curve
    is right.  A peak that was smoothed over pulls several points to one side, none of them far.
    """
    order = np.argsort(x, kind="stable")
    place, total = x[order], np.concatenate([[0.0], np.cumsum(off[order])])
    best = (0.0, float(place[0]))
    for k in range(1, min(NEIGHBOURS, x.size) + 1):
        size = np.abs(total[k:] - total[:-k]) / np.sqrt(k)
        first, last = place[: x.size - k + 1], place[k - 1 :]
        size = np.where(last - first <= REACH * resolution, size, 0.0)
        i = int(size.argmax())
        best = max(best, (float(size[i]), float(0.5 * (first[i] + last[i]))))
    return best


def chi_square(
    posterior: Posterior, at: NDArray[np.int64], off: FloatArray, sigma: FloatArray
) -> tuple[float, float]:
    """Sum of squares of standardised residuals `off` (n,), and its degrees of freedom.

    at, sigma : (n,) grid index and sd of each observation
    With S the smoother's matrix the sum has mean tr(I − S) and variance 2 tr (I − S)²: it is scaled
    to the χ² distribution that has them (Satterthwaite, Biometrics 2, 110, 1946).  As long as it is
    not SUSPICIOUS the larger variance 2 tr(I − S) will do, which needs no matrix: O(n), else O(n²).
    """
    total, mean = float(off @ off), float(off.size - (posterior.variance[at] / sigma**2).sum())
    square = mean
    if total > SUSPICIOUS * mean:
        hat = posterior.covariance(posterior.grid[at]) / np.outer(sigma, sigma)
        square = float(((np.eye(off.size) - hat) ** 2).sum())
    scale = square / mean if mean > 0 else 1.0
    return total / scale, mean / scale
