"""A process to be killed: it measures one job on its own simulated beamline, resuming it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from materialsdock.campaign import prepare, run
from materialsdock.campaign.campaign import Campaign
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Sample
from materialsdock.profile import config, simulation, siteroot
from materialsdock.protocols import RunWatch
from materialsdock.techniques.xrd.job import BY_PASS_ROBUST

MOTION = {"settle_s": 0.1}
SETTINGS = {
    "xas": {
        "axis": {
            "name": "energy",
            "unit": "eV",
            "start": 7090.0,
            "step": 0.5,
            "points": 121,
            "resolution": 1.5,
        },
        "learner": {"count_time_s": 0.5, "velocity": 20.0, **MOTION},
        "stop": {"threshold": 0.05, "maximum_points": 60},
    },
    "xrd": {
        "axis": {
            "name": "two_theta",
            "unit": "deg",
            "start": 20.0,
            "step": 0.02,
            "points": 900,
            "resolution": 0.1,
        },
        "learner": {
            "full_time_s": 1.0,
            "fwhm_deg": 0.1,
            "segment_points": 32,
            "velocity_deg_s": 5.0,
            **MOTION,
        },
        "stop": {**BY_PASS_ROBUST, "threshold": 0.12, "minimum_points": 1},
    },
}
SETTINGS["fluorescence"] = {
    **SETTINGS["xas"],
    "signal": "fluorescence",
    "stop": {"threshold": 0.05, "maximum_points": 36},
}


def scene(path: Path, technique: str) -> Path:
    if technique == "xas":
        energy = np.linspace(7080.0, 7160.0, 641)
        mu = 0.7 + np.arctan((energy - 7112.0) / 1.5) / np.pi
        arrays = {"energy_ev": energy, "mu": mu, "i0_rate_hz": 1e5}
    else:
        two_theta = 20 + 0.02 * np.arange(900)
        rate = 20 + 900 * np.exp(-0.5 * ((two_theta - 27.0) / 0.05) ** 2)
        counts = np.random.default_rng(5).poisson(rate)
        arrays = {"two_theta": two_theta, "counts": counts, "count_time_s": 1.0}
    return simulation.save_scene(path, technique=technique, **arrays)


def measure(place: str, technique: str) -> None:
    """Measure the job of folder `place` to its end; tells stderr its stages, then says "done"."""
    folder = Path(place)
    site = siteroot.activate()
    profile = config.load("sim", site)
    settings = SETTINGS[technique]
    technique = "xrd" if technique == "xrd" else "xas"
    path = scene(folder / "scene.npz", technique)
    with Ledger(folder / "ledger.sqlite") as ledger:
        job = Job("job", Sample("a sample", technique), settings, seed=3)
        ledger.add_job(job)
        campaign = Campaign.resume("job", ledger)
        prepare.mark_counted(path, job, ledger.observations("job"))
        with simulation.running("sim_devices", site, {0: path}, speed=200, seed=3):
            watch = RunWatch(stage=lambda words: print(words, file=sys.stderr, flush=True))
            run.acquire(campaign, profile, watch)
    print("done", flush=True)
