"""From a scan to a job, and from a job to its learner: one curve on an even grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from materialsdock import technique
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.model import Axis, Job, Measured, Sample, Scan
from materialsdock.profile import asking
from materialsdock.profile.config import Profile
from materialsdock.techniques.ordinary.section import section_of

STEPS = 4  # of the grid for one resolution


def scan_of(measured: Measured) -> Scan:
    """The scan that a file holds."""
    return Scan(measured.technique, measured.x, measured.count_time_s)


def places(start: float, stop: float, resolution: float) -> int:
    """Count the places of the grid from `start` to `stop`."""
    return STEPS * math.ceil((stop - start) / resolution) + 1


def job(
    scan: Scan,
    sample: Sample,
    profile: Profile,
    *,
    stop: Mapping[str, Any],
    seed: int = 0,
    count_time_s: float | None = None,
) -> Job:
    """A job over the range of `scan`, which is the yardstick: it takes no longer, unless asked."""
    known = technique.named(sample.technique)
    own = section_of(profile, known.name)
    count = count_time_s or own.count_time_s
    lo, hi, full = float(scan.x[0]), float(scan.x[-1]), int(scan.x.size)
    seconds = full * (count + own.motion.settle_s) + (hi - lo) / own.motion.velocity
    points = places(lo, hi, own.resolution)
    step = (hi - lo) / (points - 1)
    axis = {"name": known.keys.position, "unit": known.unit, "start": lo, "step": step}
    settings = {
        "axis": {**axis, "points": points, "resolution": own.resolution},
        "learner": {"count_time_s": count, **own.motion.model_dump()},
        "stop": asking.within_full_scan(asking.stop_settings(own.stop, stop), seconds),
        "full_scan": {"points": full, "seconds": seconds, "full_time_s": count},
        "profile": profile.name,
    }
    return Job(asking.new_job_id(sample.name), sample, settings, seed)


def learner(job: Job) -> SpectrumLearner:
    """The learner of curves, on the axis of the job."""
    return SpectrumLearner(Axis.of(job.settings["axis"]), seed=job.seed, **job.settings["learner"])
