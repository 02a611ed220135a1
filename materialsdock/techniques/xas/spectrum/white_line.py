"""The white line: the highest maximum of a normalised spectrum behind its edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.normalise import Normalised

WHITE_LINE_EV = 30.0  # it is looked for so far behind the edge
TOP_EV, FEWEST_OF_TOP = 3.0, 5  # each way from its place, and points, that tell how round it is
FLATTEST = 1e-5  # 1/eV²


def white_line(energy_ev: FloatArray, found: Normalised) -> tuple[float, float]:
    """Position [eV] and normalised height of the highest maximum within 30 eV beyond the edge.

    The position is that of a parabola through the highest point and its neighbours.
    Raises InputError where nothing is measured there, and for a curve that has no maximum there.
    """
    at = maxima(energy_ev, found)
    top = int(at[np.argmax(found.flat[at])])
    x, y = energy_ev[top - 1 : top + 2] - energy_ev[top], found.flat[top - 1 : top + 2]
    bend, slope, height = np.polyfit(x, y, 2)
    if bend >= 0:
        return float(energy_ev[top]), float(height)
    shift = float(np.clip(-0.5 * slope / bend, x[0], x[-1]))
    return float(energy_ev[top] + shift), float(height + slope * shift + bend * shift**2)


def maxima(energy_ev: FloatArray, found: Normalised) -> NDArray[np.int64]:
    """Indices (k,) of the maxima within 30 eV beyond the edge, one at least; else InputError.

    A curve that still rises at the end of that range has its highest point there, but no line.
    """
    behind, flat = energy_ev - found.e0_ev, found.flat
    inside = (behind >= 0.0) & (behind <= WHITE_LINE_EV)
    if not inside.any():
        raise InputError(f"nothing is measured beyond {found.e0_ev:.1f} eV", where="white line")
    top = np.zeros(flat.size, dtype=bool)
    top[1:-1] = (flat[1:-1] >= flat[:-2]) & (flat[1:-1] >= flat[2:])
    at = np.flatnonzero(inside & top)
    if not at.size:
        raise InputError(
            f"no maximum within {WHITE_LINE_EV:g} eV beyond {found.e0_ev:.1f} eV",
            where="white line",
        )
    return at


def roundness(energy_ev: FloatArray, flat: FloatArray, place_ev: float) -> float:
    """The second derivative of the curve about `place_ev` [1/eV²], as a positive number."""
    away = np.abs(energy_ev - place_ev)
    near = away <= max(TOP_EV, float(np.sort(away)[FEWEST_OF_TOP - 1]))
    bend = np.polyfit(energy_ev[near] - place_ev, flat[near], 2)[0]
    return max(-2 * float(bend), FLATTEST)
