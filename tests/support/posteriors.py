"""Problems of Gaussian-process regression and their answer by dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.linalg import cho_factor, cho_solve

from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.gp.kernels import Kernel, Warp
from materialsdock.learning.gp.posterior import engine
from materialsdock.learning.gp.state_space import StateSpacePosterior

ENGINES = {"cholesky": GridPosterior, "state_space": StateSpacePosterior}
MATERN = ("matern32", "matern52")
BEND = Warp(np.array([0.0, 4.0, 5.0, 10.0]), np.array([0.0, 2.0, 7.0, 9.0]))
MEAN = 0.3

kernels = st.builds(
    Kernel,
    lengthscale=st.floats(0.05, 20.0),
    variance=st.floats(0.1, 10.0),
    shape=st.sampled_from(MATERN),
    warp=st.sampled_from((None, BEND)),
)
names = pytest.mark.parametrize("name", ENGINES)
seeds = st.integers(0, 10**6)


def problem(seed, n=25, m=60):
    """A grid (m,), and n noisy values at grid indices, some visited more than once."""
    rng = np.random.default_rng(seed)
    grid = np.sort(rng.uniform(0.0, 10.0, m))
    noise = rng.uniform(0.05, 0.3, n) ** 2
    at = rng.integers(0, m, n)
    return grid, at, np.sin(grid[at]) + np.sqrt(noise) * rng.standard_normal(n), noise


def grown(name, grid, at, y, noise, kernel):
    posterior = engine(grid, kernel, MEAN, name=name)
    for each in zip(at.tolist(), y.tolist(), noise.tolist(), strict=True):
        posterior.update(*each)
    return posterior


def dense(grid, at, y, noise, kernel, x):
    """Mean (m,) and covariance (m, m) at `x` by the textbook formula (R&W eq. 2.25)."""
    factor = cho_factor(kernel(grid[at], grid[at]) + np.diag(noise), lower=True)
    cross = kernel(grid[at], x)
    mean = MEAN + cross.T @ cho_solve(factor, y - MEAN)
    return mean, kernel(x, x) - cross.T @ cho_solve(factor, cross)


def equal(found, wanted, atol=1e-8):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)
