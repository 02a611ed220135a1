"""From a scan to a job, from a job to its learner, from an event to what the learner hears."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from materialsdock.errors import DeviceFault
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.model import Axis, Job, Measured, Sample, Scan
from materialsdock.profile import asking
from materialsdock.profile.config import Profile
from materialsdock.protocols import Counted, Reading

STEPS = 201  # of a full scan, where no file says


def scan_of(measured: Measured) -> Scan:
    """The scan that a file holds."""
    return Scan("reflection", measured.x, measured.count_time_s)


def job(
    scan: Scan,
    sample: Sample,
    profile: Profile,
    *,
    stop: Mapping[str, Any],
    seed: int = 0,
    count_time_s: float | None = None,
) -> Job:
    """A job over the range of `scan`, which is the yardstick."""
    own = profile.section("reflection")
    count = count_time_s or own.count_time_s
    lo, hi, full = float(scan.x[0]), float(scan.x[-1]), int(scan.x.size)
    seconds = full * (count + own.motion.settle_s) + (hi - lo) / own.motion.velocity
    points = 4 * math.ceil((hi - lo) / own.resolution_deg) + 1
    axis = {"name": "two_theta", "unit": "deg", "start": lo, "step": (hi - lo) / (points - 1)}
    settings = {
        "axis": {**axis, "points": points, "resolution": own.resolution_deg},
        "learner": {"count_time_s": count, **own.motion.model_dump()},
        "stop": {"maximum_points": full, **asking.stop_settings(own.stop, stop)},
        "full_scan": {"points": full, "seconds": seconds, "full_time_s": count},
        "profile": profile.name,
    }
    return Job(asking.new_job_id(sample.name), sample, settings, seed)


def learner(job: Job) -> SpectrumLearner:
    """The learner of curves, on 2θ."""
    return SpectrumLearner(Axis.of(job.settings["axis"]), seed=job.seed, **job.settings["learner"])


def observe(data: Reading) -> Counted:
    """2θ [deg], count rate [1/s], its sd, the count time [s]; DeviceFault for impossible counts."""
    counts, seconds = float(data["counts"]), float(data["count_time_s"])
    if not (math.isfinite(counts) and counts >= 0 and seconds > 0):
        raise DeviceFault(f"{counts} counts in {seconds} s", where="counts", remedy="check it")
    sigma = math.sqrt(max(counts, 1.0)) / seconds
    return Counted(float(data["two_theta"]), counts / seconds, sigma, seconds)
