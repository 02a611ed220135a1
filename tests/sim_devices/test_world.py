"""The simulated sample replays measured counts, and its IOC dies with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.places import ROOT

from materialsdock.errors import InputError, Unreachable
from materialsdock.profile import simulation, siteroot
from sim_devices.world import AbsorptionScene, DiffractionScene, World, load_scene

TWO_THETA = 20 + 0.02 * np.arange(200)
COUNTS = np.random.default_rng(1).poisson(40, 200)
ZERO = np.zeros(200)


def world(seed=0, **used):
    scene = DiffractionScene(
        TWO_THETA, COUNTS, 2.0, used.get("counts", ZERO), used.get("seconds", ZERO)
    )
    return World({0: scene}, seed)


@settings(max_examples=40)
@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6), st.integers(0, 99))
def test_visits_add_up_to_exactly_what_was_measured(shares, seed):
    visits = 2.0 * np.array(shares) / sum(shares)
    replay = world(seed)
    total = sum(replay.diffraction(0, TWO_THETA, float(t)) for t in visits)
    np.testing.assert_array_equal(total, COUNTS)
    assert replay.resampled_s < 1e-6


def test_thinned_counts_have_the_right_mean_and_spread():
    seen = np.array([world(seed).diffraction(0, TWO_THETA, 0.5) for seed in range(60)])
    assert seen.mean() == pytest.approx(COUNTS.mean() / 4, rel=0.03)
    binomial = COUNTS * 0.25 * 0.75
    assert seen.var(axis=0).mean() == pytest.approx(binomial.mean(), rel=0.15)


def test_beyond_the_measured_time_it_says_so():
    replay = world()
    replay.diffraction(0, TWO_THETA[:1], 3.0)
    assert replay.resampled_s == pytest.approx(1.0)


def test_a_restart_goes_on_where_the_counting_was():
    whole = world()
    first = whole.diffraction(0, TWO_THETA, 0.4)
    second = whole.diffraction(0, TWO_THETA, 0.4)
    again = world(counts=first.astype(float), seconds=np.full(200, 0.4))
    np.testing.assert_array_equal(again.diffraction(0, TWO_THETA, 0.4), second)


def test_no_light_no_counts_and_none_used_up():
    replay = world()
    assert not replay.diffraction(0, TWO_THETA, 1.0, intensity=0.0).any()
    assert not replay.diffraction(5, TWO_THETA, 1.0).any()
    np.testing.assert_array_equal(replay.diffraction(0, TWO_THETA, 2.0), COUNTS)


def test_absorption_has_poisson_noise_about_the_measured_curve():
    energy = np.array([7100.0, 7200.0])
    scene = AbsorptionScene(energy, np.array([0.5, 1.5]), 1e5)
    replay = World({1: scene}, 3)
    mu = [np.log(np.divide(*replay.absorption(1, 7150.0, 1.0))) for _ in range(200)]
    assert np.mean(mu) == pytest.approx(1.0, abs=0.001)
    assert np.std(mu) == pytest.approx(np.sqrt(1e-5 * (1 + np.e)), rel=0.2)


def test_a_scene_of_nothing_known_is_refused(tmp_path):
    path = simulation.save_scene(tmp_path / "s.npz", technique="nmr", x=[1.0])
    with pytest.raises(InputError, match="nmr"):
        load_scene(path)


def test_a_beamline_that_cannot_start_says_why(tmp_path, monkeypatch):
    for name in simulation.channel_access(1):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    broken = {0: tmp_path / "none.npz"}
    with (
        pytest.raises(Unreachable, match=r"none\.npz"),
        simulation.running("sim_devices", siteroot.find(), broken),
    ):
        pass


def test_the_beamline_dies_with_its_parent():
    program = (
        "import time\nfrom materialsdock.profile import simulation, siteroot\n"
        "with simulation.running('sim_devices', siteroot.find(), {}) as s:\n"
        "    print(s.pid, flush=True)\n    time.sleep(60)\n"
    )
    root = str(ROOT)
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    with parent:
        beamline = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{beamline}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{beamline}").exists()
