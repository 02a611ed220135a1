"""A Gaussian process in √rate over many independent blocks of a long, evenly stepped axis.

Counts become z = √((C + 3/8) / T), whose noise variance 1/(4T) does not depend on the rate
(Anscombe 1948).  Blocks are far longer than a peak, so what they lose by being independent is
little, and divergences simply add over them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.gp.kernels import Kernel
from materialsdock.model import FloatArray

BLOCK = 64
LENGTHSCALES = (0.35, 0.6, 1.0)  # in FWHM
PROVISIONAL_VARIANCE = 25.0  # [1/s], until the first pass is complete


def anscombe(counts: FloatArray, seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """z = √((C + 3/8) / T) and its noise variance 1/(4T), elementwise."""
    return np.sqrt((counts + 0.375) / seconds), 0.25 / seconds


class BlockPosterior:
    """Merged counts and the posterior of √rate on `grid` (m,), block by block.

    counts, seconds : (m,) totals over all visits
    """

    def __init__(self, grid: FloatArray, fwhm_deg: float) -> None:
        self.grid, self.fwhm_deg = grid, fwhm_deg
        self.counts, self.seconds = np.zeros(grid.size), np.zeros(grid.size)
        self.kernel = Kernel(LENGTHSCALES[1] * fwhm_deg, PROVISIONAL_VARIANCE)
        self._means = np.zeros(-(-grid.size // BLOCK))
        self._log: list[tuple[NDArray[np.int64], FloatArray, FloatArray, int]] = []
        self._restart()

    def _restart(self) -> None:
        self._blocks = [
            GridPosterior(self.grid[i * BLOCK : (i + 1) * BLOCK], self.kernel, float(mean))
            for i, mean in enumerate(self._means)
        ]
        self._s: list[float] = []
        self._z2: list[float] = []
        self._group: list[int] = []

    def update(
        self, at: NDArray[np.int64], counts: FloatArray, seconds: FloatArray, group: int
    ) -> None:
        """Take in `counts` (n,) of `seconds` (n,) at grid indices `at` (n,), pass `group`."""
        np.add.at(self.counts, at, counts)
        np.add.at(self.seconds, at, seconds)
        self._log.append((at, counts, seconds, group))
        self._take(at, counts, seconds, group)

    def _take(
        self, at: NDArray[np.int64], counts: FloatArray, seconds: FloatArray, group: int
    ) -> None:
        z, noise = anscombe(counts, seconds)
        for i, value, variance in zip(at.tolist(), z.tolist(), noise.tolist(), strict=True):
            found = self._blocks[i // BLOCK].update(i % BLOCK, value, variance)
            self._s.append(found.s)
            self._z2.append(found.z2)
            self._group.append(group)

    def learn(self, background: FloatArray) -> None:
        """Choose the kernel by marginal likelihood and replay everything under it.

        background : (m,) rate [1/s]; each block's prior mean is the root of its background.
        """
        seen = self.seconds > 0  # all of them, but for what was vetoed
        z, noise = anscombe(self.counts[seen], self.seconds[seen])
        self._means = np.sqrt(
            [background[i : i + BLOCK].mean() for i in range(0, self.grid.size, BLOCK)]
        )
        spread = z - np.repeat(self._means, BLOCK)[: seen.size][seen]
        variance = max(float(np.mean(spread**2) - noise.mean()), 0.1 * float(noise.mean()))
        best = None
        for factor in LENGTHSCALES:
            self.kernel = Kernel(factor * self.fwhm_deg, variance)
            self._replay()
            likelihood = sum(block.log_likelihood for block in self._blocks)
            if best is None or likelihood > best[0]:
                best = (likelihood, self.kernel)
        assert best is not None
        if self.kernel is not best[1]:
            self.kernel = best[1]
            self._replay()

    def _replay(self) -> None:
        self._restart()
        for entry in self._log:
            self._take(*entry)

    def innovations(self) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """s, z² and group (k,) of every observation in acquisition order."""
        return np.array(self._s), np.array(self._z2), np.array(self._group, dtype=np.int64)

    def largest_sd(self, among: NDArray[np.bool_]) -> float:
        """Largest posterior sd of √rate among the positions in `among` (m,); 0 for none."""
        variance = np.concatenate([block.variance for block in self._blocks])
        return math.sqrt(float(variance[among].max(initial=0.0)))

    def rate(self) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and sd (m,) of the rate [1/s]: E f² = m² + v, sd ≈ 2 |m| √v."""
        mean = np.concatenate([block.mean for block in self._blocks])
        variance = np.concatenate([block.variance for block in self._blocks])
        lift = 0.125 / np.maximum(self.seconds, 1e-12) * (self.seconds > 0)
        rate = np.maximum(mean**2 + variance - lift, 0.0)
        return rate, 2.0 * np.abs(mean) * np.sqrt(variance)
