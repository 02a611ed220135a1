"""F01, F02, F04, F05, F07, F08, F10-F12, F14, F15: the instrument breaks while it measures."""

from __future__ import annotations

import contextlib
import signal
import time

import pytest
from support.faults.checker import FEW, breaks
from support.faults.rig import profile, record, until, within

from materialsdock.errors import Refused
from materialsdock.night.control import intents
from materialsdock.night.control.audit import Actor

# the wall clock of all processes of the night, as far off as a file says
CLOCK = """
import time
from pathlib import Path

_real, _off = time.time, Path(__file__).parents[1] / "clock"


def _jumped():
    return _real() + (float(_off.read_text() or 0.0) if _off.exists() else 0.0)


time.time = _jumped
"""
OPTIONS = {"changes": profile(margin_s=10.0), "patches": {"sitecustomize.py": CLOCK}}
SWITCHED = [
    # row, fault, its value, where the time of a fault that is tried twice comes from, words
    ("F04 put never completes", "put_hang", 1, 20.0, "not done with its move"),
    pytest.param("F05 motor stalls", "motor_stall", 1, 12.0, "stands at", marks=pytest.mark.core),
    pytest.param("F08 detector NaN", "detector_nan", 1, 3.0, "impossible", marks=pytest.mark.core),
    ("F08 detector -1", "detector_nan", 2, 3.0, "impossible"),
    ("F08 detector Inf", "detector_nan", 3, 3.0, "impossible"),
    ("F11 detector hangs", "detector_hang", 1, 20.0, "Timeout"),
]


@contextlib.contextmanager
def fault(night, name, value=1):
    night.switch(name, value)
    try:
        yield
    finally:
        night.switch(name, 0)


@pytest.mark.parametrize(("row", "name", "value", "given_up_s", "words"), SWITCHED)
def test_a_fault_of_a_device_sets_the_sample_aside(night, row, name, value, given_up_s, words):
    sample = night.amid()
    seq, began = night.last_note(), time.monotonic()
    with fault(night, name, value):
        seen = night.told_after(seq, began, "'kind': 'retry'", within(given_up_s))
        points = night.points()
        until(lambda: night.sample(sample).state == "held", within(given_up_s), "held")
        held = time.monotonic() - began
        safe = night.safe_after(began, given_up_s)
        assert night.points() <= points + 1  # one may have been under way
    ended = time.monotonic()
    assert words in night.sample(sample).reason
    again = night.again_after(ended, 20)
    record(row, detect_s=seen, safe_s=safe, held_s=held, again_s=again)


def test_a_motor_that_slips_is_noticed_at_the_point(night):
    seq, began = night.last_note(), time.monotonic()
    with fault(night, "motor_slip"):
        seen = night.told_after(seq, began, "instead of", within(3))
    again = night.again_after(time.monotonic(), 20)
    record("F07 motor slips", detect_s=seen, again_s=again)


@pytest.mark.core
def test_ioc_killed(night):
    sample = night.amid()
    seq, began = night.last_note(), time.monotonic()
    night.signal("ioc", signal.SIGKILL)
    seen = night.told_after(seq, began, "'kind': 'hold'", within(1))
    time.sleep(2)
    night.start_ioc()
    back = time.monotonic()
    again = night.again_after(back, 20)
    record("F01 IOC SIGKILL", detect_s=seen, again_after_it_is_back_s=again)
    assert night.sample(sample).attempt == 1


