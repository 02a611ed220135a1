"""Checks of the data that every absorption analysis makes before it computes anything."""

from __future__ import annotations

import math

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.edge_table import named, refuse_other
from materialsdock.techniques.xas.spectrum.normalise import Normalised
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings

FEWEST_POINTS = 20
SIGNIFICANT = 5.0  # standard deviations
MEDIAN_OF_NORMAL, FOURTH_DIFFERENCE = 0.6745, math.sqrt(70.0)


def check_curve(energy_ev: FloatArray, values: FloatArray, where: str = "spectrum") -> None:
    """Refuse what is no curve on energies: empty, unequal, not finite, not increasing.

    energy_ev, values : (n,) [eV], [any].  Raises InputError naming the first bad point.
    """
    if energy_ev.ndim != 1 or energy_ev.shape != values.shape:
        raise InputError(
            f"energies {energy_ev.shape} and values {values.shape} do not match",
            where=where,
            remedy="give one value per energy",
        )
    if energy_ev.size < FEWEST_POINTS:
        raise InputError(
            f"{energy_ev.size} points are too few",
            where=where,
            remedy=f"measure at least {FEWEST_POINTS}",
        )
    bad = np.flatnonzero(~(np.isfinite(energy_ev) & np.isfinite(values)))
    if bad.size:
        i = int(bad[0])
        raise InputError(
            f"point {i}: {energy_ev[i]:g} eV, {values[i]:g} is not finite ({bad.size} so)",
            where=where,
            remedy="leave these points out",
        )
    back = np.flatnonzero(np.diff(energy_ev) <= 0)
    if back.size:
        i = int(back[0])
        raise InputError(
            f"energy goes from {energy_ev[i]:g} to {energy_ev[i + 1]:g} eV",
            where=where,
            remedy="sort the points by energy and merge equal ones",
        )


def noise_of(mu: FloatArray) -> float:
    """sd of the noise of one point of µ (n,), from its fourth differences.

    Their median is hardly moved by structure, which is smooth over five points, nor by the few
    places where the steps change.
    """
    return float(np.median(np.abs(np.diff(mu, 4)))) / (MEDIAN_OF_NORMAL * FOURTH_DIFFERENCE)


def checked_edge(
    energy_ev: FloatArray,
    mu: FloatArray,
    edge: str | None = None,
    where: str = "spectrum",
    chosen: SpectrumSettings = NOTHING_CHOSEN,
) -> Normalised:
    """µ (n,) normalised about its edge, after `check_curve`.

    edge : the edge it has to be, e.g. "Fe K"; chosen : settings of the normalisation
    Raises InputError when there is no edge, or when it lies more than 40 eV from the one named.
    """
    check_curve(energy_ev, mu, where)
    try:
        found = locate(energy_ev, mu, chosen)
    except InputError as fault:
        raise InputError(fault.what, where=where, remedy=fault.remedy) from fault
    noise = noise_of(mu)
    if found.edge_step < SIGNIFICANT * noise:
        raise InputError(
            f"step {found.edge_step:.2g} at {found.e0_ev:.1f} eV is within its noise, {noise:.2g}",
            where=where,
            remedy="count longer, or check that the edge is in the range",
        )
    if edge is not None:
        refuse_other(found.edge_ev, named(edge), where)
    return found
