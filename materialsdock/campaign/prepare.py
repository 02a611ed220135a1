"""From a scan, structures and a profile to one Job, and the scene that replays a measured file."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.campaign import build
from materialsdock.errors import InputError
from materialsdock.formats.scans import even_grid as even_grid
from materialsdock.formats.scans import of_measured
from materialsdock.learning.stopping.rules import FIELDS
from materialsdock.learning.stopping.settings import BUDGETS
from materialsdock.model import Axis, Job, Measured, Observation, Sample, Scan
from materialsdock.profile.config import Profile
from materialsdock.profile.sections import Stop
from materialsdock.techniques.xas.edge import Edge
from materialsdock.techniques.xas.grids import candidate_grid, expert_grid, start_grid
from materialsdock.techniques.xas.standards import of_mixture
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases.cif_files import read_structure as read_structure
from materialsdock.techniques.xrd.rietveld.sensitivity import QUANTITIES
from materialsdock.techniques.xrd.section import Xrd

# λ over the passes of a diffraction measurement: each is compared with the first, per observation
BY_PASS = {"reference": "first", "warmup": 0, "per_observation": True}
BY_PASS_ROBUST = {**BY_PASS, "window": 1, "gates": False}
# counts of many steps at a time say little of single surprises, nor has a pattern gaps
PATTERN_TARGETS = ("peak_area_rel_sd", "detectable_strength", "max_sd")  # MultiPassLearner's
FREE = {"gap": False, "minimum_points": 1, "calm": [0.0, 1e9], "wild": 1e9}


def new_job_id(sample: str) -> str:
    """A readable, sortable, unique id: date, time, sample's letters and digits, random tail."""
    slug = "".join(c for c in sample if c.isascii() and c.isalnum())[:24] or "sample"
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}"


