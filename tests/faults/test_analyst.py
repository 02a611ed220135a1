"""F37: the analysis crashes, hangs, fails or is killed; measuring never waits for it."""

from __future__ import annotations

import os
import signal
import time

import pytest
from support.faults.checker import FEW, breaks
from support.faults.rig import profile, record, rig, until, within

LIMIT_S = 12.0
POINTS = 70  # analysed about as fast as they are measured
# imported by every Python of the night before anything else, and of use to the analyst only
INJECTED = """
import sys

if "materialsdock.night.processes.analyst" in sys.orig_argv:
    import ctypes, os, signal
    from dataclasses import replace
    from pathlib import Path
    import materialsdock.campaign.analysis as analysis

    folder, whole = Path(__file__).parents[1], analysis.analyse

    def analyse(*args):
        faults = [f for f in ("crash", "hang", "error", "poison") if (folder / f).exists()]
        if faults and faults != ["poison"]:
            (folder / faults[0]).unlink()
        if "crash" in faults or "poison" in faults:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in faults:
            ctypes.PyDLL(None).sleep(600)
        if "error" in faults:
            raise ZeroDivisionError("garbage in the pattern")
        return whole(*args)

    analysis.analyse = analyse
"""
OPTIONS = {
    "patches": {"sitecustomize.py": INJECTED},
    "changes": profile(analysis_limit_s=LIMIT_S, retry_delays_s=[0.0]),
}


@pytest.fixture(scope="module")
def going(tmp_path_factory):
    """A night of short samples."""
    with rig(tmp_path_factory.mktemp("analysis"), **OPTIONS) as made:
        made.submit(made.edges(40, points=POINTS, threshold=1e-6))
        until(lambda: made.states()["done"] + made.states()["done_with_warnings"], 120, "the first")
        yield made


@pytest.fixture
def night(going):
    return going


def news(night, seq, event):
    """The samples of which the night's log says so after line `seq`."""
    return [n.sample_id for n in night.notes(seq, "sample") if n.body["event"] == event]


def finished(night, seq):
    """The samples that were analysed to the end after line `seq`."""
    return news(night, seq, "finish") + news(night, seq, "finish_with_warnings")


def test_killed_from_outside(night):
    seq, began = night.last_note(), time.monotonic()
    before = night.pid("analyst")
    os.kill(before, signal.SIGKILL)
    until(lambda: night.pid("analyst") not in (None, before), within(10), "another")
    until(lambda: finished(night, seq), within(20))
    record("F37 analyst SIGKILL", again_s=time.monotonic() - began)


@pytest.mark.parametrize(("fault", "limit_s"), [("crash", 5.0), ("hang", LIMIT_S + 3.0)])
def test_it_is_done_again_after(night, fault, limit_s):
    seq, began, points = night.last_note(), time.monotonic(), night.points()
    (night.folder / fault).touch()
    until(lambda: news(night, seq, "analysis_interrupted"), within(limit_s + 5), fault)
    seen = time.monotonic() - began
    (sample,) = news(night, seq, "analysis_interrupted")
    until(lambda: night.sample(sample).state.startswith("done"), within(20), "done")
    record(f"F37 analysis {fault}", detect_s=seen, again_s=time.monotonic() - began)
    assert night.points() > points


def test_an_error_fails_the_sample_and_no_other(night):
    seq, began = night.last_note(), time.monotonic()
    (night.folder / "error").touch()
    until(lambda: news(night, seq, "fail"), within(10), "failed")
    record("F37 analysis error", detect_s=time.monotonic() - began)
    (sample,) = news(night, seq, "fail")
    assert "garbage in the pattern" in night.sample(sample).reason
    until(lambda: finished(night, seq), within(10))


def test_a_sample_that_kills_every_analysis_fails(night):
    seq, began = night.last_note(), time.monotonic()
    (night.folder / "poison").touch()
    try:
        until(lambda: news(night, seq, "fail"), within(15), "failed")
    finally:
        (night.folder / "poison").unlink()
    record("F37 analysis crashes always", detect_s=time.monotonic() - began)
    assert "signal 11" in night.sample(news(night, seq, "fail")[0]).reason


def test_nothing_is_broken(night):
    night.finish()
    assert breaks(night.ledger, night.history, at_most=FEW) == []
