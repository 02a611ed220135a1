"""Jobs and settings of the measurements that sentinels watch."""

from __future__ import annotations

import numpy as np
from support import beamline_jobs

from materialsdock.model import Job, Sample
from materialsdock.profile.sections import ConditionSettings as Section
from materialsdock.profile.sections import Motion

INITIAL = [*range(7080, 7100, 4), *range(7100, 7130, 3), *range(7132, 7160, 5)]
XAS = {
    "axis": {**beamline_jobs.XAS["axis"], "start": 7080.0, "step": 0.25, "points": 321},
    "learner": {
        "count_time_s": 0.2,
        "velocity": 200.0,
        "settle_s": 0.1,
        "initial": [float(e) for e in INITIAL],
    },
    "stop": {"mode": "robust", "threshold": 1e-6, "maximum_points": 60},
}
XRD = {**beamline_jobs.XRD, "axis": {**beamline_jobs.XRD["axis"], "points": 400}}
MOTION = Motion(velocity=200.0, settle_s=0.1)
OFTEN = Section(hold_proof_s=0.2, hysteresis_s=0.0, reference_share=0.2)


def diffraction_rate(two_theta):
    peaks = ((24.0, 900.0), (30.0, 400.0), (37.0, 1500.0))
    return 20 + sum(h * np.exp(-0.5 * ((two_theta - c) / 0.05) ** 2) for c, h in peaks)


def job(technique, seed=0, **changes):
    settings = {"xas": XAS, "xrd": XRD}[technique]
    settings = {k: {**v, **changes.get(k, {})} for k, v in settings.items()}
    return Job(f"job{seed}", Sample("a sample", technique, int(technique == "xas")), settings, seed)
