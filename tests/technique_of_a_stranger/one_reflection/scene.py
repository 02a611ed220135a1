"""What the simulated beamline replays; site/reflection.py is its other half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from materialsdock.model import Axis, FloatArray, Job, Measured, Observation, Sample
from materialsdock.profile.config import Profile


def scene(measured: Measured, job: Job, profile: Profile) -> Mapping[str, Any]:
    """The scan as rates."""
    seconds = measured.count_time_s or job.settings["full_scan"]["full_time_s"]
    return {"two_theta": measured.x, "rate_hz": measured.y / seconds}


def counted(job: Job, observations: Sequence[Observation]) -> Mapping[str, Any]:
    """How often each place [0.1 mdeg] was counted, so that no count is drawn twice."""
    visits = Counter(round(o.x * 1e4) for o in observations)
    return {
        "visited": np.array(list(visits), dtype=np.int64),
        "visits": np.array(list(visits.values()), dtype=np.int64),
    }


def stand_in(job: Job) -> Measured:
    """A reflection in the middle of the job's range, for rehearsals."""
    x = Axis.of(job.settings["axis"]).grid
    return Measured("reflection", x, line(x, float(x.mean())))


def replayed(measured: Measured, job: Job) -> Measured:
    """All of the file."""
    return measured


def demo() -> tuple[Measured, Sample]:
    """A reflection at 43.32°, where that of copper is."""
    x = np.linspace(42.3, 44.3, 201)
    return Measured("reflection", x, line(x, 43.32), count_time_s=1.0), Sample(
        "copper 111", "reflection", 2
    )


def line(two_theta: FloatArray, at: float) -> FloatArray:
    """Counts of a reflection at `at` [deg], 0.2° wide."""
    return np.round(50.0 + 2000.0 * np.exp(-0.5 * ((two_theta - at) / 0.085) ** 2))
