"""Passes over a Matérn process at sorted positions: filter, smoother, likelihood, IMSE.

One pass costs O(N) whatever has been observed.  Symbols as in matern.py; r is a noise variance,
h = (1, 0, 0) picks f out of the state.

Sources: Kalman 1960; Bryson & Frazier 1963 and de Jong 1989 (adjoint smoother, never an inverse);
Durbin & Koopman 2002 (simulation smoother).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.gp.matern import (
    NO_MATRIX,
    NO_ROOT,
    NO_VECTOR,
    Row,
    absorbed,
    back,
    carried,
    compiled,
    congruent,
    dot,
    forth,
    jumped,
    plus,
    process_of,
    put_six,
    rate,
    six,
    square,
    stationary,
    symmetric_times,
    three,
    times,
    transition_of,
    transposed_times,
    without,
    without_adjoint,
)
from materialsdock.model import FloatArray


class KalmanChain(NamedTuple):
    """A process at N sorted positions, what was observed there, and what the passes found.

    noise is inf where nothing was observed.  Where it was, y is centred and repeat visits merged.
    """

    transition: FloatArray  # (N-1, 9)
    process: FloatArray  # (N-1, 6), covariance of what a step adds
    noise: FloatArray  # (N,) variances
    y: FloatArray  # (N,)
    state: FloatArray  # (N, 3) mean given all observations to the left
    spread: FloatArray  # (N, 6) its covariance
    adjoint: FloatArray  # (N, 3) b: cov(f_i, f_j) = spread_i h · (closed loop from i to j)ᵀ b_j


@compiled
def chain(u: FloatArray, twice_nu: int, variance: float) -> KalmanChain:
    """The chain at sorted positions u (N,) [1/λ], nothing observed."""
    n = u.size
    transition, process = np.empty((max(n - 1, 0), 9)), np.empty((max(n - 1, 0), 6))
    spread = np.empty((n, 6))
    for i in range(n):
        put_six(spread, i, plus(NO_MATRIX, stationary(twice_nu), variance))
    for i in range(n - 1):
        t = u[i + 1] - u[i]
        a = transition_of(t, twice_nu)
        for k in range(9):
            transition[i, k] = a[k]
        put_six(process, i, plus(NO_MATRIX, process_of(t, twice_nu), variance))
    adjoint = np.zeros((n, 3))
    for i in range(n):
        adjoint[i, 0] = 1.0
    noise = np.full(n, np.inf)
    return KalmanChain(transition, process, noise, np.zeros(n), np.zeros((n, 3)), spread, adjoint)


# -- passes -------------------------------------------------------------------------------------


@compiled
def merge(chain: KalmanChain, i: int, y: float, noise: float) -> None:
    """One more observation at position i; visits add up by their precision."""
    before, more = 1.0 / chain.noise[i], 1.0 / noise
    chain.y[i] = (before * chain.y[i] + more * y) / (before + more)
    chain.noise[i] = 1.0 / (before + more)


@compiled
def filter_from(first: int, chain: KalmanChain) -> None:
    """States to the right of `first`, given that the one at `first` holds (Kalman)."""
    if chain.noise.size == 0:
        return
    m, p = three(chain.state, first), six(chain.spread, first)
    for i in range(first, chain.noise.size - 1):
        r = chain.noise[i]
        if r < np.inf:
            total = p[0] + r
            gain = (chain.y[i] - m[0]) / total
            m = m[0] + p[0] * gain, m[1] + p[1] * gain, m[2] + p[2] * gain
            left, column = r / total, (p[0], p[1], p[2])
            rest = plus(p, square(column), -1.0 / total)
            p = p[0] * left, p[1] * left, p[2] * left, rest[3], rest[4], rest[5]
        a = forth(chain.transition, i)
        m, p = times(a, m), plus(congruent(a, p), six(chain.process, i), 1.0)
        chain.state[i + 1, 0], chain.state[i + 1, 1], chain.state[i + 1, 2] = m
        put_six(chain.spread, i + 1, p)


@compiled
def smooth(last: int, chain: KalmanChain, mean: FloatArray, variance: FloatArray) -> None:
    """Mean and variance (N,) given all observations, from the right end down to `last`.

    The adjoint's information is kept as a root: as a matrix it would lose the variance left of the
    first observations where the noise is 10⁻⁸ of the variance.
    """
    g, root = NO_VECTOR, NO_ROOT
    for i in range(chain.noise.size - 1, last - 1, -1):
        if i < chain.noise.size - 1:
            a = back(chain.transition, i)
            g, root = times(a, g), carried(a, root)
        p = six(chain.spread, i)
        if chain.noise[i] < np.inf:
            error = chain.y[i] - chain.state[i, 0]
            g, root, _, _ = absorbed(p, chain.noise[i], error, g, root)
        column = p[0], p[1], p[2]
        y = times(root, column)
        x = transposed_times(root, y)
        b = 1.0 - x[0], -x[1], -x[2]
        chain.adjoint[i, 0], chain.adjoint[i, 1], chain.adjoint[i, 2] = b
        mean[i] = chain.state[i, 0] + dot(column, g)
        variance[i] = max(p[0] - dot(y, y), 0.0)


@compiled
def innovate(
    chain: KalmanChain,
    at: NDArray[np.int64],
    y: FloatArray,
    noise: FloatArray,
    latent: FloatArray,
    error: FloatArray,
) -> None:
    """Take in y (n,) at positions `at` (n,) in turn.

    Writes the variance and the residual (n,) of each before it is taken in: O(n N).
    """
    mean, variance = np.empty(chain.noise.size), np.empty(chain.noise.size)
    for k in range(at.size):
        smooth(at[k], chain, mean, variance)
        latent[k], error[k] = variance[at[k]], y[k] - mean[at[k]]
        merge(chain, at[k], y[k], noise[k])
        filter_from(at[k], chain)


@compiled
def gain(chain: KalmanChain, i: int) -> Row:
    """Kalman gain k at i; zero where nothing was observed."""
    p = three(chain.spread, i)
    total = p[0] + chain.noise[i]
    return p[0] / total, p[1] / total, p[2] / total


@compiled
def energies(chain: KalmanChain, weights: FloatArray, variance: FloatArray) -> FloatArray:
    """Σ_i w_i cov(f_i, f_j)² for every position j: (N,), after `smooth`.

    Terms i < j gather from the left, those i > j from the right, both carried by the closed loop
    Ψ = A (I − k hᵀ).
    """
    found = weights * variance**2
    gathered = NO_MATRIX
    for j in range(variance.size - 1):
        gathered = plus(gathered, square(three(chain.spread, j)), weights[j])
        if chain.noise[j] < np.inf:
            gathered = without(gathered, gain(chain, j))
        gathered = congruent(forth(chain.transition, j), gathered)
        b = three(chain.adjoint, j + 1)
        found[j + 1] += dot(b, symmetric_times(gathered, b))
    gathered = NO_MATRIX
    for j in range(variance.size - 2, -1, -1):
        gathered = plus(gathered, square(three(chain.adjoint, j + 1)), weights[j + 1])
        gathered = congruent(back(chain.transition, j), gathered)
        if chain.noise[j] < np.inf:
            gathered = without_adjoint(gathered, gain(chain, j))
        p = three(chain.spread, j)
        found[j] += dot(p, symmetric_times(gathered, p))
    return np.maximum(found, 0.0)


@compiled
def covariances(chain: KalmanChain) -> FloatArray:
    """Posterior covariance (N, N), after `smooth`."""
    n = chain.noise.size
    found = np.empty((n, n))
    for j in range(n):
        z = three(chain.adjoint, j)
        found[j, j] = max(dot(three(chain.spread, j), z), 0.0)
        for i in range(j - 1, -1, -1):
            z = times(back(chain.transition, i), z)
            if chain.noise[i] < np.inf:
                z = z[0] - dot(gain(chain, i), z), z[1], z[2]
            found[i, j] = found[j, i] = dot(three(chain.spread, i), z)
    return found


@compiled
def curve(chain: KalmanChain, normals: FloatArray, errors: FloatArray) -> FloatArray:
    """A curve (N,) of the posterior from standard normal numbers (N, 3) and (N,).

    A curve of the prior, less what smoothing its simulated observations gives, plus what smoothing
    the true ones gives.
    """
    prior, y = np.empty(errors.size), chain.y.copy()
    x = NO_VECTOR
    for i in range(errors.size):
        if i == 0:
            x = jumped(x, six(chain.spread, 0), three(normals, 0))
        else:
            x = times(forth(chain.transition, i - 1), x)
            x = jumped(x, six(chain.process, i - 1), three(normals, i))
        prior[i] = x[0]
        if chain.noise[i] < np.inf:
            chain.y[i] -= prior[i] + np.sqrt(chain.noise[i]) * errors[i]
    found, variance = np.empty(errors.size), np.empty(errors.size)
    filter_from(0, chain)
    smooth(0, chain, found, variance)
    for i in range(y.size):
        chain.y[i] = y[i]
    return prior + found


@compiled
def likelihood_and_gradient(
    log_lengthscale: float,
    log_variance: float,
    u_sorted: FloatArray,
    y_sorted: FloatArray,
    noise_sorted: FloatArray,
    twice_nu: int,
) -> tuple[float, float, float]:
    """Log marginal likelihood and its slopes in log lengthscale and log variance, exact in O(n).

    u_sorted : (n,) ascending, units of the lengthscale; y_sorted (n,) centred; noise_sorted (n,)
    variances > 0; twice_nu : 3 for Matérn-3/2, 5 for Matérn-5/2.  nan for data not finite.
    """
    n, v = u_sorted.size, np.exp(log_variance)
    steps = np.sqrt(1.0 * twice_nu) * np.exp(-log_lengthscale) * u_sorted
    line = chain(steps, twice_nu, v)
    for i in range(n):
        line.noise[i], line.y[i] = noise_sorted[i], y_sorted[i]
    filter_from(0, line)
    g, root = NO_VECTOR, NO_ROOT
    value, by_length, by_variance = -0.5 * n * np.log(2.0 * np.pi), 0.0, -0.5 * n
    for i in range(n - 1, -1, -1):
        if i < n - 1:
            a = back(line.transition, i)
            g, root = times(a, g), carried(a, root)
        m, p, r = three(line.state, i), six(line.spread, i), noise_sorted[i]
        total, error = p[0] + r, y_sorted[i] - m[0]
        g, root, alpha, inverse = absorbed(p, r, error, g, root)
        value -= 0.5 * (np.log(total) + error**2 / total)
        by_variance += 0.5 * (error**2 / total + r * (inverse - alpha**2))
        if i > 0:
            by_length -= (steps[i] - steps[i - 1]) * rate(m, p, g, root, twice_nu, v)
    return value, by_length, by_variance


@lru_cache(maxsize=1)
def warm_up() -> None:
    """Compile all of this, or load it from disk, before the first point is measured."""
    line, values, three_by_three = chain(np.arange(3.0), 5, 1.0), np.ones(3), np.zeros((3, 3))
    merge(line, 1, 0.0, 1.0)
    filter_from(0, line)
    smooth(0, line, np.zeros(3), values)
    innovate(line, np.arange(3), np.zeros(3), np.ones(3), np.zeros(3), np.zeros(3))
    energies(line, np.ones(3), values)
    covariances(line)
    curve(line, three_by_three, np.zeros(3))
    likelihood_and_gradient(0.0, 0.0, np.arange(3.0), np.zeros(3), np.ones(3), 5)
