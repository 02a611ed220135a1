"""The edge of a spectrum: where it is, by half height and by its first inflection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.normalise import Normalised, normalise
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings

SMOOTHING_EV = 3.0
ROUNDS = 2
HALF, TOP = 0.5, 0.9
REACH_EV, TOP_WITHIN_EV = 25.0, 12.0  # where inflections are looked for, and the steepest
INFLECTION_STEP_EV = 0.05
FEWEST_NEAR = 8
# by how much a curve falls behind a peak of its own, a share of its height, itself above SMALL
FALLEN, SMALL = 0.15, 0.03


def steepest(energy_ev: FloatArray, mu: FloatArray) -> float:
    """Energy of the largest slope of µ (m,), smoothed over 3 eV: only a first guess.

    A strong pre-edge peak can be steeper than the edge, so this is never reported.
    Raises InputError for a spectrum that is not twice as long as it is smoothed.
    """
    if energy_ev[-1] - energy_ev[0] < 2 * SMOOTHING_EV:
        raise InputError(
            f"the spectrum is {energy_ev[-1] - energy_ev[0]:.3g} eV long",
            remedy=f"measure at least {2 * SMOOTHING_EV:g} eV",
        )
    step = max(float(np.median(np.diff(energy_ev))) / 4, 0.05)
    middle, smooth = smoothed(energy_ev, mu, step, SMOOTHING_EV)
    return float(middle[int(np.argmax(np.gradient(smooth, middle)))])


def smoothed(
    energy_ev: FloatArray, values: FloatArray, step_ev: float, width_ev: float
) -> tuple[FloatArray, FloatArray]:
    """Even energies (k,) inside those given (m,), and `values` (m,) smoothed over `width_ev`."""
    even = np.arange(energy_ev[0], energy_ev[-1], step_ev)
    kernel = np.hanning(max(3, round(width_ev / step_ev)) + 2)
    smooth = np.convolve(np.interp(even, energy_ev, values), kernel / kernel.sum(), mode="valid")
    return even[(even.size - smooth.size) // 2 :][: smooth.size], np.asarray(smooth)


def first_inflection(
    energy_ev: FloatArray, flat: FloatArray, e0_ev: float, width_ev: float = SMOOTHING_EV
) -> float:
    """The energy [eV] of the first inflection of the main rise, as foils are calibrated by.

    It is the first maximum of the slope of the normalised curve (m,), smoothed over `width_ev`,
    that is half as steep as the steepest one of the rise through half height at `e0_ev`.  A
    peak before the edge, behind which the curve falls again, is not part of the rise.  Raises
    InputError where nothing rises.
    """
    near = (energy_ev > e0_ev - REACH_EV - width_ev) & (energy_ev < e0_ev + REACH_EV + width_ev)
    if near.sum() < FEWEST_NEAR:
        raise InputError(f"{int(near.sum())} points about {e0_ev:.1f} eV", where="inflection")
    at, curve = smoothed(energy_ev[near], flat[near], INFLECTION_STEP_EV, width_ev)
    first = _foot(at, curve, e0_ev)
    slope = np.gradient(curve, at)
    top = slope[first:][at[first:] <= e0_ev + TOP_WITHIN_EV].max(initial=0.0)
    inner = slope[1:-1]
    peaks = 1 + np.flatnonzero((inner > slope[:-2]) & (inner >= slope[2:]) & (inner >= HALF * top))
    peaks = peaks[peaks >= first]
    if not peaks.size or not top > 0:
        raise InputError(f"no inflection about {e0_ev:.1f} eV", remedy="measure across the edge")
    i = int(peaks[0])
    bend = slope[i - 1] - 2 * slope[i] + slope[i + 1]
    return float(at[i] + 0.5 * (slope[i - 1] - slope[i + 1]) / bend * (at[i] - at[i - 1]))


def _foot(at: FloatArray, curve: FloatArray, e0_ev: float) -> int:
    """Index where the rise through half height begins: the valley behind the last peak."""
    half = int(np.searchsorted(at, e0_ev))
    before = curve[: half + 1]
    fallen = np.maximum.accumulate(before) - before
    valleys = np.flatnonzero(fallen > FALLEN * np.maximum(np.maximum.accumulate(before), SMALL))
    return int(valleys[-1]) if valleys.size else 0


def half_height(energy_ev: FloatArray, flat: FloatArray, near_ev: float) -> float:
    """Find where the main rise crosses half height [eV].

    It is the last crossing before 0.9 is first reached.  Going back from the top of the edge
    passes by any pre-edge peak, however strong.  Raises InputError when there is no such rise.
    """
    reach = np.flatnonzero((flat >= TOP) & (energy_ev > near_ev - 40.0))
    if not reach.size:
        raise InputError(
            f"the curve never reaches {TOP} of the step near {near_ev:.1f} eV",
            remedy="measure further beyond the edge",
        )
    below = np.flatnonzero(flat[: reach[0]] < HALF)
    if not below.size:
        raise InputError(
            f"no rise through half height near {near_ev:.1f} eV",
            remedy="measure further before the edge",
        )
    i = int(below[-1])
    fraction = (HALF - flat[i]) / (flat[i + 1] - flat[i])
    return float(energy_ev[i] + fraction * (energy_ev[i + 1] - energy_ev[i]))


def locate(
    energy_ev: FloatArray, mu: FloatArray, chosen: SpectrumSettings = NOTHING_CHOSEN
) -> Normalised:
    """Normalise about the half-height edge, which itself depends on it: two rounds.

    chosen : settings of the normalisation; about its e0, where it has one

    Raises InputError for an e0 outside the spectrum, and as `half_height` does.
    """

    def about(e0: float) -> Normalised:
        return normalise(energy_ev, mu, e0, chosen.ranges(energy_ev - e0))

    if chosen.e0 is not None:
        _refuse_outside(chosen.e0, energy_ev)
        found = about(chosen.e0)
        return replace(found, edge_ev=half_height(energy_ev, found.flat, chosen.e0))
    e0 = steepest(energy_ev, mu)
    for _ in range(ROUNDS):
        e0 = half_height(energy_ev, about(e0).flat, e0)
    return about(e0)


def _refuse_outside(e0_ev: float, energy_ev: FloatArray) -> None:
    first, last = float(energy_ev.min()), float(energy_ev.max())
    if not first < e0_ev < last:
        raise InputError(
            f"e0 {e0_ev:g} eV lies outside the spectrum, {first:g} to {last:g} eV",
            where="normalisation",
            remedy="give an e0 inside it, or none: then it is found",
        )


def find_edge(energy_ev: FloatArray, mu: FloatArray) -> float:
    """The edge energy [eV] of µ (m,) at half height.

    Raises InputError when the spectrum is too short on a side or has no upward step.
    """
    return locate(energy_ev, mu).edge_ev
