"""Measures one job while its simulated IOC is killed and started again; prints what came of it.

python restart_child.py FOLDER xas|xrd DELAY_S   one JSON object: times [s], words, what was saved
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from support.measure_child import SETTINGS, scene

from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.plan import gate_for, plan_for, run_engine
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Sample
from materialsdock.profile import config, simulation, siteroot
from materialsdock.profile.instrument import build_instrument, release

AWAY_S = 1.0
PLACE = 3


class Beamline:
    """An IOC that can be killed and started again on the same port."""

    def __init__(self, files: Path, root: Path) -> None:
        self.words = simulation.command("sim_devices", {}, speed=200.0, seed=3, folder=files)
        self.environment = simulation.channel_access(simulation.free_port())
        os.environ.update(self.environment)
        self.env = {**os.environ, "PYTHONPATH": str(root)}
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.words, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout.readline().startswith(b"READY")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def main(folder: Path, technique: str, delay_s: float) -> None:
    root = siteroot.activate()
    files = folder / "changer"
    files.mkdir()
    scene(files / f"{PLACE}.npz", technique)
    beamline = Beamline(files, root)
    times, told = {}, []

    def accident() -> None:
        times["killed"] = time.monotonic()
        beamline.kill()
        time.sleep(AWAY_S)
        beamline.start()
        times["back"] = time.monotonic()

    with Ledger(folder / "ledger.sqlite") as ledger:
        ledger.add_job(Job("job", Sample("a sample", technique, PLACE), SETTINGS[technique], 3))
        campaign = Campaign(ledger.job("job"), ledger)
        campaign.listeners.append(
            lambda d: d.step == 4 and threading.Timer(delay_s, accident).start()
        )
        profile = config.load("sim", root)
        instrument = build_instrument(profile)
        instrument.owner.claim(7)

        def report(kind: str, words: str) -> None:
            told.append((kind, words))
            times.setdefault(kind, time.monotonic())

        try:
            engine = run_engine(profile, instrument)
            engine.subscribe(campaign.receive)
            of = campaign, instrument, profile
            engine(plan_for(*of, gate_for(*of, epoch=7, report=report)))
            found = {
                "seen_s": times["hold"] - times["killed"],
                "again_s": times["resumed"] - times["back"],
                "told": told,
                "epoch": int(instrument.owner.epoch.get()),
                "shutter": instrument.shutter.position,
                "finished": campaign.finished,
                "points": [[o.uid, o.x, o.y, o.sigma] for o in ledger.observations("job")],
                "steps": len(campaign.decisions),
            }
        finally:
            release(instrument)
            beamline.kill()
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
