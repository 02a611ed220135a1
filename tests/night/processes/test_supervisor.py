"""The supervisor's services: started again when they end, ended when they are silent."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from materialsdock.night.processes import supervisor
from materialsdock.night.system import heartbeats

CHILD = """
import sys, time
from pathlib import Path
from materialsdock.night.system.heartbeats import Heart
with Heart(Path(sys.argv[1])) as heart:
    while True:
        heart.beat()
        time.sleep(0.05)
"""


@pytest.fixture
def service(tmp_path):
    beat = tmp_path / "child.beat"
    made = supervisor.Service(
        "child", [sys.executable, "-c", CHILD, str(beat)], tmp_path / "log", beat
    )
    yield made
    made.end()


def turn_until(service, what, limit_s=20.0):
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline
        service.turn()
        time.sleep(0.02)


def beating(service):
    beat = heartbeats.read(service.beat)
    return beat is not None and beat.pid == service.process.pid and beat.loop_age_s() < 1.0


def test_what_ends_is_started_again(service):
    turn_until(service, lambda: service.process and beating(service))
    first = service.process.pid
    os.kill(first, signal.SIGKILL)
    turn_until(service, lambda: service.process.pid != first and beating(service))


def test_what_is_frozen_is_ended_and_started_again(service, monkeypatch):
    monkeypatch.setattr(supervisor, "SILENT_S", 1.0)
    turn_until(service, lambda: service.process and beating(service))
    first = service.process.pid
    os.kill(first, signal.SIGSTOP)
    turn_until(service, lambda: service.process.pid != first and beating(service))
    assert not heartbeats.alive(first)


def test_pauses_grow_with_deaths(tmp_path):
    service = supervisor.Service("brief", [sys.executable, "-c", "pass"], tmp_path / "log")
    ended = time.monotonic() + 3.0
    while time.monotonic() < ended:
        service.turn()
        time.sleep(0.02)
    assert 2 <= len(service.starts) <= 4
    service.end()
