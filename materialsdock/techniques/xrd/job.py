"""Making one job of a scan of 2θ, a sample and a profile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FEWEST_POINTS
from materialsdock.formats.scans import FEWEST_STEPS
from materialsdock.learning.stopping.settings import BUDGETS
from materialsdock.model import FloatArray, Job, Measured, Sample, Scan
from materialsdock.profile import asking
from materialsdock.profile.config import Profile
from materialsdock.techniques.xrd.files.radiation import diffractometer_for
from materialsdock.techniques.xrd.rietveld.sensitivity import QUANTITIES
from materialsdock.techniques.xrd.section import STEERED, Xrd, section_of

UNEVEN = 0.25  # of a step: how far a 2θ position may lie from an even grid
MOST_STEPS = 200_000
# λ over the passes of a diffraction measurement: each is compared with the first, per observation
BY_PASS = {"reference": "first", "warmup": 0, "per_observation": True}
BY_PASS_ROBUST = {**BY_PASS, "window": 1, "gates": False}
# counts of many steps at a time say little of single surprises, nor has a pattern gaps
PATTERN_TARGETS = ("peak_area_rel_sd", "detectable_strength", "max_sd")  # MultiPassLearner's
FREE = {"gap": False, "minimum_points": 1, "calm": [0.0, 1e9], "wild": 1e9}


def scan_of(measured: Measured) -> Scan:
    """The scan that a measured pattern holds, with the radiation that its file names.

    Raises InputError for too few points, and for negative intensities, which nothing counts.
    """
    check_usable(measured)
    return Scan("xrd", measured.x, measured.count_time_s, measured.about)


def check_usable(measured: Measured) -> None:
    """Raise InputError for a pattern that can be looked at and no more."""
    negative = int(np.count_nonzero(measured.y < 0))
    if measured.x.size < FEWEST_POINTS or negative:
        what = f"{measured.x.size} points" + (
            f", {negative} of them negative (lowest {measured.y.min():g})" if negative else ""
        )
        raise InputError(
            f"{what}, of which nothing can be made",
            where="pattern",
            remedy=f"name a scan of at least {FEWEST_POINTS} points with counts ≥ 0",
        )


def of_two_theta(start: float, stop: float, step: float) -> Scan:
    """A step scan from `start` to `stop` or just short of it by `step`, all [deg].

    Raises InputError where that is no scan.
    """
    points = (stop - start) / step * (1 + 1e-12) + 1 if step > 0 else np.nan
    if not FEWEST_STEPS <= points <= MOST_STEPS:
        raise InputError(
            f"{start:g} to {stop:g}° by {step:g}° is no scan of {FEWEST_STEPS} to "
            f"{MOST_STEPS} steps",
            where="2θ range",
            remedy="mend start, stop or step",
        )
    x: FloatArray = start + step * np.arange(int(points), dtype=np.float64)
    return Scan("xrd", x)


def even_grid(two_theta: FloatArray) -> FloatArray:
    """The evenly stepped grid that `two_theta` (n,) means; InputError when it is not even."""
    grid = np.linspace(two_theta[0], two_theta[-1], two_theta.size)
    off = np.abs(two_theta - grid) / (grid[1] - grid[0])
    if off.max() > UNEVEN:
        worst = int(off.argmax())
        raise InputError(
            f"2θ step is uneven: {two_theta[worst]:g}° is {off[worst]:.2f} steps off an even grid",
            remedy="replay a scan with constant step; `refine` takes the points as they are",
        )
    return grid


def axis_of(two_theta: FloatArray, resolution_deg: float) -> dict[str, Any]:
    """The axis of a job as plain JSON: evenly stepped, or with every position where it is not."""
    named = {"name": "two_theta", "unit": "deg", "resolution": resolution_deg}
    try:
        grid = even_grid(two_theta)
    except InputError:
        return {**named, "grid": two_theta.tolist()}
    step = float(grid[1] - grid[0])
    return {**named, "start": float(grid[0]), "step": step, "points": int(grid.size)}


def job(
    scan: Scan,
    sample: Sample,
    profile: Profile,
    *,
    stop: Mapping[str, Any],
    seed: int = 0,
    count_time_s: float | None = None,
) -> Job:
    """A job that measures the 2θ range of `scan`, which is the yardstick.

    What refinement steers towards ends the measurement when its esd is reached.  A file of uneven
    steps makes a job that can be refined, not one that can be measured.
    """
    xrd = section_of(profile)
    grid = scan.x
    full_time_s = count_time_s or scan.count_time_s or xrd.full_time_s
    seconds = grid.size * full_time_s + np.ptp(grid) / xrd.motion.velocity
    stopping = _steered_stop(xrd, stop)
    steered = (f"{_steered_quantity(xrd)}_esd",) if xrd.objective in STEERED else ()
    _refuse_unknown_targets(stopping, (*PATTERN_TARGETS, *steered))
    diffractometer, wavelengths_from = diffractometer_for(xrd.diffractometer, scan.about)
    settings = {
        "axis": axis_of(grid, xrd.fwhm_deg),
        "learner": {
            "full_time_s": full_time_s,
            "fwhm_deg": xrd.fwhm_deg,
            "segment_points": xrd.segment_points,
            "velocity_deg_s": xrd.motion.velocity,
            "settle_s": xrd.motion.settle_s,
            **_objective(xrd, full_time_s),
        },
        "stop": asking.within_full_scan(by_pass(stopping), seconds),
        "full_scan": {
            "points": int(grid.size),
            "seconds": float(seconds),
            "full_time_s": full_time_s,
        },
        "diffractometer": asdict(diffractometer),
        "wavelengths_from": wavelengths_from,
        "analysis": profile.analysis.model_dump(),
        "profile": profile.name,
    }
    return Job(asking.new_job_id(sample.name), sample, settings, seed)


def by_pass(stop: Mapping[str, Any]) -> dict[str, Any]:
    """Stopping settings (of any mode) for evidence whose groups are passes."""
    if stop["mode"] == "target":
        return {**FREE, **stop}
    return {**(BY_PASS if stop["mode"] == "paper" else BY_PASS_ROBUST), **stop}


def _objective(xrd: Xrd, full_time_s: float) -> dict[str, Any]:
    if xrd.objective not in STEERED:
        return {"objective": xrd.objective}
    if xrd.wanted_esd is None or (xrd.objective == "parameter") != bool(xrd.wanted):
        raise InputError(
            f"objective {xrd.objective} with "
            f"{'esd ' + format(xrd.wanted_esd, 'g') if xrd.wanted_esd else 'no esd'} and "
            f"{'parameter ' + ', '.join(xrd.wanted) if xrd.wanted else 'no parameter'}",
            where="[xrd]",
            remedy="with fractions give --esd alone, with parameter --wanted PHASE.NAME and --esd",
        )
    return {
        "objective": xrd.objective,
        "wanted": list(xrd.wanted) or None,
        "wanted_esd": xrd.wanted_esd,
        "capacity_s": full_time_s,
    }


def _kind(name: str) -> str:
    """The quantity that a name such as "zincite.a" stands for: cell_length."""
    last = name.rsplit(".", 1)[-1]
    return QUANTITIES.get(last, last)


def _steered_stop(xrd: Xrd, stop: Mapping[str, Any]) -> dict[str, Any]:
    if xrd.objective not in STEERED:
        return asking.stop_settings(xrd.stop, stop)
    budget = {key: getattr(xrd.stop, key, None) for key in BUDGETS}
    found = {"mode": "target", **budget, **{k: v for k, v in stop.items() if v is not None}}
    targets = {f"{_steered_quantity(xrd)}_esd": xrd.wanted_esd, **stop.get("targets", {})}
    return {**{k: v for k, v in found.items() if v is not None}, "targets": targets}


def _steered_quantity(xrd: Xrd) -> str:
    return _kind(xrd.wanted[0]) if xrd.wanted else "weight_fraction"


def _refuse_unknown_targets(stopping: Mapping[str, Any], known: Collection[str]) -> None:
    """A target that no learner reports would never be reached."""
    if odd := [name for name in stopping["targets"] if name not in known]:
        raise InputError(
            f"no quantity of a powder pattern: {', '.join(odd)}",
            where="stop targets",
            remedy=f"available: {', '.join(known)}; esds of structures by --objective and --esd",
        )
