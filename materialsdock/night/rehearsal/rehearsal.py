"""A process that measures entries of a sheet on a simulated beamline of its own, nothing else.

It uses Channel Access on loopback only, whatever the profile says of the real instrument.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from materialsdock.campaign import analysis, prepare
from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.plan import gate_for, plan_for, run_engine
from materialsdock.errors import InputError, MaterialsDockError
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job
from materialsdock.night.processes import simulated_changer
from materialsdock.night.sentinels.of_sample import sentry_of
from materialsdock.night.system.process import die_with
from materialsdock.profile import config, plans, siteroot
from materialsdock.profile.config import Profile
from materialsdock.profile.instrument import build_instrument, release
from materialsdock.profile.simulation import running
from materialsdock.protocols import Instrument
from materialsdock.sheets import jobs
from materialsdock.sheets.entry import SheetEntry
from materialsdock.technique import named

PLACES = 90  # of the simulated changer; the place of a seed decides what is drawn there
FASTEST = 2000.0  # instrument seconds per second


def stand_in(job: Job, profile: Profile) -> dict[str, Any]:
    """A scene for a sample that is not measured yet: something likely, over the job's range."""
    measured = named(job.sample.technique).scene().stand_in(job)
    return prepare.scene(measured, job, profile)


def on_loopback(profile: Profile) -> Profile:
    """The profile without the addresses of its instrument, as fast as the simulation goes."""
    if profile.simulation is None:
        raise InputError(
            f"profile {profile.name!r} has no [simulation] section",
            where="profile.toml",
            remedy='name what simulates it: [simulation] module = "sim_devices", prefix = its own',
        )
    epics = profile.epics.model_copy(update={"environment": {}})
    speed = max(FASTEST, profile.simulation.speed)
    simulation = profile.simulation.model_copy(update={"speed": speed})
    return profile.model_copy(update={"epics": epics, "simulation": simulation})


@dataclass(frozen=True, eq=False)
class SimulatedBeamline:
    """A running simulated beamline, to measure entries on.

    folder : of the profile; work : for ledgers, and for the samples in the changer
    """

    profile: Profile
    folder: Path
    instrument: Instrument
    work: Path

    def rehearsed(self, entry: SheetEntry, seed: int, analyse: bool) -> dict[str, Any]:
        """Measure an entry once; instrument and wall clock seconds, and how it ended."""
        profile, place = self.profile, seed % PLACES
        job = jobs.job_of(entry, profile, self.folder, seed)
        sample = replace(job.sample, position=place)
        job = replace(job, job_id=f"rehearsal-{place}-{seed}-{time.monotonic_ns()}", sample=sample)
        scene = jobs.scene_of(entry, job, profile)
        simulated_changer.put(self.work, job, scene or stand_in(job, profile), ())
        with Ledger(self.work / f"{job.job_id}.sqlite") as ledger:
            ledger.add_job(job)
            campaign = Campaign(job, ledger)
            wall_s, visits_s = self._measured(campaign, ledger)
            last, steps = campaign.decisions[-1], len(campaign.decisions)
            counted_s = last.seconds_measured + visits_s
            assert profile.simulation is not None
            overhead_s = max(0.0, wall_s - counted_s / profile.simulation.speed) / steps
            found = {
                "instrument_s": counted_s,
                "steps": steps,
                "overhead_s": overhead_s,
                "reason": last.verdict.reason,
                "stand_in": scene is None,
            }
            return {**found, **(_analysed(campaign) if analyse else {})}

    def _measured(self, campaign: Campaign, ledger: Ledger) -> tuple[float, float]:
        """Wall clock of the measurement, and instrument seconds of visits no decision knows."""
        profile, instrument = self.profile, self.instrument
        sentry = sentry_of(profile, campaign, instrument, ledger, _ignored, _ignored)
        engine = run_engine(profile, instrument)
        for receive in (campaign.receive, *([sentry.receive] if sentry else [])):
            engine.subscribe(receive)
        gate = gate_for(campaign, instrument, profile, **({"held": sentry.held} if sentry else {}))
        began = time.monotonic()
        engine(plan_for(campaign, instrument, profile, gate, sentry))
        visits = sentry.revisits.seconds if sentry and sentry.revisits else 0.0
        return time.monotonic() - began, visits


def _ignored(*_: object) -> None:
    return None


def _analysed(campaign: Campaign) -> dict[str, Any]:
    began = time.monotonic()
    try:
        analysis.analyse(campaign, _ignored, _ignored)
    except MaterialsDockError as error:  # of a stand-in it need not succeed
        return {"analysis_fault": str(error)}
    return {"analysis_s": time.monotonic() - began}


def rehearse(profile: Profile, root: Path, order: Mapping[str, Any], work: Path) -> None:
    """Measure what the order says; one JSON line on standard output for each measurement."""
    simulation = profile.simulation
    assert simulation is not None
    (work / simulated_changer.FOLDER).mkdir()
    with running(
        simulation.module,
        root,
        {},
        prefix=simulation.prefix,
        speed=simulation.speed,
        seed=int(order["seed"]),
        folder=work / simulated_changer.FOLDER,
    ):
        instrument = build_instrument(profile)
        plans.check(profile)
        folder = root / "profiles" / profile.name
        beamline = SimulatedBeamline(profile, folder, instrument, work)
        for each in order["entries"]:
            entry = SheetEntry.model_validate(each)
            for number, seed in enumerate(order["seeds"]):
                found = beamline.rehearsed(entry, seed, number == 0 and order["analyse"])
                line = {"sample_id": entry.sample_id, "seed": seed, **found}
                print(json.dumps(line), flush=True)
        release(instrument)


def main() -> None:
    """`python -m` this module: started by `materialsdock simulate` only."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--site", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    die_with(given.parent)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    root = siteroot.activate(given.site)
    profile = on_loopback(config.load(given.profile, root))
    rehearse(profile, root, json.loads(sys.stdin.readline()), given.work)


if __name__ == "__main__":
    main()
