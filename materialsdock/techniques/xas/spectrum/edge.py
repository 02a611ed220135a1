"""The edge: where it is, which element's it may be, and how well it is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.model import EdgeFit
from materialsdock.techniques.xas.spectrum.normalise import Normalised, normalise

SMOOTHING_EV = 3.0
TABULATED_WITHIN_EV = 40.0
ROUNDS = 2
HALF, TOP = 0.5, 0.9
# binding energies [eV], X-ray Data Booklet
K_EDGES = {
    "S": 2472.0,
    "Cl": 2822.4,
    "K": 3608.4,
    "Ca": 4038.5,
    "Sc": 4492.0,
    "Ti": 4966.0,
    "V": 5465.0,
    "Cr": 5989.0,
    "Mn": 6539.0,
    "Fe": 7112.0,
    "Co": 7709.0,
    "Ni": 8333.0,
    "Cu": 8979.0,
    "Zn": 9659.0,
    "Ga": 10367.0,
    "Ge": 11103.0,
    "As": 11867.0,
    "Se": 12658.0,
    "Br": 13474.0,
    "Rb": 15200.0,
    "Sr": 16105.0,
    "Y": 17038.0,
    "Zr": 17998.0,
    "Nb": 18986.0,
    "Mo": 20000.0,
}
L3_EDGES = {
    "Ti": 453.8,
    "V": 512.1,
    "Cr": 574.1,
    "Mn": 638.7,
    "Fe": 706.8,
    "Co": 778.1,
    "Ni": 852.7,
    "Cu": 932.7,
    "Ce": 5723.0,
    "Sm": 6716.0,
    "Gd": 7243.0,
    "W": 10207.0,
    "Pt": 11564.0,
    "Au": 11919.0,
    "Pb": 13035.0,
}


@dataclass(frozen=True)
class Edge:
    """An absorption edge by name, e.g. "Fe K", and its energy [eV]."""

    name: str
    energy_ev: float


TABLE = tuple(
    Edge(f"{element} {shell}", energy)
    for shell, edges in (("K", K_EDGES), ("L3", L3_EDGES))
    for element, energy in edges.items()
)


def nearest_edge(e0_ev: float) -> Edge:
    """The tabulated edge within 40 eV of e0; otherwise an unnamed one at e0 itself."""
    best = min(TABLE, key=lambda edge: abs(edge.energy_ev - e0_ev))
    if abs(best.energy_ev - e0_ev) <= TABULATED_WITHIN_EV:
        return best
    return Edge("unnamed", e0_ev)


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
    even = np.arange(energy_ev[0], energy_ev[-1], step)
    width = max(3, round(SMOOTHING_EV / step))
    kernel = np.hanning(width + 2)
    smooth = np.convolve(np.interp(even, energy_ev, mu), kernel / kernel.sum(), mode="valid")
    middle = even[(even.size - smooth.size) // 2 :][: smooth.size]
    return float(middle[int(np.argmax(np.gradient(smooth, middle)))])


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


def locate(energy_ev: FloatArray, mu: FloatArray) -> Normalised:
    """Normalise about the half-height edge, which itself depends on it: two rounds."""
    e0 = steepest(energy_ev, mu)
    for _ in range(ROUNDS):
        e0 = half_height(energy_ev, normalise(energy_ev, mu, e0).flat, e0)
    return normalise(energy_ev, mu, e0)


def find_edge(energy_ev: FloatArray, mu: FloatArray) -> float:
    """The edge energy [eV] of µ (m,) at half height.

    Raises InputError when the spectrum is too short on a side or has no upward step.
    """
    return locate(energy_ev, mu).e0_ev


def fit_edge(energy_ev: FloatArray, mean: FloatArray, samples: FloatArray) -> EdgeFit:
    """Normalisation and edge of the posterior `mean` (m,), with sd over posterior samples (k, m).

    Every sample goes through the same analysis, so the sd holds what normalisation adds; samples
    that cannot be analysed are counted in a warning.
    """
    best = locate(energy_ev, mean)
    found, lost = [], 0
    for sample in samples:
        try:
            again = locate(energy_ev, sample)
        except InputError:
            lost += 1
            continue
        found.append((again.e0_ev, again.edge_step))
    warnings = (f"{lost} of {len(samples)} posterior samples have no edge",) if lost else ()
    sd = np.std(found, axis=0, ddof=1) if len(found) > 1 else np.full(2, np.inf)
    return EdgeFit(
        best.e0_ev,
        float(sd[0]),
        best.edge_step,
        float(sd[1]),
        energy_ev,
        best.flat,
        best.pre_edge,
        best.post_edge,
        warnings,
    )
