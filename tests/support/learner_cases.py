"""Learners and what they measure, for the laws of learners."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from materialsdock.learning.counting.multipass_learner import MultiPassLearner
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.prior.library import LibraryPrior
from materialsdock.model import Axis, Observation
from materialsdock.protocols import Learner
from materialsdock.techniques.xas.simulate import simulate_xanes

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


def absorption(x, rng):
    """µ and sigma at `x` (n,)."""
    return simulate_xanes(x) + SIGMA * rng.standard_normal(x.size), np.full(x.size, SIGMA)


def diffraction(x, rng, seconds):
    """Count rate [1/s] and sigma at 2θ `x` (n,)."""
    rate = 40.0 + sum(
        h * np.exp(-0.5 * ((x - c) / 0.042) ** 2) for c, h in ((22.0, 4e3), (26.3, 600.0))
    )
    counts = rng.poisson(rate * seconds)
    return counts / seconds, np.sqrt(counts + 1.0) / seconds


@dataclass(frozen=True)
class Case:
    """How to make a learner afresh, its axis, and how many steps the laws watch."""

    make: Callable[[], Learner]
    axis: Axis
    steps: int

    def measure(self, proposal, step, seed=0):
        """The observations of `proposal`: the same ones for the same step and seed."""
        rng = np.random.default_rng([seed, step])
        x = proposal.x
        if self.axis is ENERGY:
            y, sigma = absorption(x, rng)
        else:
            y, sigma = diffraction(x, rng, proposal.count_time_s)
        return [
            Observation(f"run-{step:04d}/{i:05d}", step, a, b, c, proposal.count_time_s, f"{step}")
            for i, (a, b, c) in enumerate(zip(x.tolist(), y.tolist(), sigma.tolist(), strict=True))
        ]

    def run(self, steps=None, seed=0):
        """A learner that has been told `steps` steps, its proposals, and what it was told.

        Every test has a copy of its own, as a run costs more than most tests.
        """
        return copy.deepcopy(_run(self, steps, seed))

    def run_anew(self, steps=None, seed=0):
        """The same, not a copy."""
        learner, proposals, told = self.make(), [], []
        for step in range(self.steps if steps is None else steps):
            proposal = learner.ask()
            if proposal is None:
                break
            proposals.append(proposal)
            told.append(self.measure(proposal, step, seed))
            learner.tell(told[-1])
        return learner, proposals, told


_run = cache(Case.run_anew)

CASES = {
    "warped": Case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0), ENERGY, 50),
    "stationary": Case(
        lambda: SpectrumLearner(
            ENERGY, count_time_s=0.5, model="stationary", initial=np.linspace(7085, 7170, 12)
        ),
        ENERGY,
        45,
    ),
    "multipass": Case(
        lambda: MultiPassLearner(TWO_THETA, full_time_s=5.0, fwhm_deg=0.1), TWO_THETA, 32
    ),
}
CASES["expert"] = Case(
    lambda: SpectrumLearner(
        ENERGY, count_time_s=0.05, velocity=5.0, expert=np.arange(7081.0, 7180.0, 3.0)
    ),
    ENERGY,
    60,
)
CASES["library"] = Case(
    lambda: SpectrumLearner(ENERGY, count_time_s=1.0, prior=library_prior()), ENERGY, 40
)
SPECTRUM = ("warped", "stationary")


def state(learner, axis):
    """All that a learner lets one see."""
    evidence = learner.evidence()
    mean, sd = learner.posterior(axis.grid)
    return {
        "next": learner.ask(),
        "mean": mean.tolist(),
        "sd": sd.tolist(),
        "s": evidence.s.tolist(),
        "z2": evidence.z2.tolist(),
        "group": evidence.group.tolist(),
        "quantities": dict(evidence.quantities),
        "hyperparameters": dict(learner.hyperparameters()),
    }
