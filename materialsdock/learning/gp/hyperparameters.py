"""Hyperparameters by marginal likelihood, with known noise; and the curvature warp."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from materialsdock.errors import ModelFault
from materialsdock.learning.gp import kalman, state_space
from materialsdock.learning.gp.cholesky import safe_cholesky
from materialsdock.learning.gp.kernels import Covariance, Kernel, Shape, Warp, correlation_and_slope
from materialsdock.model import FloatArray

FLOORS = (1.0, 0.3, 0.1, 0.03)  # β of the warp: how much of it stays stationary
ROUNDS = 4
SETTLED = 0.05  # in log likelihood: rounds that change less are the last
# A warp is read off the data, which the likelihood does not know.  Price [nats]: what 9 of 10 warps
# gain at most on n data of a stationary process, that need none.
PRICE_PER_POINT, LARGEST_PRICE = 1 / 6, 10.0
Likelihood = Callable[[FloatArray], tuple[float, FloatArray]]
TINY = 1e-200  # a variance whose logarithm is a number, whatever the unit of y
STRAIGHT = 1e-6  # sag of a curve in units of its height: below it only rounding bends it
PRIOR_SD = 1.5  # of log lengthscale and log variance about their starting values: weak


def log_likelihood(
    kernel: Covariance, x: FloatArray, y: FloatArray, noise_variance: FloatArray
) -> float:
    """Log marginal likelihood of centred data y (n,) at x (n,) with known noise (n,)."""
    matrix = kernel(x, x)
    matrix[np.diag_indices(x.size)] += noise_variance
    factor = safe_cholesky(matrix, kernel.variance)
    white = solve_triangular(factor, y, lower=True, check_finite=False)
    return float(
        -0.5 * white @ white - np.log(np.diag(factor)).sum() - 0.5 * x.size * np.log(2 * np.pi)
    )


def fit(
    x: FloatArray,
    y: FloatArray,
    noise_variance: FloatArray,
    *,
    shape: Shape = "matern52",
    warp: Warp | None = None,
    resolution: float,
) -> tuple[Kernel, float]:
    """The kernel of largest posterior density for centred y (n,), and its log likelihood.

    Bounded L-BFGS-B on log lengthscale and log variance from one start, so equal data give equal
    kernels.  `resolution` [units of x] bounds the lengthscale from below.
    """
    u = warp(x) if warp else x
    extent = float(np.ptp(u))
    start = np.log([extent / 10.0, max(float(np.var(y)), TINY)])
    smallest = resolution * (extent / float(np.ptp(x))) / (1.0 if warp is None else 20.0)
    bounds = [
        (np.log(min(smallest, extent / 50.0)), np.log(3.0 * extent)),
        (start[1] - 7.0, start[1] + 7.0),
    ]
    likelihood = _dense(u, y, noise_variance, shape)
    if shape in state_space.TWICE_NU:
        likelihood = _markov(u, y, noise_variance, shape)

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = likelihood(theta)
        pull = (theta - start) / PRIOR_SD
        return 0.5 * float(pull @ pull) - value, pull / PRIOR_SD - gradient

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    kernel = Kernel(float(np.exp(found.x[0])), float(np.exp(found.x[1])), shape, warp)
    return kernel, likelihood(found.x)[0]


def _markov(u: FloatArray, y: FloatArray, noise_variance: FloatArray, shape: Shape) -> Likelihood:
    """The likelihood by state space, O(n) a call."""
    order = np.argsort(u, kind="stable")
    u, y, noise = u[order], y[order], noise_variance[order]

    def likelihood(theta: FloatArray) -> tuple[float, FloatArray]:
        value, *slopes = kalman.likelihood_and_gradient(
            theta[0], theta[1], u, y, noise, state_space.TWICE_NU[shape]
        )
        if not np.isfinite(value):
            raise ModelFault(f"log likelihood is {value}", remedy="check for non-finite data")
        return value, np.array(slopes)

    return likelihood


def _dense(u: FloatArray, y: FloatArray, noise_variance: FloatArray, shape: Shape) -> Likelihood:
    """The likelihood of any shape and its gradient (R&W eq. 5.9), O(n³) a call."""
    distance = np.abs(u[:, None] - u[None, :])

    def likelihood(theta: FloatArray) -> tuple[float, FloatArray]:
        lengthscale, variance = np.exp(theta)
        rho, drho = correlation_and_slope(distance / lengthscale, shape)
        matrix = variance * rho
        matrix[np.diag_indices(y.size)] += noise_variance
        factor = safe_cholesky(matrix, variance)
        inverse_factor = solve_triangular(factor, np.eye(y.size), lower=True, check_finite=False)
        inverse = inverse_factor.T @ inverse_factor
        alpha = inverse @ y
        inner = np.outer(alpha, alpha) - inverse
        gradient = 0.5 * variance * np.array([np.sum(inner * drho), np.sum(inner * rho)])
        value = -0.5 * y @ alpha - np.log(np.diag(factor)).sum() - 0.5 * y.size * np.log(2 * np.pi)
        return float(value), gradient

    return likelihood


def curvature_warp(x: FloatArray, grid: FloatArray, mean: FloatArray, floor: float) -> Warp:
    """The warp that spends lengthscales where the curve bends.

    u(x) = ∫ w, w = D / mean(D) + floor, with D = (mean of μ''² over a gap)^{1/4}, smoothed
    [1 2 1] over the gaps between the sorted measured positions x (n,).  `mean` (m,) is the
    present posterior mean on `grid` (m,).
    """
    knots = np.unique(np.concatenate([[grid[0]], x, [grid[-1]]]))
    slope = np.diff(mean) / np.diff(grid)
    bend = np.pad(2.0 * np.diff(slope) / (grid[2:] - grid[:-2]), 1) ** 2
    integral = np.concatenate([[0.0], np.cumsum(0.5 * (bend[1:] + bend[:-1]) * np.diff(grid))])
    width = np.diff(knots)
    density = (np.diff(np.interp(knots, grid, integral)) / width) ** 0.25
    padded = np.pad(density, 1, mode="edge")
    density = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    average = float(density @ width / width.sum())
    if (average * width.sum()) ** 2 <= STRAIGHT * np.abs(mean).max():
        return Warp(knots, knots - knots[0])
    u = np.concatenate([[0.0], np.cumsum((density / average + floor) * width)])
    return Warp(knots, u)


def warped_candidates(
    x: FloatArray, y: FloatArray, noise_variance: FloatArray, grid: FloatArray, resolution: float
) -> Iterable[tuple[Kernel, float]]:
    """The stationary kernel, then for each floor the warped one, each with its log likelihood.

    A warp follows from the mean and the mean from the warp: they are found in turns.  The
    likelihood of a warped kernel is less its price.
    """
    stationary, likelihood = fit(x, y, noise_variance, resolution=resolution)
    yield stationary, likelihood
    price = min(PRICE_PER_POINT * x.size, LARGEST_PRICE)
    for floor in FLOORS:
        kernel, before = stationary, -np.inf
        for _ in range(ROUNDS):
            mean = predict(kernel, x, y, noise_variance, grid)
            warp = curvature_warp(np.sort(x), grid, mean, floor)
            kernel, likelihood = fit(x, y, noise_variance, warp=warp, resolution=resolution)
            if abs(likelihood - before) < SETTLED:
                break
            before = likelihood
        yield kernel, likelihood - price


def best_warped(
    x: FloatArray, y: FloatArray, noise_variance: FloatArray, grid: FloatArray, resolution: float
) -> Kernel:
    """The most likely of `warped_candidates`; stationary when the data do not ask for more.

    Raises ModelFault for data that are not finite.
    """
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(noise_variance).all()):
        raise ModelFault("data are not finite", remedy="drop the observations that are not")
    candidates = warped_candidates(x, y, noise_variance, grid, resolution)
    return max(candidates, key=lambda found: found[1])[0]


def predict(
    kernel: Covariance, x: FloatArray, y: FloatArray, noise_variance: FloatArray, at: FloatArray
) -> FloatArray:
    """Posterior mean (m,) at `at` (m,) of centred data y (n,) at x (n,)."""
    if isinstance(kernel, Kernel) and kernel.shape in state_space.TWICE_NU:
        return state_space.predict(kernel, x, y, noise_variance, at)
    matrix = kernel(x, x)
    matrix[np.diag_indices(x.size)] += noise_variance
    factor = safe_cholesky(matrix, kernel.variance)
    white = solve_triangular(factor, y, lower=True, check_finite=False)
    alpha = solve_triangular(factor.T, white, lower=False, check_finite=False)
    return np.asarray(kernel(at, x) @ alpha)
