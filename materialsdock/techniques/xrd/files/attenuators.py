"""Attenuator factors beside intensities: are these corrected by them already?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files.found import FoundScan
from materialsdock.techniques.xrd.files.intensities import whole


def applied(found: FoundScan, factor: FloatArray) -> FoundScan:
    """The scan with the attenuator factors (n,) of its file, where they can be any."""
    if not (np.isfinite(factor) & (factor > 0)).all():
        note = "the attenuator factors of the file are not all positive, they were not used"
        return replace(found, notes=(*found.notes, note))
    if np.ptp(factor) <= 1e-9 * factor.max():
        if factor[0] == 1:
            return found
        note = f"the attenuator factor is {factor[0]:g} at every point, it was not applied"
        return replace(found, notes=(*found.notes, note))
    corrected = is_corrected(found.y, factor)
    places = found.x[factor != np.min(factor)]
    note = (
        f"attenuator factors up to {factor.max():g} at {places.min():g} to {places.max():g}: "
        + ("the intensities hold them already" if corrected else "the intensities were multiplied")
    )
    return replace(found, factor=factor, corrected=corrected, notes=(*found.notes, note))


def is_corrected(y: FloatArray, factor: FloatArray) -> bool:
    """True where intensities (n,) were multiplied by their attenuator factors (n,) already.

    Counts are whole numbers: either the intensities are, or what they were before.  Where both or
    neither are, the right one of the two goes on smoothly where the factor changes.
    """
    raw, before = whole(y), whole(y / factor)
    if raw != before:
        return before
    change = np.flatnonzero(np.diff(factor))
    return bool(_jumps(y, change) < _jumps(y * factor, change))


def _jumps(y: FloatArray, at: np.ndarray) -> float:
    """Sum of the relative steps of intensities (n,) from `at` to the next."""
    smooth = np.log(np.maximum(y, 1.0))
    return float(np.abs(smooth[at + 1] - smooth[at]).sum())
