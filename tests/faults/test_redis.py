"""F26: the Redis of a stock RE Manager dies or freezes; what measures goes on."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest
from support.faults.rig import record, until, within
from support.places import ROOT
from support.re_manager import ITEM, Manager

from materialsdock.ledger.ledger import Ledger

pytestmark = [
    pytest.mark.skipif(
        shutil.which("redis-server") is None,
        reason="redis-server is not installed",
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
POINTS = 250
WORDS = [f"maximum_points={POINTS}", "threshold=1e-6"]
WHO = {"user": "anna", "user_group": "primary"}


@pytest.fixture
def manager(tmp_path, beamline):
    """A manager in whose worker a sample is measured, and its ledger."""
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    made = Manager(tmp_path, {**os.environ, "PYTHONPATH": path})
    made.until(60, manager_state="idle")
    assert made.ask("environment_open")["success"]
    made.until(90, worker_environment_exists=True, manager_state="idle")
    assert made.ask("queue_item_add", item={**ITEM, "kwargs": {"stop": WORDS}}, **WHO)["success"]
    assert made.ask("queue_start")["success"]
    kept = tmp_path / "materialsdock-data" / "ledger.sqlite"
    until(kept.is_file, within(30), "a ledger")
    with Ledger(kept) as ledger:
        until(lambda: points(ledger) > 5, within(30), "points")
        yield made, ledger
    made.close()


def points(ledger):
    return ledger.rows("SELECT COUNT(*) FROM observations")[0][0]


@pytest.mark.core
def test_redis_killed(manager):
    made, ledger = manager
    made.redis.kill()
    made.redis.wait()
    before, began = points(ledger), time.monotonic()
    assert before < POINTS / 2
    until(lambda: points(ledger) == POINTS, within(60), "the whole sample")
    decided = "SELECT COUNT(*) FROM decisions"
    until(lambda: ledger.rows(decided)[0][0] == POINTS, within(5), "as many decisions")
    record("F26 Redis SIGKILL", points=str(POINTS - before), measured_s=time.monotonic() - began)


def test_redis_frozen(manager):
    made, ledger = manager
    made.redis.send_signal(signal.SIGSTOP)
    before, began = points(ledger), time.monotonic()
    until(lambda: points(ledger) > before + 20, within(20), "points")
    seen = time.monotonic() - began
    made.redis.send_signal(signal.SIGCONT)
    began = time.monotonic()
    made.until(within(40), items_in_history=1, manager_state="idle")
    (done,) = made.ask("history_get")["items"]
    assert done["result"]["exit_status"] == "completed", done["result"]["traceback"]
    assert points(ledger) == POINTS
    record("F26 Redis SIGSTOP", twenty_points_s=seen, in_the_history_s=time.monotonic() - began)
