"""Choose positions to count next: integrated variance reduction, in sweeps that travel little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from materialsdock.model import FloatArray


def imse_scores(covariance: FloatArray, noise_variance: float, weights: FloatArray) -> FloatArray:
    """Compute how much one more observation at each position j would lower Σ_i w_i v_i: (m,).

    score_j = Σ_i w_i C_ij² / (v_j + σ²), exact for a GP with known noise (Cohn 1996).
    """
    gain = weights @ covariance**2
    return np.asarray(gain / (np.diag(covariance) + noise_variance))


def greedy_sweep(
    covariance: FloatArray,
    noise_variance: float,
    weights: FloatArray,
    count: int,
    taken: NDArray[np.bool_],
) -> list[tuple[int, float]]:
    """`count` (index, score) pairs, best first; each pick is taken in before the next is chosen.

    A pick changes the variance but not the mean, so a whole sweep can be chosen ahead.  Taking in
    C ← C − r rᵀ changes Σ_i w_i C_ij² by −2 r_j (C (w∘r))_j + r_j² Σ_i w_i r_i²: one product with
    the first C (m, m) a pick, which is never written.
    taken : (m,) positions that must not be picked again while others are left
    """
    taken, variance = taken.copy(), np.diag(covariance).copy()
    energy = weights @ covariance**2
    rows = np.empty((count, variance.size))
    picks: list[tuple[int, float]] = []
    for k in range(count):
        if taken.all():
            taken[:] = False
        scores = energy / (variance + noise_variance)
        best = int(np.argmax(np.where(taken, -np.inf, scores)))
        picks.append((best, float(scores[best])))
        row = covariance[best] - rows[:k, best] @ rows[:k]
        row /= np.sqrt(variance[best] + noise_variance)
        weighted = weights * row
        along = covariance @ weighted - (rows[:k] @ weighted) @ rows[:k]
        energy = np.maximum(energy + row * (row * (weighted @ row) - 2.0 * along), 0.0)
        variance = np.maximum(variance - row**2, 0.0)
        rows[k], taken[best] = row, True
    return picks


def largest_gap_index(grid: FloatArray, measured: FloatArray, taken: NDArray[np.bool_]) -> int:
    """The free grid position nearest to the middle of the largest unmeasured stretch."""
    edges = np.concatenate([[grid[0]], np.sort(measured), [grid[-1]]])
    widest = int(np.argmax(np.diff(edges)))
    middle = 0.5 * (edges[widest] + edges[widest + 1])
    distance = np.where(taken, np.inf, np.abs(grid - middle))
    return int(np.argmin(distance))


def travel_order(positions: FloatArray, start: float) -> NDArray[np.int64]:
    """Indices that visit `positions` (q,) in one sorted sweep, from the end nearer to `start`."""
    order = np.argsort(positions, kind="stable")
    if abs(start - positions[order[-1]]) < abs(start - positions[order[0]]):
        order = order[::-1]
    return order
