"""The rising edge of an absorption spectrum as the ruler of its energy scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.soundness.judges import SIGMAS, Alarm
from materialsdock.soundness.readings import Readings

MOVED = "energy"  # the kind of alarm that a look at the reference point settles
WIDTHS = (1.0, 2.0, 4.0, 8.0)  # of the resolution, tried for the slope of the edge
FEWEST_NEAR = 4
SAME_EV = 0.01


@dataclass(frozen=True)
class Reference:
    """A point on the rising edge, to come back to: energy [eV], value, its sd, slope [1/eV]."""

    energy_ev: float
    value: float
    sd: float
    slope: float


@dataclass(frozen=True)
class Places:
    """The places where an absorption sample is visited again: rising edge, its top, its foot."""

    edge: Reference
    top_ev: float
    foot_ev: float

    @property
    def energies(self) -> tuple[float, float, float]:
        """The energies of the places [eV], in the order of visits."""
        return self.edge.energy_ev, self.top_ev, self.foot_ev


def reference_point(
    energy_ev: FloatArray, mu: FloatArray, sd: FloatArray, width_ev: float
) -> Reference:
    """Find where a shift in energy shows most: the steepest rise, over `width_ev` about each point.

    energy_ev, mu, sd : (n,) a curve that is known by now (the learner's posterior on its axis).
    Raises InputError when nothing rises.
    """
    order = np.argsort(energy_ev)
    energy, value, error = energy_ev[order], mu[order], sd[order]
    slopes = [_steepness(energy, value, float(e), width_ev) for e in energy]
    best = int(np.argmax(slopes))
    if not slopes[best] > 0:
        raise InputError("no rising edge to put a reference point on", where="spectrum")
    return Reference(
        float(energy[best]), float(value[best]), float(error[best]), float(slopes[best])
    )


def _steepness(energy: FloatArray, value: FloatArray, at: float, width_ev: float) -> float:
    near = np.abs(energy - at) <= width_ev
    if near.sum() < 3:
        return -np.inf
    return float(np.polyfit(energy[near] - at, value[near], 1)[0])


def energy_drift(
    reference: Reference, value: float, sd: float, limit_ev: float = 1.0
) -> Alarm | None:
    """Tell if a revisit of the reference point says that the energy scale has moved.

    Beyond three standard deviations the result is flagged with the shift [eV]; when the shift is
    also beyond `limit_ev`, all is held.  It holds while the shift stays on the linear part of
    the edge.  False alarms: 0.27 % of revisits by construction and of 200,000 simulated.
    """
    shift_ev = (reference.value - value) / reference.slope
    sd_ev = float(np.hypot(sd, reference.sd)) / reference.slope
    if abs(shift_ev) <= SIGMAS * sd_ev:
        return None
    words = (
        f"the edge at {reference.energy_ev:.2f} eV has moved by {shift_ev:+.2f} ± {sd_ev:.2f} eV"
    )
    if abs(shift_ev) > limit_ev:
        return Alarm(MOVED, "critical", words, "hold")
    return Alarm(MOVED, "warn", words, "flag")


def places(recorded: Readings, resolution_ev: float) -> Places | None:
    """The places that the recorded points of an absorption sample offer; None without an edge.

    Each has been counted already, so its first value is that of then.
    """
    mu, sd = recorded.value, recorded.sigma
    for width in WIDTHS:
        try:
            edge = reference_point(recorded.x, mu, sd, width * resolution_ev)
        except InputError:
            continue
        before = recorded.x < edge.energy_ev
        if not before.any():
            return None
        foot = recorded.x[before][mu[before].argmin()]
        return Places(edge, float(recorded.x[mu.argmax()]), float(foot))
    return None


def slope(recorded: Readings, known: Places, resolution_ev: float) -> float:
    """Fit the slope of µ at the reference point [1/eV], from the nearest points that suffice."""
    mu = recorded.value
    for width in WIDTHS:
        away = recorded.x - known.edge.energy_ev
        near = np.abs(away) <= width * resolution_ev
        if np.unique(np.round(away[near], 2)).size >= FEWEST_NEAR:
            return max(float(np.polyfit(away[near], mu[near], 1)[0]), known.edge.slope)
    return known.edge.slope


def contrast(recorded: Readings, known: Places, *, last: bool) -> float:
    """µ at the top less that at the foot, of their first or last visits."""
    mu = recorded.value
    top, foot = (
        np.flatnonzero(np.abs(recorded.x - at) <= SAME_EV)[-1 if last else 0]
        for at in (known.top_ev, known.foot_ev)
    )
    return float(mu[top] - mu[foot])
