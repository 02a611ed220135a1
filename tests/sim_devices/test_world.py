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
from caproto.sync import client
from hypothesis import given, settings
from hypothesis import strategies as st
from support import made_site
from support.places import ROOT

from materialsdock.errors import InputError, Unreachable
from materialsdock.profile import simulation, siteroot
from sim_devices.scenes.xas import AbsorptionScene, absorbed
from sim_devices.scenes.xrd import DiffractionScene, diffracted
from sim_devices.world import World, load_scene

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
    total = sum(diffracted(replay.sample(0), TWO_THETA, float(t)) for t in visits)
    np.testing.assert_array_equal(total, COUNTS)
    assert replay.resampled_s < 1e-6


def test_thinned_counts_have_the_right_mean_and_spread():
    seen = np.array([diffracted(world(seed).sample(0), TWO_THETA, 0.5) for seed in range(60)])
    assert seen.mean() == pytest.approx(COUNTS.mean() / 4, rel=0.03)
    binomial = COUNTS * 0.25 * 0.75
    assert seen.var(axis=0).mean() == pytest.approx(binomial.mean(), rel=0.15)


def test_beyond_the_measured_time_it_says_so():
    replay = world()
    diffracted(replay.sample(0), TWO_THETA[:1], 3.0)
    assert replay.resampled_s == pytest.approx(1.0)


def test_a_restart_goes_on_where_the_counting_was():
    whole = world()
    first = diffracted(whole.sample(0), TWO_THETA, 0.4)
    second = diffracted(whole.sample(0), TWO_THETA, 0.4)
    again = world(counts=first.astype(float), seconds=np.full(200, 0.4))
    np.testing.assert_array_equal(diffracted(again.sample(0), TWO_THETA, 0.4), second)


def test_no_light_no_counts_and_none_used_up():
    replay = world()
    assert not diffracted(replay.sample(0), TWO_THETA, 1.0, intensity=0.0).any()
    assert not diffracted(replay.sample(5), TWO_THETA, 1.0).any()
    np.testing.assert_array_equal(diffracted(replay.sample(0), TWO_THETA, 2.0), COUNTS)


def test_absorption_has_poisson_noise_about_the_measured_curve():
    energy = np.array([7100.0, 7200.0])
    scene = AbsorptionScene(energy, np.array([0.5, 1.5]), 1e5)
    replay = World({1: scene}, 3)
    mu = [np.log(np.divide(*absorbed(replay.sample(1), 7150.0, 1.0))) for _ in range(200)]
    assert np.mean(mu) == pytest.approx(1.0, abs=0.001)
    assert np.std(mu) == pytest.approx(np.sqrt(1e-5 * (1 + np.e)), rel=0.2)


def test_the_draws_of_a_seed_are_the_same_in_every_version():
    """A ledger of an earlier version is resumed with the counts that it would have seen."""
    angles = 20 + 0.02 * np.arange(200)
    counts = (30 + 20 * np.sin(np.arange(200) / 9) ** 2).astype(int)
    replay = World({3: DiffractionScene(angles, counts, 2.0, ZERO, ZERO)}, 11)

    def drawn(where, seconds, intensity=1.0):
        return diffracted(replay.sample(3), angles[where], seconds, intensity).tolist()

    assert drawn(slice(40, 46), 0.5) == [10, 8, 15, 12, 8, 15]
    assert drawn(slice(40, 46), 0.5, 0.6) == [10, 13, 8, 12, 8, 4]
    assert drawn(slice(40, 43), 3.0) == [58, 74, 63]
    assert replay.resampled_s == pytest.approx(6.0)
    replay.damage_rate = 0.3
    assert drawn(slice(40, 46), 0.5) == [14, 10, 12, 9, 12, 8]
    assert drawn(slice(100, 106), 1.0) == [7, 10, 8, 1, 3, 2]
    assert replay.resampled_s == pytest.approx(7.5)


