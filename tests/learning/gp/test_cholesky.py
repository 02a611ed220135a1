"""The Gaussian-process engine against dense algebra and against gpytorch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from materialsdock.errors import ModelFault
from materialsdock.learning.curve.arrays import far_gap
from materialsdock.learning.gp import acquisition, hyperparameters
from materialsdock.learning.gp.cholesky import GridPosterior, safe_cholesky
from materialsdock.learning.gp.kernels import Kernel, Warp
from materialsdock.techniques.xas.spectrum.grids import (
    candidate_grid,
    region_grid,
    start_grid,
    widest,
)
from materialsdock.techniques.xas.spectrum.sampling import Sampling
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

SHAPES = ("matern32", "matern52", "rbf")
BEND = Warp(np.array([0.0, 4.0, 5.0, 10.0]), np.array([0.0, 2.0, 7.0, 9.0]))


def problem(seed, n=25, m=60):
    """A grid (m,), and n noisy values at grid indices, some visited more than once."""
    rng = np.random.default_rng(seed)
    grid = np.sort(rng.uniform(0.0, 10.0, m))
    at = rng.integers(0, m, n)
    noise = rng.uniform(0.01, 0.2, n) ** 2
    return grid, at, np.sin(grid[at]) + np.sqrt(noise) * rng.standard_normal(n), noise


def grown(grid, at, y, noise, kernel, prior_mean=0.3):
    posterior = GridPosterior(grid, kernel, prior_mean)
    for each in zip(at.tolist(), y.tolist(), noise.tolist(), strict=True):
        posterior.update(*each)
    return posterior


def dense(grid, at, y, noise, kernel, x, prior_mean=0.3):
    """Mean (m,) and covariance (m, m) at `x` by the textbook formula (R&W eq. 2.25)."""
    factor = cho_factor(kernel(grid[at], grid[at]) + np.diag(noise), lower=True)
    cross = kernel(grid[at], x)
    mean = prior_mean + cross.T @ cho_solve(factor, y - prior_mean)
    return mean, kernel(x, x) - cross.T @ cho_solve(factor, cross)


kernels = st.builds(
    Kernel,
    lengthscale=st.floats(0.2, 5.0),
    variance=st.floats(0.1, 10.0),
    shape=st.sampled_from(SHAPES),
    warp=st.sampled_from((None, BEND)),
)


@settings(max_examples=40)
@given(kernel=kernels, seed=st.integers(0, 10**6))
def test_growing_by_one_equals_dense_algebra(kernel, seed):
    grid, at, y, noise = problem(seed)
    posterior = grown(grid, at, y, noise, kernel)
    mean, covariance = dense(grid, at, y, noise, kernel, grid)
    np.testing.assert_allclose(posterior.mean, mean, atol=1e-7)
    np.testing.assert_allclose(posterior.variance, np.diag(covariance), atol=1e-8)
    np.testing.assert_allclose(posterior.covariance(), covariance, atol=1e-8)
    exact = multivariate_normal.logpdf(
        y, np.full(y.size, 0.3), kernel(grid[at], grid[at]) + np.diag(noise)
    )
    assert posterior.log_likelihood == pytest.approx(exact, abs=1e-6)
    assert hyperparameters.log_likelihood(kernel, grid[at], y - 0.3, noise) == pytest.approx(exact)


@settings(max_examples=15)
@given(kernel=kernels, seed=st.integers(0, 10**6))
def test_posterior_between_grid_positions(kernel, seed):
    grid, at, y, noise = problem(seed)
    x = np.random.default_rng(seed).uniform(-1.0, 11.0, 17)
    posterior = grown(grid, at, y, noise, kernel)
    mean, covariance = dense(grid, at, y, noise, kernel, x)
    found, sd = posterior.at(x)
    np.testing.assert_allclose(found, mean, atol=1e-7)
    np.testing.assert_allclose(sd**2, np.diag(covariance), atol=1e-8)
    np.testing.assert_allclose(posterior.covariance(x), covariance, atol=1e-8)


def test_before_any_observation_the_prior_stands():
    grid, x = np.linspace(0, 1, 5), np.array([0.1, 0.7])
    posterior = GridPosterior(grid, Kernel(0.2, 4.0), 3.0)
    mean, sd = posterior.at(x)
    np.testing.assert_array_equal(mean, [3.0, 3.0])
    np.testing.assert_array_equal(sd, [2.0, 2.0])
    assert posterior.covariance(x).shape == posterior.kernel(x, x).shape == (2, 2)
    assert posterior.log_likelihood == 0.0


def test_two_visits_are_one_visit_of_their_precision():
    grid, kernel = np.linspace(0, 1, 30), Kernel(0.2, 1.0)
    twice = grown(grid, np.array([7, 7]), np.array([1.0, 2.0]), np.array([0.1, 0.4]), kernel)
    merged = (1.0 / 0.1 + 2.0 / 0.4) / (1 / 0.1 + 1 / 0.4)
    once = grown(
        grid, np.array([7]), np.array([merged]), np.array([1 / (1 / 0.1 + 1 / 0.4)]), kernel
    )
    np.testing.assert_allclose(twice.mean, once.mean, atol=1e-12)
    np.testing.assert_allclose(twice.variance, once.variance, atol=1e-12)


@pytest.mark.parametrize(
    ("y", "noise"), [(np.nan, 0.1), (np.inf, 0.1), (1.0, np.nan), (1.0, 0.0), (1.0, -1.0)]
)
def test_values_that_would_poison_the_factor_are_refused(y, noise):
    posterior = GridPosterior(np.linspace(0, 1, 5), Kernel(0.2, 1.0))
    with pytest.raises(ModelFault, match="index 3"):
        posterior.update(3, y, noise)
    assert len(posterior) == 0


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_gpytorch(shape, seed):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|linear_oper")
        torch = pytest.importorskip("torch")
        gpytorch = pytest.importorskip("gpytorch")
    grid, at, y, noise = problem(seed)
    kernel = Kernel(0.8, 1.7, shape)
    nu = {"matern32": 1.5, "matern52": 2.5}.get(shape)
    base = gpytorch.kernels.MaternKernel(nu=nu) if nu else gpytorch.kernels.RBFKernel()

    class Exact(gpytorch.models.ExactGP):
        def __init__(self, x, values, likelihood):
            super().__init__(x, values, likelihood)
            self.mean_module = gpytorch.means.ConstantMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(base)

        def forward(self, x):
            return gpytorch.distributions.MultivariateNormal(
                self.mean_module(x), self.covar_module(x)
            )

    x, values = (torch.tensor(a, dtype=torch.float64) for a in (grid[at], y))
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(
        torch.tensor(noise, dtype=torch.float64)
    )
    model = Exact(x, values, likelihood).double()
    model.covar_module.outputscale = kernel.variance
    model.covar_module.base_kernel.lengthscale = kernel.lengthscale
    model.mean_module.constant.data.fill_(0.3)
    model.eval()
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        oracle = model(torch.tensor(grid, dtype=torch.float64))
    posterior = grown(grid, at, y, noise, kernel)
    np.testing.assert_allclose(posterior.mean, oracle.mean.numpy(), atol=1e-8)
    np.testing.assert_allclose(posterior.variance, oracle.variance.numpy(), atol=1e-8)


def test_samples_have_the_posterior_as_their_law():
    grid, at, y, noise = problem(1)
    posterior = grown(grid, at, y, noise, Kernel(1.0, 1.0))
    x = np.linspace(0.5, 9.5, 12)
    curves = posterior.sample(x, 40_000, np.random.default_rng(0))
    mean, sd = posterior.at(x)
    assert curves.shape == (40_000, 12)
    np.testing.assert_allclose(curves.mean(axis=0), mean, atol=5 * sd.max() / 200)
    np.testing.assert_allclose(np.cov(curves.T), posterior.covariance(x), atol=0.05 * sd.max() ** 2)
    again = posterior.sample(x, 40_000, np.random.default_rng(0))
    np.testing.assert_array_equal(curves, again)


def test_a_singular_covariance_gets_as_little_jitter_as_it_needs():
    ones = np.ones((4, 4))
    factor = safe_cholesky(ones, 1.0)
    np.testing.assert_allclose(factor @ factor.T, ones, atol=1e-5)
    with pytest.raises(ModelFault, match="positive definite"):
        safe_cholesky(-ones, 1.0)
    with pytest.raises(ModelFault, match="positive definite"):
        safe_cholesky(np.full((2, 2), np.nan), 1.0)


# -- acquisition --------------------------------------------------------------------------------


@settings(max_examples=10)
@given(kernel=kernels, seed=st.integers(0, 10**6))
def test_imse_scores_are_what_one_more_observation_brings(kernel, seed):
    grid, at, y, noise = problem(seed, n=8, m=25)
    weights, r = np.gradient(grid), 0.03
    posterior = grown(grid, at, y, noise, kernel)
    scores = acquisition.imse_scores(posterior.covariance(), r, weights)
    for j in range(grid.size):
        more = grown(grid, np.append(at, j), np.append(y, 0.0), np.append(noise, r), kernel)
        gained = weights @ (posterior.variance - more.variance)
        assert scores[j] == pytest.approx(gained, abs=1e-7)


@settings(max_examples=15)
@given(kernel=kernels, seed=st.integers(0, 10**6))
def test_a_sweep_is_chosen_as_if_each_pick_had_been_measured(kernel, seed):
    grid, at, y, noise = problem(seed, n=8, m=40)
    weights, r, taken = np.gradient(grid), 0.03, np.zeros(40, dtype=bool)
    taken[at] = True
    posterior = grown(grid, at, y, noise, kernel)
    picks = acquisition.greedy_sweep(posterior.covariance(), r, weights, 9, taken)
    for best, score in picks:
        scores = acquisition.imse_scores(posterior.covariance(), r, weights)
        assert not taken[best]
        assert score == pytest.approx(scores[best], rel=1e-6, abs=1e-9)
        assert score >= scores[~taken].max() - 1e-9
        posterior.update(best, float(posterior.mean[best]), r)
        taken[best] = True


def test_a_sweep_over_a_full_grid_begins_again():
    covariance = Kernel(0.2, 1.0)(*[np.linspace(0, 1, 5)] * 2)
    taken = np.array([True, True, False, True, True])
    picks = acquisition.greedy_sweep(covariance, 0.01, np.ones(5), 6, taken)
    places = [i for i, _ in picks]
    assert places[0] == 2
    assert sorted(places[1:]) == [0, 1, 2, 3, 4]
    assert taken.sum() == 4  # the caller's array is its own


def test_a_probe_looks_into_the_middle_of_the_largest_gap():
    grid, measured = np.arange(11.0), np.array([0.0, 1.0, 7.0, 10.0])
    taken = np.isin(grid, measured)
    assert acquisition.largest_gap_index(grid, measured, taken) == 4
    taken[4] = True
    assert acquisition.largest_gap_index(grid, measured, taken) in (3, 5)


@given(
    positions=st.lists(st.floats(0, 100), min_size=1, max_size=20, unique=True),
    start=st.floats(-10, 110),
)
def test_a_sweep_travels_one_way_from_the_nearer_end(positions, start):
    x = np.array(positions)
    path = x[acquisition.travel_order(x, start)]
    assert sorted(path) == sorted(positions)
    steps = np.diff(path)
    assert (steps > 0).all() or (steps < 0).all()
    assert abs(path[0] - start) <= abs(path[-1] - start)


# -- hyperparameters ----------------------------------------------------------------------------


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), shape=st.sampled_from(SHAPES))
def test_the_gradient_is_the_slope_of_the_likelihood_by_either_way(seed, shape):
    grid, at, y, noise = problem(seed)
    x = grid[at]
    theta = np.array([0.4, 0.2])
    dense = hyperparameters._dense(x, y, noise, shape)
    value, gradient = dense(theta)
    numeric = approx_fprime(theta, lambda t: dense(t)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-3)
    if shape != "rbf":
        by_state, slopes = hyperparameters._markov(x, y, noise, shape)(theta)
        assert by_state == pytest.approx(value, abs=1e-8)
        np.testing.assert_allclose(slopes, gradient, rtol=1e-7, atol=1e-7)


def test_the_fit_finds_the_hyperparameters_that_made_the_data():
    rng, truth = np.random.default_rng(5), Kernel(1.5, 2.0)
    x = np.sort(rng.uniform(0, 40, 150))
    noise = np.full(150, 0.05**2)
    y = np.linalg.cholesky(truth(x, x) + np.diag(noise)) @ rng.standard_normal(150)
    kernel, likelihood = hyperparameters.fit(x, y, noise, resolution=0.2)
    assert kernel.lengthscale == pytest.approx(1.5, rel=0.35)
    assert kernel.variance == pytest.approx(2.0, rel=0.7)
    assert likelihood >= hyperparameters.log_likelihood(truth, x, y, noise) - 0.5


@settings(max_examples=10)
@given(unit=st.floats(1e-3, 1e5), offset=st.floats(-1e3, 1e3))
def test_the_fit_does_not_depend_on_the_unit_of_y_nor_on_where_the_axis_begins(unit, offset):
    grid, at, y, noise = problem(3)
    plain, _ = hyperparameters.fit(grid[at], y, noise, resolution=0.1)
    moved, _ = hyperparameters.fit(grid[at] + offset, unit * y, unit**2 * noise, resolution=0.1)
    assert moved.lengthscale == pytest.approx(plain.lengthscale, rel=1e-2)
    assert moved.variance == pytest.approx(unit**2 * plain.variance, rel=2e-2)


def xanes(n, noise_sd=0.005):
    grid = np.linspace(7050.0, 7250.0, 401)
    x = np.linspace(7050.0, 7250.0, n)
    y = simulate_xanes(x) + noise_sd * np.random.default_rng(0).standard_normal(n)
    return grid, x, y - y.mean(), np.full(n, noise_sd**2)


def test_the_warp_is_monotone_and_widest_on_the_edge():
    grid, x, _, _ = xanes(60)
    warp = hyperparameters.curvature_warp(x, grid, simulate_xanes(grid), 0.1)
    assert (np.diff(warp.u) > 0).all()
    stretch = np.diff(warp.u) / np.diff(warp.knots)
    middle = 0.5 * (warp.knots[1:] + warp.knots[:-1])
    edge = (middle > 7100) & (middle < 7135)
    assert stretch[edge].mean() > 3 * stretch[middle < 7090].mean()
    assert warp(np.array([7000.0, 7300.0])).tolist() == [warp.u[0], warp.u[-1]]


def test_a_curve_without_curvature_is_not_warped():
    grid = np.linspace(0.0, 10.0, 51)
    warp = hyperparameters.curvature_warp(grid[::10], grid, np.ones(51), 0.1)
    np.testing.assert_allclose(np.diff(warp.u), np.diff(warp.knots))


def test_an_edge_asks_for_a_warp_and_it_predicts_better():
    grid, x, y, noise = xanes(60)
    kernel = hyperparameters.best_warped(x, y, noise, grid, 1.5)
    stationary, likelihood = hyperparameters.fit(x, y, noise, resolution=1.5)
    assert kernel.warp is not None
    assert hyperparameters.log_likelihood(kernel, x, y, noise) > likelihood + 5
    again = hyperparameters.best_warped(x, y, noise, grid, 1.5)
    assert (again.lengthscale, again.variance) == (kernel.lengthscale, kernel.variance)
    truth = simulate_xanes(grid)

    def error(k):
        found = hyperparameters.predict(k, x, y, noise, grid)
        return np.std(found - truth)

    assert error(kernel) < error(stationary)


def test_stationary_data_seldom_buy_a_warp():
    truth, x, noise = Kernel(4.0, 1.0), np.linspace(0, 60, 60), np.full(60, 0.03**2)
    lower = np.linalg.cholesky(truth(x, x) + np.diag(noise))
    bought = 0
    for seed in range(10):
        y = lower @ np.random.default_rng(seed).standard_normal(60)
        candidates = list(hyperparameters.warped_candidates(x, y, noise, x, 0.5))
        assert candidates[0][0].warp is None
        assert len(candidates) == 1 + len(hyperparameters.FLOORS)
        best = hyperparameters.best_warped(x, y, noise, x, 0.5)
        assert any(best.lengthscale == kernel.lengthscale for kernel, _ in candidates)
        bought += best.warp is not None
    assert bought <= 2


def test_data_that_are_not_finite_are_refused():
    grid, x, y, noise = xanes(30)
    y[3] = np.nan
    with pytest.raises(ModelFault, match="not finite"):
        hyperparameters.best_warped(x, y, noise, grid, 1.5)


# -- grids --------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    e0=st.floats(5000, 20000),
    before=st.floats(30, 200),
    after=st.floats(80, 900),
)
def test_expert_grids_are_sorted_keep_their_ends_and_are_finest_on_the_edge(e0, before, after):
    lo, hi = e0 - before, e0 + after
    expert, candidates = region_grid(lo, hi, e0), candidate_grid(lo, hi, e0, 1.5)
    for grid in (expert, candidates):
        assert (np.diff(grid) > 0).all()
        assert grid[0] == pytest.approx(lo, abs=1e-4)
        assert grid[-1] == pytest.approx(hi, abs=1e-4)
    assert candidates.size > expert.size

    def steps(grid, a, b):
        inside = grid[(grid >= e0 + a) & (grid <= e0 + b)]
        return np.diff(inside)

    assert steps(expert, -19, 49).max() == pytest.approx(0.3, abs=1e-3)
    assert steps(expert, -before + 1, -21).max(initial=0) <= 10 + 1e-3
    assert steps(expert, 55, after).max() < 0.05 * 2 * np.sqrt(3.81 * (after + 20)) + 1e-3
    start, narrow = (
        start_grid(lo, hi, e0, Sampling(1.5, 1.5)),
        (max(lo, e0 - 15.0), min(hi, e0 + 40.0)),
    )
    assert start.size <= 70
    assert far_gap(start, candidates, widest(candidates, narrow, e0))[0] <= 1.0
