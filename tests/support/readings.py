"""Readings that no instrument has made."""

from __future__ import annotations

import numpy as np

from materialsdock.soundness.readings import Readings


def readings(x, counts, monitor=None, seconds=1.0):
    x, counts = np.asarray(x, float), np.asarray(counts, float)
    time_s = np.full(x.size, seconds)
    return Readings(x, counts, 1e5 * time_s if monitor is None else monitor, time_s)
