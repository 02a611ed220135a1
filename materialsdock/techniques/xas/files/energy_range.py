"""Energies at which absorption is measured."""

from __future__ import annotations

import numpy as np

from materialsdock.model import FloatArray

LOWEST_EV, HIGHEST_EV = 20.0, 200_000.0  # edges that are measured lie between
NO_KEV_EV = 150.0  # energies without a unit that lie below may be keV
WIDEST = 3.0  # last over first energy of a scan


def can_be_energies(values: FloatArray) -> bool:
    """True for numbers (n,) that go one way, mostly, as energies [eV] of a scan do."""
    seen = values[np.isfinite(values)]
    if seen.size < 2 or not NO_KEV_EV < seen.min() <= seen.max() < HIGHEST_EV:
        return False
    if np.ptp(seen) == 0 or seen.max() > WIDEST * seen.min():
        return False
    steps = np.diff(seen)
    return bool(abs(np.sign(steps).sum()) > 0.9 * np.count_nonzero(steps))
