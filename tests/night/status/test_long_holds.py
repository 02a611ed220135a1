"""A hold that lasts is reported once, and its end, too; a short one is not."""

from __future__ import annotations

import pytest

from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue
from materialsdock.night.status import long_holds, notices
from materialsdock.night.status.digest import alarm_line
from materialsdock.night.system.heartbeats import Heart
from materialsdock.profile.sections import NightSettings


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def night(tmp_path):
    """A sample in the beam: the ledger, the worker's heart, a clock, and who watches."""
    data, clock = DataDirectory(tmp_path), Clock()
    with Ledger(data.ledger) as ledger, Heart(tmp_path / "run" / "worker.beat") as heart:
        queue.submit(ledger, [("S1", 0, {})])
        queue.claim(ledger)
        limits = NightSettings(warn_hold_after_s=300.0)
        yield ledger, heart, clock, long_holds.LongHolds(ledger, data, limits, steady=clock)


def told(ledger):
    kinds = (long_holds.LASTS, long_holds.OVER)
    return [line for line in queue.log(ledger) if line.kind in kinds]


def held(ledger, heart, words="ring current 12 mA is below 50"):
    queue.note(ledger, "condition", {"kind": "hold", "words": words}, sample_id="S1")
    heart.phase("holding")


def test_a_short_hold_is_nobodys_business(night):
    ledger, heart, clock, watch = night
    for _ in range(5):
        held(ledger, heart)
        watch.turn()
        clock.now += 250.0
        watch.turn()
        heart.phase("busy")
        watch.turn()
    assert told(ledger) == []


def test_a_long_one_is_a_warning_once_and_its_end_is_told(night):
    ledger, heart, clock, watch = night
    held(ledger, heart)
    for _ in range(20):
        watch.turn()
        clock.now += 60.0
    (line,) = told(ledger)
    assert (line.kind, line.severity, line.sample_id) == ("long_hold", "warn", "S1")
    assert alarm_line(line).endswith(
        "long_hold S1: nothing was counted for 5 min: ring current 12 mA is below 50"
    )
    heart.phase("busy")
    watch.turn()
    watch.turn()
    _, over = told(ledger)
    assert (over.kind, over.severity) == ("long_hold_over", "info")
    assert notices.told(over)


def test_a_worker_that_is_gone_holds_no_longer(night):
    ledger, heart, clock, watch = night
    held(ledger, heart)
    watch.turn()
    heart.phase("ended")
    clock.now += 1000.0
    watch.turn()
    assert told(ledger) == []