def stop_settings(stop: Stop, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The profile's stopping section with the user's changes, None left out.

    A user who changes the mode does not get what the profile says of another one.
    """
    asked = {key: value for key, value in changes.items() if value is not None}
    own = {key: value for key, value in stop.model_dump().items() if value is not None}
    known = {"mode", "targets", *BUDGETS, *FIELDS[asked.get("mode", stop.mode)]}
    return {**{key: value for key, value in own.items() if key in known}, **asked}


def by_pass(stop: Mapping[str, Any]) -> dict[str, Any]:
    """Stopping settings (of any mode) for evidence whose groups are passes."""
    if stop["mode"] == "target":
        return {**FREE, **stop}
    return {**(BY_PASS if stop["mode"] == "paper" else BY_PASS_ROBUST), **stop}


def diffraction_job(
    measured: Measured | Scan,
    sample: Sample,
    profile: Profile,
    *,
    stop: Mapping[str, Any],
    seed: int = 0,
    count_time_s: float | None = None,
) -> Job:
    """A job that measures the 2θ range of `measured`, whose full scan is the yardstick.

    What refinement steers towards ends the measurement when its esd is reached.
    """
    xrd = _section(profile.xrd, profile, "xrd")
    scan = _scan(measured)
    grid = scan.x
    full_time_s = count_time_s or scan.count_time_s or xrd.full_time_s
    seconds = grid.size * full_time_s + np.ptp(grid) / xrd.motion.velocity
    stopping = _steered_stop(xrd, stop)
    steered = (f"{_steered_quantity(xrd)}_esd",) if xrd.objective in build.STEERED else ()
    _refuse_unknown_targets(stopping, (*PATTERN_TARGETS, *steered))
    settings = {
        "axis": {
            "name": "two_theta",
            "unit": "deg",
            "start": float(grid[0]),
            "step": float(grid[1] - grid[0]),
            "points": int(grid.size),
            "resolution": xrd.fwhm_deg,
        },
        "learner": {
            "full_time_s": full_time_s,
            "fwhm_deg": xrd.fwhm_deg,
            "segment_points": xrd.segment_points,
            "velocity_deg_s": xrd.motion.velocity,
            "settle_s": xrd.motion.settle_s,
            **_objective(xrd, full_time_s),
        },
        "stop": by_pass(stopping),
        "full_scan": {
            "points": int(grid.size),
            "seconds": float(seconds),
            "full_time_s": full_time_s,
        },
        "diffractometer": asdict(_radiation(xrd.diffractometer, scan)),
        "analysis": profile.analysis.model_dump(),
        "profile": profile.name,
    }
    return Job(new_job_id(sample.name), sample, settings, seed)


def _objective(xrd: Xrd, full_time_s: float) -> dict[str, Any]:
    if xrd.objective not in build.STEERED:
        return {"objective": xrd.objective}
    if xrd.wanted_esd is None or (xrd.objective == "parameter") != bool(xrd.wanted):
        raise InputError(
            f"objective {xrd.objective!r}, wanted {list(xrd.wanted)}, esd {xrd.wanted_esd}",
            where="[xrd]",
            remedy="fractions takes --esd alone, parameter takes --wanted PHASE.NAME and --esd",
        )
    return {
        "objective": xrd.objective,
        "wanted": list(xrd.wanted) or None,
        "wanted_esd": xrd.wanted_esd,
        "capacity_s": full_time_s,
    }


def _kind(name: str) -> str:
    """What "zincite.a" is: a cell_length."""
    last = name.rsplit(".", 1)[-1]
    return QUANTITIES.get(last, last)


def _steered_stop(xrd: Xrd, stop: Mapping[str, Any]) -> dict[str, Any]:
    if xrd.objective not in build.STEERED:
        return stop_settings(xrd.stop, stop)
    budget = {key: getattr(xrd.stop, key) for key in BUDGETS}
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
            remedy=f"there is: {', '.join(known)}; esds of structures by --objective and --esd",
        )


def absorption_job(
    measured: Measured | Scan,
    sample: Sample,
    profile: Profile,
    *,
    stop: Mapping[str, Any],
    seed: int = 0,
    count_time_s: float | None = None,
    edge: Edge | None = None,
) -> Job:
    """A job over the energy range of `measured`, starting from an expert's coarse regions.

    edge : None: the scan's, or the tabulated one nearest to the file's rise
    """
    xas = _section(profile.xas, profile, "xas")
    scan = _scan(measured, edge)
    lo, hi, edge = float(scan.x[0]), float(scan.x[-1]), edge or scan.about
    if edge is None:
        raise InputError("a scan without an edge", where=sample.name, remedy="name the edge")
    count = count_time_s or xas.count_time_s
    candidates = candidate_grid(lo, hi, edge.energy_ev, xas.resolution_ev)
    full = int(scan.x.size)
    seconds = full * (count + xas.motion.settle_s) + (hi - lo) / xas.motion.velocity
    stopping = stop_settings(xas.stop, stop)
    targets = stopping.get("targets", {})
    settings = {
        "axis": {
            "name": "energy",
            "unit": "eV",
            "grid": candidates.tolist(),
            "resolution": xas.resolution_ev,
        },
        "learner": {
            "count_time_s": count,
            "initial": start_grid(lo, hi, edge.energy_ev, xas.resolution_ev).tolist(),
            "narrow": [max(lo, edge.energy_ev - 15.0), min(hi, edge.energy_ev + 40.0)],
            "edge_ev": edge.energy_ev,
            "velocity": xas.motion.velocity,
            "settle_s": xas.motion.settle_s,
            "expert": expert_grid(lo, hi, edge.energy_ev, xas.resolution_ev).tolist(),
            "quantities": [name.removesuffix("_sd") for name in targets if name.endswith("_sd")],
            "regions": [list(region) for region in xas.regions],
            **build.prior_settings(xas.prior, edge),
            **of_mixture(xas.standards, edge, candidates),
        },
        "stop": stopping,
        "full_scan": {"points": full, "seconds": float(seconds), "full_time_s": count},
        "edge": edge.name,
        "profile": profile.name,
        "d_spacing_angstrom": _d_spacing_angstrom(profile),
    }
    return Job(new_job_id(sample.name), sample, settings, seed)


def _d_spacing_angstrom(profile: Profile) -> float | None:
    """Of the crystals of the device `mono`, where its options say it."""
    mono = profile.devices.get("mono")
    found = None if mono is None else mono.options.get("d_spacing")
    if found is not None and not (isinstance(found, int | float) and 0 < found < 100):
        raise InputError(
            f"d_spacing = {found!r}",
            where=f"options of mono, profile {profile.name!r}",
            remedy="give the distance of its lattice planes in Å, e.g. 3.1356 for Si 111",
        )
    return found


def job_for(
    measured: Measured | Scan,
    sample: Sample,
    profile: Profile,
    *,
    stop: Mapping[str, Any] | None = None,
    seed: int = 0,
    count_time_s: float | None = None,
) -> Job:
    """The job that measures `sample` as its technique is measured."""
    make = diffraction_job if sample.technique == "xrd" else absorption_job
    return make(measured, sample, profile, stop=stop or {}, seed=seed, count_time_s=count_time_s)


def scene(measured: Measured, job: Job, profile: Profile) -> dict[str, Any]:
    """The arrays from which the simulated beamline replays `measured` with counting statistics."""
    if job.sample.technique == "xrd":
        return {
            "two_theta": even_grid(measured.x),
            "counts": np.rint(measured.y).astype(np.int64),
            "count_time_s": job.settings["full_scan"]["full_time_s"],
        }
    xas = _section(profile.xas, profile, "xas")
    return {"energy_ev": measured.x, "mu": measured.y, "i0_rate_hz": xas.i0_rate_hz}


def _scan(given: Measured | Scan, edge: Edge | None = None) -> Scan:
    return of_measured(given, edge) if isinstance(given, Measured) else given


def _radiation(diffractometer: Diffractometer, scan: Scan) -> Diffractometer:
    lines: Sequence[float] | None = scan.about
    if not lines:
        return diffractometer
    weights = diffractometer.weights[: len(lines)]
    return replace(diffractometer, wavelengths_angstrom=tuple(lines), weights=weights)


def _section(section: Any, profile: Profile, name: str) -> Any:
    if section is None:
        raise InputError(
            f"profile {profile.name!r} has no [{name}] section",
            where="profile.toml",
            remedy=f"describe the instrument under [{name}] or choose another technique",
        )
    return section


def mark_counted(scene_file: Path, job: Job, observations: Sequence[Observation]) -> None:
    """Tell a fresh simulation what has been counted already, so that no count is drawn twice.

    Only a resumed replay needs this: a real sample remembers by itself.
    """
    if job.sample.technique != "xrd":
        return
    axis = Axis.of(job.settings["axis"])
    seconds, counts = np.zeros(axis.grid.size), np.zeros(axis.grid.size)
    for o in observations:
        at = int(axis.index(o.x))
        seconds[at] += o.count_time_s
        counts[at] += round(o.y * o.count_time_s)
    with np.load(scene_file) as stored:
        arrays = {key: stored[key] for key in stored.files}
    np.savez(scene_file, **{**arrays, "used_time_s": seconds, "used_counts": counts})
