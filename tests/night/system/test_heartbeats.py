"""Heartbeats: what a watcher may believe, and what it must not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import zlib

import pytest

from materialsdock.night.system import heartbeats
from materialsdock.night.system.heartbeats import Heart, alive, read


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "worker.beat"


def ended_child():
    """The pid of a process that has ended and was reaped."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return child.pid


def test_a_beat_says_who_and_when(path):
    began = time.monotonic()
    with Heart(path, epoch=7) as heart:
        heart.phase("busy")
        heart.progress(12.5)
        beat = read(path)
        assert (beat.pid, beat.epoch, beat.expected_s, beat.phase) == (os.getpid(), 7, 12.5, "busy")
        assert beat.alive
        assert began <= beat.loop <= beat.progress <= time.monotonic()
        assert 0 <= beat.progress_age_s() <= beat.loop_age_s() < 10.0


def test_the_loop_turning_is_no_progress(path):
    with Heart(path) as heart:
        heart.progress(1.0)
        before = read(path)
        time.sleep(0.02)
        heart.beat()
        after = read(path)
    assert after.loop > before.loop
    assert after.progress == before.progress


def test_its_end_is_said(path):
    with Heart(path) as heart:
        heart.phase("holding")
        assert read(path).phase == "holding"
    assert read(path).phase == "ended"


def test_none_yet(path):
    assert read(path) is None


@pytest.mark.parametrize("size", range(0, heartbeats.SIZE, 7))
def test_a_cut_file_is_no_beat(path, size):
    with Heart(path):
        whole = path.read_bytes()
    path.write_bytes(whole[:size])
    assert read(path) is None


def test_a_file_with_any_byte_changed_is_no_beat(path):
    with Heart(path):
        whole = path.read_bytes()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x40]) + whole[i + 1 :])
        assert read(path) is None, i


def test_a_beat_of_another_boot_is_none(path, monkeypatch):
    monkeypatch.setattr(heartbeats, "_boot", lambda: b"another boot, 16")
    with Heart(path):
        assert read(path) is not None
    monkeypatch.undo()
    assert read(path) is None


def test_torn_writes_are_never_read_as_a_beat(path):
    """One thread writes as fast as it can, another reads: every heartbeat read is whole."""
    with Heart(path) as heart:
        done, seen = threading.Event(), []

        def watch():
            while not done.is_set():
                seen.append(read(path))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for i in range(3000):
            heart.progress(float(i))
        done.set()
        watcher.join()
    beats_seen = [b for b in seen if b is not None]
    assert beats_seen
    assert all(b.pid == os.getpid() and b.phase == "idle" for b in beats_seen)
    expected = [b.expected_s for b in beats_seen]
    assert expected == sorted(expected)


def test_a_dead_process_is_dead(path):
    pid = ended_child()
    assert not alive(pid)
    with Heart(path):
        raw = path.read_bytes()
    body = pid.to_bytes(8, "little") + raw[8 : heartbeats.FORM.size]
    path.write_bytes(body + zlib.crc32(body).to_bytes(4, "little"))
    assert read(path).pid == pid
    assert not read(path).alive


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, not reaped
    os.kill(child.pid, 0)  # and still there
    assert not alive(child.pid)
    child.wait()


def test_a_stopped_process_is_alive():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    child.send_signal(signal.SIGSTOP)
    assert alive(child.pid)
    child.kill()
    child.wait()
    assert not alive(child.pid)


@pytest.mark.parametrize("pid", [0, -1])
def test_no_process_has_such_a_number(pid):
    assert not alive(pid)


def test_those_of_others_are_alive():
    assert alive(1)
    assert alive(os.getpid())


def test_a_second_life_continues_the_file(path):
    with Heart(path, epoch=1):
        pass
    with Heart(path, epoch=2):
        assert (read(path).epoch, read(path).phase) == (2, "idle")
    assert path.stat().st_size == heartbeats.SIZE


def test_who_is_busy_and_does_not_get_on_is_overdue(path):
    with Heart(path) as heart:
        assert not heartbeats.overdue(path, os.getpid(), 0.0), "idle"
        heart.phase("busy")
        time.sleep(0.02)
        assert heartbeats.overdue(path, os.getpid(), 0.01)
        assert not heartbeats.overdue(path, os.getpid(), 60.0)
        assert not heartbeats.overdue(path, os.getpid() + 1, 0.01), "the beats of another"
        heart.progress(1.0)
        assert not heartbeats.overdue(path, os.getpid(), 0.5)
    assert not heartbeats.overdue(path, os.getpid(), 0.0), "ended"
    assert not heartbeats.overdue(path.with_name("none"), os.getpid(), 0.0)
