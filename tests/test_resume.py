"""SIGKILL at random moments: nothing is lost, nothing measured twice, later decisions the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from materialsdock.ledger import Ledger

CHILD = Path(__file__).with_name("measure_child.py")
KILLS = {"xas": 12, "xrd": 10}


def start(folder, technique):
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), technique],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHILD.parents[1])},
    )


def until(child, word):
    for line in child.stdout:
        if line.strip() == word:
            return
    pytest.fail(f"child ended before {word!r}: {child.stderr.read()[-2000:]}")


def told(folder):
    with Ledger(folder / "ledger.sqlite") as ledger:
        timeless = [
            replace(d, seconds_deciding=0.0, observations=()) for d in ledger.decisions("job")
        ]
        data = [(o.step, o.x, o.y) for o in ledger.observations("job")]
    return data, timeless


@pytest.mark.timeout(300)
@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_killed_and_resumed_is_as_if_never_killed(tmp_path, technique):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for folder in (undisturbed, killed):
        folder.mkdir()
    child = start(undisturbed, technique)
    until(child, "done")
    child.communicate()

    rng = random.Random(11)
    before = 0
    for _ in range(KILLS[technique]):
        child = start(killed, technique)
        until(child, "measuring")
        time.sleep(rng.uniform(0.0, 0.25))
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        now = len(told(killed)[0])
        assert now >= before
        before = now
    child = start(killed, technique)
    until(child, "done")
    child.communicate()
    data, decisions = told(killed)
    data_undisturbed, decisions_undisturbed = told(undisturbed)
    assert data == data_undisturbed
    assert decisions == decisions_undisturbed
