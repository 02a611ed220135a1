"""A new worker takes the instrument from nobody, closed and with a higher epoch; a guard ends no
stranger."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from types import SimpleNamespace

import pytest

from materialsdock.errors import DeviceFault, Refused
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.processes import guard, takeover
from materialsdock.night.queue import queue
from materialsdock.night.system import heartbeats
from materialsdock.protocols import Instrument


class Owner:
    name = "owner"

    def __init__(self, epoch=0):
        self.epoch = epoch

    def found(self):
        return self.epoch

    def claim(self, epoch):
        assert epoch > self.epoch
        self.epoch = epoch


class Done:
    def wait(self, _):
        return None


class Shutter:
    def __init__(self, position="open", stuck=False):
        self.position, self.stuck = position, stuck

    def set(self, position):
        if not self.stuck:
            self.position = position
        return Done()


def made(epoch=0, fed=False, **shutter):
    numbers = itertools.count() if fed else itertools.repeat(7)
    beat = SimpleNamespace(get=lambda use_monitor: next(numbers))
    devices = {
        "owner": Owner(epoch),
        "deadman": SimpleNamespace(beat=beat),
        "shutter": Shutter(**shutter),
    }
    return Instrument("twin", devices)


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(takeover, "FEED_S", 0.01)
    with Ledger(tmp_path / "ledger.sqlite") as kept:
        yield kept


def test_the_shutter_is_closed_before_anything_else(ledger):
    instrument = made()
    assert takeover.take_over(instrument, ledger) == 1
    assert instrument.shutter.position == "closed"
    with pytest.raises(DeviceFault, match="it shows open"):
        takeover.take_over(made(stuck=True), ledger)


def test_an_instrument_that_another_night_drives_is_not_taken(ledger):
    instrument = made(epoch=57, fed=True)
    for _ in range(60):  # each try would come nearer to its epoch
        with pytest.raises(Refused, match="another night"):
            takeover.take_over(instrument, ledger)
    assert instrument.owner.epoch == 57
    assert instrument.shutter.position == "open", "which is theirs"


def test_an_instrument_that_nobody_drives_is_taken_whatever_epoch_it_has(ledger):
    assert takeover.take_over(made(epoch=57), ledger) == 58
    assert takeover.take_over(made(epoch=3), ledger) == 59


def test_our_own_instrument_is_taken_again_at_once(ledger):
    instrument = made(fed=True)
    first = takeover.take_over(instrument, ledger)
    assert takeover.take_over(instrument, ledger) == first + 1
    instrument.owner.epoch = 0  # the IOC was started anew
    assert takeover.take_over(instrument, ledger) == first + 2


def frozen(data, pid):
    """The heartbeat of a worker that stands still, under the number of another process."""
    heart = heartbeats.Heart(data.path / "run" / "worker.beat")
    heart.phase("busy")
    heart._loop = time.monotonic() - 60.0
    real, heartbeats.os.getpid = os.getpid, lambda: pid
    try:
        heart._write()
    finally:
        heartbeats.os.getpid = real


def test_a_guard_does_not_end_a_process_that_has_the_number_of_a_dead_worker(tmp_path):
    data = DataDirectory(tmp_path)
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        frozen(data, stranger.pid)
        instrument = made()
        watching = guard.Guard(instrument, data, None, guard.Limits())
        watching.turn()
        assert stranger.poll() is None
        assert instrument.shutter.position == "closed"
        with Ledger(data.ledger) as kept:
            assert [line.kind for line in queue.log(kept)] == ["safe_state"]
    finally:
        stranger.kill()
        stranger.wait()
