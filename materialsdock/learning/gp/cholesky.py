"""An exact Gaussian-process posterior on a grid, grown one observation at a time.

Appending one row to a Cholesky factor costs O(n m) for n observations and m grid positions; the
innovations that the stopping rules need fall out of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from materialsdock.errors import ModelFault
from materialsdock.learning.gp.acquisition import greedy_sweep
from materialsdock.learning.gp.kernels import Covariance
from materialsdock.model import FloatArray

MeanFunction = Callable[[FloatArray], FloatArray]
JITTERS = (0.0, 1e-10, 1e-8, 1e-6, 1e-4)  # of the kernel's variance
BLOCK = 256  # grid positions whose covariances are held at a time


@dataclass(frozen=True)
class Innovation:
    """One observation against its prediction: s = v/σ², z² = (y−m)²/(v+σ²), before the update."""

    s: float
    z2: float


class GridPosterior:
    """Posterior mean and variance of a GP on `grid` (m,).

    prior_mean : a constant, or a function of positions (n,); the attribute is its grid average
    `mean`, `variance` : (m,) at all times those given all observations so far.
    """

    def __init__(
        self, grid: FloatArray, kernel: Covariance, prior_mean: float | MeanFunction = 0.0
    ) -> None:
        self.grid, self.kernel, self._prior = grid, kernel, prior_mean
        self.mean = self.prior(grid)
        self.prior_mean = float(self.mean.mean()) if callable(prior_mean) else prior_mean
        self.variance = kernel.diagonal(grid)
        self.log_likelihood = 0.0
        self.innovations: list[Innovation] = []
        self._covariances = kernel.rows(grid)
        self._rows = np.empty((16, grid.size))
        self._at: list[int] = []
        self._scale: list[float] = []
        self._standardised: list[float] = []

    def __len__(self) -> int:
        return len(self._at)

    def prior(self, x: FloatArray) -> FloatArray:
        """Prior mean (n,) at `x` (n,)."""
        if callable(self._prior):
            return self._prior(x)
        return np.full(x.size, self._prior, dtype=float)

    def update(self, index: int, y: float, noise_variance: float) -> Innovation:
        """Take in y, measured at grid position `index` with `noise_variance` > 0.

        Raises ModelFault for a value that is not finite.
        """
        refuse_unusable(index, y, noise_variance)
        n, latent = len(self), max(float(self.variance[index]), 0.0)
        total = latent + noise_variance
        scale, residual = math.sqrt(total), y - float(self.mean[index])
        row = self._covariances(index)
        row -= self._rows[:n, index] @ self._rows[:n]
        row /= scale
        self._append(row)
        self.mean += row * (residual / scale)
        self.variance -= row**2
        np.maximum(self.variance, 0.0, out=self.variance)
        self.log_likelihood -= 0.5 * (math.log(2 * math.pi * total) + residual**2 / total)
        self._at.append(index)
        self._scale.append(scale)
        self._standardised.append(residual / scale)
        found = Innovation(latent / noise_variance, residual**2 / total)
        self.innovations.append(found)
        return found

    def replay(
        self, indices: NDArray[np.int64], y: FloatArray, noise_variance: FloatArray
    ) -> list[Innovation]:
        """Take in many, each (n,), in turn."""
        for each in zip(indices, y, noise_variance, strict=True):
            refuse_unusable(*each)
        at = np.arange(self.grid.size)[np.asarray(indices, dtype=int)]
        told = zip(at.tolist(), y, noise_variance, strict=True)
        return [self.update(i, float(v), float(r)) for i, v, r in told]

    def _append(self, row: FloatArray) -> None:
        n = len(self)
        if n == self._rows.shape[0]:
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[n] = row

    def _whitened(self, x: FloatArray) -> FloatArray:
        """L⁻¹ K(X, x): (n, len(x))."""
        at = np.array(self._at, dtype=int)
        lower = np.tril(self._rows[: len(self)][:, at].T, -1)
        lower[np.diag_indices(len(self))] = self._scale
        cross = self.kernel(self.grid[at], x)
        return np.asarray(solve_triangular(lower, cross, lower=True, check_finite=False))

    def at(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at any positions `x` (n,)."""
        if not len(self):
            return self.prior(x), np.sqrt(self.kernel.diagonal(x))
        white = self._whitened(x)
        mean = self.prior(x) + white.T @ np.array(self._standardised)
        variance = self.kernel.diagonal(x) - np.einsum("ij,ij->j", white, white)
        return mean, np.sqrt(np.maximum(variance, 0.0))

    def covariance(self, x: FloatArray | None = None) -> FloatArray:
        """Posterior covariance (m, m) of the grid, or of positions `x`."""
        if x is None:
            rows = self._rows[: len(self)]
            return self.kernel(self.grid, self.grid) - rows.T @ rows
        prior = self.kernel(x, x)
        if not len(self):
            return prior
        white = self._whitened(x)
        return prior - white.T @ white

    def sample(self, x: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
        """`size` posterior curves (size, n) at `x` (n,)."""
        mean, _ = self.at(x)
        factor = safe_cholesky(self.covariance(x), float(self.kernel.diagonal(x).max()))
        return mean + rng.standard_normal((size, x.size)) @ factor.T

    def imse(self, noise_variance: float, weights: FloatArray) -> FloatArray:
        """acquisition.imse_scores (m,) of the present posterior, at O(n m²), a block at a time."""
        rows, energy = self._rows[: len(self)], np.empty(self.grid.size)
        weights = np.broadcast_to(weights, self.grid.shape)
        for first in range(0, self.grid.size, BLOCK):
            part = slice(first, first + BLOCK)
            block = self.kernel(self.grid, self.grid[part]) - rows.T @ rows[:, part]
            energy[part] = weights @ block**2
        return energy / (self.variance + noise_variance)

    def sweep(
        self, noise_variance: float, weights: FloatArray, count: int, taken: NDArray[np.bool_]
    ) -> list[tuple[int, float]]:
        """acquisition.greedy_sweep of the present posterior; holds m × m numbers."""
        return greedy_sweep(self.covariance(), noise_variance, weights, count, taken)


def refuse_unusable(index: int, y: float, noise_variance: float) -> None:
    """Raises ModelFault for a value that is not finite: an engine would carry it on silently."""
    if not (math.isfinite(y) and math.isfinite(noise_variance) and noise_variance > 0):
        raise ModelFault(f"y = {y}, noise variance {noise_variance}", where=f"index {index}")


def safe_cholesky(matrix: FloatArray, scale: float) -> FloatArray:
    """Lower Cholesky factor of `matrix` (n, n), with as little jitter (times `scale`) as it needs.

    Raises ModelFault when even the largest jitter does not make it positive definite.
    """
    eye = np.eye(matrix.shape[0])
    for jitter in JITTERS:
        try:
            factor = np.linalg.cholesky(matrix + jitter * scale * eye)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(factor).all():
            return np.asarray(factor)
    raise ModelFault("covariance is not positive definite", remedy="check for non-finite data")
