"""Settings of small jobs on conftest's simulated beamline."""

from __future__ import annotations

XAS = {
    "axis": {
        "name": "energy",
        "unit": "eV",
        "start": 7090.0,
        "step": 0.5,
        "points": 121,
        "resolution": 1.2,
    },
    "learner": {"count_time_s": 0.2, "velocity": 20.0, "settle_s": 0.1},
    "stop": {"mode": "robust", "threshold": 0.05, "maximum_points": 30},
}
XRD = {
    "axis": {
        "name": "two_theta",
        "unit": "deg",
        "start": 20.0,
        "step": 0.02,
        "points": 300,
        "resolution": 0.1,
    },
    "learner": {"full_time_s": 1.0, "fwhm_deg": 0.1, "velocity_deg_s": 5.0, "settle_s": 0.1},
    "stop": {"mode": "robust", "threshold": 0.05},
}
