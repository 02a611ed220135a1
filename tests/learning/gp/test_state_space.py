"""Promises of the state-space engine besides the laws, and when it is chosen."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from support.places import ROOT
from support.posteriors import BEND, MEAN, dense, equal, kernels, problem, seeds

from materialsdock.errors import ModelFault
from materialsdock.learning.gp import hyperparameters, kalman, state_space
from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.gp.kernels import Kernel, correlation_and_slope
from materialsdock.learning.gp.posterior import engine
from materialsdock.learning.gp.state_space import StateSpacePosterior

# -- choice -------------------------------------------------------------------------------------


def test_the_engine_is_chosen_by_kernel_and_grid():
    grid, rbf = np.linspace(0, 1, 50), Kernel(0.2, 1.0, "rbf")
    assert isinstance(engine(grid, Kernel(0.2, 1.0, "matern32", BEND)), StateSpacePosterior)
    assert isinstance(engine(grid, rbf), GridPosterior)
    assert isinstance(engine(grid[::-1], Kernel(0.2, 1.0)), GridPosterior)
    with pytest.raises(ModelFault, match="rbf"):
        engine(grid, rbf, name="state_space")
    with pytest.raises(ModelFault, match="ascending"):
        engine(grid[::-1], Kernel(0.2, 1.0), name="state_space")


# -- state space --------------------------------------------------------------------------------


def precise(grid, at, y, noise, kernel, x):
    """Mean and variance at `x` in extended precision: Matérn-5/2, no warp, zero prior mean."""
    wide = np.longdouble

    def covariance(a, b):
        t = np.sqrt(wide(5)) * np.abs(a[:, None].astype(wide) - b[None, :]) / kernel.lengthscale
        return kernel.variance * (1 + t + t * t / 3) * np.exp(-t)

    matrix = covariance(grid[at], grid[at]) + np.diag(noise.astype(wide))
    right = np.column_stack([y.astype(wide), covariance(grid[at], x)])
    for i in range(at.size):  # Cholesky and forward substitution, row by row
        for j in range(i):
            matrix[i, j] = (matrix[i, j] - matrix[i, :j] @ matrix[j, :j]) / matrix[j, j]
        matrix[i, i] = np.sqrt(matrix[i, i] - matrix[i, :i] @ matrix[i, :i])
        right[i] = (right[i] - matrix[i, :i] @ right[:i]) / matrix[i, i]
    white = right[:, 1:]
    return white.T @ right[:, 0], kernel.variance - (white**2).sum(axis=0)


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no extended precision here")
@pytest.mark.parametrize("lengthscale", [0.003, 0.1, 2.0, 20.0])
def test_fine_grids_long_lengthscales_and_little_noise_lose_nothing(lengthscale):
    """Compare where a banded precision matrix is wrong, and an adjoint matrix left of the data."""
    rng = np.random.default_rng(0)
    grid, at = np.linspace(0.0, 1.0, 20_000), rng.integers(0, 20_000, 60)
    noise, kernel = np.full(60, 1e-8), Kernel(lengthscale, 1.0)
    y = np.sin(7 * grid[at]) + 1e-4 * rng.standard_normal(60)
    posterior = engine(grid, kernel, name="state_space")
    posterior.replay(at, y, noise)
    some = slice(None, None, 157)
    mean, variance = precise(grid, at, y, noise, kernel, grid[some])
    equal(posterior.mean[some], mean.astype(float))
    equal(posterior.variance[some], variance.astype(float), 1e-12)
    np.testing.assert_allclose(posterior.variance[some], variance.astype(float), rtol=1e-4)


def dense_likelihood(kernel, x, y, noise):
    """Log likelihood and its slopes in log lengthscale and log variance (R&W eqs. 5.8, 5.9)."""
    distance = np.abs(kernel.coordinates(x)[:, None] - kernel.coordinates(x)[None, :])
    rho, slope = correlation_and_slope(distance, kernel.shape)
    total = kernel.variance * rho + np.diag(noise)
    inner = np.linalg.inv(total)
    alpha = inner @ y
    inner = np.outer(alpha, alpha) - inner
    value = multivariate_normal.logpdf(y, np.zeros(y.size), total)
    return value, [0.5 * kernel.variance * np.sum(inner * each) for each in (slope, rho)]


@settings(max_examples=40)
@given(kernel=kernels, seed=seeds, n=st.integers(1, 40))
def test_the_likelihood_and_its_slopes_are_exact(kernel, seed, n):
    grid, at, y, noise = problem(seed, n=n)
    x = grid[at]
    wanted, slopes = dense_likelihood(kernel, x, y, noise)
    assert state_space.log_likelihood(kernel, x, y, noise) == pytest.approx(wanted, abs=1e-8)
    assert hyperparameters.log_likelihood(kernel, x, y, noise) == pytest.approx(wanted, abs=1e-8)
    unit = Kernel(1.0, 1.0, kernel.shape, kernel.warp)
    order = np.argsort(x, kind="stable")
    data = unit.coordinates(x)[order], y[order], noise[order]
    theta = np.log([kernel.lengthscale, kernel.variance])
    twice_nu = state_space.twice_nu(kernel)
    value, *found = kalman.likelihood_and_gradient(*theta, *data, twice_nu)
    assert value == pytest.approx(wanted, abs=1e-8)
    np.testing.assert_allclose(found, slopes, rtol=1e-7, atol=1e-7)


@settings(max_examples=15)
@given(kernel=kernels, seed=seeds, n=st.integers(1, 40))
def test_predicting_in_one_go_is_that_of_dense_algebra(kernel, seed, n):
    case = problem(seed, n=n)
    grid, at, y, noise = case
    x = np.append(grid[::-1], 12.0)
    wanted = dense(*case, kernel, x)[0] - MEAN
    equal(state_space.predict(kernel, grid[at], y - MEAN, noise, x), wanted)


def test_slopes_are_those_of_finite_differences():
    grid, at, y, noise = problem(5, n=40)
    x = np.sort(grid[at])

    def value(theta):
        return kalman.likelihood_and_gradient(*theta, x, y, noise, 5)[0]

    theta = np.array([0.2, -0.4])
    slopes = kalman.likelihood_and_gradient(*theta, x, y, noise, 5)[1:]
    np.testing.assert_allclose(slopes, approx_fprime(theta, value, 1e-6), rtol=1e-5)


def test_a_likelihood_of_data_not_finite_is_refused():
    x = np.linspace(0, 1, 5)
    with pytest.raises(ModelFault, match="nan"):
        state_space.log_likelihood(Kernel(0.2, 1.0), x, np.full(5, np.nan), np.ones(5))
    with pytest.raises(ModelFault, match="rbf"):
        state_space.log_likelihood(Kernel(0.2, 1.0, "rbf"), x, np.ones(5), np.ones(5))


def test_nothing_is_compiled_after_the_first_engine_is_made():
    """Whatever arrays come in (integers, strides, read-only), the compiled code is the same."""
    kalman.warm_up()
    passes = [p for p in vars(kalman).values() if hasattr(p, "signatures")]
    before = {p.__name__: len(p.signatures) for p in passes}
    assert before["filter_from"] >= 1
    grid = np.linspace(0, 10, 80)[::2]
    grid.flags.writeable = False
    posterior = engine(grid, Kernel(1, 1), 0, name="state_space")
    posterior.update(np.int64(3), 1, 1)
    posterior.replay([4, 5], [1, 2], np.array([1, 1]))
    posterior.at(np.array([1, 2]))
    posterior.sample(grid[::3], 2, np.random.default_rng(0))
    posterior.covariance(grid[::3])
    posterior.imse(1, np.ones(80, dtype=int)[::2])
    posterior.sweep(1, np.ones(1), 3, np.zeros(40, dtype=bool))
    state_space.log_likelihood(Kernel(1, 1), grid, np.ones(40, dtype=int), np.ones(80)[::2])
    assert {p.__name__: len(p.signatures) for p in passes} == before


def test_it_works_where_no_compiled_code_can_be_kept(tmp_path):
    """A read-only installation and no home: compiled anew, and right."""
    program = (
        "from materialsdock.learning.gp.matern import compiled, dot\n"
        "assert type(dot._cache).__name__ == 'NullCache', dot._cache\n"
        "print(dot((1.0, 2.0, 3.0), (1.0, 1.0, 1.0)))"
    )
    environment = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**environment, "HOME": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "6.0", done.stderr
