"""Spectra as the simulated beamline replays them."""

from __future__ import annotations

from typing import Any

from materialsdock.model import Axis, Job, Measured
from materialsdock.profile.config import Profile
from materialsdock.techniques.ordinary.scene import counted, replayed
from materialsdock.techniques.xas.section import section_of
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

__all__ = ["counted", "replayed", "scene", "stand_in"]


def scene(measured: Measured, job: Job, profile: Profile) -> dict[str, Any]:
    """Arrays of µ, seen with the beam of the profile."""
    rate_hz = section_of(profile).i0_rate_hz
    return {"energy_ev": measured.x, "mu": measured.y, "i0_rate_hz": rate_hz}


def stand_in(job: Job) -> Measured:
    """The spectrum of an oxide at the edge of the job."""
    grid = Axis.of(job.settings["axis"]).grid
    mu = simulate_xanes(grid, e0_ev=float(job.settings["learner"]["edge_ev"]))
    return Measured("xas", grid, mu, kind="simulated")
