"""The night's own budget: hours of a night, across restarts, and what begins another one."""

import itertools

import pytest

from materialsdock.ledger.facts import fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue
from materialsdock.night.system import clock_and_disk
from materialsdock.profile.sections import NightSettings


class Clocks:
    """A wall and a monotonic clock that stand still until they are moved."""

    def __init__(self):
        self.steady_s, self.wall_s = 1000.0, 5000.0

    def watching(self, folder, hours=2.0):
        night = NightSettings(maximum_hours=hours, disk_free_gb=0.0)
        clocks = {"wall": lambda: self.wall_s, "steady": lambda: self.steady_s}
        return clock_and_disk.ClockWatch(folder, night, free=lambda: 100.0, **clocks)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as made:
        yield made


def submit(ledger, count, numbers=itertools.count()):  # noqa: B008 ids must differ over calls
    queue.submit(ledger, [(f"S{next(numbers)}", 0, {"technique": "xas"}) for _ in range(count)])


def end(ledger, claimed):
    queue.advance(ledger, claimed.sample_id, "fault", "of the test")


def test_the_hours_count_from_the_first_sample_and_not_from_the_start(tmp_path, ledger):
    clocks = Clocks()
    watching = clocks.watching(tmp_path)
    clocks.steady_s += 100_000.0  # idle for a day
    submit(ledger, 1)
    assert watching.next_sample(ledger) is not None
    assert fact(ledger, "hold") is None


def test_a_daemon_that_starts_again_goes_on_with_the_same_night(tmp_path, ledger):
    clocks = Clocks()
    submit(ledger, 3)
    end(ledger, clocks.watching(tmp_path).next_sample(ledger))
    clocks.steady_s += 3 * 3600.0
    assert clocks.watching(tmp_path).next_sample(ledger) is None
    assert "2 h are over" in fact(ledger, "hold")


def test_what_is_released_after_that_is_another_night(tmp_path, ledger):
    clocks = Clocks()
    submit(ledger, 3)
    watching = clocks.watching(tmp_path)
    end(ledger, watching.next_sample(ledger))
    clocks.steady_s += 3 * 3600.0
    watching.next_sample(ledger)
    queue.release_all(ledger)
    assert watching.next_sample(ledger) is not None
    clocks.steady_s += 3600.0
    assert watching.next_sample(ledger) is not None


def test_an_empty_queue_ends_the_night(tmp_path, ledger):
    clocks = Clocks()
    watching = clocks.watching(tmp_path)
    submit(ledger, 1)
    end(ledger, watching.next_sample(ledger))
    assert watching.next_sample(ledger) is None
    clocks.steady_s += 3 * 3600.0
    submit(ledger, 1)
    assert watching.next_sample(ledger) is not None


def test_a_jump_of_the_wall_clock_does_not_end_a_night(tmp_path, ledger):
    clocks = Clocks()
    watching = clocks.watching(tmp_path)
    submit(ledger, 2)
    end(ledger, watching.next_sample(ledger))
    clocks.wall_s += 86_400.0
    assert watching.next_sample(ledger) is not None


def test_after_a_reboot_the_wall_clock_is_all_there_is(tmp_path, ledger, monkeypatch):
    clocks = Clocks()
    submit(ledger, 2)
    end(ledger, clocks.watching(tmp_path).next_sample(ledger))
    monkeypatch.setattr(clock_and_disk, "boot", lambda: "another")
    clocks.steady_s, clocks.wall_s = 10.0, clocks.wall_s + 3 * 3600.0
    assert clocks.watching(tmp_path).next_sample(ledger) is None


def test_little_disk_holds_everything(tmp_path, ledger):
    clocks = Clocks()
    night = NightSettings(disk_free_gb=2.0)
    watching = clock_and_disk.ClockWatch(
        tmp_path, night, wall=lambda: 0.0, steady=lambda: clocks.steady_s, free=lambda: 1.0
    )
    clocks.steady_s += 2.0
    watching.look()
    submit(ledger, 1)
    assert watching.next_sample(ledger) is None
    assert "GB of disk" in fact(ledger, "hold")
