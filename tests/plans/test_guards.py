"""Conditions of an exposure under a real RunEngine: nothing wrong is saved, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from bluesky.utils import RunEngineInterrupted
from support.beamline_jobs import XAS, XRD
from support.made_site import edge_mu

from devices import counters, stage
from materialsdock.campaign.campaign import Campaign
from materialsdock.errors import DeviceFault, Refused
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Sample
from materialsdock.profile import config, siteroot
from materialsdock.profile.instrument import build_instrument, release
from plans.adaptive import learn
from plans.attempts import Attempts
from plans.guards import ExposureConditions, ExposureGate
from plans.measure import measure_point, measure_segment

POINTS = 12
STOP = {**XAS["stop"], "maximum_points": POINTS}
QUICK = {"hold_proof_s": 0.3, "hysteresis_s": 1.0, "beam": ("ring", 50.0, 90.0)}


@pytest.fixture(scope="module")
def instrument(beamline):
    found = build_instrument(config.load("sim", siteroot.activate()))
    yield found
    release(found)


@pytest.fixture
def rig(instrument, RE, tmp_path, faults):
    """`rig.start()` makes campaign and plan; `rig.told` is what was reported: (time, kind, words).

    `rig.at(n, action)` : do it after so many decisions.
    """
    ledger, told, actions = Ledger(tmp_path / "ledger.sqlite"), [], {}

    def start(technique="xas", count_time_s=20.0, **conditions):
        position, settings = {"xrd": (0, XRD), "xas": (1, XAS)}[technique]
        if technique == "xas":
            learner = {**XAS["learner"], "count_time_s": count_time_s}
            settings = {**XAS, "learner": learner, "stop": STOP}
        ledger.add_job(Job("job", Sample("a sample", technique, position), settings))
        campaign = Campaign(ledger.job("job"), ledger)
        campaign.listeners.append(lambda d: actions.pop(d.step, lambda: None)())
        RE.subscribe(campaign.receive)
        report = lambda kind, words: told.append((time.monotonic(), kind, words))  # noqa: E731
        terms = {**QUICK, "place": position, "report": report, **conditions}
        gate = ExposureGate(instrument, ExposureConditions(**terms))
        measure = {"xrd": measure_segment, "xas": measure_point}[technique]
        return campaign, learn(campaign, instrument, Attempts(gate).of(measure), ready=gate.ready)

    yield SimpleNamespace(
        start=start,
        told=told,
        at=actions.__setitem__,
        RE=RE,
        instrument=instrument,
        ledger=ledger,
        faults=faults,
    )
    ledger.close()


def put(name, value):
    import epics

    epics.caput(f"SIM:{name}", value, wait=True, timeout=5)


def later(seconds, action):
    threading.Timer(seconds, action).start()


def kinds(rig):
    return [kind for _, kind, _ in rig.told if kind != "late"]


def assert_sound(rig, campaign, points=POINTS):
    """Each point once, as the twin has it, and the shutter closed."""
    told = rig.ledger.observations("job")
    assert len(told) == len({o.uid for o in told}) == len(campaign.decisions) == points
    for o in told:
        assert abs(o.y - edge_mu(o.x)) < 6 * o.sigma + 1e-3
    assert rig.instrument.shutter.position == "closed"


def test_where_everything_holds_nothing_is_held_and_little_time_is_lost(rig):
    campaign, plan = rig.start()
    rig.RE(plan)
    assert kinds(rig) == []
    assert_sound(rig, campaign)
    gate = ExposureGate(rig.instrument, ExposureConditions(**QUICK))
    began = time.perf_counter()
    for _ in range(100):
        assert gate.failing() == ()
    assert (time.perf_counter() - began) / 100 < 0.01


def dump():
    put("ring:current", 3.0)
    later(0.7, lambda: put("ring:current", 100.0))


def no_permit():
    put("shutter:permit", 0)
    later(0.7, lambda: put("shutter:permit", 1))


def trip():
    put("deadman:Armed", 1)
    later(3.8, lambda: put("deadman:Armed", 0))


TROUBLES = {
    "beam": (dump, "the beam is down"),
    "permit": (no_permit, "no shutter permit"),
    "closed": (lambda: put("shutter:Close", 1), "the shutter was closed by others"),
    "dead-man": (trip, "the dead-man has tripped"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_one_hold_with_the_shutter_closed_and_the_point_is_counted_anew(rig, trouble):
    action, words = TROUBLES[trouble]
    campaign, plan = rig.start()
    delay = {"dead-man": 0.0}.get(trouble, 0.02)
    pause_s = 3.5 if trouble == "dead-man" else 0.0
    rig.at(4, lambda: (later(delay, action), time.sleep(pause_s)))
    rig.RE(plan)
    assert kinds(rig).count("hold") == kinds(rig).count("resumed") == 1
    assert words in next(w for _, kind, w in rig.told if kind == "hold")
    assert_sound(rig, campaign)


def test_a_dump_shorter_than_a_look_voids_the_point(rig):
    campaign, plan = rig.start(count_time_s=200.0)  # 0.4 s of wall clock
    blink = lambda: (put("ring:current", 3.0), put("ring:current", 100.0))  # noqa: E731
    rig.at(4, lambda: later(0.25, blink))
    rig.RE(plan)
    assert "hold" in kinds(rig)
    assert_sound(rig, campaign)


@pytest.fixture
def at_speed(beamline):
    """Change the speed by a factor; it is the usual one again after the test."""
    import epics

    usual = epics.caget("SIM:speed")
    yield lambda factor: put("speed", usual * factor)
    put("speed", usual)


MOVES = {
    "energy": ("xas", "bragg.VAL", 16.0, "bragg was moved by others"),
    "sample": ("xas", "sample.VAL", 2.0, "another sample is in the beam"),
    "sample of a pattern": ("xrd", "sample.VAL", 2.0, "another sample is in the beam"),
}


@pytest.mark.parametrize("move", MOVES)
def test_what_others_move_while_a_point_is_counted_voids_it(rig, at_speed, move):
    technique, pv, to, words = MOVES[move]
    if technique == "xrd":  # the segment of step 2 takes long enough to come in between
        rig.at(1, lambda: at_speed(0.01))
        rig.at(2, lambda: at_speed(1.0))
    campaign, plan = rig.start(technique, count_time_s=300.0)
    exposing = {"xas": ".trigger", "xrd": ".kickoff"}[technique]
    device = {"xas": "ion_chambers", "xrd": "segment_scanner"}[technique]
    once = [lambda: later(0.15, lambda: put(pv, to))]

    def foreign(msg):
        if f".{msg.command}" == exposing and len(campaign.decisions) == 2 and once:
            assert msg.obj is rig.instrument.devices[device]
            once.pop()()

    rig.RE.msg_hook = foreign
    rig.RE(plan)
    rig.RE.msg_hook = None
    void = [w for _, kind, w in rig.told if kind == "void"]
    assert len(void) == 1
    assert words in void[0]
    assert kinds(rig).count("hold") == 1
    if technique == "xas":
        assert_sound(rig, campaign)
    else:
        steps = [o.step for o in rig.ledger.observations("job")]
        assert all(steps.count(d.step) == d.proposal.points for d in campaign.decisions)


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


def test_a_flickering_beam_makes_one_hold(rig):
    campaign, plan = rig.start(hold_proof_s=0.8)
    rig.at(4, lambda: rig.faults("beam_flicker", 1.0))
    later(4.0, lambda: rig.faults("beam_flicker", 0.0))
    rig.RE(plan)
    assert kinds(rig).count("hold") == kinds(rig).count("resumed") == 1
    began, ended = (next(t for t, kind, _ in rig.told if kind == k) for k in ("hold", "resumed"))
    assert ended - began > 3.0
    assert_sound(rig, campaign)


def test_a_hold_right_after_a_hold_lasts_the_hysteresis(rig):
    campaign, plan = rig.start(hold_proof_s=0.1, hysteresis_s=2.0)
    for step in (3, 4):
        rig.at(step, lambda: (dump(), time.sleep(0.1)))
    rig.RE(plan)
    times = [t for t, kind, _ in rig.told if kind in ("hold", "resumed")]
    assert len(times) == 4
    assert times[1] - times[0] < 2.0 <= times[3] - times[2]
    assert_sound(rig, campaign)


def test_what_others_want_held_is_held(rig):
    wanted, alive = [""], [True]
    campaign, plan = rig.start(held=lambda: wanted[0], guard_fresh=lambda: alive[0])

    def ask():
        wanted[0] = "held by an operator"
        later(0.5, lambda: wanted.__setitem__(0, ""))

    def die():
        alive[0] = False
        later(0.5, lambda: alive.__setitem__(0, True))

    rig.at(3, ask)
    rig.at(7, die)
    rig.RE(plan)
    words = [w for _, kind, w in rig.told if kind == "hold"]
    assert words == ["held by an operator", "the guard is silent"]
    assert_sound(rig, campaign)


def test_an_older_epoch_does_not_move(rig):
    owner = rig.instrument.owner
    epoch = int(owner.epoch.get()) + 1
    owner.claim(epoch)
    _, plan = rig.start(epoch=epoch)
    rig.at(4, lambda: owner.claim(epoch + 1))
    with pytest.raises(Refused, match=f"epoch {epoch} may not move"):
        rig.RE(plan)
    assert len(rig.ledger.observations("job")) == 5
    with pytest.raises(Refused, match="not after"):
        owner.claim(epoch)


def test_impossible_readings_are_read_again_twice_and_no_more(rig):
    _, plan = rig.start()
    rig.at(3, lambda: rig.faults("detector_nan", 1))
    off = lambda: rig.faults("detector_nan", 0)  # noqa: E731
    watcher = threading.Thread(target=lambda: (_until(lambda: "retry" in kinds(rig)), off()))
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
    back = lambda: (_until(lambda: "critical" in kinds(rig)), rig.faults("beam_dump", 0))  # noqa: E731
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


def _until(condition, limit_s=20.0):
    deadline = time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


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


def test_a_hold_can_be_paused_and_goes_on(rig):
    campaign, plan = rig.start(hold_proof_s=1.0)
    rig.at(4, dump)
    later(0.0, lambda: (_until(lambda: "hold" in kinds(rig)), rig.RE.request_pause()))
    with pytest.raises(RunEngineInterrupted):
        rig.RE(plan)
    assert rig.RE.state == "paused"
    time.sleep(0.5)
    began = time.monotonic()
    rig.RE.resume()
    assert time.monotonic() - began < 8.0
    assert kinds(rig).count("resumed") == 1
    assert_sound(rig, campaign)


@pytest.mark.filterwarnings("ignore:ca.get")
@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_a_frozen_ioc_is_seen_and_nothing_old_is_recorded(rig, beamline, technique):
    campaign, plan = rig.start(technique)
    frozen = []

    def freeze():
        os.kill(beamline.pid, signal.SIGSTOP)
        frozen.append(time.monotonic())
        later(4.5, lambda: os.kill(beamline.pid, signal.SIGCONT))

    rig.at(3, freeze)
    rig.RE(plan)
    seen = next(t for t, kind, _ in rig.told if kind == "hold")
    back = next(t for t, kind, _ in rig.told if kind == "resumed")
    assert seen - frozen[0] < 10.0
    assert back - frozen[0] - 4.5 < 20.0
    if technique == "xas":
        assert_sound(rig, campaign)
    else:
        told = rig.ledger.observations("job")
        assert len(told) == len({o.uid for o in told})
        assert campaign.finished
