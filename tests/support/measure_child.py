"""Processes to be killed: each measures one job on its own simulated beamline, resuming it.

python measure_child.py   forks one for every line "FOLDER xas|xrd" it reads; see `nursery`
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bluesky.plans  # noqa: F401 - in the nursery, for all
import numpy as np

from materialsdock.campaign import prepare, run
from materialsdock.campaign.campaign import Campaign
from materialsdock.learning.gp import kalman
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


def measure(folder: Path, technique: str) -> None:
    """Measure the job of `folder` to its end; says "measuring", then "done"."""
    site = siteroot.activate()
    profile = config.load("sim", site)
    path = scene(folder / "scene.npz", technique)
    with Ledger(folder / "ledger.sqlite") as ledger:
        job = Job("job", Sample("a sample", technique), SETTINGS[technique], seed=3)
        ledger.add_job(job)
        campaign = Campaign.resume("job", ledger)
        prepare.mark_counted(path, job, ledger.observations("job"))
        with simulation.running("sim_devices", site, {0: path}, speed=200, seed=3):
            watch = RunWatch(stage=lambda words: print(words, flush=True))
            run.acquire(campaign, profile, watch)
    print("done", flush=True)


def nursery() -> None:
    """Fork one measurement after the other: processes like any, that need not import first.

    Each says its process id, then what `measure` says; "ended" follows however it ended.  What is
    loaded before the fork has neither threads nor Channel Access.
    """
    kalman.warm_up()
    for line in sys.stdin:
        folder, technique = line.rsplit(maxsplit=1)
        child = os.fork()
        if not child:
            print(os.getpid(), flush=True)
            return measure(Path(folder), technique)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    nursery()
