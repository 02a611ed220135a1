"""Making one job of a scan of energies, a sample and a profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.model import Job, Measured, Sample, Scan
from materialsdock.profile import asking
from materialsdock.profile.config import Profile
from materialsdock.techniques.xas.learner import prior_settings
from materialsdock.techniques.xas.section import Xas, section_of
from materialsdock.techniques.xas.signals import TRANSMISSION
from materialsdock.techniques.xas.spectrum.edge import find_edge
from materialsdock.techniques.xas.spectrum.edge_table import Edge, edge_at, named, refuse_other
from materialsdock.techniques.xas.spectrum.grids import (
    candidate_grid,
    expert_grid,
    region_grid,
    start_grid,
)
from materialsdock.techniques.xas.standards import of_mixture

SD_OVER_HEIGHT = 0.1
BEFORE_EDGE_EV, BEYOND_EDGE_EV = 50.0, 40.0  # the least that shows an edge


def scan_of(measured: Measured, edge: Edge | None = None) -> Scan:
    """The scan that a measured spectrum holds; InputError for one without an edge.

    edge : None: the one that the file names, or else the tabulated one that its rise must be
    Raises InputError as well where the rise is another edge's, or may be two.
    """
    said = measured.reading.edge
    wanted = edge or (named(said) if said else None)
    about = edge_at(find_edge(measured.x, measured.y), wanted)
    return Scan("xas", measured.x, about=about)


def of_edge(edge: Edge, start_ev: float, stop_ev: float) -> Scan:
    """The scan of `edge` as it is usually made: three regions, the last even in k.

    Raises InputError when the range does not hold the edge with what it stands on.
    """
    if start_ev > edge.energy_ev - BEFORE_EDGE_EV or stop_ev < edge.energy_ev + BEYOND_EDGE_EV:
        raise InputError(
            f"{start_ev:g} to {stop_ev:g} eV does not show the {edge.name} edge at "
            f"{edge.energy_ev:g} eV",
            where="energy range",
            remedy=f"begin {BEFORE_EDGE_EV:g} eV before and end {BEYOND_EDGE_EV:g} eV beyond it",
        )
    return Scan("xas", region_grid(start_ev, stop_ev, edge.energy_ev), about=edge)


def job(
    scan: Scan,
    sample: Sample,
    profile: Profile,
    *,
    stop: Mapping[str, Any],
    seed: int = 0,
    count_time_s: float | None = None,
) -> Job:
    """A job over the energy range of `scan`, starting from an expert's coarse regions.

    Raises InputError for a scan without an edge.
    """
    xas = section_of(profile)
    lo, hi = float(scan.x[0]), float(scan.x[-1])
    edge: Edge | None = scan.about
    if edge is None:
        raise InputError("a scan without an edge", where=sample.name, remedy="name the edge")
    chosen = xas.chosen
    if chosen.e0 is not None:
        refuse_other(chosen.e0, edge, "e0")
    count = count_time_s or xas.count_time_s
    sampling = xas.sampling(edge)
    candidates = candidate_grid(lo, hi, edge.energy_ev, sampling.fine_ev)
    full = int(scan.x.size)
    seconds = full * (count + xas.motion.settle_s) + (hi - lo) / xas.motion.velocity
    stopping = _stopping(xas, stop, seconds * (1 - _visiting(profile)))
    targets = stopping.get("targets", {})
    settings = {
        "axis": {
            "name": "energy",
            "unit": "eV",
            "grid": candidates.tolist(),
            "resolution": sampling.fine_ev,
        },
        "learner": {
            "count_time_s": count,
            "initial": start_grid(lo, hi, edge.energy_ev, sampling).tolist(),
            "narrow": _within(sampling.narrow_ev, edge, lo, hi),
            "near_ev": sampling.near_ev,
            "edge_ev": edge.energy_ev,
            "velocity": xas.motion.velocity,
            "settle_s": xas.motion.settle_s,
            "expert": expert_grid(lo, hi, edge.energy_ev, sampling).tolist(),
            "quantities": [name.removesuffix("_sd") for name in targets if name.endswith("_sd")],
            "regions": [list(region) for region in xas.regions],
            **prior_settings(xas.prior, edge),
            **of_mixture(xas.standards, edge, candidates),
        },
        "stop": stopping,
        "full_scan": {"points": full, "seconds": float(seconds), "full_time_s": count},
        "edge": edge.name,
        "mono_resolution_ev": xas.mono_ev(edge),
        "spectrum": chosen.chosen(),
        "profile": profile.name,
        "d_spacing_angstrom": _d_spacing_angstrom(profile),
        **_signal(xas, profile),
    }
    return Job(asking.new_job_id(sample.name), sample, settings, seed)


def _stopping(xas: Xas, stop: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Stop as profile and user say, and before `seconds` where neither says for how long.

    A curve is known well enough when its sd is a small share of its height, too: of a weak edge
    the noise of a single point says nothing.
    """
    found = asking.within_full_scan(asking.stop_settings(xas.stop, stop), seconds)
    return found if found["mode"] != "robust" else {"sd_over_height": SD_OVER_HEIGHT, **found}


def _visiting(profile: Profile) -> float:
    """The share of the time that sentinels may take to look at places again."""
    return 0.0 if profile.conditions is None else profile.conditions.reference_share


def _signal(xas: Xas, profile: Profile) -> dict[str, Any]:
    """Settings of what is measured; {} for transmission, as it was before there were others.

    Raises InputError for a profile without the device that measures it.
    """
    if xas.signal == TRANSMISSION:
        return {}
    role = technique.named("xas").ways[xas.signal].counter
    if role not in profile.devices:
        raise InputError(
            f"profile {profile.name!r} has no device {role!r}, which measures {xas.signal}",
            where="signal",
            remedy=f"describe it under [devices], or measure {TRANSMISSION}",
        )
    found = {"signal": xas.signal, **({"composition": xas.composition} if xas.composition else {})}
    limit = profile.devices[role].options.get("dead_time_limit")
    return {**found, **({} if limit is None else {"detector": {"dead_time_limit": limit}})}


def _within(ends_ev: tuple[float, float], edge: Edge, lo: float, hi: float) -> list[float]:
    """The part of a range, counted from the edge [eV], that a scan from lo to hi covers."""
    low, high = (edge.energy_ev + end for end in ends_ev)
    return [max(lo, low), min(hi, high)]


def _d_spacing_angstrom(profile: Profile) -> float | None:
    """Return the d spacing [Å] of the device `mono`, where its options say it; else None.

    Raises InputError for one that is no number from 0 to 100.
    """
    mono = profile.devices.get("mono")
    found = None if mono is None else mono.options.get("d_spacing")
    if found is not None and not (isinstance(found, int | float) and 0 < found < 100):
        raise InputError(
            f"d_spacing = {found!r}",
            where=f"options of mono, profile {profile.name!r}",
            remedy="give the distance of its lattice planes in Å, e.g. 3.1356 for Si 111",
        )
    return found
