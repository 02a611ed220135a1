"""Limits on what may be refined, and on what a refined answer may be.

An engine's "converged" is not physical: it is also said of 20-point data, of local minima and of
negative displacement parameters, so both ends are checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.signal import find_peaks, peak_widths

from materialsdock.errors import InputError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Parameter, Structure
from materialsdock.techniques.xrd.model import PhaseFit
from materialsdock.techniques.xrd.rietveld.crystals import crystals_of

MIN_POINTS = 50
MIN_PEAKS = 2
UNIT_SCALE = 1.5  # no detector counts so little at its highest
PEAK_SIGMAS = 6.0
CELL_CHANGE = 0.01
ORIENTATION = (0.3, 3.0)
BISO_FLOOR = 1e-4
BISO_ESD = 0.1  # Å²; zero with a larger esd says nothing against the 0.3 of a hard oxide
SHAPES = (*"uvwxy", "axial_sl", "axial_hl")  # at their bound they say nothing of the sample
WHOLE = 0.1  # wt%, off 100 in sum
ENVELOPE_WIDTHS = 12


def check_pattern(pattern: Pattern, fwhm_deg: float) -> None:
    """Raise InputError, with every fault in it, for a pattern that cannot be refined."""
    two_theta, y, sigma = pattern.two_theta, pattern.intensity, pattern.sigma
    faults = []
    if not two_theta.shape == y.shape == sigma.shape or y.ndim != 1:
        faults.append(f"2θ {two_theta.shape}, intensity {y.shape}, sigma {sigma.shape} differ")
    elif y.size < MIN_POINTS:
        faults.append(f"{y.size} points are fewer than {MIN_POINTS}")
    elif not (np.isfinite(two_theta).all() and (np.diff(two_theta) > 0).all()):
        faults.append("2θ is not finite and strictly increasing")
    elif not np.isfinite(y).all():
        faults.append(f"{np.count_nonzero(~np.isfinite(y))} intensities are not finite")
    elif (y < 0).any():
        faults.append(f"{np.count_nonzero(y < 0)} intensities are negative (lowest {y.min():g})")
    elif not (np.isfinite(sigma).all() and (sigma > 0).all()):
        faults.append("sigma is not finite and positive everywhere")
    elif (found := peaks(pattern, fwhm_deg)[0].size) < MIN_PEAKS:
        faults.append(f"{found} peaks stand out of the noise, fewer than {MIN_PEAKS}")
        if float(y.max()) <= UNIT_SCALE:
            faults.append(f"the highest intensity is {y.max():g}, as of a scale from 0 to 1")
    if faults:
        raise InputError(
            "; ".join(faults),
            where="pattern to refine",
            remedy="give a finished scan, in counts or with its own σ",
        )


def peaks(pattern: Pattern, fwhm_deg: float) -> tuple[FloatArray, FloatArray]:
    """Positions and full widths at half maximum (k,) [deg] of the peaks, the highest first.

    A peak stands PEAK_SIGMAS above the running median, after averaging over `fwhm_deg`.
    """
    two_theta, y = pattern.two_theta, pattern.intensity
    points = max(1, round(fwhm_deg / float(np.median(np.diff(two_theta)))))
    smooth = uniform_filter1d(y, points)
    excess = smooth - median_filter(y, min(40 * points + 1, y.size), mode="nearest")
    noise = np.sqrt(uniform_filter1d(pattern.sigma**2, points) / points)
    above = np.maximum(excess, 0.0)
    at, _ = find_peaks(above, distance=2 * points)
    at = at[above[at] > PEAK_SIGMAS * noise[at]]
    at = at[np.argsort(-excess[at])]
    left, right = peak_widths(above, at, rel_height=0.5)[2:]
    index = np.arange(two_theta.size)
    widths = np.interp(right, index, two_theta) - np.interp(left, index, two_theta)
    return two_theta[at], widths


def envelope(pattern: Pattern, fwhm_deg: float) -> FloatArray:
    """(n,) the slowly varying lower envelope [counts/s]: SNIP on √y (Ryan et al. 1988)."""
    step = float(np.median(np.diff(pattern.two_theta)))
    half = min(max(1, round(ENVELOPE_WIDTHS * fwhm_deg / step)), pattern.two_theta.size // 4)
    root = uniform_filter1d(np.sqrt(pattern.intensity), 5, mode="nearest")
    for p in range(half, 0, -1):
        root[p:-p] = np.minimum(root[p:-p], (root[: -2 * p] + root[2 * p :]) / 2)
    return np.asarray(root**2, dtype=float)


def check_structures(structures: Sequence[Structure]) -> None:
    """Raise InputError for no structure, a name used twice, or a CIF that describes no crystal."""
    names = [structure.name for structure in structures]
    if not names:
        raise InputError("no structure to refine", remedy="give at least one CIF")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"structures share the name {', '.join(twice)}", remedy="name each phase once"
        )
    for structure in structures:
        _check_cif(structure)


def _check_cif(structure: Structure) -> None:
    place = f"CIF of {structure.name}"
    try:
        crystals = crystals_of(structure)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"cannot be read: {error}", where=place) from error
    crystal = next(iter(crystals), None)
    if crystal is None:
        raise InputError("has no atoms", where=place, remedy="give a CIF with an _atom_site loop")
    if not crystal.cell.is_crystal():
        raise InputError(f"has no unit cell: {crystal.cell.parameters}", where=place)
    if crystal.spacegroup is None:
        raise InputError(
            f"unknown space group {crystal.spacegroup_hm!r}",
            where=place,
            remedy="write its Hermann-Mauguin symbol or its symmetry operations",
        )
    if unknown := [s.label for s in crystal.sites if s.element.atomic_number == 0]:
        raise InputError(f"unknown element at {', '.join(unknown)}", where=place)


def violations(
    two_theta: FloatArray,
    parameters: Sequence[Parameter],
    phases: Sequence[PhaseFit],
    start_cells: Mapping[str, Mapping[str, float]],
) -> tuple[str, ...]:
    """Physical constraints that a refined answer breaks, one sentence each.

    two_theta : (n,) the refined range [deg]; parameters : names end in .biso, .occupancy,
    .preferred_orientation, or are x and y of the profile; start_cells : phase name -> key ->
    value before refinement, as in PhaseFit.cell
    """
    return (
        *_bad_parameters(parameters),
        *_bad_cells(phases, start_cells),
        *_bad_fractions(phases),
        *_bad_widths(two_theta, parameters),
    )


def _bad_parameters(parameters: Sequence[Parameter]) -> Iterable[str]:
    low, high = ORIENTATION
    for p in parameters:
        if p.esd is None:
            continue
        kind = p.name.rsplit(".", 1)[-1]
        if not np.isfinite(p.value) or not (np.isfinite(p.esd) or p.name in SHAPES):
            yield f"{p.name} = {p.value:g} has no finite esd"
        if kind == "biso" and p.value <= BISO_FLOOR and not p.esd > BISO_ESD:
            yield f"{p.name} = {p.value:g} Å² is at or below zero"
        if kind == "occupancy" and not 0 <= p.value <= 1:
            yield f"{p.name} = {p.value:g} is not between 0 and 1"
        if kind == "preferred_orientation" and not low <= p.value <= high:
            yield f"{p.name} = {p.value:g} is outside {low}-{high}"


def _bad_cells(
    phases: Sequence[PhaseFit], start_cells: Mapping[str, Mapping[str, float]]
) -> Iterable[str]:
    for phase in phases:
        for key, start in start_cells[phase.name].items():
            change = phase.cell[key].value / start - 1
            if not abs(change) <= CELL_CHANGE:
                yield f"{phase.name}.{key} changed by {change:+.1%}"


def _bad_fractions(phases: Sequence[PhaseFit]) -> Iterable[str]:
    for phase in phases:
        if not phase.weight_fraction >= 0:
            yield f"{phase.name} is {phase.weight_fraction:g} wt% of the sample"
    total = sum(phase.weight_fraction for phase in phases)
    if phases and not abs(total - 100) <= WHOLE:
        yield f"the phases are {total:g} wt% together"


def _bad_widths(two_theta: FloatArray, parameters: Sequence[Parameter]) -> Iterable[str]:
    value = {p.name: p.value for p in parameters}
    theta = np.radians(two_theta / 2)
    lorentzian = value.get("x", 0.0) / np.cos(theta) + value.get("y", 0.0) * np.tan(theta)
    if lorentzian.min() < -1e-9:
        yield f"Lorentzian width is negative ({lorentzian.min():.2g} deg) within the range"