def test_the_chambers_of_a_seed_count_the_same_in_every_version():
    energy = np.linspace(7080.0, 7160.0, 641)
    mu = 0.2 + 0.5 + np.arctan((energy - 7112) / 1.5) / np.pi
    replay = World({4: AbsorptionScene(energy, mu, 1e6, {71120000: 2})}, 11)

    def drawn(*how):
        return absorbed(replay.sample(4), *how)

    visits = [drawn(at, 0.1) for at in (7100.0, 7100.0, 7112.0, 7112.00005, 7112.0)]
    assert visits == [
        (99660, 78685),
        (100025, 78433),
        (100063, 49715),
        (100124, 49831),
        (100274, 49696),
    ]
    replay.damage_rate = 0.3
    assert drawn(7130.0, 0.5) == (499652, 153818)
    assert drawn(7130.0, 0.5, 0.7) == (350821, 114019)
    assert drawn(7130.0, 0.5, 0.7, True) == (350094, 348963)
    assert drawn(7130.0, 0.0) == (0, 0)
    assert absorbed(replay.sample(9), 7130.0, 1.0) == (0, 0)


def test_a_scene_of_nothing_known_is_refused(tmp_path):
    path = simulation.save_scene(tmp_path / "s.npz", technique="nmr", x=[1.0])
    with pytest.raises(InputError, match=r"nmr.*available: xas, xrd"):
        load_scene(path)


@pytest.mark.parametrize("name", ["", "../world", "xrd:load", "__init__"])
def test_only_a_module_of_scenes_is_loaded(tmp_path, name):
    path = simulation.save_scene(tmp_path / "s.npz", technique=name, x=[1.0])
    with pytest.raises(InputError, match="no scene of technique"):
        load_scene(path)


STRANGER = """
class Decaying:
    def __init__(self, scene, place):
        self.rates, self.place = scene.rates, place

    def channels(self, beamline, seconds):
        return [seconds * rate * beamline.intensity for rate in self.rates]


class Scene:
    def __init__(self, rates):
        self.rates = rates.tolist()

    def at(self, place):
        return Decaying(self, place)


def load(arrays):
    return Scene(arrays["rates"])
"""


def test_a_facility_brings_the_scene_of_its_own_technique(tmp_path):
    """One file in its copy of the site, wherever the command is given."""
    site = made_site.copied(tmp_path / "site", {}, {})
    (site / "sim_devices" / "scenes" / "decay.py").write_text(STRANGER)
    scenes = {
        0: simulation.save_scene(tmp_path / "s.npz", technique="decay", rates=[30.0, 20.0, 10.0])
    }
    before = dict(os.environ)
    try:
        with simulation.running("sim_devices", site, scenes):
            shown = counted_by_the_scaler(2.0)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert shown == pytest.approx([60.0, 40.0, 20.0])


def counted_by_the_scaler(seconds):
    for name, value in {"shutter:Open": 1, "scaler1.TP": seconds, "scaler1.CNT": 1}.items():
        client.write(f"SIM:{name}", value, notify=True, timeout=20, repeater=False)
    names = (f"SIM:scaler1.S{channel}" for channel in (2, 3, 4))
    return [client.read(name, timeout=20, repeater=False).data[0] for name in names]


def test_a_beamline_that_cannot_start_says_why(tmp_path, monkeypatch):
    for name in simulation.channel_access(1):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    broken = {0: tmp_path / "none.npz"}
    with (
        pytest.raises(Unreachable, match=r"none\.npz"),
        simulation.running("sim_devices", siteroot.find(), broken),
    ):
        pass


def test_a_scene_of_an_unknown_technique_is_one_sentence(tmp_path, monkeypatch):
    for name in simulation.channel_access(1):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    scenes = {0: simulation.save_scene(tmp_path / "s.npz", technique="rocking", rates=[1.0])}
    with (
        pytest.raises(Unreachable, match="no scene of technique 'rocking'") as refused,
        simulation.running("sim_devices", siteroot.find(), scenes),
    ):
        pass
    assert "Traceback" not in str(refused.value)


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
