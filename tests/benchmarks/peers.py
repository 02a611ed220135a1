"""Other ways to choose where to count: even scans, an expert's grid, adaptive, Gaussian processes.

Each peer gives what it had at the sizes asked for: positions, counts, and its own curve where it
has a way of its own to draw one.  Optional packages are imported only where a peer that needs them
runs; gpCAM is GPL and belongs to this benchmark alone.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import numpy as np
from spectra import Problem

from materialsdock.learning.gp.hyperparameters import best_warped, predict
from materialsdock.model import FloatArray

REFIT_GROWTH = 1.1  # of the points, between fits of a peer's hyperparameters


class Had(NamedTuple):
    """Positions (n,), counts (n,), and the peer's own curve (m,) on the problem's grid, if any."""

    x: FloatArray
    y: FloatArray
    own: FloatArray | None = None


@dataclass
class Run:
    """The result of a peer at each size, and the time [ms] of each decision."""

    had: dict[int, Had] = field(default_factory=dict)
    decision_ms: list[float] = field(default_factory=list)


Peer = Callable[[Problem, Sequence[int]], Run]


def same_gp(problem: Problem, had: Had) -> FloatArray:
    """The curve (m,) of our warped Gaussian process through what was counted."""
    noise, mean = np.full(had.x.size, problem.noise**2), float(had.y.mean())
    on = problem.axis
    kernel = best_warped(had.x, had.y - mean, noise, on.grid, on.resolution)
    return mean + predict(kernel, had.x, had.y - mean, noise, on.grid)


def uniform(problem: Problem, sizes: Sequence[int]) -> Run:
    """Even scans, a fresh one for each size."""
    return _scans(problem, {n: np.linspace(*problem.ends, n) for n in sizes})


def expert(problem: Problem, sizes: Sequence[int]) -> Run:
    """The expert's three-region grid, thinned to each size; the edge is known to ± 1.5 eV."""
    return _scans(problem, {n: problem.thinned(n) for n in sizes})


def _scans(problem: Problem, scans: dict[int, FloatArray]) -> Run:
    rng = np.random.default_rng(problem.seed)
    return Run({n: Had(x, problem.read(x, rng)) for n, x in scans.items()})


def adaptive(problem: Problem, sizes: Sequence[int]) -> Run:
    """python-adaptive's Learner1D with its curvature loss, and straight lines between points."""
    from adaptive import Learner1D
    from adaptive.learner.learner1D import curvature_loss_function

    rng, run = np.random.default_rng(problem.seed), Run()
    loss = curvature_loss_function()
    learner = Learner1D(lambda _: 0.0, bounds=problem.ends, loss_per_interval=loss)
    for n in range(1, max(sizes) + 1):
        began = time.perf_counter()
        (x,), _ = learner.ask(1)
        asked = time.perf_counter()
        y = float(problem.read(np.array([x]), rng)[0])
        counted = time.perf_counter()
        learner.tell(x, y)
        run.decision_ms.append(1e3 * (asked - began + time.perf_counter() - counted))
        if n in sizes:
            at, values = np.array(sorted(learner.data.items())).T
            run.had[n] = Had(at, values, np.interp(problem.axis.grid, at, values))
    return run


# -- Gaussian processes, one point at a time where the variance is largest --------------------


class Model(Protocol):
    """A Gaussian process of a peer."""

    def fit(self, x: FloatArray, y: FloatArray, *, hyperparameters: bool) -> None:
        """Take in all counts (n,); also fit the hyperparameters anew when asked to."""
        ...

    def next(self) -> int:
        """Grid index of the largest variance."""
        ...

    def mean(self) -> FloatArray:
        """The curve (m,) on the grid."""
        ...


class SklearnModel:
    """scikit-learn: constant times Matérn-5/2, known noise, normalised counts."""

    def __init__(self, problem: Problem) -> None:
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern

        self.noise = problem.noise**2
        lo, hi = problem.ends
        self.grid = ((problem.axis.grid - lo) / (hi - lo))[:, None]
        self.lo, self.extent = lo, hi - lo
        self.kernel: Any = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(0.1, (1e-3, 10.0), nu=2.5)

    def fit(self, x: FloatArray, y: FloatArray, *, hyperparameters: bool) -> None:
        """See Model."""
        from sklearn.gaussian_process import GaussianProcessRegressor

        how = {"optimizer": "fmin_l_bfgs_b", "n_restarts_optimizer": 1} if hyperparameters else {}
        self.gp = GaussianProcessRegressor(
            self.kernel,
            alpha=self.noise / max(float(np.var(y)), 1e-12),
            normalize_y=True,
            random_state=0,
            **({"optimizer": None} | how),
        )
        self.gp.fit(((x - self.lo) / self.extent)[:, None], y)
        self.kernel = self.gp.kernel_

    def next(self) -> int:
        """See Model."""
        return int(np.argmax(self.gp.predict(self.grid, return_std=True)[1]))

    def mean(self) -> FloatArray:
        """See Model."""
        return np.asarray(self.gp.predict(self.grid))


