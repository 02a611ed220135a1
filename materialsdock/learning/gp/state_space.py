"""The exact Gaussian-process posterior on a grid by Kalman passes: one decision costs O(m).

For Matérn-3/2 and 5/2 on any ascending grid, warped axes included; the cost does not depend on how
much has been observed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import ModelFault
from materialsdock.learning.gp import kalman
from materialsdock.learning.gp.cholesky import Innovation, MeanFunction, refuse_unusable
from materialsdock.learning.gp.kernels import Kernel
from materialsdock.model import FloatArray

TWICE_NU = {"matern32": 3, "matern52": 5}


class StateSpacePosterior:
    """Posterior mean and variance of a GP on `grid` (m,), ascending.

    prior_mean : a constant, or a function of positions (n,); the attribute is its grid average
    The same numbers as GridPosterior's, to rounding.  Raises ModelFault for a kernel that has no
    finite state (rbf) and for a grid that is not ascending.
    """

    def __init__(
        self, grid: FloatArray, kernel: Kernel, prior_mean: float | MeanFunction = 0.0
    ) -> None:
        if not (np.diff(grid) >= 0).all():
            raise ModelFault("grid is not ascending", remedy="sort it, or use the cholesky engine")
        kalman.warm_up()
        self.grid, self.kernel, self._prior = grid, kernel, prior_mean
        self._offset = self.prior(grid)
        self.prior_mean = float(self._offset.mean()) if callable(prior_mean) else prior_mean
        self.mean = self._offset.copy()
        self.variance = np.full(grid.size, kernel.variance, dtype=float)
        self.log_likelihood = 0.0
        self.innovations: list[Innovation] = []
        self._chain = empty(kernel, grid)

    def __len__(self) -> int:
        return len(self.innovations)

    def prior(self, x: FloatArray) -> FloatArray:
        """Prior mean (n,) at `x` (n,)."""
        if callable(self._prior):
            return np.array(self._prior(x), dtype=float)
        return np.full(np.shape(x), self._prior, dtype=float)

    def update(self, index: int, y: float, noise_variance: float) -> Innovation:
        """Take in y, measured at grid position `index` with `noise_variance` > 0.

        Raises ModelFault for a value that is not finite.
        """
        refuse_unusable(index, y, noise_variance)
        index = range(self.grid.size)[index]
        latent, residual = float(self.variance[index]), y - float(self.mean[index])
        kalman.merge(self._chain, index, float(y - self._offset[index]), float(noise_variance))
        kalman.filter_from(index, self._chain)
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
        centred = np.array(y, dtype=float) - self._offset[at]
        noise = np.array(noise_variance, dtype=float)
        seen = np.flatnonzero(np.isfinite(self._chain.noise))
        sites, latent, residual = np.union1d(seen, at), np.empty(at.size), np.empty(at.size)
        line = empty(self.kernel, self.grid[sites])
        line.noise[:], line.y[:] = self._chain.noise[sites], self._chain.y[sites]
        kalman.filter_from(0, line)
        kalman.innovate(line, np.searchsorted(sites, at), centred, noise, latent, residual)
        self._chain.noise[sites], self._chain.y[sites] = line.noise, line.y
        kalman.filter_from(0, self._chain)
        self._smooth()
        told = zip(latent.tolist(), residual.tolist(), noise.tolist(), strict=True)
        return [self._record(*each) for each in told]

    def _smooth(self) -> None:
        kalman.smooth(0, self._chain, self.mean, self.variance)
        self.mean += self._offset

    def _record(self, latent: float, residual: float, noise_variance: float) -> Innovation:
        total = latent + noise_variance
        self.log_likelihood -= 0.5 * (math.log(2 * math.pi * total) + residual**2 / total)
        self.innovations.append(Innovation(latent / noise_variance, residual**2 / total))
        return self.innovations[-1]

    def _joined(self, x: FloatArray) -> tuple[kalman.KalmanChain, NDArray[np.int64]]:
        seen = np.flatnonzero(np.isfinite(self._chain.noise))
        noise, y = self._chain.noise[seen], self._chain.y[seen]
        return joined(self.kernel, self.grid[seen], y, noise, x)

    def at(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at any positions `x` (n,)."""
        line, place = self._joined(x)
        mean, variance = smoothed(line)
        return self.prior(x) + mean[place], np.sqrt(variance[place])

    def covariance(self, x: FloatArray | None = None) -> FloatArray:
        """Posterior covariance (m, m) of the grid, or of positions `x`."""
        if x is None:
            return kalman.covariances(self._chain)
        line, place = self._joined(x)
        smoothed(line)
        return kalman.covariances(line)[np.ix_(place, place)]

    def sample(self, x: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
        """`size` posterior curves (size, n) at `x` (n,), each at O(n)."""
        line, place = self._joined(x)
        n, mean, found = line.noise.size, self.prior(x), np.empty((size, place.size))
        for k in range(size):
            curve = kalman.curve(line, rng.standard_normal((n, 3)), rng.standard_normal(n))
            found[k] = mean + curve[place]
        return found

    def imse(self, noise_variance: float, weights: FloatArray) -> FloatArray:
        """acquisition.imse_scores (m,) of the present posterior, at O(m)."""
        weights = np.array(np.broadcast_to(weights, self.grid.shape), dtype=float)
        energy = kalman.energies(self._chain, weights, self.variance)
        return np.asarray(energy / (self.variance + noise_variance))

    def sweep(
        self, noise_variance: float, weights: FloatArray, count: int, taken: NDArray[np.bool_]
    ) -> list[tuple[int, float]]:
        """acquisition.greedy_sweep of the present posterior, at O(count · m)."""
        line, noise = self._chain, float(noise_variance)
        line = kalman.KalmanChain(
            line.transition, line.process, *(each.copy() for each in line[2:])
        )
        variance, mean, taken = self.variance.copy(), np.empty(self.grid.size), taken.copy()
        weights = np.array(np.broadcast_to(weights, self.grid.shape), dtype=float)
        picks: list[tuple[int, float]] = []
        for _ in range(count):
            if taken.all():
                taken[:] = False
            scores = kalman.energies(line, weights, variance) / (variance + noise)
            best = int(np.argmax(np.where(taken, -np.inf, scores)))
            picks.append((best, float(scores[best])))
            taken[best] = True
            kalman.merge(line, best, 0.0, noise)  # moves the mean, which no score depends on
            kalman.filter_from(best, line)
            kalman.smooth(0, line, mean, variance)
        return picks


def twice_nu(kernel: Kernel) -> int:
    """2ν of a Matérn kernel.  Raises ModelFault for any other."""
    if kernel.shape not in TWICE_NU:
        raise ModelFault(
            f"kernel {kernel.shape} has no finite state", remedy="use the cholesky engine"
        )
    return TWICE_NU[kernel.shape]


def positions(kernel: Kernel, x: FloatArray) -> FloatArray:
    """`x` (n,) in the units of matern.py: lengthscale / √(2ν)."""
    return np.asarray(math.sqrt(twice_nu(kernel)) * kernel.coordinates(x), dtype=float)


def empty(kernel: Kernel, x: FloatArray) -> kalman.KalmanChain:
    """The chain at ascending `x` (n,) with nothing observed."""
    return kalman.chain(positions(kernel, x), twice_nu(kernel), float(kernel.variance))


def joined(
    kernel: Kernel, x: FloatArray, y: FloatArray, noise_variance: FloatArray, at: FloatArray
) -> tuple[kalman.KalmanChain, NDArray[np.int64]]:
    """A chain of all observed `x` (n,) and of `at` (m,), in any order, and where those of `at` are.

    y (n,) is centred.
    """
    both = np.concatenate([x, np.asarray(at, dtype=float)])
    order, place = np.argsort(both, kind="stable"), np.empty(both.size, dtype=int)
    place[order] = np.arange(both.size)
    line = empty(kernel, both[order])
    line.noise[place[: x.size]], line.y[place[: x.size]] = noise_variance, y
    return line, place[x.size :]


def smoothed(line: kalman.KalmanChain) -> tuple[FloatArray, FloatArray]:
    """Mean (centred) and variance of every position of `line`."""
    mean, variance = np.empty(line.noise.size), np.empty(line.noise.size)
    kalman.filter_from(0, line)
    kalman.smooth(0, line, mean, variance)
    return mean, variance


def predict(
    kernel: Kernel, x: FloatArray, y: FloatArray, noise_variance: FloatArray, at: FloatArray
) -> FloatArray:
    """hyperparameters.predict at O((n + m) log(n + m)), for Matérn kernels."""
    line, place = joined(kernel, x, y, noise_variance, at)
    return smoothed(line)[0][place]


def log_likelihood(
    kernel: Kernel, x: FloatArray, y: FloatArray, noise_variance: FloatArray
) -> float:
    """hyperparameters.log_likelihood at O(n log n), for Matérn kernels; x in any order.

    Raises ModelFault for data that are not finite.
    """
    order = np.argsort(x, kind="stable")
    value, _, _ = kalman.likelihood_and_gradient(
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
