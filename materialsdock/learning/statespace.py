"""The exact Gaussian-process posterior on a grid by Kalman passes: one decision costs O(m).

For Matérn-3/2 and 5/2 on any ascending grid, warped axes included; the cost does not depend on how
much has been observed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import ModelFault
from materialsdock.learning import markov
from materialsdock.learning.gaussian_process import Innovation, refuse_unusable
from materialsdock.learning.kernels import Kernel
from materialsdock.model import FloatArray

TWICE_NU = {"matern32": 3, "matern52": 5}


class StateSpacePosterior:
    """Posterior mean and variance of a GP with constant prior mean on `grid` (m,), ascending.

    The same numbers as GridPosterior's.  Raises ModelFault for a kernel that has no finite
    state (rbf) and for a grid that is not ascending.
    """

    def __init__(self, grid: FloatArray, kernel: Kernel, prior_mean: float = 0.0) -> None:
        if not (np.diff(grid) >= 0).all():
            raise ModelFault("grid is not ascending", remedy="sort it, or use the cholesky engine")
        markov.warm_up()
        self.grid, self.kernel, self.prior_mean = grid, kernel, prior_mean
        self.mean = np.full(grid.size, prior_mean, dtype=float)
        self.variance = np.full(grid.size, kernel.variance, dtype=float)
        self.log_likelihood = 0.0
        self.innovations: list[Innovation] = []
        self._chain = self._line(grid)

    def __len__(self) -> int:
        return len(self.innovations)

    def update(self, index: int, y: float, noise_variance: float) -> Innovation:
        """Take in y, measured at grid position `index` with `noise_variance` > 0.

        Raises ModelFault for a value that is not finite.
        """
        refuse_unusable(index, y, noise_variance)
        index = range(self.grid.size)[index]
        latent, residual = float(self.variance[index]), y - float(self.mean[index])
        markov.merge(self._chain, index, float(y - self.prior_mean), float(noise_variance))
        markov.filter_from(index, self._chain)
        self._smooth()
        return self._record(latent, residual, noise_variance)

    def replay(
        self, indices: NDArray[np.int64], y: FloatArray, noise_variance: FloatArray
    ) -> list[Innovation]:
        """Take in many, each (n,), as `update` would in turn, but at O(n² + m) in all.

        What each told before it was taken in depends on the visited positions alone, so that the
        grid need be passed over only once.
        """
        for each in zip(indices, y, noise_variance, strict=True):
            refuse_unusable(*each)
        at = np.arange(self.grid.size)[np.asarray(indices, dtype=int)]
        centred = np.array(y, dtype=float) - self.prior_mean
        noise = np.array(noise_variance, dtype=float)
        seen = np.flatnonzero(np.isfinite(self._chain.noise))
        sites, latent, residual = np.union1d(seen, at), np.empty(at.size), np.empty(at.size)
        line = self._line(self.grid[sites])
        line.noise[:], line.y[:] = self._chain.noise[sites], self._chain.y[sites]
        markov.filter_from(0, line)
        markov.innovate(line, np.searchsorted(sites, at), centred, noise, latent, residual)
        self._chain.noise[sites], self._chain.y[sites] = line.noise, line.y
        markov.filter_from(0, self._chain)
        self._smooth()
        told = zip(latent.tolist(), residual.tolist(), noise.tolist(), strict=True)
        return [self._record(*each) for each in told]

    def _line(self, x: FloatArray) -> markov.Chain:
        return markov.chain(
            positions(self.kernel, x), twice_nu(self.kernel), float(self.kernel.variance)
        )

    def _smooth(self) -> None:
        markov.smooth(0, self._chain, self.mean, self.variance)
        self.mean += self.prior_mean

    def _record(self, latent: float, residual: float, noise_variance: float) -> Innovation:
        total = latent + noise_variance
        self.log_likelihood -= 0.5 * (math.log(2 * math.pi * total) + residual**2 / total)
        self.innovations.append(Innovation(latent / noise_variance, residual**2 / total))
        return self.innovations[-1]

    def _joined(self, x: FloatArray) -> tuple[markov.Chain, NDArray[np.int64]]:
        """A chain of all visited positions and `x` (n,), and where in it those of `x` are."""
        seen = np.flatnonzero(np.isfinite(self._chain.noise))
        both = np.concatenate([self.grid[seen], np.asarray(x, dtype=float)])
        order = np.argsort(both, kind="stable")
        place = np.empty(both.size, dtype=int)
        place[order] = np.arange(both.size)
        line = self._line(both[order])
        line.noise[place[: seen.size]] = self._chain.noise[seen]
        line.y[place[: seen.size]] = self._chain.y[seen]
        return line, place[seen.size :]

    def _smoothed(self, line: markov.Chain) -> tuple[FloatArray, FloatArray]:
        mean, variance = np.empty(line.noise.size), np.empty(line.noise.size)
        markov.filter_from(0, line)
        markov.smooth(0, line, mean, variance)
        return mean + self.prior_mean, variance

    def at(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at any positions `x` (n,)."""
        line, place = self._joined(x)
        mean, variance = self._smoothed(line)
        return mean[place], np.sqrt(variance[place])

    def covariance(self, x: FloatArray | None = None) -> FloatArray:
        """Posterior covariance (m, m) of the grid, or of positions `x`."""
        if x is None:
            return markov.covariances(self._chain)
        line, place = self._joined(x)
        self._smoothed(line)
        return markov.covariances(line)[np.ix_(place, place)]

    def sample(self, x: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
        """`size` posterior curves (size, n) at `x` (n,), each at O(n)."""
        line, place = self._joined(x)
        n, found = line.noise.size, np.empty((size, place.size))
        for k in range(size):
            curve = markov.curve(line, rng.standard_normal((n, 3)), rng.standard_normal(n))
            found[k] = self.prior_mean + curve[place]
        return found

    def imse(self, noise_variance: float, weights: FloatArray) -> FloatArray:
        """acquisition.imse_scores (m,) of the present posterior, at O(m)."""
        weights = np.array(np.broadcast_to(weights, self.grid.shape), dtype=float)
        energy = markov.energies(self._chain, weights, self.variance)
        return np.asarray(energy / (self.variance + noise_variance))

    def sweep(
        self, noise_variance: float, weights: FloatArray, count: int, taken: NDArray[np.bool_]
    ) -> list[tuple[int, float]]:
        """acquisition.greedy_sweep of the present posterior, at O(count · m)."""
        line, noise = self._chain, float(noise_variance)
        line = markov.Chain(line.transition, line.process, *(each.copy() for each in line[2:]))
        variance, mean, taken = self.variance.copy(), np.empty(self.grid.size), taken.copy()
        weights = np.array(np.broadcast_to(weights, self.grid.shape), dtype=float)
        picks: list[tuple[int, float]] = []
        for _ in range(count):
            if taken.all():
                taken[:] = False
            scores = markov.energies(line, weights, variance) / (variance + noise)
            best = int(np.argmax(np.where(taken, -np.inf, scores)))
            picks.append((best, float(scores[best])))
            taken[best] = True
            markov.merge(line, best, 0.0, noise)  # moves the mean, which no score depends on
            markov.filter_from(best, line)
            markov.smooth(0, line, mean, variance)
        return picks


def twice_nu(kernel: Kernel) -> int:
    """2ν of a Matérn kernel.  Raises ModelFault for any other."""
    if kernel.shape not in TWICE_NU:
        raise ModelFault(
            f"kernel {kernel.shape} has no finite state", remedy="use the cholesky engine"
        )
    return TWICE_NU[kernel.shape]


def positions(kernel: Kernel, x: FloatArray) -> FloatArray:
    """`x` (n,) in the units of states.py: lengthscale / √(2ν)."""
    return np.asarray(math.sqrt(twice_nu(kernel)) * kernel.coordinates(x), dtype=float)


def log_likelihood(
    kernel: Kernel, x: FloatArray, y: FloatArray, noise_variance: FloatArray
) -> float:
    """hyperparameters.log_likelihood at O(n log n), for Matérn kernels; x in any order.

    Raises ModelFault for data that are not finite.
    """
    order = np.argsort(x, kind="stable")
    value, _, _ = markov.likelihood_and_gradient(
        0.0,
        math.log(kernel.variance),
        np.array(kernel.coordinates(x))[order],
        np.array(y, dtype=float)[order],
        np.array(noise_variance, dtype=float)[order],
        twice_nu(kernel),
    )
    if not math.isfinite(value):
        raise ModelFault(f"log likelihood is {value}", remedy="check for non-finite data")
    return float(value)