class GpcamModel:
    """gpCAM as it comes: its Matérn kernel and training, "variance" over the grid's positions."""

    def __init__(self, problem: Problem) -> None:
        from gpcam import GPOptimizer

        self.make: Any = GPOptimizer
        self.noise, self.grid = problem.noise**2, problem.axis.grid
        self.gp: Any = None

    def fit(self, x: FloatArray, y: FloatArray, *, hyperparameters: bool) -> None:
        """See Model."""
        noise = np.full(x.size, self.noise)
        if self.gp is None:
            start = np.array([max(float(np.var(y)), 1e-6), np.ptp(self.grid) / 10])
            self.gp = self.make(x[:, None], y, init_hyperparameters=start, noise_variances=noise)
        else:
            self.gp.tell(x[:, None], y, noise_variances=noise, append=False)
        if hyperparameters:
            self.gp.train()

    def next(self) -> int:
        """See Model."""
        found = self.gp.ask(list(self.grid[:, None]), acquisition_function="variance")
        return int(np.argmin(np.abs(self.grid - float(np.ravel(found["x"])[0]))))

    def mean(self) -> FloatArray:
        """See Model."""
        return np.ravel(self.gp.posterior_mean(self.grid[:, None])["m(x)"])


class BotorchModel:
    """BoTorch's SingleTaskGP as it comes, with known noise; the largest posterior variance."""

    def __init__(self, problem: Problem) -> None:
        import torch

        torch.set_num_threads(1)
        self.noise, self.state = problem.noise**2, None
        self.grid = torch.tensor(problem.axis.grid)[:, None]

    def fit(self, x: FloatArray, y: FloatArray, *, hyperparameters: bool) -> None:
        """See Model."""
        import torch
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.transforms import Normalize, Standardize
        from gpytorch.mlls import ExactMarginalLogLikelihood

        bounds = torch.stack([self.grid[0], self.grid[-1]])
        values = torch.as_tensor(y)[:, None]
        self.gp = SingleTaskGP(
            torch.as_tensor(x)[:, None],
            values,
            torch.full_like(values, self.noise),
            outcome_transform=Standardize(1),
            input_transform=Normalize(1, bounds=bounds),
        )
        if self.state is not None:
            self.gp.covar_module.load_state_dict(self.state["covariance"])
            self.gp.mean_module.load_state_dict(self.state["mean"])
        if hyperparameters:
            fit_gpytorch_mll(ExactMarginalLogLikelihood(self.gp.likelihood, self.gp))
        parts = {"covariance": self.gp.covar_module, "mean": self.gp.mean_module}
        self.state = {name: part.state_dict() for name, part in parts.items()}

    def _posterior(self) -> Any:
        import torch

        with torch.no_grad():
            return self.gp.posterior(self.grid)

    def next(self) -> int:
        """See Model."""
        return int(self._posterior().variance.argmax())

    def mean(self) -> FloatArray:
        """See Model."""
        return np.asarray(self._posterior().mean.detach().numpy()).ravel()


def largest_variance(
    model: Callable[[Problem], Model], problem: Problem, sizes: Sequence[int]
) -> Run:
    """The same even first points as the learner, then one by one where the variance is largest."""
    rng, run, gp = np.random.default_rng(problem.seed), Run(), model(problem)
    x = problem.first
    y = problem.read(x, rng)
    fitted = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that end at a bound: how the peer comes
        while True:
            began = time.perf_counter()
            anew = x.size >= REFIT_GROWTH * fitted
            gp.fit(x, y, hyperparameters=anew)
            fitted = x.size if anew else fitted
            if x.size in sizes:
                run.had[x.size] = Had(x, y, gp.mean())
            if x.size >= max(sizes):
                return run
            at = problem.axis.grid[[gp.next()]]
            run.decision_ms.append(1e3 * (time.perf_counter() - began))
            x, y = np.append(x, at), np.append(y, problem.read(at, rng))


def scikit_learn(problem: Problem, sizes: Sequence[int]) -> Run:
    """scikit-learn's GaussianProcessRegressor."""
    return largest_variance(SklearnModel, problem, sizes)


def gpcam(problem: Problem, sizes: Sequence[int]) -> Run:
    """gpCAM's GPOptimizer."""
    return largest_variance(GpcamModel, problem, sizes)


def botorch(problem: Problem, sizes: Sequence[int]) -> Run:
    """BoTorch's SingleTaskGP."""
    return largest_variance(BotorchModel, problem, sizes)


FAST: dict[str, Peer] = {"uniform": uniform, "expert": expert}
if find_spec("adaptive"):
    FAST["adaptive"] = adaptive
SLOW: dict[str, Peer] = {"scikit-learn": scikit_learn}
SLOW |= {
    name: peer for name, peer in (("gpCAM", gpcam), ("BoTorch", botorch)) if find_spec(name.lower())
}
