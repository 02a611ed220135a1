"""The spectrum learner: sorted sweeps to where a non-stationary Gaussian process knows least.

A stationary GP's variance does not see the data: choosing its maximum is a uniform scan.  Here the
axis is warped by the curvature found so far, and every sweep lowers the integrated variance.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import ModelFault
from materialsdock.learning import acquisition, hyperparameters
from materialsdock.learning.gaussian_process import GridPosterior
from materialsdock.learning.kernels import Kernel
from materialsdock.model import Axis, Evidence, FloatArray, Observation, Proposal, Spectrum

FIRST_SWEEP = 24
PROBE_EVERY = 4
KNOWN_SD = 2.0  # posterior sd in units of the noise
LARGEST_SWEEP = 100
Model = Literal["warped", "stationary"]


class SpectrumLearner:
    """Learns y(x) on `axis`; satisfies protocols.Learner.

    count_time_s : per point; initial : (k,) positions of the first sweep, default 24 even ones
    velocity [unit/s], settle_s : what motion costs, for `seconds` and the order within a sweep
    narrow : (lo, hi) where features as narrow as the axis' resolution may hide; default all of it
    The hyperparameters and the plan of a sweep follow from the observations before that sweep
    alone, so a learner told the same observations again goes on exactly as before.
    """

    def __init__(
        self,
        axis: Axis,
        *,
        count_time_s: float,
        initial: FloatArray | None = None,
        model: Model = "warped",
        velocity: float = 20.0,
        settle_s: float = 0.1,
        narrow: tuple[float, float] | None = None,
        seed: int = 0,
    ) -> None:
        self.axis, self.model, self.seed = axis, model, seed
        self.count_time_s, self.velocity, self.settle_s = count_time_s, velocity, settle_s
        self.narrow = narrow or (float(axis.grid[0]), float(axis.grid[-1]))
        even = np.linspace(axis.grid[0], axis.grid[-1], min(FIRST_SWEEP, axis.grid.size))
        self.first = np.unique(axis.index(even if initial is None else initial))
        self._told: list[tuple[int, str, Observation]] = []
        self._uids: set[str] = set()
        self._sweep_kernel = lru_cache(maxsize=2)(self._kernel_at_boundary)
        self._sweep_plan = lru_cache(maxsize=2)(self._plan_at_boundary)
        self._posterior: GridPosterior | None = None
        self._learned_at = 0  # the sweep's boundary that the posterior's kernel comes from

    # -- data ---------------------------------------------------------------------------------

    def tell(self, observations: Iterable[Observation]) -> None:
        """Take in observations: all of them, or none and a ModelFault naming one not finite."""
        fresh = {o.uid: o for o in observations if o.uid not in self._uids}
        for uid, o in fresh.items():
            if not np.isfinite([o.x, o.y, o.sigma]).all() or o.sigma <= 0:
                raise ModelFault(f"x = {o.x}, y = {o.y}, sigma = {o.sigma}", where=uid)
        for o in fresh.values():
            late = bool(self._told) and (o.step, o.uid) < self._told[-1][:2]
            insort(self._told, (o.step, o.uid, o))
            self._uids.add(o.uid)
            if late:  # told out of order: what was derived from the order is void
                self._sweep_kernel.cache_clear()
                self._sweep_plan.cache_clear()
                self._posterior = None
        self._catch_up()

    @property
    def observations(self) -> list[Observation]:
        """All observations in acquisition order."""
        return [o for _, _, o in self._told]

    def _catch_up(self) -> None:
        boundary = self._boundary(len(self._told))
        if self._posterior is None or self._learned_at != boundary:
            self._posterior, self._learned_at = self._prior(boundary), boundary
        self._grow(self._posterior, len(self._told))

    def _prior(self, boundary: int) -> GridPosterior:
        """The empty posterior of the sweep that begins after `boundary` observations."""
        kernel, mean, _ = self._sweep_kernel(boundary)
        return GridPosterior(self.axis.grid, kernel, mean)

    def _grow(self, posterior: GridPosterior, n: int) -> None:
        """Give `posterior` those of the first `n` observations that it does not have yet."""
        for o in self.observations[len(posterior) : n]:
            posterior.update(int(self.axis.index(o.x)), o.y, o.sigma**2)

    # -- sweeps -------------------------------------------------------------------------------

    def _sweep_size(self, n: int) -> int:
        return int(np.clip(n // 3, 4, LARGEST_SWEEP))

    def _boundaries(self, n: int) -> list[int]:
        """How many observations there were when each sweep up to now began."""
        starts = [0]
        size = self.first.size
        while starts[-1] + size <= n:
            starts.append(starts[-1] + size)
            size = self._sweep_size(starts[-1])
        return starts

    def _boundary(self, n: int) -> int:
        return self._boundaries(n)[-1]

    def _data(self, n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        first = self.observations[:n]
        columns = np.array([(o.x, o.y, o.sigma**2) for o in first]).reshape(-1, 3).T
        return columns[0], columns[1], columns[2]

    def _kernel_at_boundary(self, n: int) -> tuple[Kernel, float, int]:
        """Kernel and prior mean learned from the first `n` observations.

        When no kernel can be learned the last good one stays; third, for how many sweeps it has.
        """
        extent = float(np.ptp(self.axis.grid))
        if n < 4:
            return Kernel(extent / 10.0, 1.0), 0.0, 0
        x, y, noise = self._data(n)
        mean = float(y.mean())
        if not np.ptp(y) > 0:  # nothing to learn a kernel from
            return Kernel(extent / 10.0, float(noise.mean())), mean, 0
        try:
            return self._fit(x, y - mean, noise), mean, 0
        except ModelFault:
            kernel, mean, held = self._sweep_kernel(self._boundary(n - 1))
            return kernel, mean, held + 1

    def _fit(self, x: FloatArray, y: FloatArray, noise: FloatArray) -> Kernel:
        grid, resolution = self.axis.grid, self.axis.resolution
        if self.model == "stationary":
            return hyperparameters.fit(x, y, noise, resolution=resolution)[0]
        return hyperparameters.best_warped(x, y, noise, grid, resolution)

    def _plan_at_boundary(self, n: int) -> tuple[tuple[int, float], ...]:
        """(grid index, score) of the sweep that begins after `n` observations, in travel order."""
        if n == 0:
            return tuple((int(i), 0.0) for i in self.first)
        posterior = self._posterior
        if posterior is None or len(posterior) != n:  # rebuilt within the sweep
            posterior = self._prior(n)
            self._grow(posterior, n)
        x, _, noise = self._data(n)
        taken = np.zeros(self.axis.grid.size, dtype=bool)
        taken[self.axis.index(x)] = True
        size, noise_variance = self._sweep_size(n), float(np.median(noise))
        known = posterior.variance.max() <= KNOWN_SD**2 * noise_variance
        probes = self._probes(size if known else size // PROBE_EVERY, x, taken)
        taken[[i for i, _ in probes]] = True
        covariance, count = posterior.covariance(), size - len(probes)
        picks = probes + acquisition.greedy_sweep(
            covariance, noise_variance, self._weights(), count, taken
        )
        positions = self.axis.grid[[i for i, _ in picks]]
        order = acquisition.travel_order(positions, float(x[-1]))
        return tuple(picks[i] for i in order)

    def _probes(
        self, count: int, x: FloatArray, taken: NDArray[np.bool_]
    ) -> list[tuple[int, float]]:
        """Looks into the largest gaps, where a feature may hide that no model can see.

        One point in four; all of them once the curve is known wherever the model can tell.
        """
        lo, hi = self.narrow
        inside = np.flatnonzero((self.axis.grid >= lo) & (self.axis.grid <= hi))
        grid, blocked = self.axis.grid[inside], taken[inside]
        measured, probes = x[(x >= lo) & (x <= hi)], []
        for _ in range(min(count, int((~blocked).sum()))):
            i = acquisition.largest_gap_index(grid, measured, blocked)
            probes.append((int(inside[i]), 0.0))
            measured, blocked[i] = np.append(measured, grid[i]), True
        return probes

    def _weights(self) -> FloatArray:
        """(m,) share of the axis that each grid position stands for."""
        return np.asarray(np.gradient(self.axis.grid))

    def ask(self) -> Proposal | None:
        """The next position of the present sweep."""
        n = len(self._told)
        starts = self._boundaries(n)
        plan = self._sweep_plan(starts[-1])
        index, score = plan[n - starts[-1]]
        x = float(self.axis.grid[index])
        return Proposal(x, x, self.count_time_s, score=score, sweep=len(starts) - 1)

    # -- what is known ------------------------------------------------------------------------

    @property
    def present(self) -> GridPosterior:
        """The posterior given all observations."""
        if self._posterior is None:
            self._posterior = self._prior(0)
        return self._posterior

    def posterior(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and sd of the latent curve at `x` (n,)."""
        return self.present.at(np.asarray(x, dtype=float))

    def sample(self, x: FloatArray, size: int, seed: int) -> FloatArray:
        """`size` posterior curves (size, n) at `x` (n,)."""
        return self.present.sample(x, size, np.random.default_rng(seed))

    def hyperparameters(self) -> Mapping[str, float]:
        """lengthscale [units of the warped axis], variance, prior mean, whether it is warped.

        held : for how many sweeps they could not be learned anew
        """
        kernel = self.present.kernel
        return {
            "lengthscale": kernel.lengthscale,
            "variance": kernel.variance,
            "mean": self.present.prior_mean,
            "warped": float(kernel.warp is not None),
            "held": float(self._sweep_kernel(self._learned_at)[2]),
        }

    def evidence(self) -> Evidence:
        """Innovations under the present hyperparameters, one group a point, and the quantities.

        The first sweep is part of it: there each point tells what a point tells when nothing is
        known, which is the yardstick of λ.
        """
        found, n = self.present.innovations, len(self._told)
        sd = np.sqrt(self.present.variance)
        sigmas = [o.sigma for o in self.observations]
        quantities = {
            "points": float(n),
            "max_sd": float(sd.max()),
            "median_sd": float(np.median(sd)),
            "noise_sd": float(np.median(sigmas)) if n else np.inf,
            "largest_gap": self._largest_gap(),
            "resolution": self.axis.resolution,
            "seconds": self._seconds(),
        }
        return Evidence(
            np.array([i.s for i in found]),
            np.array([i.z2 for i in found]),
            np.arange(len(found)),
            quantities=quantities,
        )

    def _largest_gap(self) -> float:
        """Widest unmeasured stretch [unit] of the region where narrow features may hide."""
        lo, hi = self.narrow
        inside = [o.x for o in self.observations if lo <= o.x <= hi]
        return float(np.diff(np.sort([lo, *inside, hi])).max())

    def _seconds(self) -> float:
        """Instrument time so far: counting, motion and settling."""
        x = np.array([o.x for o in self.observations])
        counting = sum(o.count_time_s for o in self.observations)
        return float(counting + np.abs(np.diff(x)).sum() / self.velocity + self.settle_s * x.size)

    def spectrum(self) -> Spectrum:
        """What was measured, by energy; repeat visits merged by their precision."""
        at = self.axis.index(np.array([o.x for o in self.observations]))
        weight = np.array([o.sigma**-2 for o in self.observations])
        y = np.array([o.y for o in self.observations])
        places, inverse = np.unique(at, return_inverse=True)
        total = np.bincount(inverse, weight)
        merged = np.bincount(inverse, weight * y) / total
        return Spectrum(self.axis.grid[places], merged, np.asarray(total**-0.5))
