"""Fluorescence from the elements of a detector: corrected, with its noise, without what failed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.signals import electrons, fluorescence

from materialsdock.errors import DeviceFault
from materialsdock.techniques.xas.signals import electron_yield
from materialsdock.techniques.xas.signals.fluorescence import FluorescenceObserver
from sim_devices.detectors import MultiElement

ELSEWHERE = {"mono_energy": 7000.0}


def followed(observer, events):
    """What the observer says of each event, told of those before."""
    found = []
    for event in events:
        found.append(observer(event))
        observer.remember(event)
    return found


def events(n, ratio=0.1, seed=0, seconds=1.0, i0_hz=1e5, **detector):
    rng, kind = np.random.default_rng(seed), MultiElement(**detector)
    return [fluorescence(7100.0 + i, ratio, seconds, rng, i0_hz, kind) for i in range(n)]


@pytest.mark.parametrize("paralysable", [False, True])
@pytest.mark.parametrize("dead_time_s", [0.0, 2e-6, 1e-5])
def test_values_and_their_noise_are_right_whatever_the_dead_time(dead_time_s, paralysable):
    shown = events(400, dead_time_s=dead_time_s, paralysable=paralysable)
    found = followed(FluorescenceObserver(), shown)
    y, sigma = np.array([(each.y, each.sigma) for each in found]).T
    assert y.mean() == pytest.approx(0.1, rel=3 * sigma.mean() / 0.1 / 20)
    assert np.std((y - 0.1) / sigma) == pytest.approx(1.0, abs=0.1)


def test_counts_of_a_detector_that_counted_longer_are_set_in_relation():
    event = events(1)[0]
    longer = {**event, "count_time_s": 0.5, "i0": event["i0"] / 2}
    assert FluorescenceObserver()(longer).y == pytest.approx(FluorescenceObserver()(event).y)


@pytest.mark.parametrize("i0_hz", [1e5, 2e3])
def test_an_element_that_dies_is_left_out_and_the_scale_stays(i0_hz):
    observer = FluorescenceObserver()
    alive, dead = events(40, i0_hz=i0_hz), events(200, seed=1, i0_hz=i0_hz, dead=4)
    found = followed(observer, alive + dead)
    y, sigma = np.array([(each.y, each.sigma) for each in found[60:]]).T
    assert y.mean() == pytest.approx(0.1, abs=4 * sigma.mean() / math.sqrt(40))
    assert np.std((y - y.mean()) / sigma) == pytest.approx(1.0, abs=0.15)
    assert [*observer.remarks] == ["element 4"]
    assert "left out from" in observer.remarks["element 4"]
    assert observer.facts()["left_out"]["4"] > 180


def test_an_element_that_comes_back_is_used_again():
    observer = FluorescenceObserver()
    followed(observer, events(30) + events(30, seed=1, dead=2) + events(60, seed=2))
    assert 30 <= observer.left_out[2] < 50


def test_an_element_that_sees_a_reflection_is_left_out_at_that_point():
    observer, shown = FluorescenceObserver(), events(30)
    shown[20] |= {f"{key}3": 5 * shown[20][f"{key}3"] for key in ("roi", "icr", "ocr")}
    found = followed(observer, shown)
    assert observer.facts()["left_out"].keys() == {"3"}
    assert found[20].y == pytest.approx(0.1, abs=5 * found[20].sigma)


def test_an_element_without_counts_from_the_start_is_said():
    observer = FluorescenceObserver()
    found = followed(observer, events(40, dead=7))
    assert observer.remarks["element 7"].endswith("shows no counts at all")
    assert found[30].y == pytest.approx(0.1 * 0.85, rel=0.05)


def test_a_spectrum_with_an_edge_and_shares_that_drift_leaves_nothing_out():
    rng, observer = np.random.default_rng(3), FluorescenceObserver()
    for i in range(200):
        ratio = 0.01 if i < 100 else 0.2
        background = np.linspace(1.3, 0.7, 7) if i < 100 else np.ones(7)
        shares = tuple(background / background.sum())
        shown = fluorescence(7000 + i, ratio, 1.0, rng, detector=MultiElement(shares))
        observer(shown)
        observer.remember(shown)
    assert observer.facts()["left_out"] == {}
    assert not observer.remarks


def test_the_same_events_bring_it_to_the_same_state():
    shown = events(50) + events(50, seed=1, dead=5)
    whole = followed(FluorescenceObserver(), shown)
    again = FluorescenceObserver()
    for event in shown[:70]:
        again.remember(event)
    assert followed(again, shown[70:]) == whole[70:]


def test_a_large_dead_time_is_said_once():
    observer = FluorescenceObserver()
    followed(observer, events(5, ratio=1.0, dead_time_s=1.5e-5))
    assert "of the time" in observer.remarks["dead time"]
    low, high = observer.facts()["dead_time"]
    assert 0.2 < low < high < 0.35


def test_elements_beyond_the_limit_are_left_out_and_most_are_a_fault():
    observer, shown = FluorescenceObserver(), events(10)
    shown[9] |= {"ocr6": 0.3 * shown[9]["icr6"], "roi6": 0.3 * shown[9]["roi6"]}
    followed(observer, shown)
    assert "dead for 70 % of the time" in observer.remarks["element 6"]
    with pytest.raises(DeviceFault, match=r"elements 1, 2, .* of 7 are dead"):
        FluorescenceObserver(0.1)(events(1, ratio=1.0, dead_time_s=1e-5)[0])


@pytest.mark.parametrize(
    "wrong", [{"i0": 0.0}, {"roi3": math.nan}, {"icr1": -1.0}, {"real_time_s": 0.0}]
)
def test_what_no_detector_shows_is_a_fault(wrong):
    with pytest.raises(DeviceFault):
        FluorescenceObserver()({**events(1)[0], **wrong})


def test_other_elements_than_before_are_a_fault():
    observer, event = FluorescenceObserver(), events(1)[0]
    observer.remember(event)
    fewer = {key: value for key, value in event.items() if not key.endswith("7")}
    with pytest.raises(DeviceFault, match="begin a new measurement"):
        observer(fewer)


def test_no_counts_are_a_value_with_the_noise_of_one():
    found = FluorescenceObserver()(events(1, ratio=0.0)[0])
    assert found.y == 0.0
    assert found.sigma == pytest.approx(1e-5, rel=0.02)


def test_yield_has_the_noise_of_both_counters():
    rng = np.random.default_rng(0)
    shown = [electron_yield.observe(electrons(7100.0, 0.3, 1.0, rng, 1e4)) for _ in range(400)]
    off = [(each.y - 0.3) / each.sigma for each in shown]
    assert np.std(off) == pytest.approx(1.0, abs=0.1)
    assert abs(np.mean(off)) < 0.2


@pytest.mark.parametrize(("i0", "iey"), [(0.0, 1.0), (1e3, -1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_an_electrometer_without_beam_or_sense_is_a_fault(i0, iey):
    with pytest.raises(DeviceFault, match="electrometer"):
        electron_yield.observe({**ELSEWHERE, "i0": i0, "iey": iey, "count_time_s": 1.0})
