"""Along which axes a powder may be oriented, and which of them its reflections suggest."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import gemmi
import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Fit, PhaseFit
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.techniques.xrd.search.detection_limits import DETECTED_ESDS

Axis = tuple[int, int, int]
# Cleavage and habit planes that are not among the indices 0 and ±1.
HEXAGONAL: tuple[Axis, ...] = ((1, 0, 2), (0, 1, 2), (1, 0, 4))
ORDERS = 6  # of reflection along an axis that are looked at
STRONG_SIGMAS, STRONG_SHARE = 4.0, 0.03
MOST_AXES = 4  # per phase
MOST_TRIED = 10


def axes(structure: Structure) -> tuple[Axis, ...]:
    """Low-index axes, one of each set that the Laue group makes equal; (0, 0, 1) first."""
    group = crystal_of(structure).spacegroup
    listed: list[Axis] = [(i, j, k) for i, j, k in itertools.product((0, 1, -1), repeat=3)][1:]
    listed.sort(key=lambda h: (sum(map(abs, h)), sum(i < 0 for i in h), h))
    if group.crystal_system_str() in ("trigonal", "hexagonal") and group.ext != "R":
        listed += HEXAGONAL
    operations = group.operations()
    seen: set[Axis] = set()
    found = []
    for axis in listed:
        if axis not in seen:
            found.append(axis)
            seen |= _equal(operations, axis)
    return tuple(found)


def candidates(
    pattern: Pattern,
    fit: Fit,
    structures: Sequence[Structure],
    wavelength: float,
    fwhm_deg: float,
) -> tuple[tuple[str, Axis], ...]:
    """(phase, axis) whose own reflections the fit misses, the most significant first.

    A reflection counts where the residual within one width of it is STRONG_SIGMAS beyond noise and
    STRONG_SHARE of what is calculated there.  Phases with an axis on request, and those below
    detection, have none.  The first axis is tried whenever any other is: its own reflections may be
    weak, and plates along it look like needles across it.
    """
    found = []
    for structure, phase in zip(structures, fit.phases, strict=True):
        if structure.preferred_orientation is not None or not _detected(phase):
            continue
        misses = [
            (_miss(pattern, fit, _along(pattern, phase, structure, a, wavelength), fwhm_deg), a)
            for a in axes(structure)
        ]
        kept = sorted((pair for pair in misses if pair[0] > 0), key=lambda pair: -pair[0])
        kept = kept[:MOST_AXES]
        if kept and misses[0][1] not in [axis for _, axis in kept]:
            kept = [*kept[: MOST_AXES - 1], (kept[0][0], misses[0][1])]
        found += [(sigmas, phase.name, axis) for sigmas, axis in kept]
    found.sort(key=lambda row: -row[0])
    return tuple((name, axis) for _, name, axis in found[:MOST_TRIED])


def _detected(phase: PhaseFit) -> bool:
    esd = phase.weight_fraction_esd
    return esd is None or phase.weight_fraction > DETECTED_ESDS * esd


def _miss(pattern: Pattern, fit: Fit, positions: Iterable[float], fwhm_deg: float) -> float:
    """The most significant residual near `positions` [sigma], 0 where none is strong."""
    worst = 0.0
    bragg, left = fit.y_calc - fit.y_background, pattern.intensity - fit.y_calc
    for at in positions:
        near = np.abs(pattern.two_theta - at) <= fwhm_deg
        calculated = float(bragg[near].sum())
        if not near.any() or calculated <= 0:
            continue
        off = abs(float(left[near].sum()))
        noise = math.sqrt(float((pattern.sigma[near] ** 2).sum()))
        if off > STRONG_SIGMAS * noise and off > STRONG_SHARE * calculated:
            worst = max(worst, off / noise)
    return worst


def _along(
    pattern: Pattern, phase: PhaseFit, structure: Structure, axis: Axis, wavelength: float
) -> Iterator[float]:
    """2θ [deg] within the pattern of the reflections along an axis."""
    lengths = [phase.cell[key].value for key in ("a", "b", "c", "alpha", "beta", "gamma")]
    cell = gemmi.UnitCell(*lengths)
    operations = crystal_of(structure).spacegroup.operations()
    for order in range(1, ORDERS + 1):
        h = [order * i for i in axis]
        sine = wavelength / (2 * cell.calculate_d(h))
        if sine >= 1 or operations.is_systematically_absent(h):
            continue
        at = float(np.degrees(2 * np.arcsin(sine)))
        if pattern.two_theta[0] <= at <= pattern.two_theta[-1]:
            yield at


def _equal(operations: gemmi.GroupOps, axis: Axis) -> set[Axis]:
    """The axes that the Laue group makes equal to one."""
    images = [op.apply_to_hkl(list(axis)) for op in operations.sym_ops]
    return {(sign * i, sign * j, sign * k) for i, j, k in images for sign in (1, -1)}
