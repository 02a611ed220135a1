"""Count rates as the simulated beamline replays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from materialsdock import technique
from materialsdock.model import Axis, Job, Measured, Observation
from materialsdock.profile.config import Profile

PLACES = 1e4  # for one unit of the axis: the simulation counts visits by place


def scene(measured: Measured, job: Job, profile: Profile) -> dict[str, Any]:
    """Arrays (n,) of rates, counted for the file's time where it says one, else for the job's."""
    seconds = measured.count_time_s or job.settings["full_scan"]["full_time_s"]
    return {"x": measured.x, "rate_hz": measured.y / seconds}


def counted(job: Job, observations: Sequence[Observation]) -> Mapping[str, Any]:
    """Arrays (k,) of places visited and how often, so that no count is drawn twice."""
    places = [round(o.x * PLACES) for o in observations]
    unique, visits = np.unique(np.array(places, dtype=np.int64), return_counts=True)
    return {"visited": unique, "visits": visits}


def stand_in(job: Job) -> Measured:
    """The demonstration of the technique, stretched to the range of the job."""
    name, grid = job.sample.technique, Axis.of(job.settings["axis"]).grid
    known, _ = technique.named(name).demo()()
    along = np.interp(grid, grid[[0, -1]], known.x[[0, -1]])
    return Measured(name, grid, np.interp(along, known.x, known.y), kind="simulated")


def replayed(measured: Measured, job: Job) -> Measured:
    """The whole file: a curve may be known beyond what a job measures of it."""
    return measured
