"""SIGKILL at random moments: nothing is lost, nothing measured twice, later decisions the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from support.places import ROOT, TESTS

from materialsdock.ledger.ledger import Ledger

CHILD = TESTS / "support" / "measure_child.py"
KILLS = 5


@pytest.fixture(scope="module")
def nursery():
    """Process that forks the measurements, so that each begins without seconds of imports."""
    process = subprocess.Popen(
        [sys.executable, str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        yield process


def start(nursery, folder, technique):
    """The process id of a new measurement."""
    nursery.stdin.write(f"{folder} {technique}\n")
    nursery.stdin.flush()
    return int(nursery.stdout.readline())


def until(nursery, word):
    for line in nursery.stdout:
        if line.strip() == word:
            return
        assert line.strip() != "ended", f"ended before {word!r}"
    pytest.fail(f"no more words before {word!r}")


def measured(nursery, folder, technique):
    start(nursery, folder, technique)
    until(nursery, "done")
    until(nursery, "ended")


def told(folder):
    with Ledger(folder / "ledger.sqlite") as ledger:
        timeless = [
            replace(d, seconds_deciding=0.0, observations=()) for d in ledger.decisions("job")
        ]
        data = [(o.step, o.x, o.y) for o in ledger.observations("job")]
    return data, timeless


@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_killed_and_resumed_is_as_if_never_killed(tmp_path, technique, nursery):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for folder in (undisturbed, killed):
        folder.mkdir()
    measured(nursery, undisturbed, technique)

    rng = random.Random(11)
    before = 0
    for _ in range(KILLS):
        child = start(nursery, killed, technique)
        until(nursery, "measuring")
        time.sleep(rng.uniform(0.0, 0.4))
        os.kill(child, signal.SIGKILL)
        until(nursery, "ended")
        now = len(told(killed)[0])
        assert now >= before
        before = now
    assert before > 0
    measured(nursery, killed, technique)
    data, decisions = told(killed)
    data_undisturbed, decisions_undisturbed = told(undisturbed)
    assert data == data_undisturbed
    assert decisions == decisions_undisturbed
