"""Under a service manager: what the daemon and the guard tell it, and the units that start them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from materialsdock.night import service

LIMIT_S = 60.0


@pytest.fixture
def manager(tmp_path):
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        yield found


def heard(manager, limit_s):
    """What came within a time, one dictionary a message, with the time it came [s]."""
    deadline = time.monotonic() + limit_s
    while (left := deadline - time.monotonic()) > 0:
        manager.settimeout(left)
        try:
            lines = manager.recv(4096).decode().split("\n")
        except TimeoutError:
            return
        yield dict(line.split("=", 1) for line in lines), time.monotonic()


def until(manager, what):
    """The first message for which `what` is true."""
    for message, _ in heard(manager, LIMIT_S):
        if what(message):
            return message
    raise AssertionError("it never came")


@pytest.fixture
def start(tmp_path, manager, beamline):
    """Start `materialsdock VERB` as a service manager does."""
    started = []

    def begin(verb):
        environment = {**os.environ, "NOTIFY_SOCKET": manager.getsockname()}
        command = [sys.executable, "-m", "materialsdock", verb, "--out", str(tmp_path / "data")]
        with (tmp_path / f"{verb}.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("verb", "words"),
    [("serve", ("fault: no worker", "ready, 0 wait")), ("guard", "no worker drives")],
)
def test_a_service_is_ready_alive_and_ends_in_words(start, manager, verb, words):
    process = start(verb)
    first = next(heard(manager, LIMIT_S))[0]
    assert (first["READY"], first["WATCHDOG"]) == ("1", "1")
    assert first["STATUS"].startswith(words)
    again = until(manager, lambda m: m["WATCHDOG"] == "1")
    assert "READY" not in again
    process.send_signal(signal.SIGSTOP)
    for _ in heard(manager, 0.3):  # what was under way
        pass
    assert not list(heard(manager, 2.0)), "a frozen process said that it lives"
    process.send_signal(signal.SIGCONT)
    assert until(manager, lambda m: "WATCHDOG" in m)
    process.terminate()
    assert until(manager, lambda m: m.get("STOPPING") == "1")


def test_a_loop_that_hangs_is_silent_though_its_threads_live(tmp_path, manager, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setattr(service, "ALIVE_S", 0.0)
    with service.ManagedHeart(tmp_path / "beat", lambda: "two\nlines") as heart:
        assert "NOTIFY_SOCKET" not in os.environ, "children would speak for it"
        heart.beat()
        assert not list(heard(manager, 0.2)), "ready before anything was done"
        heart.beat()
        assert next(heard(manager, 1.0))[0] == {
            "READY": "1", "WATCHDOG": "1", "STATUS": "two lines",
        }  # fmt: skip
        assert not list(heard(manager, 1.5))


def test_nobody_listens(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    monkeypatch.setattr(service, "ALIVE_S", 0.0)
    with service.ManagedHeart(tmp_path / "beat", str) as heart:
        heart.beat()
        heart.beat()
    assert "the service manager is not told" in caplog.text
