"""Learners and what they measure, for the laws of learners."""

from __future__ import annotations

import numpy as np

from materialsdock.learning.counting.multipass_learner import MultiPassLearner
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.prior.library import LibraryPrior
from materialsdock.model import Axis
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.testing.learner_laws import Case

ENERGY = Axis("energy", "eV", np.linspace(7080.0, 7180.0, 161), 1.5)
TWO_THETA = Axis("two_theta", "deg", 20.0 + 0.02 * np.arange(600), 0.1)
SIGMA = 0.01


def library_prior(shift=0.0):
    """A prior as three standards would teach it: the edge, and two ways in which they differ."""
    energy = np.arange(-40.0, 80.0, 0.5)
    line = np.exp(-0.5 * ((energy - 4.0) / 3.0) ** 2)
    mean = 0.5 + np.arctan((energy - shift) / 1.25) / np.pi + 0.5 * line
    factors = np.vstack([0.2 * line, 0.05 * np.exp(-0.5 * ((energy + 6.0) / 1.0) ** 2)])
    return LibraryPrior(
        "Fe-K",
        energy,
        mean,
        factors,
        np.full(energy.size, 0.05),
        np.cumsum(np.full(energy.size, 0.5)) / 5.0,
        np.array([7119.0, 7120.5, 7122.0]),
        ("a", "b", "c"),
    )


def absorption(x, seconds, rng):
    """µ and sigma at `x` (n,), however long it is counted."""
    return simulate_xanes(x) + SIGMA * rng.standard_normal(x.size), np.full(x.size, SIGMA)


def diffraction(x, seconds, rng):
    """Count rate [1/s] and sigma at 2θ `x` (n,)."""
    rate = 40.0 + sum(
        h * np.exp(-0.5 * ((x - c) / 0.042) ** 2) for c, h in ((22.0, 4e3), (26.3, 600.0))
    )
    counts = rng.poisson(rate * seconds)
    return counts / seconds, np.sqrt(counts + 1.0) / seconds


def energy_case(make, steps):
    """A learner of an absorption spectrum."""
    return Case(make, ENERGY, absorption, steps)


CASES = {
    "warped": energy_case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0), 30),
    "stationary": energy_case(
        lambda: SpectrumLearner(
            ENERGY, count_time_s=0.5, model="stationary", initial=np.linspace(7085, 7170, 12)
        ),
        45,
    ),
    "multipass": Case(
        lambda: MultiPassLearner(TWO_THETA, full_time_s=5.0, fwhm_deg=0.1),
        TWO_THETA,
        diffraction,
        28,
    ),
}
CASES["expert"] = energy_case(
    lambda: SpectrumLearner(
        ENERGY, count_time_s=0.05, velocity=5.0, expert=np.arange(7081.0, 7180.0, 3.0)
    ),
    46,
)
CASES["library"] = energy_case(
    lambda: SpectrumLearner(ENERGY, count_time_s=1.0, prior=library_prior()), 25
)
SPECTRUM = ("warped", "stationary")
