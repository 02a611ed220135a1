"""The certificate near the edge, and a comparison with a replay that cannot contradict it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from materialsdock.campaign import build, prepare
from materialsdock.learning.stopping.certificate import certify
from materialsdock.model import Measured, Observation, Sample
from materialsdock.profile import config, siteroot
from materialsdock.techniques.xas.spectrum import promises
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

NOISE = 0.004


@pytest.fixture(scope="module")
def measured():
    """A learner that counted 60 positions of a part of a long spectrum."""
    energy = np.arange(7052.0, 7232.0, 0.5)
    spectrum = Measured("xas", energy, simulate_xanes(energy))
    job = prepare.job_for(spectrum, Sample("s", "xas"), config.load("sim", siteroot.find()))
    learner, rng = build.learner(job), np.random.default_rng(0)
    for step in range(60):
        x = learner.ask().start
        y = float(simulate_xanes(np.array([x]))[0] + NOISE * rng.standard_normal())
        learner.tell([Observation(f"r/{step}", step, x, y, NOISE, 1.0, "r")])
    return job, learner


def file_of(folder, energy):
    path = folder / "long.dat"
    rows = [f"{e:.3f} {m:.9f}" for e, m in zip(energy, simulate_xanes(energy), strict=True)]
    path.write_text("# energy  xmu\n" + "\n".join(rows) + "\n")
    return path


def certificate(job, learner):
    campaign = SimpleNamespace(job=job, evidence=learner.evidence())
    return promises.promised(campaign, learner, NOTHING_CHOSEN)


def test_the_error_is_taken_where_there_was_measuring_and_weighted_as_the_bound(measured, tmp_path):
    job, learner = measured
    made = certificate(job, learner)
    long, short = (
        promises.against_replay(
            replace(job, settings={**job.settings, "replay": str(file_of(tmp_path, energy))}),
            learner,
            made,
        )
        for energy in (np.arange(6900.0, 8000.0, 0.5), np.arange(7052.0, 7232.0, 0.5))
    )
    assert long == pytest.approx(short, rel=0.02)
    assert long["rmse_vs_replay"] <= made.rmse_bound
    assert long["largest_error_vs_replay"] <= made.local.bound
    (line,) = promises.compared(long, made)
    assert line.count("within its bound") == 2
    (line,) = promises.compared({**long, "rmse_vs_replay": 9.0}, made)
    assert "root-mean-square error 9, beyond its bound" in line
    assert promises.against_replay(job, learner, made) == {}
    assert promises.compared({}, made) == []


def test_the_near_edge_bound_is_about_the_measured_edge_and_said(measured):
    job, learner = measured
    made = certificate(job, learner)
    assert made.local.low == pytest.approx(7099.6, abs=0.6)  # E0 is at 7119.6 eV
    assert made.local.high == pytest.approx(7159.6, abs=0.6)
    words = made.sentences("eV")
    assert any(line.startswith("largest error of the curve from 7099") for line in words)
    assert made.as_dict()["local"]["bound"] == made.local.bound
    assert made.local.bound > made.rmse_bound
    plain = certify(learner.present, learner.evidence())
    assert plain.local is None
    assert plain.as_dict()["local"] is None
