"""Spectra as the simulated beamline replays them."""

from __future__ import annotations

from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import Axis, Job, Measured
from materialsdock.profile.config import Profile
from materialsdock.techniques.ordinary.scene import counted, replayed
from materialsdock.techniques.xas.section import section_of
from materialsdock.techniques.xas.signals import ELECTRON_YIELD, FLUORESCENCE, TRANSMISSION
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

SHOWN = {FLUORESCENCE: "fluorescence", ELECTRON_YIELD: "electrons"}  # arrays of the scene
THICK = 3.0  # µ of a sample that is not measured in transmission

__all__ = ["counted", "replayed", "scene", "stand_in"]


def scene(measured: Measured, job: Job, profile: Profile) -> dict[str, Any]:
    """Arrays of µ, seen with the beam of the profile; of a job's other signal, what is seen of it.

    Raises InputError for a signal below zero, which no detector can count.
    """
    found = {"energy_ev": measured.x, "i0_rate_hz": section_of(profile).i0_rate_hz}
    shown = SHOWN.get(job.settings.get("signal", TRANSMISSION))
    if shown is None:
        return {**found, "mu": measured.y}
    if measured.y.min() < 0:
        raise InputError(
            f"the file runs down to {measured.y.min():.4g}, and {job.settings['signal']} over I0 "
            "is never below 0",
            where=job.sample.name,
            remedy="replay a file of the signal over I0, or measure it in transmission",
        )
    return {**found, "mu": np.full(measured.y.shape, THICK), shown: measured.y}


def stand_in(job: Job) -> Measured:
    """The spectrum of an oxide at the edge of the job."""
    grid = Axis.of(job.settings["axis"]).grid
    mu = simulate_xanes(grid, e0_ev=float(job.settings["learner"]["edge_ev"]))
    return Measured("xas", grid, mu, kind="simulated")
