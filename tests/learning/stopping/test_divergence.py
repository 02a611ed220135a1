"""The closed forms of the divergences that λ is made of, and their bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from materialsdock.learning.gp.kernels import Kernel
from materialsdock.learning.stopping import divergence

# -- divergences --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_divergences_are_those_of_the_whole_posterior(seed):
    """Against the KL of two multivariate normals, before and after one more observation."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, 4)
    prior = Kernel(0.4, 1.5)(x, x)
    noise, y, j = 0.3, rng.normal(), int(rng.integers(4))
    mean = rng.normal(size=4)
    gain = prior[:, j] / (prior[j, j] + noise)
    after_mean = mean + gain * (y - mean[j])
    after = prior - np.outer(gain, prior[j])

    def kl(m1, c1, m0, c0):
        inverse = np.linalg.inv(c0)
        trace = np.trace(inverse @ c1) + (m0 - m1) @ inverse @ (m0 - m1)
        return 0.5 * (trace - 4 + np.linalg.slogdet(c0)[1] - np.linalg.slogdet(c1)[1])

    s, z2 = prior[j, j] / noise, (y - mean[j]) ** 2 / (prior[j, j] + noise)
    assert divergence.forward(s, z2) == pytest.approx(kl(after_mean, after, mean, prior))
    assert divergence.backward(s, z2) == pytest.approx(kl(mean, prior, after_mean, after))


@given(s=st.floats(1e-9, 1e9))
def test_an_expected_surprise_gives_the_information_gain(s):
    assert divergence.forward(s, 1.0) == pytest.approx(0.5 * np.log1p(s))
    assert divergence.backward(s, 1.0) == pytest.approx(s - 0.5 * np.log1p(s), abs=1e-12)


@settings(max_examples=60)
@given(kl=st.floats(1e-10, 1e4))
def test_the_bound_is_the_infimum_it_stands_for(kl):
    """r(KL) = inf_a (KL + eᵃ − 1 − a)/a."""

    def value(log_a):
        a = np.exp(log_a)
        return (kl + np.expm1(a) - a if a > 1e-4 else kl + a**2 / 2 + a**3 / 6) / np.exp(log_a)

    found = minimize_scalar(value, bounds=(-13.0, 3.0), method="bounded", options={"xatol": 1e-9})
    assert divergence.error_bound(kl) == pytest.approx(found.fun, rel=1e-5)


@given(a=st.floats(0, 1e5), b=st.floats(0, 1e5))
def test_the_bound_grows_with_the_divergence(a, b):
    low, high = divergence.error_bound(np.array(sorted((a, b))))
    assert low <= high * (1 + 1e-9)


def test_the_bound_near_nothing_is_the_root_of_twice_the_divergence():
    assert divergence.error_bound(0.0) == 0.0
    kl = np.array([1e-16, 1e-12, 1e-8])
    np.testing.assert_allclose(divergence.error_bound(kl), np.sqrt(2 * kl), rtol=1e-3)
    seam = divergence.SMALL_KL * np.array([1 - 1e-9, 1 + 1e-9])
    below, above = divergence.error_bound(seam)
    assert below == pytest.approx(above, rel=1e-8)
