"""Attempts at an exposure: what fails is tried again, impossible readings are none."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from support.guarded_exposures import assert_sound, kinds, until

from devices import counters, stage
from materialsdock.errors import DeviceFault


@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_counts_of_the_exposure_before_are_no_counts(rig, technique, monkeypatch):
    """A counter that answers at once, and has not counted."""
    device, signal = {
        "xas": (rig.instrument.ion_chambers, "count"),
        "xrd": (rig.instrument.segment_scanner, "acquire"),
    }[technique]
    begin = getattr(device, signal)
    really, skip = begin.put, []

    def put_nothing(value, *args, **kwargs):
        if value and skip:
            skip.pop()
            return really(0, *args, **kwargs)
        return really(value, *args, **kwargs)

    monkeypatch.setattr(begin, "put", put_nothing)
    campaign, plan = rig.start(technique)
    rig.at(2, lambda: skip.append(True))
    rig.RE(plan)
    assert not skip
    (said,) = [w for _, kind, w in rig.told if kind == "retry"]
    assert "before" in said
    if technique == "xas":
        assert_sound(rig, campaign)


def test_impossible_readings_are_read_again_twice_and_no_more(rig):
    _, plan = rig.start()
    rig.at(3, lambda: rig.faults("detector_nan", 1))
    off = lambda: rig.faults("detector_nan", 0)  # noqa: E731
    watcher = threading.Thread(target=lambda: (until(lambda: "retry" in kinds(rig)), off()))
    watcher.start()
    rig.at(6, lambda: rig.faults("detector_nan", 2))
    with pytest.raises(DeviceFault, match="tried 3 times"):
        rig.RE(plan)
    watcher.join()
    assert len(rig.ledger.observations("job")) == 7
    assert rig.instrument.shutter.position == "closed"


@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_without_light_everything_waits_until_it_is_back(rig, technique):
    campaign, plan = rig.start(technique)
    rig.at(3, lambda: rig.faults("beam_dump", 1))  # the ring is full all the time
    back = lambda: (until(lambda: "critical" in kinds(rig)), rig.faults("beam_dump", 0))  # noqa: E731
    watcher = threading.Thread(target=back)
    watcher.start()
    rig.RE(plan)
    watcher.join()
    assert campaign.finished
    assert kinds(rig).count("critical") == 1
    assert kinds(rig).count("hold") >= 2
    assert any("no light on" in words for _, kind, words in rig.told if kind == "void")
    key = {"xas": "i0", "xrd": "monitor"}[technique]
    events = rig.ledger.rows("SELECT body FROM documents WHERE name LIKE 'event%'")
    monitored = [json.loads(body)["data"].get(key) for (body,) in events]
    assert any(monitored)
    assert 0.0 not in np.hstack([value for value in monitored if value is not None])


def test_a_sample_that_lets_no_light_through_is_no_reading(rig, monkeypatch):
    _, plan = rig.start()
    chambers = rig.instrument.ion_chambers
    read = chambers.read
    opaque = lambda: {**(found := read()), "it": {**found["it"], "value": 0.0}}  # noqa: E731
    rig.at(3, lambda: monkeypatch.setattr(chambers, "read", opaque))
    with pytest.raises(DeviceFault, match="impossible readings"):
        rig.RE(plan)
    assert len(rig.ledger.observations("job")) == 4


@pytest.mark.parametrize(
    ("fault", "words", "limit_s"),
    [
        ("motor_stall", "short of", 5.0),
        ("motor_slip", "instead of", 2.0),
        ("put_hang", "not done with its move", 4.0),
        ("detector_hang", "Timeout", 4.0),
    ],
)
def test_what_fails_once_is_tried_again(rig, fault, words, limit_s, monkeypatch):
    margin_s = {"put_hang": 1.5, "detector_hang": 0.0}.get(fault, 5.0)  # the real ones are 5 s
    for module in (counters, stage):
        monkeypatch.setattr(module, "MARGIN_S", margin_s)
    switched = []

    def report(kind, said):
        rig.told.append((time.monotonic(), kind, said))
        if kind == "retry":
            rig.faults(fault, 0)  # before the next try begins

    campaign, plan = rig.start(count_time_s=1.0, report=report)
    rig.at(3, lambda: (rig.faults(fault, 1), switched.append(time.monotonic())))
    rig.RE(plan)
    at, found = next((t, w) for t, kind, w in rig.told if kind == "retry")
    assert words in found
    assert at - switched[0] < limit_s
    assert_sound(rig, campaign)


def test_what_fails_twice_is_a_fault(rig):
    _, plan = rig.start()
    rig.at(3, lambda: rig.faults("motor_slip", 1))
    with pytest.raises(DeviceFault, match="instead of"):
        rig.RE(plan)
    assert len(rig.ledger.observations("job")) == 4
    assert rig.instrument.shutter.position == "closed"