@pytest.mark.core
def test_ioc_frozen(night):
    points, seq, began = night.points(), night.last_note(), time.monotonic()
    night.signal("ioc", signal.SIGSTOP)
    try:
        seen = night.told_after(seq, began, "'kind': 'hold'", within(10))
        assert night.points() <= points + 1
        time.sleep(max(0.0, 9.0 - seen))
    finally:
        night.signal("ioc", signal.SIGCONT)
    back = time.monotonic()
    safe = night.safe_after(back, 5)
    record(
        "F02 IOC SIGSTOP",
        detect_s=seen,
        safe_after_cont_s=safe,
        again_after_cont_s=night.again_after(back, 20),
    )


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(1.0, marks=pytest.mark.core), pytest.param(60.0, marks=pytest.mark.slow)],
)
def test_beam_dump(night, seconds):
    seq, began = night.last_note(), time.monotonic()
    night.put("ring:current", 0.0)
    seen = night.told_after(seq, began, "the beam is down", within(1))
    safe = night.safe_after(began, 3)
    points = night.points()
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    assert night.points() == points
    night.put("ring:current", 100.0)
    again = night.again_after(time.monotonic(), 60)
    record(f"F12 beam dump {seconds:g} s", detect_s=seen, safe_s=safe, again_s=again)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("F10 detectors dead", "detector_dead"),
        pytest.param("F12 no light, ring full", "beam_dump", marks=pytest.mark.core),
    ],
)
def test_without_light_everything_waits(night, row, name):
    sample = night.amid()
    seq, began = night.last_note(), time.monotonic()
    with fault(night, name):
        seen = night.told_after(seq, began, "no light on i0", within(3))
        safe = night.safe_after(began, 5)
        points = night.points()
        told = night.told_after(seq, began, "although the beam should be there", within(20))
        assert night.points() == points
    again = night.again_after(time.monotonic(), 20)
    assert night.sample(sample).state not in ("held", "failed")
    record(row, detect_s=seen, safe_s=safe, told_s=told, again_s=again)


def test_shutter_closed_by_others(night):
    seq, began = night.last_note(), time.monotonic()
    night.put("shutter:Close", 1)
    seen = night.told_after(seq, began, "closed by others", within(2))
    again = night.again_after(time.monotonic(), 20)
    record("F14 shutter closed by others", detect_s=seen, again_s=again)


def test_no_permit(night):
    seq, began = night.last_note(), time.monotonic()
    night.put("shutter:permit", 0)
    try:
        safe = night.safe_after(began, 3)
        seen = night.told_after(seq, began, "'kind': 'hold'", within(2))
        points = night.points()
        time.sleep(2)
        assert night.points() == points
        assert night.shutter_closed()
    finally:
        night.put("shutter:permit", 1)
    again = night.again_after(time.monotonic(), 20)
    record("F14 permit lost", detect_s=seen, safe_s=safe, again_s=again)


def test_shutter_that_does_not_close(night):
    seq, began = night.last_note(), time.monotonic()
    night.history.excuse("the shutter is stuck")
    with fault(night, "shutter_stuck"):
        night.put("ring:current", 0.0)
        try:
            seen = night.told_after(seq, began, "the shutter does not close", within(5))
        finally:
            night.put("ring:current", 100.0)
    again = night.again_after(time.monotonic(), 30)
    night.history.accuse()
    record("F15 shutter stuck", detect_s=seen, again_s=again)


@pytest.mark.parametrize("jump_s", [8.0, -3600.0, pytest.param(86400.0, marks=pytest.mark.core)])
def test_the_wall_clock_jumps(night, jump_s):
    sample, seq, began = night.amid(), night.last_note(), time.monotonic()
    attempt, clock = night.sample(sample).attempt, night.folder / "clock"
    clock.write_text(str(jump_s))
    try:
        seen = night.told_after(seq, began, "clock_jump", within(1.5))
        night.measuring(3, within(5))
    finally:
        clock.write_text("0")
    until(lambda: len(night.notes(seq, "clock_jump")) == 2, within(3), "the jump back")
    assert night.sample(sample).attempt == attempt
    assert not night.notes(seq, "safe_state", "condition")
    record(f"F30 clock {jump_s:+g} s", detect_s=seen)


def test_two_operators(night):
    one, other = Actor("one", "here"), Actor("other", "there")
    lease = intents.take_lease(night.ledger, one)
    with pytest.raises(Refused, match="one@here has control"):
        intents.ask(night.ledger, "release_queue", other)
    paused = intents.ask(night.ledger, "pause", other)  # whoever halts needs nothing
    assert intents.wait(night.ledger, paused, 10.0).state == "done"
    began = time.monotonic()
    safe = night.safe_after(began, 2)
    resumed = intents.ask(night.ledger, "resume", one)
    assert intents.wait(night.ledger, resumed, 10.0).state == "done"
    again = night.again_after(time.monotonic(), 10)
    assert intents.take_lease(night.ledger, other, force=True).epoch == lease.epoch + 1
    with pytest.raises(Refused, match="other@there has control"):
        intents.ask(night.ledger, "resume", one)
    intents.give_lease(night.ledger, other)
    record("F43 two operators", safe_s=safe, again_s=again)


@pytest.mark.core
def test_nothing_is_broken(night):
    night.finish()
    assert breaks(night.ledger, night.history, at_most=FEW) == []
