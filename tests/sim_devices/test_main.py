"""The simulated beamline as a process: it ends with its parent, whoever is still connected."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest
from support.places import ROOT

from materialsdock.profile import simulation

LIMIT_S = 20.0


@pytest.fixture
def beamline():
    """A process of it, and a client of it that neither speaks nor hangs up."""
    environment = {**os.environ, **simulation.channel_access(simulation.free_port())}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "sim_devices", "--with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": str(ROOT)},
    ) as process:
        port = int(process.stdout.readline().split()[1])
        with socket.create_connection(("127.0.0.1", port)):
            yield process
        process.kill()


def test_it_ends_when_its_parent_is_gone(beamline):
    beamline.stdin.close()
    assert beamline.wait(LIMIT_S) == 0


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_ends_when_it_is_told_to(beamline, end):
    beamline.send_signal(end)
    assert beamline.wait(LIMIT_S) == 0
