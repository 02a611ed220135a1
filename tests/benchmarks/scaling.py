"""The cost of one decision by grid size m and number of observations n.

    python tests/benchmarks/scaling.py [--quick] [--json]

A decision takes in one value and finds where the grid's variance is largest.  Both engines, and as
baselines scikit-learn's and gpytorch's exact Gaussian processes with the same fixed kernel, which
start afresh for every decision.  Medians over seeds, in milliseconds, one thread.  `cold` flushes
the caches before every decision, as the time between two counts does.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from materialsdock.learning.gp import kalman
from materialsdock.learning.gp.kernels import Kernel, Warp, correlation_and_slope
from materialsdock.learning.gp.posterior import Engine, engine
from materialsdock.model import FloatArray

NOISE, LENGTHSCALE = 1e-3, 0.5
SIZES = (400, 1200, 4000, 20_000)
COUNTS = (20, 100, 500, 2000)
QUICK_COUNTS = (20, 100, 500)
ENGINES = ("state_space", "cholesky")
LARGEST_SWEPT = 1200  # grid positions, for the engine that holds m × m numbers
PICKS, CHUNK, FLUSHED = 10, 512, 12_000_000

Sample = tuple[FloatArray, np.ndarray, FloatArray]


def kernel(warped: bool, seed: int) -> Kernel:
    """Matérn-5/2 on [0, 10], as it is or on an axis of 200 random stretches."""
    rng = np.random.default_rng(seed)
    knots = np.concatenate([[0.0], np.sort(rng.uniform(0.0, 10.0, 198)), [10.0]])
    warp = Warp(knots, np.cumsum(rng.uniform(0.01, 0.1, 200)))
    return Kernel(LENGTHSCALE, 1.0, warp=warp if warped else None)


def sample(m: int, n: int, seed: int) -> Sample:
    """A grid (m,), n indices of it and the values there."""
    rng, grid = np.random.default_rng(seed), np.linspace(0.0, 10.0, m)
    at = rng.integers(0, m, n)
    return grid, at, np.sin(grid[at]) + NOISE**0.5 * rng.standard_normal(n)


def median_ms(does: Callable[[], Any], repeats: int, before: Callable[[], Any] | None = None):
    """Median time of `does`; `before` is called before each and not counted."""
    took = []
    for _ in range(repeats):
        if before is not None:
            before()
        began = time.perf_counter()
        does()
        took.append(1e3 * (time.perf_counter() - began))
    return float(np.median(took))


def decided(posterior: Engine, indices: list[int]) -> int:
    """Take in one value and find the next position."""
    index = indices.pop()
    posterior.update(index, float(np.sin(posterior.grid[index])), NOISE)
    return int(np.argmax(posterior.variance))


def flush() -> float:
    """Read 96 MB."""
    return float(np.ones(FLUSHED).sum())


def of_engine(name: str, m: int, n: int, seed: int, *, warped: bool) -> dict[str, float]:
    """Times of one engine once it holds n observations."""
    grid, at, y = sample(m, n, seed)
    posterior = engine(grid, kernel(warped, seed), name=name)
    began = time.perf_counter()
    posterior.replay(at, y, np.full(n, NOISE))
    found = {"replay of n": 1e3 * (time.perf_counter() - began)}
    more = np.random.default_rng(seed).integers(0, m, 30).tolist()
    found["decision"] = median_ms(lambda: decided(posterior, more), 19)
    found["decision, cold"] = median_ms(lambda: decided(posterior, more), 9, flush)
    if name == "state_space" or m <= LARGEST_SWEPT:
        weights, free = np.gradient(grid), np.zeros(m, dtype=bool)
        sweep = median_ms(lambda: posterior.sweep(NOISE, weights, PICKS, free), 1)
        found["one pick of a sweep"] = sweep / PICKS
    return found


def of_sklearn(m: int, n: int, seed: int) -> dict[str, float]:
    """scikit-learn: factorise all and predict the grid."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    grid, at, y = sample(m, n, seed)
    shape = ConstantKernel(1.0) * Matern(LENGTHSCALE, nu=2.5)

    def decide() -> int:
        model = GaussianProcessRegressor(shape, alpha=NOISE, optimizer=None)
        model.fit(grid[at][:, None], y)
        return int(np.argmax(model.predict(grid[:, None], return_std=True)[1]))

    return {"decision": median_ms(decide, 3)}


