"""The simulated IOC keeps itself safe, logs what it was asked, and takes samples as they come."""

from __future__ import annotations

import json
import os
import time
from types import SimpleNamespace

import numpy as np
import pytest
from caproto import CaprotoTimeoutError
from caproto.sync import client

from materialsdock.profile import simulation, siteroot
from sim_devices.scenes.xrd import diffracted
from sim_devices.world import World

TWO_THETA = 20 + 0.02 * np.arange(200)


def put(name, value, notify=True):
    asked(client.write, f"SIM:{name}", value, notify=notify)


def get(name):
    return asked(client.read, f"SIM:{name}").data[0]


def asked(ask, *words, **terms):
    """The client gives up a search after two datagrams, which a busy machine may lose."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return ask(*words, **terms, timeout=2, repeater=False)
        except CaprotoTimeoutError:
            if time.monotonic() > deadline:
                raise


def pattern(path, counts):
    return simulation.save_scene(
        path,
        technique="xrd",
        two_theta=TWO_THETA,
        counts=np.full(200, counts),
        count_time_s=1.0,
    )


@pytest.fixture(scope="module")
def ioc(tmp_path_factory):
    """An IOC of its own at true speed, with a folder of scenes and a log of its puts."""
    folder, before = tmp_path_factory.mktemp("changer"), dict(os.environ)
    log = folder / "put.log"
    try:
        with simulation.running("sim_devices", siteroot.find(), {}, folder=folder, put_log=log):
            yield SimpleNamespace(folder=folder, log=log)
    finally:
        os.environ.clear()
        os.environ.update(before)


def logged(ioc, kind):
    lines = [json.loads(line) for line in ioc.log.read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def test_without_heartbeats_the_shutter_closes_in_time_and_stays_closed(ioc):
    put("shutter:Open", 1)
    put("deadman:HB", 1)
    put("deadman:HB", 2)
    assert get("deadman:Armed") == 1
    assert get("shutter:Status") == 1
    time.sleep(3.6)
    assert (get("shutter:Status"), get("deadman:Tripped")) == (0, 1)
    fed = next(
        p["mono"] for p in logged(ioc, "put") if (p["pv"], p["value"]) == ("SIM:deadman:HB", 2)
    )
    closed = logged(ioc, "shutter")[-1]
    assert closed["value"] == 0
    assert 3.0 < closed["mono"] - fed <= 3.5
    put("shutter:Open", 1)
    assert get("shutter:Status") == 0
    put("deadman:HB", 2)  # no change is no heartbeat
    assert get("deadman:Tripped") == 1
    put("deadman:HB", 3)
    assert (get("deadman:Tripped"), get("shutter:Status")) == (0, 0)
    put("shutter:Open", 1)
    assert get("shutter:Status") == 1
    put("deadman:Armed", 0)


def test_a_trip_ends_what_is_being_counted(ioc):
    put("scaler1.TP", 60.0)
    put("deadman:HB", 10)
    put("scaler1.CNT", 1, notify=False)
    time.sleep(3.6)
    assert get("deadman:Tripped") == 1
    assert 0 < get("scaler1.T") < 4.0
    put("deadman:Armed", 0)


def test_without_permit_the_shutter_closes_and_does_not_open(ioc):
    put("shutter:Open", 1)
    put("shutter:permit", 0)
    assert get("shutter:Status") == 0
    put("shutter:Open", 1)
    assert get("shutter:Status") == 0
    assert logged(ioc, "refused")[-1]["value"] == "open: no permit"
    put("shutter:permit", 1)
    assert get("shutter:Status") == 0


@pytest.mark.parametrize(("asked", "found"), [(4, 4), (3, 4), (9, 9), (-1, 9)])
def test_the_owners_epoch_only_rises(ioc, asked, found):
    put("owner:epoch", asked)
    assert get("owner:epoch") == found


def test_every_put_is_in_the_log_with_who_and_when(ioc):
    before = time.monotonic()
    put("tth", 5.0)
    (entry,) = [p for p in logged(ioc, "put") if p["pv"] == "SIM:tth"]
    assert entry["value"] == 5.0
    assert entry["user"]
    assert entry["host"]
    assert before <= entry["mono"] <= time.monotonic()
    assert abs(entry["wall"] - time.time()) < 5


def counted(ioc):
    put("shutter:Open", 1)
    put("tth", 21.0)
    put("scaler1.TP", 0.05)
    put("scaler1.CNT", 1)
    return get("scaler1.S4")


def test_samples_come_and_go_while_it_runs(ioc):
    put("sample", 1)
    while abs(get("sample.RBV") - 1) > 0.01:
        time.sleep(0.05)
    assert counted(ioc) == 0
    pattern(ioc.folder / "1.npz", 10_000)
    assert 350 < counted(ioc) < 650
    (ioc.folder / "1.npz").write_bytes(b"PK\x03\x04 half a file")
    assert counted(ioc) == 0
    pattern(ioc.folder / "1.npz", 40_000)
    assert 1700 < counted(ioc) < 2300
    (ioc.folder / "1.npz").unlink()
    assert counted(ioc) == 0


def test_a_changed_file_is_a_new_sample_and_the_same_file_is_not(tmp_path):
    world = World({}, folder=tmp_path)
    pattern(tmp_path / "0.npz", 50)
    np.testing.assert_array_equal(diffracted(world.sample(0), TWO_THETA, 1.0), 50)
    diffracted(world.sample(0), TWO_THETA, 1.0)
    assert world.resampled_s == pytest.approx(200.0)
    pattern(tmp_path / "0.npz", 60)
    os.utime(tmp_path / "0.npz", ns=(1, 1))
    np.testing.assert_array_equal(diffracted(world.sample(0), TWO_THETA, 1.0), 60)
    assert world.resampled_s == pytest.approx(200.0)


def test_a_damaged_sample_loses_what_it_shows(tmp_path):
    world = World({}, folder=tmp_path)
    pattern(tmp_path / "0.npz", 10_000)
    fresh = diffracted(world.sample(0), TWO_THETA, 0.1).mean()
    world.damage_rate = 0.5
    for _ in range(5):
        diffracted(world.sample(0), TWO_THETA[:20], 0.02)
    assert diffracted(world.sample(0), TWO_THETA[20:], 0.1).mean() < 0.6 * fresh


@pytest.mark.parametrize(
    ("fault", "value", "shown"),
    [
        ("detector_nan", 2, -1.0),
        ("detector_nan", 3, np.inf),
        ("detector_constant", 77.0, 77.0),
        ("sample_missing", 1, 0.0),
    ],
)
def test_faults_show_what_they_should(ioc, fault, value, shown):
    pattern(ioc.folder / "1.npz", 10_000)
    put(f"faults:{fault}", value)
    try:
        assert counted(ioc) == shown
    finally:
        put(f"faults:{fault}", 0)


def test_a_weaker_beam_is_seen_by_monitor_and_detector_alike(ioc):
    pattern(ioc.folder / "1.npz", 100_000)
    put("faults:i0_drift", 0.5)
    try:
        assert 2200 < counted(ioc) < 2800
        assert get("scaler1.S2") == pytest.approx(0.5 * 1e5 * 0.05)
    finally:
        put("faults:i0_drift", 0.0)
