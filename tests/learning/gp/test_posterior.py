"""Laws of every Gaussian-process engine.

A new engine joins the laws as one more entry of ENGINES in posteriors.py.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import cholesky, solve_triangular
from scipy.stats import multivariate_normal
from support.posteriors import (
    ENGINES,
    MATERN,
    MEAN,
    dense,
    equal,
    grown,
    kernels,
    names,
    problem,
    seeds,
)

from materialsdock.errors import ModelFault
from materialsdock.learning.gp import acquisition
from materialsdock.learning.gp.kernels import Kernel
from materialsdock.learning.gp.posterior import Engine, engine

# -- laws of every engine -----------------------------------------------------------------------


@names
def test_it_is_an_engine(name):
    made = engine(np.linspace(0, 1, 5), Kernel(0.2, 1.0), name=name)
    assert isinstance(made, Engine)
    assert type(made) is ENGINES[name]


@names
@settings(max_examples=25)
@given(kernel=kernels, seed=seeds)
def test_the_posterior_is_that_of_dense_algebra(name, kernel, seed):
    case = problem(seed)
    posterior = grown(name, *case, kernel)
    mean, covariance = dense(*case, kernel, posterior.grid)
    equal(posterior.mean, mean)
    equal(posterior.variance, np.diag(covariance))
    equal(posterior.covariance(), covariance)
    assert (posterior.variance >= 0).all()


@names
@settings(max_examples=25)
@given(kernel=kernels, seed=seeds)
def test_the_posterior_between_grid_positions(name, kernel, seed):
    case = problem(seed)
    x = np.random.default_rng(seed).uniform(-1.0, 11.0, 17)
    x[3:5] = x[2], case[0][case[1][0]]
    posterior = grown(name, *case, kernel)
    mean, covariance = dense(*case, kernel, x)
    found, sd = posterior.at(x)
    equal(found, mean)
    equal(sd**2, np.diag(covariance))
    equal(posterior.covariance(x), covariance)


@names
@settings(max_examples=25)
@given(kernel=kernels, seed=seeds)
def test_innovations_are_those_of_one_cholesky_in_acquisition_order(name, kernel, seed):
    grid, at, y, noise = problem(seed)
    posterior = grown(name, grid, at, y, noise, kernel)
    total = kernel(grid[at], grid[at]) + np.diag(noise)
    lower = cholesky(total, lower=True)
    z = solve_triangular(lower, y - MEAN, lower=True)
    equal([i.s for i in posterior.innovations], np.diag(lower) ** 2 / noise - 1.0, 1e-7)
    equal([i.z2 for i in posterior.innovations], z**2, 1e-7)
    exact = multivariate_normal.logpdf(y, np.full(y.size, MEAN), total)
    assert posterior.log_likelihood == pytest.approx(exact, abs=1e-7)


@names
def test_an_innovation_is_known_before_the_point_is_taken_in(name):
    posterior = engine(np.linspace(0, 1, 5), Kernel(0.2, 4.0), 1.0, name=name)
    first = posterior.update(2, 4.0, 0.5)
    assert first == posterior.innovations[0]
    assert first.s == pytest.approx(4.0 / 0.5)
    assert first.z2 == pytest.approx(3.0**2 / 4.5)
    assert len(posterior) == 1


@names
@settings(max_examples=15)
@given(kernel=kernels, seed=seeds, split=st.integers(0, 25))
def test_a_replay_is_the_updates_in_turn(name, kernel, seed, split):
    grid, at, y, noise = problem(seed)
    one_by_one = grown(name, grid, at, y, noise, kernel)
    posterior = grown(name, grid, at[:split], y[:split], noise[:split], kernel)
    told = posterior.replay(at[split:], y[split:], noise[split:])
    assert told == posterior.innovations[split:]
    assert len(posterior) == len(one_by_one) == at.size
    equal(posterior.mean, one_by_one.mean)
    equal(posterior.variance, one_by_one.variance)
    for field in ("s", "z2"):
        replayed, lived = (
            [getattr(i, field) for i in e.innovations] for e in (posterior, one_by_one)
        )
        equal(replayed, lived, 1e-7)
    assert posterior.log_likelihood == pytest.approx(one_by_one.log_likelihood, abs=1e-7)


@names
def test_two_visits_are_one_visit_of_their_precision(name):
    grid, kernel = np.linspace(0, 1, 30), Kernel(0.2, 1.0)
    r = 1.0 / (1.0 / 0.1 + 1.0 / 0.4)
    twice = grown(name, grid, np.array([7, 7]), np.array([1.0, 2.0]), np.array([0.1, 0.4]), kernel)
    y = np.array([r * (1.0 / 0.1 + 2.0 / 0.4)])
    once = grown(name, grid, np.array([7]), y, np.array([r]), kernel)
    equal(twice.mean, once.mean, 1e-12)
    equal(twice.variance, once.variance, 1e-12)
    assert len(twice) == 2


@names
@pytest.mark.parametrize("shape", MATERN)
def test_before_any_observation_the_prior_stands(name, shape):
    grid, x = np.linspace(0, 1, 5), np.array([0.7, 0.1])
    posterior = engine(grid, Kernel(0.2, 4.0, shape), 3.0, name=name)
    mean, sd = posterior.at(x)
    equal(mean, [3.0, 3.0])
    equal(sd, [2.0, 2.0])
    equal(posterior.mean, 3.0)
    equal(posterior.variance, 4.0)
    equal(posterior.covariance(x), posterior.kernel(x, x))
    equal(posterior.covariance(), posterior.kernel(grid, grid))
    assert len(posterior) == 0
    assert posterior.log_likelihood == 0.0
    assert posterior.replay(np.empty(0, dtype=int), np.empty(0), np.empty(0)) == []
    assert posterior.at(np.empty(0))[0].shape == (0,)
    curves = posterior.sample(grid, 3, np.random.default_rng(0))
    assert curves.shape == (3, 5)


@names
def test_the_prior_mean_may_be_a_function(name):
    grid, at, y, noise = problem(4)
    kernel, x = Kernel(0.7, 1.3), np.linspace(10.5, -0.5, 9)
    bent = engine(grid, kernel, np.cos, name=name)
    flat = engine(grid, kernel, name=name)
    bent.replay(at[:9], y[:9], noise[:9])
    flat.replay(at[:9], y[:9] - np.cos(grid[at[:9]]), noise[:9])
    bent.update(int(at[9]), y[9], noise[9])
    flat.update(int(at[9]), y[9] - np.cos(grid[at[9]]), noise[9])
    equal(bent.mean, flat.mean + np.cos(grid), 1e-12)
    equal(bent.variance, flat.variance, 1e-12)
    equal(bent.at(x)[0], flat.at(x)[0] + np.cos(x), 1e-12)
    equal(bent.prior(x), np.cos(x))
    curves = [e.sample(x, 4, np.random.default_rng(1)) for e in (bent, flat)]
    equal(curves[0], curves[1] + np.cos(x), 1e-10)
    assert bent.prior_mean == pytest.approx(np.cos(grid).mean())
    equal([i.z2 for i in bent.innovations], [i.z2 for i in flat.innovations])


@names
def test_a_grid_of_one_position(name):
    posterior = engine(np.array([2.0]), Kernel(0.2, 3.0), 1.0, name=name)
    equal(posterior.imse(1.0, np.array([2.0])), [2.0 * 9.0 / 4.0])
    posterior.update(0, 5.0, 1.0)
    equal(posterior.mean, [1.0 + 4.0 * 3.0 / 4.0])
    equal(posterior.variance, [0.75])
    equal(posterior.covariance(), [[0.75]])
    picks = posterior.sweep(1.0, np.ones(1), 2, np.zeros(1, dtype=bool))
    assert [i for i, _ in picks] == [0, 0]


@names
@pytest.mark.parametrize(
    ("y", "noise"), [(np.nan, 0.1), (np.inf, 0.1), (1.0, np.nan), (1.0, 0.0), (1.0, -1.0)]
)
def test_values_that_would_poison_the_posterior_are_refused(name, y, noise):
    posterior = engine(np.linspace(0, 1, 5), Kernel(0.2, 1.0), name=name)
    with pytest.raises(ModelFault, match="index 3"):
        posterior.update(3, y, noise)
    with pytest.raises(ModelFault, match="index 3"):
        posterior.replay(np.array([0, 3]), np.array([1.0, y]), np.array([0.1, noise]))
    assert len(posterior) == 0
    equal(posterior.variance, 1.0)


@names
@pytest.mark.parametrize("index", [5, -6])
def test_positions_off_the_grid_are_refused(name, index):
    posterior = engine(np.linspace(0, 1, 5), Kernel(0.2, 1.0), name=name)
    with pytest.raises(IndexError):
        posterior.update(index, 1.0, 0.1)
    with pytest.raises(IndexError):
        posterior.replay(np.array([index]), np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="shape"):
        posterior.imse(0.1, np.ones(4))
    assert len(posterior) == 0


@names
@pytest.mark.parametrize("shape", MATERN)
def test_samples_have_the_posterior_as_their_law(name, shape):
    posterior = grown(name, *problem(1), Kernel(1.0, 1.0, shape))
    x = np.linspace(9.5, 0.5, 12)
    curves = posterior.sample(x, 20_000, np.random.default_rng(0))
    mean, sd = posterior.at(x)
    assert curves.shape == (20_000, 12)
    equal(curves.mean(axis=0), mean, 5 * sd.max() / np.sqrt(20_000))
    equal(np.cov(curves.T), posterior.covariance(x), 0.05 * sd.max() ** 2)
    np.testing.assert_array_equal(curves, posterior.sample(x, 20_000, np.random.default_rng(0)))
    fresh = grown(name, *problem(1), Kernel(1.0, 1.0, shape))
    np.testing.assert_array_equal(posterior.mean, fresh.mean)


@names
@settings(max_examples=25)
@given(kernel=kernels, seed=seeds, n=st.integers(0, 25))
def test_imse_scores_are_those_of_the_dense_covariance(name, kernel, seed, n):
    case = problem(seed, n=n)
    posterior, weights = grown(name, *case, kernel), np.gradient(case[0])
    _, covariance = dense(*case, kernel, posterior.grid)
    wanted = acquisition.imse_scores(covariance, 0.03, weights)
    found = posterior.imse(0.03, weights)
    assert (found >= 0).all()
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-8)


@names
@settings(max_examples=15)
@given(kernel=kernels, seed=seeds)
def test_a_sweep_is_the_greedy_one_and_changes_nothing(name, kernel, seed):
    case = problem(seed, n=8, m=40)
    posterior, weights = grown(name, *case, kernel), np.gradient(case[0])
    before = posterior.mean.copy(), posterior.variance.copy(), posterior.imse(0.02, weights)
    taken = np.zeros(40, dtype=bool)
    taken[case[1]] = True
    picks = posterior.sweep(0.02, weights, 12, taken)
    wanted = acquisition.greedy_sweep(posterior.covariance(), 0.02, weights, 12, taken)
    assert [i for i, _ in picks] == [i for i, _ in wanted]
    np.testing.assert_allclose([s for _, s in picks], [s for _, s in wanted], atol=1e-8)
    assert not taken[[i for i, _ in picks]].any()
    assert taken.sum() == np.unique(case[1]).size
    after = posterior.mean, posterior.variance, posterior.imse(0.02, weights)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


@names
def test_a_sweep_longer_than_the_grid_begins_anew(name):
    posterior = grown(name, *problem(3, n=4, m=6), Kernel(2.0, 1.0))
    picks = posterior.sweep(0.02, np.ones(6), 9, np.zeros(6, dtype=bool))
    assert sorted(i for i, _ in picks[:6]) == list(range(6))
    assert len({i for i, _ in picks[6:]}) == 3


@names
@pytest.mark.parametrize("shape", MATERN)
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_gpytorch(name, shape, seed):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|linear_oper")
        torch = pytest.importorskip("torch")
        gpytorch = pytest.importorskip("gpytorch")
    grid, at, y, noise = problem(seed, n=60, m=200)
    kernel = Kernel(0.8, 1.7, shape)

    class Exact(gpytorch.models.ExactGP):
        def __init__(self, x, values, likelihood):
            super().__init__(x, values, likelihood)
            self.mean_module = gpytorch.means.ConstantMean()
            nu = 1.5 if shape == "matern32" else 2.5
            self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=nu))

        def forward(self, x):
            return gpytorch.distributions.MultivariateNormal(
                self.mean_module(x), self.covar_module(x)
            )

    x, values, fixed = (torch.tensor(a, dtype=torch.float64) for a in (grid[at], y, noise))
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(fixed)
    model = Exact(x, values, likelihood).double()
    model.covar_module.outputscale = kernel.variance
    model.covar_module.base_kernel.lengthscale = kernel.lengthscale
    model.mean_module.constant.data.fill_(MEAN)
    model.eval()
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        oracle = model(torch.tensor(grid, dtype=torch.float64))
    posterior = grown(name, grid, at, y, noise, kernel)
    equal(posterior.mean, oracle.mean.numpy())
    equal(posterior.variance, oracle.variance.numpy())
