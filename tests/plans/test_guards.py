"""Conditions of an exposure under a real RunEngine: nothing wrong is saved, nothing twice."""

from __future__ import annotations

import os
import signal
import time

import pytest
from bluesky.utils import RunEngineInterrupted
from support.guarded_exposures import QUICK, assert_sound, dump, kinds, later, put, until

from materialsdock.errors import Refused
from plans.guards import ExposureConditions, ExposureGate


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
    "dead-man": (trip, "the dead-man switch has tripped"),
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
    assert words == ["held by an operator", "the guard gives no heartbeat"]
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


def test_a_hold_can_be_paused_and_goes_on(rig):
    campaign, plan = rig.start(hold_proof_s=1.0)
    rig.at(4, dump)
    later(0.0, lambda: (until(lambda: "hold" in kinds(rig)), rig.RE.request_pause()))
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
