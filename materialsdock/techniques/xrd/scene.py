"""Patterns as the simulated beamline replays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.scans import cut
from materialsdock.model import Axis, FloatArray, Job, Measured, Observation
from materialsdock.profile.config import Profile
from materialsdock.techniques.xrd.demo import fluorapatite
from materialsdock.techniques.xrd.job import even_grid

WHOLE = 1e-3  # of a count


def scene(measured: Measured, job: Job, profile: Profile) -> dict[str, Any]:
    """Arrays of counts, counted for the file's time where it says one, else for the job's.

    Intensities that are no whole numbers are scaled to the counts that their σ stands for.
    Raises InputError for uneven steps.
    """
    return {
        "two_theta": even_grid(measured.x),
        "counts": np.rint(_as_counts(measured)).astype(np.int64),
        "count_time_s": measured.count_time_s or job.settings["full_scan"]["full_time_s"],
    }


def _as_counts(measured: Measured) -> FloatArray:
    """Intensities (n,) as counts: counts of variance σ² are y·median(y/σ²)."""
    y, sigma = measured.y, measured.sigma
    if sigma is None or np.allclose(y, np.rint(y), rtol=0.0, atol=WHOLE):
        return y
    strong = (y > 0) & (sigma > 0)
    return y * float(np.median(y[strong] / sigma[strong] ** 2)) if strong.any() else y


def counted(job: Job, observations: Sequence[Observation]) -> Mapping[str, Any]:
    """Arrays (m,) of what has been drawn of each step, so that no count is drawn twice."""
    axis = Axis.of(job.settings["axis"])
    seconds, counts = np.zeros(axis.grid.size), np.zeros(axis.grid.size)
    for o in observations:
        at = int(axis.index(o.x))
        seconds[at] += o.count_time_s
        counts[at] += round(o.y * o.count_time_s)
    return {"used_time_s": seconds, "used_counts": counts}


def stand_in(job: Job) -> Measured:
    """The lines of fluorapatite stretched to the range of the job."""
    grid, known = Axis.of(job.settings["axis"]).grid, fluorapatite()
    counts = np.interp(np.linspace(0, 1, grid.size), np.linspace(0, 1, known.y.size), known.y)
    return Measured("xrd", grid, counts, kind="simulated")


def replayed(measured: Measured, job: Job) -> Measured:
    """The part of a file that a job measures.

    Raises InputError for a file that is no longer the one that the job began with.
    """
    grid = Axis.of(job.settings["axis"]).grid
    measured = cut(measured, float(grid[0]), float(grid[-1]))
    if measured.x.size != grid.size:
        raise InputError(
            f"holds {measured.x.size} steps where the job began with {grid.size}",
            where=str(job.settings.get("replay", "")),
            remedy="put the old file back, or begin a new measurement",
        )
    return measured
