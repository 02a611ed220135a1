"""A stock RE Manager whose worker loads the profile's startup folder, and an item of its queue."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import zmq
from support.places import ROOT

from materialsdock.profile.simulation import free_port

STARTUP = ROOT / "profiles" / "sim" / "startup"
SAMPLE = "Fe K edge (simulated)"
WORDS = ["maximum_points=20"]
ITEM = {"item_type": "plan", "name": "learn", "args": [SAMPLE], "kwargs": {"stop": WORDS}}


class Manager:
    """A stock RE Manager with a Redis of its own."""

    def __init__(self, folder, environment):
        self.startup = folder / "startup"
        shutil.copytree(STARTUP, self.startup)
        redis, control, info = (free_port() for _ in range(3))
        self.address = f"tcp://127.0.0.1:{control}"
        self.log = (folder / "manager.log").open("wb")
        words = ["redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--save", ""]
        self.redis = subprocess.Popen(
            [*words, "--dir", str(folder)], stdout=self.log, stderr=self.log
        )
        program = Path(sys.executable).with_name("start-re-manager")
        words = [str(program), "--startup-dir", str(self.startup)]
        words += ["--redis-addr", f"127.0.0.1:{redis}", "--zmq-publish-console", "OFF"]
        words += ["--zmq-control-addr", self.address, "--zmq-info-addr", f"tcp://127.0.0.1:{info}"]
        self.process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=self.log, stderr=self.log
        )

    def ask(self, method, **params):
        """One request in the manager's own protocol; a socket for each, as it may not answer."""
        with zmq.Context() as context, context.socket(zmq.REQ) as line:
            line.linger, line.rcvtimeo = 0, 10_000
            line.connect(self.address)
            line.send_json({"method": method, "params": params})
            return line.recv_json()

    def until(self, limit_s, **wanted):
        """Wait until the manager's status says `wanted`."""
        deadline = time.monotonic() + limit_s
        now = {}
        while any(now.get(key) != value for key, value in wanted.items()):
            assert time.monotonic() < deadline, now
            time.sleep(0.2)
            now = self.ask("status")

    def close(self):
        for process in (self.process, self.redis):
            process.terminate()
            process.wait(20)
        self.log.close()
