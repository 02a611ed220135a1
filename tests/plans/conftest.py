"""A rig to measure on under the conditions of an exposure."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from support.beamline_jobs import XAS, XRD
from support.guarded_exposures import QUICK, STOP

from materialsdock.campaign.campaign import Campaign
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Sample
from materialsdock.profile import config, siteroot
from materialsdock.profile.instrument import build_instrument, release
from plans.adaptive import learn
from plans.attempts import Attempts
from plans.guards import ExposureConditions, ExposureGate
from plans.measure import measure_point, measure_segment


@pytest.fixture(scope="module")
def instrument(beamline):
    found = build_instrument(config.load("sim", siteroot.activate()))
    yield found
    release(found)


@pytest.fixture
def rig(instrument, RE, tmp_path, faults):
    """`rig.start()` makes campaign and plan; `rig.told` is what was reported: (time, kind, words).

    `rig.at(n, action)` : do it after so many decisions.
    """
    ledger, told, actions = Ledger(tmp_path / "ledger.sqlite"), [], {}

    def start(technique="xas", count_time_s=20.0, **conditions):
        position, settings = {"xrd": (0, XRD), "xas": (1, XAS)}[technique]
        if technique == "xas":
            learner = {**XAS["learner"], "count_time_s": count_time_s}
            settings = {**XAS, "learner": learner, "stop": STOP}
        ledger.add_job(Job("job", Sample("a sample", technique, position), settings))
        campaign = Campaign(ledger.job("job"), ledger)
        campaign.listeners.append(lambda d: actions.pop(d.step, lambda: None)())
        RE.subscribe(campaign.receive)
        report = lambda kind, words: told.append((time.monotonic(), kind, words))  # noqa: E731
        terms = {**QUICK, "place": position, "report": report, **conditions}
        gate = ExposureGate(instrument, ExposureConditions(**terms))
        measure = {"xrd": measure_segment, "xas": measure_point}[technique]
        return campaign, learn(campaign, instrument, Attempts(gate).of(measure), ready=gate.ready)

    yield SimpleNamespace(
        start=start,
        told=told,
        at=actions.__setitem__,
        RE=RE,
        instrument=instrument,
        ledger=ledger,
        faults=faults,
    )
    ledger.close()
