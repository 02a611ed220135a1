"""Under a service manager: what the daemon and the guard tell it, and the units that start them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.places import ROOT

from materialsdock.cli import serve_command
from materialsdock.errors import InputError
from materialsdock.ledger.facts import fact
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.processes import simulated_beamline as beamline_of
from materialsdock.night.system import systemd_notify, systemd_units
from materialsdock.profile.simulation import free_port

LIMIT_S = 60.0


@pytest.fixture
def manager(tmp_path):
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        yield found


def heard(manager, limit_s):
    """Yield what comes within a time, one dictionary a message, with the time it came [s]."""
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

    def begin(verb, **more):
        environment = {**os.environ, "NOTIFY_SOCKET": manager.getsockname(), **more}
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
    [("serve", ("ready", "holding", "fault")), ("guard", "no worker drives")],
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


def test_the_safe_state_after_a_death_lets_the_next_daemon_go_on(start, manager, tmp_path):
    """ExecStopPost runs whenever a daemon ends; only a person's safe-state holds the queue."""
    process = start("serve")
    assert until(manager, lambda m: m.get("READY") == "1")
    process.kill()
    process.wait()
    said = serve_command.safe_state("sim", ROOT, tmp_path / "data")
    assert (said["failed"], said["untold"], said["night"]) == ([], [], "")
    with Ledger(tmp_path / "data" / "ledger.sqlite") as ledger:
        assert fact(ledger, "hold") is None


def test_a_guard_without_its_instrument_is_not_ready(start, manager, tmp_path):
    start("guard", EPICS_CA_SERVER_PORT=str(free_port()))
    beat = tmp_path / "data" / "run" / "guard.beat"
    deadline = time.monotonic() + LIMIT_S
    while not beat.is_file():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not list(heard(manager, 2.0))


def test_a_loop_that_hangs_is_silent_though_its_threads_live(tmp_path, manager, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setattr(systemd_notify, "ALIVE_S", 0.0)
    with systemd_notify.ManagedHeart(tmp_path / "beat", lambda: "two\nlines") as heart:
        assert "NOTIFY_SOCKET" not in os.environ, "children would speak for it"
        heart.beat()
        assert not list(heard(manager, 0.2)), "ready before anything was done"
        heart.beat()
        assert next(heard(manager, 1.0))[0] == {
            "READY": "1",
            "WATCHDOG": "1",
            "STATUS": "two lines",
        }
        assert not list(heard(manager, 1.5))


def test_nobody_listens(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    monkeypatch.setattr(systemd_notify, "ALIVE_S", 0.0)
    with systemd_notify.ManagedHeart(tmp_path / "beat", str) as heart:
        heart.beat()
        heart.beat()
    assert "systemd could not be notified" in caplog.text


def units_in(folder, out, profile="sim"):
    """The units as `materialsdock service install` writes them, in `folder`; by name."""
    folder.mkdir()
    out.mkdir(parents=True)
    for path in serve_command.install(folder, profile, ROOT, out, "root"):
        yield path.name, path


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd_units, "_refuse_hidden", lambda data: None)  # tests live in /tmp
    files = dict(units_in(tmp_path / "units", tmp_path / "a night" / '50 % "x"'))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", *files.values()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path / 'units'}:"},
    )
    said = [line for line in verified.stderr.splitlines() if "materialsdock" in line]
    assert (verified.returncode, said) == (0, [])


def test_a_simulated_night_has_three_services_and_a_real_one_two(tmp_path):
    made = {
        simulated: systemd_units.unit_files("sim", ROOT, Path("/data"), "user", simulated=simulated)
        for simulated in (True, False)
    }
    assert set(made[True]) - set(made[False]) == {systemd_units.BEAMLINE}
    for simulated, files in made.items():
        wanted = set(re.search("^Wants=(.*)$", files["materialsdock.target"], re.M)[1].split())
        assert wanted == set(files) - {"materialsdock.target"}
        assert f"--site {ROOT} " in files[systemd_units.DAEMON]
        assert (f"After={systemd_units.BEAMLINE}" in files[systemd_units.DAEMON]) == simulated
        for name in (systemd_units.GUARD, systemd_units.DAEMON):
            assert "Type=notify\n" in files[name]


def test_what_a_service_could_not_see_is_refused(tmp_path):
    with pytest.raises(InputError, match="its own"):
        dict(units_in(tmp_path / "units", tmp_path / "data"))
    with pytest.raises(InputError, match="install -d -o"):
        serve_command.install(tmp_path, "sim", ROOT, Path("/nowhere/data"), "somebody")


def test_the_beamline_of_a_service_answers_where_the_others_look(tmp_path):
    data = DataDirectory(tmp_path)
    command = [
        sys.executable,
        "-m",
        "materialsdock.night.processes.simulated_beamline",
        "--profile",
        "sim",
    ]
    bare = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
    with subprocess.Popen(
        [*command, "--site", str(ROOT), "--data", str(tmp_path)], stdout=subprocess.PIPE, env=bare
    ) as process:
        try:
            ready, port = process.stdout.readline().split()
            assert ready == b"READY"
            assert port.decode() == beamline_of.channel(data)["EPICS_CA_SERVER_PORT"]
        finally:
            process.terminate()
