"""Spectra as the simulated beamline replays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from materialsdock.model import Axis, Job, Measured, Observation
from materialsdock.profile.config import Profile
from materialsdock.techniques.xas.section import section_of
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

PLACES_PER_EV = 1e4  # the simulation counts visits by place, 0.1 meV each


def scene(measured: Measured, job: Job, profile: Profile) -> dict[str, Any]:
    """Arrays of µ, seen with the beam of the profile."""
    rate_hz = section_of(profile).i0_rate_hz
    return {"energy_ev": measured.x, "mu": measured.y, "i0_rate_hz": rate_hz}


def counted(job: Job, observations: Sequence[Observation]) -> Mapping[str, Any]:
    """Arrays (k,) of places visited and how often, so that no count is drawn twice."""
    places = [round(o.x * PLACES_PER_EV) for o in observations]
    unique, visits = np.unique(np.array(places, dtype=np.int64), return_counts=True)
    return {"visited": unique, "visits": visits}


def stand_in(job: Job) -> Measured:
    """The spectrum of an oxide at the edge of the job."""
    grid = Axis.of(job.settings["axis"]).grid
    mu = simulate_xanes(grid, e0_ev=float(job.settings["learner"]["edge_ev"]))
    return Measured("xas", grid, mu, kind="simulated")


def replayed(measured: Measured, job: Job) -> Measured:
    """The whole file: a spectrum may be known beyond what a job measures of it."""
    return measured
