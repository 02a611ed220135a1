"""F17-F20, F22-F24, aborts: processes of a night are killed, frozen and blocked at work."""

from __future__ import annotations

import random
import signal
import time

import numpy as np
import pytest
from support.faults.checker import FEW, breaks
from support.faults.rig import calm, record, until, within

from materialsdock.night.control import intents
from materialsdock.night.control.audit import Actor
from materialsdock.night.queue import queue

BLOCKS = """

import ctypes as _ctypes
import resource as _resource
from pathlib import Path as _Path

_folder = _Path(__file__).parents[2]
_prepared = Attempts._prepared


def _blocked(self, attempt):
    if (_folder / "block").exists():
        (_folder / "block").unlink()
        _ctypes.PyDLL(None).sleep(120)
    if (_folder / "eat").exists():
        (_folder / "eat").unlink()
        _resource.setrlimit(_resource.RLIMIT_AS, (1 << 20, _resource.RLIM_INFINITY))
        bytearray(1 << 30)
    while (_folder / "stand").exists():
        yield from bps.sleep(0.1)
    yield from _prepared(self, attempt)


Attempts._prepared = _blocked
"""
OPTIONS = {"patches": {"plans/attempts.py": BLOCKS}}
SAFE_S, AGAIN_S, ABORTED_S = 5.0, 30.0, 2.0
TESTER = Actor("tester", "here")


def broken(night, row, cause, *, safe_s=SAFE_S, again_s=AGAIN_S, words="safe_state", **more):
    """Break something while a sample is measured: it is seen, made safe, and goes on."""
    sample = night.amid()
    seq, began = night.last_note(), time.monotonic()
    cause()
    safe = night.safe_after(began, safe_s)
    seen = night.told_after(seq, began, words, within(again_s))
    again = night.again_after(began, again_s)
    record(row, detect_s=seen, safe_s=safe, again_s=again, **more)
    return sample


@pytest.mark.parametrize(
    ("row", "number"),
    [
        pytest.param("F17 worker SIGKILL", signal.SIGKILL, marks=pytest.mark.core),
        pytest.param("F18 worker SIGSTOP", signal.SIGSTOP, marks=pytest.mark.core),
        ("F19 worker SIGSEGV", signal.SIGSEGV),
    ],
)
def test_worker(night, row, number):
    sample = broken(night, row, lambda: night.signal("worker", number))
    assert night.sample(sample).attempt >= 2


def test_worker_without_memory(night):
    broken(night, "F19 worker out of memory", (night.folder / "eat").touch)


def test_a_sample_that_keeps_killing_its_worker_is_set_aside(night):
    sample = night.amid()
    with night.ledger.transaction() as db:
        db.execute("UPDATE samples SET failures = 50 WHERE sample_id = ?", (sample,))
    broken(night, "F19 poison sample", lambda: night.signal("worker", signal.SIGKILL))
    assert night.sample(sample).state == "held"
    assert "signal 9" in night.sample(sample).reason
    assert night.measured_now() != sample


@pytest.mark.parametrize("how", [pytest.param("block", marks=pytest.mark.core), "stand"])
def test_a_plan_that_does_not_get_on(night, how):
    # the margin of this profile is 4 s: 2 x 1 s and 4 s in place of the matrix' 2 x step + 10 s
    target_s = SAFE_S + (0.0 if how == "block" else 6.0)
    switch = night.folder / how

    def block():
        switch.touch()

    seq = night.last_note()
    sample, began = night.amid(), time.monotonic()
    block()
    safe = night.safe_after(began, target_s)
    seen = night.told_after(seq, began, "safe_state", within(AGAIN_S))
    switch.unlink(missing_ok=True)
    again = night.again_after(began, AGAIN_S)
    record(f"F20 plan {how}s", detect_s=seen, safe_s=safe, again_s=again)
    (note,) = night.notes(seq, "safe_state")
    assert ("frozen" if how == "block" else "not got on") in note.body["why"]
    assert night.sample(sample).attempt >= 2


def test_supervisor(night):
    before = {role: night.pid(role) for role in ("daemon", "worker", "guard")}

    def kill():
        night.signal("up", signal.SIGKILL)
        until(lambda: not any(night.pid(role) == pid for role, pid in before.items()), 10)
        night.start_up()

    broken(night, "F22 supervisor SIGKILL", kill, again_s=40, words="'started': True")


def test_never_two_supervisors(night):
    done = night.command("up", "--no-beamline", "--out", str(night.data), "--site", str(night.site))
    assert done.returncode not in (0, None)
    assert "holds it" in done.stderr
    assert night.pid("up") is not None
    night.measuring(2)


