"""Readings that no instrument has made."""

from __future__ import annotations

import numpy as np

from materialsdock.soundness.readings import Readings


def readings(x, counts, monitor=None, seconds=1.0):
    """Counts behind a sample, whose value is their rate."""
    x, counts = np.asarray(x, float), np.asarray(counts, float)
    time_s = np.full(x.size, seconds)
    monitor = 1e5 * time_s if monitor is None else monitor
    sigma = np.sqrt(np.maximum(counts, 1.0)) / time_s
    return Readings(x, counts, monitor, time_s, counts / time_s, sigma)


def transmitted(energy, it, i0):
    """Counts of two chambers, whose value is the absorption."""
    energy, it, i0 = (np.atleast_1d(np.asarray(each, float)) for each in (energy, it, i0))
    sigma = np.sqrt(1 / i0 + 1 / it)
    return Readings(energy, it, i0, np.ones(energy.size), np.log(i0 / it), sigma)
