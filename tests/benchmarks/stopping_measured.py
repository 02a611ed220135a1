"""The certificate on measured absorption spectra, replayed as jobs of profile `sim`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.places import SHARED

from materialsdock.campaign import build, prepare
from materialsdock.formats import read_measured
from materialsdock.learning.stopping.certificate import local_bound
from materialsdock.learning.stopping.quantities import cell_widths
from materialsdock.model import Job, Observation, Sample
from materialsdock.profile import config, siteroot
from materialsdock.techniques.xas.spectrum.edge import find_edge
from materialsdock.techniques.xas.spectrum.sampling import NEAR_EV

LIBRARY = SHARED / "xas" / "xasdatalibrary"
LARGEST = 700  # points, should the rule not stop


def on_measured(seeds: range, every: int = 1) -> dict[str, Any]:
    """By spectrum: median points and time share, and errors over their bounds for each seed.

    Of the whole range |rmse|, near the edge the largest error; every : take one of so many files
    """
    profile, found = config.load("sim", siteroot.find()), {}
    for file in sorted(LIBRARY.glob("*/*.xdi"))[::every]:
        spectrum = read_measured(file, "xas")
        job = prepare.job_for(spectrum, Sample(file.stem, "xas"), profile)
        runs = [
            _run(job, spectrum.x, spectrum.y, profile.section("xas").i0_rate_hz, seed)
            for seed in seeds
        ]
        points, share, over, near = np.array(runs).T
        found[file.stem] = {
            "points": float(np.median(points)),
            "time_share": float(f"{np.median(share):.3g}"),
            "rmse_over_bound": [float(f"{o:.3g}") for o in over],
            "near_over_bound": [float(f"{o:.3g}") for o in near],
        }
    return found


def _run(job: Job, energy: Any, mu: Any, i0_rate_hz: float, seed: int) -> tuple[float, ...]:
    learner, rule, rng = build.learner(job), build.rule(job), np.random.default_rng(seed)
    seconds = float(job.settings["learner"]["count_time_s"])
    evidence = learner.evidence()
    for step in range(LARGEST):
        x = learner.ask().start
        i0 = rng.poisson(i0_rate_hz * seconds)
        it = max(rng.poisson(i0_rate_hz * seconds * np.exp(-np.interp(x, energy, mu))), 1)
        y, sigma = float(np.log(i0 / it)), float(np.sqrt(1.0 / i0 + 1.0 / it))
        learner.tell([Observation(f"b/{step}", step, x, y, sigma, seconds, "b")])
        evidence = learner.evidence()
        if rule.judge(evidence).stop:
            break
    grid = learner.axis.grid
    off = learner.posterior(grid)[0] - np.interp(grid, energy, mu)
    width, q = cell_widths(grid), evidence.quantities
    rmse = np.sqrt(width @ off**2 / width.sum())
    e0 = find_edge(energy, mu)
    local = local_bound(learner.present, evidence, (e0 + NEAR_EV[0], e0 + NEAR_EV[1]))
    near = np.abs(off)[(grid >= local.low) & (grid <= local.high)].max() / local.bound
    share = q["seconds"] / job.settings["full_scan"]["seconds"]
    return q["points"], share, rmse / q["rmse_bound"], near