def test_guard(night):
    seq, before, began = night.last_note(), night.pid("guard"), time.monotonic()
    night.signal("guard")
    another = until(lambda: night.pid("guard") not in (None, before), within(3.5), "another guard")
    again = night.again_after(began, 10)
    record("F23 guard SIGKILL", another_s=another, again_s=again)
    assert not night.notes(seq, "safe_state")  # there is nothing wrong with the worker


@pytest.mark.core
def test_guards_that_die_again_and_again(night):
    """The worker holds while there is no guard, and the dead-man would have closed."""
    seq, began = night.last_note(), time.monotonic()

    def held():
        night.signal("guard")
        return bool(night.notes(seq, "condition"))

    until(held, within(10), "a hold")
    seen = time.monotonic() - began
    safe = night.safe_after(began, 3.5)
    record(
        "F23 guard SIGKILL again and again",
        detect_s=seen,
        safe_s=safe,
        again_s=night.again_after(time.monotonic(), AGAIN_S),
    )


def test_guard_frozen(night):
    seq, began = night.last_note(), time.monotonic()
    night.signal("guard", signal.SIGSTOP)
    try:
        safe = night.safe_after(began, 3.5)
        seen = night.told_after(seq, began, "'kind': 'hold'", within(3.5))
        points = night.points()
        time.sleep(1.0)
        assert night.points() == points
    finally:
        night.signal("guard", signal.SIGCONT)
    again = night.again_after(time.monotonic(), 10)
    record("F23 guard SIGSTOP, SIGCONT", detect_s=seen, safe_s=safe, again_s=again)


def test_the_dead_man_alone(night):
    night.signal("guard", signal.SIGSTOP)
    began = time.monotonic()
    try:
        night.signal("worker", signal.SIGKILL)
        safe = night.safe_after(began, 3.5)
    finally:
        night.signal("guard", signal.SIGCONT)
    record("F17 worker SIGKILL, guard frozen", safe_s=safe, again_s=night.again_after(began, 30))
    assert any(line["kind"] == "trip" and line["mono"] > began for line in night.history.lines())


@pytest.mark.core
def test_daemon(night):
    sample = broken(
        night,
        "F24 daemon SIGKILL",
        lambda: night.signal("daemon"),
        safe_s=3.5,
        again_s=40,
        words="'interrupted': ['",
    )
    assert night.sample(sample).state in ("measuring", "measured", "analysing")


def test_everything_at_once(night):
    before = {s.sample_id: s.attempt for s in queue.samples(night.ledger)}

    def kill():
        for role in ("up", "daemon", "guard", "worker", "analyst", "librarian", "ioc"):
            night.signal(role, signal.SIGKILL)
        night.start_ioc()
        night.start_up()

    sample = broken(night, "F24 everything SIGKILL", kill, again_s=40, words="'interrupted': ['")
    assert 1 <= night.sample(sample).attempt - before[sample] <= 2
    waiting = [s.sample_id for s in queue.samples(night.ledger, "queued")]
    assert waiting == [*before][len(before) - len(waiting) :], "in the order of the sheet"


def aborted(night, count):
    """Seconds from each of `count` aborts, written at any moment, to the closed shutter.

    Every second one while the instrument has its own speed: amid long moves and counts.
    """
    dice, took = random.Random(7), []
    for number in range(count):
        sample = night.amid()
        slow = bool(number % 2)
        night.put("speed", 1.0 if slow else night.speed)
        time.sleep(dice.uniform(0.0, 1.5 if slow else 0.5))
        asked = intents.ask(night.ledger, "abort", TESTER)
        began = time.monotonic()
        took.append(night.safe_after(began, ABORTED_S))
        found = intents.wait(night.ledger, asked, 10.0)
        night.put("speed", night.speed)
        night.history.answered[found.seq] = (found.state, time.monotonic())
        assert found.state == "done"
        until(lambda one=sample: night.sample(one).state == "held", within(2))
        night.seen()
        calm(night)
    return np.array(took)


@pytest.mark.parametrize(
    "count", [pytest.param(5, marks=pytest.mark.core), pytest.param(30, marks=pytest.mark.slow)]
)
def test_abort(night, count):
    took = aborted(night, count)
    p50, p99 = np.quantile(took, [0.5, 0.99]).tolist()
    record(f"abort, {count} times", p50_s=p50, p99_s=p99, longest_s=float(took.max()))
    assert p99 <= within(ABORTED_S)


@pytest.mark.core
def test_nothing_is_broken(night):
    night.finish()
    assert breaks(night.ledger, night.history, at_most=FEW) == []