def of_gpytorch(m: int, n: int, seed: int) -> dict[str, float]:
    """gpytorch: condition anew and predict the grid in chunks, which never forms m × m numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gpytorch
        import torch
    torch.set_num_threads(1)
    grid, at, y = sample(m, n, seed)

    class Exact(gpytorch.models.ExactGP):
        def __init__(self, x: Any, values: Any, likelihood: Any) -> None:
            super().__init__(x, values, likelihood)
            self.mean_module = gpytorch.means.ZeroMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=2.5))

        def forward(self, x: Any) -> Any:
            return gpytorch.distributions.MultivariateNormal(
                self.mean_module(x), self.covar_module(x)
            )

    x, values, chunks = (torch.from_numpy(a) for a in (grid[at], y, grid))

    def decide() -> int:
        likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(
            torch.full((n,), NOISE, dtype=torch.float64)
        )
        model = Exact(x, values, likelihood).double()
        model.covar_module.outputscale = 1.0
        model.covar_module.base_kernel.lengthscale = LENGTHSCALE
        model.eval()
        with torch.no_grad(), gpytorch.settings.fast_pred_var():
            variance = [model(part).variance for part in chunks.split(CHUNK)]
        return int(torch.cat(variance).argmax())

    return {"decision": median_ms(decide, 3)}


def over_seeds(times: Callable[[int], dict[str, float]], seeds: int) -> dict[str, float]:
    """Median over seeds of every time."""
    found = [times(seed) for seed in range(seeds)]
    return {name: round(float(np.median([f[name] for f in found])), 4) for name in found[0]}


def dense_likelihood(theta: FloatArray, x: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
    """Log likelihood less its constant, and slopes, by Cholesky (Rasmussen & Williams eq. 5.9)."""
    lengthscale, variance = np.exp(theta)
    rho, slope = correlation_and_slope(np.abs(x[:, None] - x[None, :]) / lengthscale, "matern52")
    factor = np.linalg.cholesky(variance * rho + NOISE * np.eye(x.size))
    root = solve_triangular(factor, np.eye(x.size), lower=True, check_finite=False)
    inner = root.T @ root
    alpha = inner @ y
    value = -0.5 * y @ alpha - np.log(np.diag(factor)).sum()
    inner = np.outer(alpha, alpha) - inner
    return value, 0.5 * variance * np.array([np.sum(inner * slope), np.sum(inner * rho)])


def likelihoods(seeds: int) -> dict[str, dict[str, float]]:
    """One likelihood with its gradient, by state space and by dense algebra."""

    def times(seed: int, n: int) -> dict[str, float]:
        grid, at, y = sample(20_000, n, seed)
        order, noise = np.argsort(at, kind="stable"), np.full(n, NOISE)
        x, y, theta = grid[at][order], y[order], np.log([LENGTHSCALE, 1.0])
        return {
            "state_space": median_ms(
                lambda: kalman.likelihood_and_gradient(*theta, x, y, noise, 5), 21
            ),
            "dense": median_ms(lambda: dense_likelihood(theta, x, y), 5),
        }

    return {str(n): over_seeds(lambda seed, n=n: times(seed, n), seeds) for n in (50, 200, 500)}


def measure(quick: bool) -> dict[str, Any]:
    """All results."""
    began = time.perf_counter()
    kalman.warm_up()
    warm_up_s, seeds = time.perf_counter() - began, 1 if quick else 3
    table: dict[str, dict[str, dict[str, float]]] = {}
    for m in SIZES:
        for n in QUICK_COUNTS if quick else COUNTS:
            row: dict[str, dict[str, float]] = {}
            for name in ENGINES:
                for warped in (False, True):
                    row[f"{name}, warped" if warped else name] = over_seeds(
                        lambda s, e=name, m=m, n=n, w=warped: of_engine(e, m, n, s, warped=w),
                        seeds,
                    )
            row["scikit-learn"] = over_seeds(lambda s, m=m, n=n: of_sklearn(m, n, s), 1)
            row["gpytorch"] = over_seeds(lambda s, m=m, n=n: of_gpytorch(m, n, s), 1)
            table[f"m={m} n={n}"] = row
    return {
        "seeds": seeds,
        "warm_up_s": round(warm_up_s, 2),
        "ms": table,
        "cholesky_over_state_space": {
            place: round(row["cholesky"]["decision"] / row["state_space"]["decision"], 2)
            for place, row in table.items()
        },
        "likelihood_with_gradient_ms": likelihoods(seeds),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """List what is asked of the numbers, and if they answer."""
    asked: list[tuple[str, float, str, float]] = []
    for m, limit in ((4000, 1.0), (20_000, 2.0)):
        row = results["ms"][f"m={m} n=500"]
        for name in ("state_space", "state_space, warped"):
            for what in ("decision", "decision, cold"):
                asked.append((f"{name}: {what} at m={m} n=500 [ms]", row[name][what], "<=", limit))
        ours = row["state_space"]["decision"]
        for name in ("scikit-learn", "gpytorch"):
            ratio = row[name]["decision"] / ours
            asked.append((f"{name} / state_space at m={m} n=500", ratio, ">=", 10.0))
        ratio = row["cholesky"]["decision"] / ours
        asked.append((f"cholesky / state_space at m={m} n=500", ratio, ">=", 1.0))
    return [
        {
            "name": name,
            "value": round(value, 3),
            "target": f"{sign} {limit:g}",
            "ok": value >= limit if sign == ">=" else value <= limit,
        }
        for name, value, sign, limit in asked
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1 seed, and no n = 2000")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    with threadpool_limits(limits=1):
        results = measure(options.quick)
    report = {"results": results, "targets": targets(results)}
    print(json.dumps(report) if options.json else json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
