"""One interface to the exact Gaussian-process posterior on a grid, and the choice of an engine.

cholesky (gaussian_process.GridPosterior) : any kernel, O(n m) a decision, sweeps hold m × m numbers
state_space (statespace.StateSpacePosterior) : Matérn kernels, O(m) a decision whatever n
Both give the same numbers to rounding.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import ModelFault
from materialsdock.learning.gp.cholesky import GridPosterior, Innovation, MeanFunction
from materialsdock.learning.gp.kernels import Covariance, Kernel
from materialsdock.learning.gp.state_space import TWICE_NU, StateSpacePosterior
from materialsdock.model import FloatArray

Name = Literal["auto", "cholesky", "state_space"]


@runtime_checkable
class Engine(Protocol):
    """The posterior of a GP, grown one observation at a time.

    prior_mean : a constant, or the grid average of a function
    mean, variance : (m,) at all times those given all observations so far
    innovations : of each observation, in acquisition order, under the fixed kernel
    Laws: tests/learning/gp/test_posterior.py and test_state_space.py.
    """

    grid: FloatArray
    prior_mean: float
    mean: FloatArray
    variance: FloatArray
    log_likelihood: float
    innovations: list[Innovation]

    @property
    def kernel(self) -> Covariance:
        """The kernel as it was given."""

    def __len__(self) -> int: ...

    def prior(self, x: FloatArray) -> FloatArray:
        """Prior mean (n,) at `x` (n,)."""

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
    kernel: Covariance,
    prior_mean: float | MeanFunction = 0.0,
    *,
    name: Name = "auto",
) -> Engine:
    """An empty posterior on `grid` (m,) by the engine of that name.

    auto : state space where the kernel is Matérn and the grid ascending, Cholesky otherwise.
    Measured (tests/benchmarks/scaling.py): by state space a sweep and a replay are cheaper at every
    size, and so is an update but for fewer than about 100 observations on 4000 positions or more,
    where Cholesky saves up to 0.1 ms.
    Raises ModelFault where the engine asked for cannot take the kernel or the grid.
    """
    if name == "auto":
        matern = isinstance(kernel, Kernel) and kernel.shape in TWICE_NU
        name = "state_space" if matern and bool((np.diff(grid) >= 0).all()) else "cholesky"
    if name == "cholesky":
        return GridPosterior(grid, kernel, prior_mean)
    if not isinstance(kernel, Kernel):
        raise ModelFault(
            f"{type(kernel).__name__} has no finite state", remedy="use the cholesky engine"
        )
    return StateSpacePosterior(grid, kernel, prior_mean)
