"""A multi-element detector and an electrometer over Channel Access: what they read and refuse."""

from __future__ import annotations

import epics
import numpy as np
import pytest

from devices.fluorescence import FluorescenceDetector
from materialsdock.errors import DeviceFault, InputError, Saturated
from materialsdock.profile import config, siteroot
from materialsdock.profile.instrument import build_instrument, release

PROFILE = config.load("sim", siteroot.find())
KEYS = {f"{key}{n}" for key in ("roi", "icr", "ocr") for n in range(1, 8)}


@pytest.fixture(scope="module")
def instrument(beamline):
    found = build_instrument(PROFILE)
    found.sample_changer.move(1, wait=True, timeout=10)
    found.mono.move(7140.0, wait=True, timeout=10)
    found.shutter.set("open").wait(10)
    yield found
    release(found)


@pytest.fixture
def detector(instrument, faults):
    found = instrument.fluorescence
    found.count_time.set(1.0).wait(5)
    yield found
    found.saturation_counts, found.dead_time_limit = np.inf, 0.5


def values(device):
    device.trigger().wait(10)
    return {key: each["value"] for key, each in device.read().items()}


def test_each_element_and_the_chamber_before_the_sample_are_read(detector):
    read = values(detector)
    assert KEYS | {"roi_sum", "real_time_s", "i0", "count_time_s"} == set(read)
    assert set(detector.describe()) == set(read)
    assert read["count_time_s"] == read["real_time_s"] == 1.0
    assert read["i0"] == pytest.approx(1e6, rel=0.01)
    assert read["roi_sum"] == sum(read[f"roi{n}"] for n in range(1, 8))
    true = sum(read[f"roi{n}"] * read[f"icr{n}"] / read[f"ocr{n}"] for n in range(1, 8))
    assert read["roi_sum"] < 0.99 * true
    assert detector.read_configuration()["fluorescence_count_time"]["value"] == 1.0


def test_the_electrometer_counts_beside_the_beam(instrument):
    instrument.electrometer.count_time.set(0.5).wait(5)
    read = values(instrument.electrometer)
    assert set(read) == {"i0", "iey", "count_time_s"}
    assert read["i0"] == pytest.approx(5e5, rel=0.01)
    assert 0 < read["iey"] < read["i0"]


def test_an_element_that_is_off_is_not_read(beamline):
    options = {**PROFILE.devices["fluorescence"].options, "off": [3]}
    device = FluorescenceDetector("SIM:fluo:", name="fluorescence", **options)
    try:
        device.wait_for_connection(timeout=10)
        assert {key for key in device.read() if key.endswith("3")} == set()
        assert "roi4" in device.describe()
    finally:
        device.destroy()


@pytest.mark.parametrize("off", [[0], [8], [1, 2, 3, 4, 5, 6, 7]])
def test_elements_off_that_there_are_not_are_refused(off):
    with pytest.raises(InputError, match="of 7 elements"):
        FluorescenceDetector("X:", name="f", elements=7, scaler="Y", off=off)


def refused(detector):
    status = detector.trigger()
    with pytest.raises(DeviceFault) as caught:
        status.wait(10)
    return caught.value


def test_an_element_switched_off_behind_our_back_is_a_fault(detector):
    epics.caput("SIM:fluo:Enabled", [1, 1, 0, 1, 1, 1, 1], wait=True, timeout=5)
    try:
        assert "element 3 is switched off" in str(refused(detector))
    finally:
        epics.caput("SIM:fluo:Enabled", [1] * 7, wait=True, timeout=5)


def test_counts_at_the_limit_are_saturated(detector):
    detector.saturation_counts = 100.0
    assert isinstance(refused(detector), Saturated)


@pytest.mark.parametrize("paralysable", [0, 1])
def test_dead_time_above_the_limit_is_a_fault_with_its_size(detector, faults, paralysable):
    epics.caput("SIM:fluo:Paralysable", paralysable, wait=True, timeout=5)
    faults("fluorescence", 100.0)
    try:
        found = str(refused(detector))
    finally:
        epics.caput("SIM:fluo:Paralysable", 0, wait=True, timeout=5)
    assert "is dead for" in found
    assert "more than 50 %" in found
    assert "attenuate the beam" in found


def test_fewer_elements_than_the_profile_says_are_a_fault(detector):
    detector.elements, detector.on = 9, [*detector.on, 8, 9]
    try:
        assert "has 7 elements, the profile says 9" in str(refused(detector))
    finally:
        detector.elements, detector.on = 7, detector.on[:7]


@pytest.mark.parametrize("shown", [1, 2, 3])
def test_impossible_counts_are_a_fault(detector, faults, shown):
    faults("detector_nan", shown)
    assert "impossible" in str(refused(detector))
