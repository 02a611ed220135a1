"""One interface to the exact Gaussian-process posterior on a grid, and the choice of an engine.

cholesky (gaussian_process.GridPosterior) : any kernel, O(n m) a decision, sweeps hold m × m numbers
state_space (statespace.StateSpacePosterior) : Matérn kernels, O(m) a decision whatever n
Both give the same numbers to rounding.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.gaussian_process import GridPosterior, Innovation
from materialsdock.learning.kernels import Kernel
from materialsdock.learning.statespace import TWICE_NU, StateSpacePosterior
from materialsdock.model import FloatArray

Name = Literal["auto", "cholesky", "state_space"]


@runtime_checkable
class Engine(Protocol):
    """The posterior of a GP with constant prior mean, grown one observation at a time.

    mean, variance : (m,) at all times those given all observations so far
    innovations : what each observation told, in acquisition order, under the fixed kernel
    Laws: tests/test_engines.py.
    """

    grid: FloatArray
    kernel: Kernel
    prior_mean: float
    mean: FloatArray
    variance: FloatArray
    log_likelihood: float
    innovations: list[Innovation]

    def __len__(self) -> int: ...

    def update(self, index: int, y: float, noise_variance: float) -> Innovation:
        """Take in y, measured at grid position `index`; ModelFault for values not finite."""

    def replay(
        self, indices: NDArray[np.int64], y: FloatArray, noise_variance: FloatArray
    ) -> list[Innovation]:
        """Take in many, each (n,), as `update` would in turn; all or, for a ModelFault, none."""

    def at(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at any positions `x` (n,)."""

    def covariance(self, x: FloatArray | None = None) -> FloatArray:
        """Posterior covariance (m, m) of the grid, or of positions `x`."""

    def sample(self, x: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
        """`size` posterior curves (size, n) at `x` (n,)."""

    def imse(self, noise_variance: float, weights: FloatArray) -> FloatArray:
        """acquisition.imse_scores (m,) with `weights` (m,)."""

    def sweep(
        self, noise_variance: float, weights: FloatArray, count: int, taken: NDArray[np.bool_]
    ) -> list[tuple[int, float]]:
        """acquisition.greedy_sweep: `count` (index, score), each taken in before the next."""


def engine(
    grid: FloatArray,
    kernel: Kernel,
    prior_mean: float = 0.0,
    *,
    name: Name = "auto",
) -> Engine:
    """An empty posterior on `grid` (m,) by the engine of that name.

    auto : state space where the kernel is Matérn and the grid ascending, Cholesky otherwise.
    Measured (tests/benchmarks/scaling.py): a sweep is cheaper by state space at every size; one
    update is too, but for fewer than about 50 observations on 800 positions or more, where it
    costs less than a quarter of a millisecond more at m = 4000.
    Raises ModelFault where the engine asked for cannot take the kernel or the grid.
    """
    if name == "auto":
        able = kernel.shape in TWICE_NU and bool((np.diff(grid) >= 0).all())
        name = "state_space" if able else "cholesky"
    made = StateSpacePosterior if name == "state_space" else GridPosterior
    return made(grid, kernel, prior_mean)
