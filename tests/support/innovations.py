"""Innovations such as the rules of stopping judge."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from materialsdock.model import Evidence

QUIET = {
    "points": 60.0,
    "seconds": 120.0,
    "max_sd": 0.015,
    "noise_sd": 0.01,
    "largest_gap": 1.0,
    "resolution": 1.5,
}


def evidence(s, z2=None, group=None, complete=True, **quantities):
    s = np.asarray(s, dtype=float)
    return Evidence(
        s,
        np.ones(s.size) if z2 is None else np.asarray(z2, dtype=float),
        np.arange(s.size) if group is None else np.asarray(group),
        complete,
        {**QUIET, **quantities},
    )


def learned(points=60):
    """A run that went as it should: s falls from 1000 to 0.02, every z² is 1."""
    return evidence(np.geomspace(1e3, 2e-2, points), points=float(points))


runs = st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(0.0, 20.0)), min_size=1, max_size=60).map(
    lambda rows: evidence(*np.array(rows).T)
)
