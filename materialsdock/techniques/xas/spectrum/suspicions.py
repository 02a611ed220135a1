"""Sentences about all that looks wrong in a spectrum before anything is computed from it.

Nothing is left out or mended: a person decides what a point that sticks out is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.checks import noise_of
from materialsdock.techniques.xas.spectrum.edge_table import SOFT_BELOW_EV, Edge
from materialsdock.techniques.xas.spectrum.normalisation_doubt import ONE_OSCILLATION_EV

# of single points: over the noise, over what is off beside them once they are taken away, and over
# the height of the spectrum
CLEAR_OF_NOISE, CLEAR_OF_SHAPE, SEEN = 8.0, 5.0, 0.02
BESIDE = 4  # points each way
NAMED = 5  # points in a sentence
FLAT_TOP = 4  # points of exactly the largest value
MOVED_EV = (-6.0, 20.0)  # of a hard edge by bonds, from its tabulated energy to half height
STEP_FROM_EV, STEP_NEAR_EV, STEP_FAR_EV, STEP = 60.0, 5.0, 30.0, 0.25


def suspicions(energy_ev: FloatArray, mu: FloatArray) -> list[str]:
    """Single points that stick out, and a top that was cut off, of µ (n,)."""
    return [*_glitches(energy_ev, mu), *_saturation(mu)]


def of_edge(energy_ev: FloatArray, flat: FloatArray, e0_ev: float) -> list[str]:
    """Another edge in the range of a normalised spectrum (n,), and too little behind its own."""
    found = other_edges(energy_ev, flat, e0_ev)
    if (behind := float(energy_ev[-1]) - e0_ev) < ONE_OSCILLATION_EV:
        found.append(
            f"only {behind:.0f} eV are measured behind E0, less than a whole oscillation: edge "
            f"step and white line are known to 5 % only; measure {ONE_OSCILLATION_EV:g} eV or more"
        )
    return found


def other_edges(energy_ev: FloatArray, flat: FloatArray, e0_ev: float) -> list[str]:
    """Further edges in the range of a normalised spectrum (n,)."""
    return [
        f"another edge, {size:.2f} times as high, lies about {at:.0f} eV: it is part of what is "
        "fitted as background; cut it off, or choose --pre and --norm clear of it"
        for at, size in _steps(energy_ev, flat, e0_ev)
    ]


def of_scale(edge: Edge, e0_ev: float) -> list[str]:
    """E0 where no bond moves it to: below the element's own, or far above."""
    away = e0_ev - edge.energy_ev
    if not edge.symbol or edge.energy_ev < SOFT_BELOW_EV or MOVED_EV[0] <= away <= MOVED_EV[1]:
        return []
    side = "below" if away < 0 else "above"
    return [
        f"E0 is {abs(away):.1f} eV {side} the tabulated {edge.name}, {edge.energy_ev:g} eV, "
        f"further than a bond moves it ({MOVED_EV[0]:+g} to {MOVED_EV[1]:+g} eV): calibrate the "
        "energies with a foil, or it is another edge (--edge)"
    ]


def glitches(energy_ev: FloatArray, mu: FloatArray) -> FloatArray:
    """Energies (k,) of single points that neither noise nor the shape about them explains."""
    if mu.size < 2 * BESIDE + 5:
        return np.empty(0)
    off, spread = _off(energy_ev, mu)
    least = np.maximum(CLEAR_OF_NOISE * spread * noise_of(mu), SEEN * np.ptp(mu))
    found: list[float] = []
    for i in np.flatnonzero(np.abs(off) > least):
        first = max(int(i) - BESIDE - 2, 0)
        about = slice(first, int(i) + BESIDE + 3)
        mended = mu[about].copy()
        mended[int(i) - first] -= off[i]
        if np.abs(off[i]) > CLEAR_OF_SHAPE * np.abs(_off(energy_ev[about], mended)[0]).max():
            found.append(float(energy_ev[i]))
    return np.array(found)


def _off(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n,) how far each point is off the cubic through two neighbours each way, 0 at the ends, and
    how much larger noise is in it than in a point.
    """
    off, spread = np.zeros(y.size), np.ones(y.size)
    beside = [np.roll(x, -k) for k in (-2, -1, 1, 2)]
    weights = np.array(
        [np.prod([(x - b) / (a - b) for b in beside if b is not a], axis=0)[2:-2] for a in beside]
    )
    values = np.array([np.roll(y, -k)[2:-2] for k in (-2, -1, 1, 2)])
    off[2:-2] = y[2:-2] - (weights * values).sum(axis=0)
    spread[2:-2] = np.sqrt(1 + (weights**2).sum(axis=0))
    return off, spread


def _glitches(energy_ev: FloatArray, mu: FloatArray) -> Iterator[str]:
    found = glitches(energy_ev, mu)
    if found.size:
        places = ", ".join(f"{e:.1f}" for e in found[:NAMED])
        more = f" and {found.size - NAMED} more" if found.size > NAMED else ""
        what = "point sticks" if found.size == 1 else "points stick"
        yield (
            f"{found.size} single {what} out, at {places}{more} eV: a glitch moves every number "
            "here; take it out of the file if it is one"
        )


def _saturation(mu: FloatArray) -> Iterator[str]:
    top = np.flatnonzero(mu == mu.max())
    if top.size >= FLAT_TOP and np.all(np.diff(top)[: FLAT_TOP - 1] == 1):
        yield (
            f"{top.size} points have exactly the largest value, {mu.max():.6g}: a detector or an "
            "amplifier was at its limit there, and step and white line are too small"
        )


def _steps(energy_ev: FloatArray, flat: FloatArray, e0_ev: float) -> Iterator[tuple[float, float]]:
    """Energy and height of the largest step up on each side of the edge, where it is one."""
    sides = ((energy_ev[0], e0_ev - STEP_FROM_EV), (e0_ev + STEP_FROM_EV, energy_ev[-1]))
    for low, high in sides:
        centres = np.arange(low + STEP_FAR_EV, high - STEP_FAR_EV, STEP_NEAR_EV)
        if not centres.size:
            continue
        rises = np.array([_rise(energy_ev, flat, at) for at in centres])
        best = int(np.argmax(np.nan_to_num(rises, nan=-np.inf)))
        if rises[best] > STEP:
            yield float(centres[best]), float(rises[best])


def _rise(energy_ev: FloatArray, flat: FloatArray, at_ev: float) -> float:
    """The rise of the curve from just before `at_ev` to just behind it; NaN without points."""
    away = energy_ev - at_ev
    behind = flat[(away >= STEP_NEAR_EV) & (away <= STEP_FAR_EV)]
    before = flat[(away >= -STEP_FAR_EV) & (away <= -STEP_NEAR_EV)]
    if min(behind.size, before.size) < 3:
        return float("nan")
    return float(np.median(behind) - np.median(before))
