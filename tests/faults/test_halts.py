"""Halts of a person last whatever is killed; a second night takes nothing over."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from support.faults.checker import breaks
from support.faults.rig import calm, record, until, within

from materialsdock.ledger.facts import fact
from materialsdock.night.control import intents
from materialsdock.night.control.audit import Actor
from materialsdock.night.queue import queue


def paused(night):
    sample = night.amid()
    assert night.ask("pause").state == "done"
    until(lambda: night.beat("worker").phase == "paused", within(5), "paused")
    return sample


def test_a_paused_sample_whose_worker_is_killed_does_not_go_on_by_itself(night):
    sample = paused(night)
    night.signal("worker", signal.SIGKILL)
    until(lambda: fact(night.ledger, "hold"), within(5), "held")
    points = night.points()
    until(lambda: night.beat("worker").alive and night.beat("worker").phase == "idle", within(10))
    time.sleep(2.0)
    assert night.points() == points
    assert night.shutter_closed()
    assert f"{sample} was paused" in fact(night.ledger, "hold")
    assert night.ask("release_queue").state == "done"
    night.measuring(2)


def test_an_abort_comes_true_when_the_daemon_is_killed_right_after_it_was_asked(night):
    for pause_s in (0.0, 0.05, 0.15):
        sample, began = night.amid(), time.monotonic()
        seq = intents.ask(night.ledger, "abort", Actor("tester", "here"))
        time.sleep(pause_s)
        night.signal("daemon", signal.SIGKILL)
        safe = night.safe_after(began, 3.5)
        until(lambda one=sample: night.sample(one).state == "held", within(10), "held")
        assert intents.wait(night.ledger, seq, within(5)).state == "done"
        record(f"abort, daemon SIGKILL {pause_s:g} s later", safe_s=safe)


def test_an_abort_before_the_first_point_counts(night):
    asked = 0
    for _ in range(4):
        calm(night)
        before = night.amid()
        assert night.ask("stop").state == "done"
        following = lambda one=before: night.measured_now() not in (None, one)  # noqa: E731
        until(following, within(20), "the next sample")
        sample = night.measured_now()
        seq = intents.ask(night.ledger, "abort", Actor("tester", "here"))
        if intents.wait(night.ledger, seq, within(5)).state == "done":
            asked += 1
            until(lambda one=sample: night.sample(one).state == "held", within(5), "held")
    assert asked >= 3


def test_another_night_does_not_take_the_instrument_from_one_that_measures(night):
    sample = night.amid()
    found = night.get("owner:epoch")
    other = night.folder / "other"
    command = ["-m", "materialsdock", "up", "--no-beamline", "--out", str(other)]
    command += ["--site", str(night.site)]
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *command],
        env=night.whole_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: "unready" in _kinds(other), within(20), "the other says why")
        time.sleep(5.0)
        assert night.get("owner:epoch") == found
        night.measuring(2)
        assert night.sample(sample).attempt == 1 or night.measured_now() != sample
    finally:
        process.terminate()
        process.wait(30)
    record("second night refused", seconds=time.monotonic() - began)


def _kinds(folder):
    from materialsdock.ledger.ledger import Ledger

    if not (folder / "ledger.sqlite").is_file():
        return set()
    with Ledger(folder / "ledger.sqlite") as ledger:
        return {line.kind for line in queue.log(ledger)}


def test_nothing_is_broken(night):
    night.finish()
    assert breaks(night.ledger, night.history) == []
