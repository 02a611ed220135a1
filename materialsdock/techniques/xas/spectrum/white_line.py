"""The white line: the maximum of a normalised spectrum behind its edge."""

from __future__ import annotations

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.normalise import Normalised

WHITE_LINE_EV = 30.0  # its maximum is looked for so far behind the edge


def white_line(energy_ev: FloatArray, found: Normalised) -> tuple[float, float]:
    """Position [eV] and normalised height of the maximum within 30 eV beyond the edge.

    The position is that of a parabola through the highest point and its neighbours.
    """
    behind = energy_ev - found.e0_ev
    at = np.flatnonzero((behind >= 0.0) & (behind <= WHITE_LINE_EV))
    if not at.size:
        raise InputError(f"nothing is measured beyond {found.e0_ev:.1f} eV", where="white line")
    top = int(at[np.argmax(found.flat[at])])
    around = slice(max(top - 1, 0), top + 2)
    x, y = energy_ev[around] - energy_ev[top], found.flat[around]
    if x.size < 3:
        return float(energy_ev[top]), float(found.flat[top])
    bend, slope, height = np.polyfit(x, y, 2)
    if bend >= 0:
        return float(energy_ev[top]), float(height)
    shift = float(np.clip(-0.5 * slope / bend, x[0], x[-1]))
    return float(energy_ev[top] + shift), float(height + slope * shift + bend * shift**2)
