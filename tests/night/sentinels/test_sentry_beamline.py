"""Sentinels on the simulated beamline: every alarm within its promised points."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from support.made_site import edge_mu
from support.sentry_jobs import MOTION, OFTEN, job

from materialsdock.campaign.campaign import Campaign
from materialsdock.errors import DeviceFault
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.sentinels import sentry as sentry_module
from materialsdock.night.sentinels.of_sample import sentry_of
from materialsdock.night.sentinels.sentry import Sentry
from materialsdock.profile import config, siteroot
from materialsdock.profile.instrument import build_instrument, release
from materialsdock.profile.sections import ConditionSettings as Section
from materialsdock.technique import named
from plans.adaptive import learn
from plans.attempts import Attempts
from plans.guards import ExposureConditions, ExposureGate
from plans.measure import measure_point, measure_segment, measure_step
from plans.reference import Visits

# on the simulated beamline


@pytest.fixture(scope="module")
def instrument(beamline):
    found = build_instrument(config.load("sim", siteroot.activate()))
    yield found
    release(found)


@pytest.fixture
def rig(instrument, RE, tmp_path, faults):
    """`rig.made(technique)` : campaign, sentry and plan; `rig.told` : (step, kind, words).

    `rig.at(step, name, value)` : switch a fault after that decision.
    """
    ledger, told, actions = Ledger(tmp_path / "ledger.sqlite"), [], {}

    def made(technique="xas", section=OFTEN, signal=None, **changes):
        wanted = job(technique, **changes)
        if signal:
            wanted = replace(wanted, settings={**wanted.settings, "signal": signal})
        ledger.add_job(wanted)
        campaign = Campaign(wanted, ledger)

        def report(kind, words):
            told.append((len(campaign.decisions), kind, words))
            if kind == "resumed":  # as the worker does
                sentry.after_hold()

        sentry = Sentry(campaign, MOTION, section, report)
        campaign.listeners.append(lambda d: [faults(*each) for each in actions.get(d.step, ())])
        for receive in (campaign.receive, sentry.receive):
            RE.subscribe(receive)
        terms = {"hold_proof_s": 0.2, "hysteresis_s": 0.0, "place": int(technique == "xas")}
        gate = ExposureGate(
            instrument, ExposureConditions(**terms, held=sentry.held, report=report)
        )
        attempts = Attempts(gate)
        measure = {"xrd": measure_segment, "xas": measure_point}[technique]
        point = {"xrd": measure_step, "xas": measure_point}[technique]
        if signal:
            counter = named(technique).way(wanted).counter
            measure = point = partial(measure_point, counter=counter)
        visits = Visits(attempts, sentry, point)
        plan = learn(campaign, instrument, attempts.of(measure), ready=visits.ready)
        return campaign, sentry, plan

    def at(step, *fault):
        actions.setdefault(step, []).append(fault)

    yield SimpleNamespace(
        made=made, told=told, at=at, ledger=ledger, instrument=instrument, RE=RE, faults=faults
    )
    ledger.close()


def said(rig, kind):
    return [(step, words) for step, what, words in rig.told if what == kind]


def once_alarmed(rig, act):
    """Do `act` beside the measurement as soon as a sentinel holds it."""

    def wait():
        while not said(rig, "alarm"):
            time.sleep(0.02)
        time.sleep(0.3)
        act()

    threading.Thread(target=wait, daemon=True).start()


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(sentry_module, "FIRST_PROOF_S", 0.5)


@pytest.mark.parametrize(
    "during", [pytest.param("an exposure", marks=pytest.mark.slow), "a decision"]
)
def test_after_a_hold_the_reference_point_is_counted_before_anything_else(rig, soon, during):
    import epics

    learner = {"count_time_s": 100.0 if during == "an exposure" else 0.2}
    section, stop = Section(reference_share=0.05), {"maximum_points": 36}
    campaign, sentry, plan = rig.made(section=section, learner=learner, stop=stop)

    def away(decision):
        if decision.step != 30:
            return
        if during == "an exposure":
            threading.Timer(0.1, lose).start()
        else:
            lose()

    def lose():
        epics.caput("SIM:shutter:permit", 0, wait=True, timeout=5)
        rig.faults("energy_drift_ev", 3.0)
        threading.Timer(1.0, epics.caput, ("SIM:shutter:permit", 1)).start()

    campaign.listeners.append(away)
    once_alarmed(rig, lambda: sentry.release("me"))
    rig.RE(plan)
    assert len(said(rig, "void")) == (during == "an exposure")
    ((step, words),) = said(rig, "alarm")
    assert step == 31, "no point was counted in between"
    assert "has moved" in words


def test_a_clean_measurement_is_not_disturbed(rig):
    campaign, sentry, plan = rig.made()
    rig.RE(plan)
    assert rig.told == []
    assert len(campaign.decisions) == 60
    assert sentry.revisits.visited.x.size >= 3
    streams = [d["name"] for _, _, name, d in rig.ledger.documents() if name == "descriptor"]
    assert sorted(streams) == ["decision", "primary", "reference"]
    assert len(rig.ledger.observations("job0")) == 60


def test_a_dead_detector_is_held_for_until_it_counts_again(rig, soon):
    rig.at(6, "detector_dead", 1)
    campaign, _, plan = rig.made("xrd", learner={"full_time_s": 5.0})
    once_alarmed(rig, lambda: rig.faults("detector_dead", 0))
    rig.RE(plan)
    (step, words), *_ = said(rig, "alarm")
    assert step == 7  # while the first segment without counts is judged
    assert "no counts at" in words
    assert said(rig, "flag")[0][1].endswith("it has passed")
    assert campaign.finished
    assert rig.instrument.shutter.position == "closed"


def test_what_stays_wrong_waits_for_a_person(rig, soon):
    rig.at(30, "detector_constant", 250_000.0)
    campaign, sentry, plan = rig.made(stop={"maximum_points": 36})
    words = []

    def person():
        rig.faults("detector_constant", 0)
        words.append(sentry.release("A. Person"))

    once_alarmed(rig, person)
    rig.RE(plan)
    (step, alarm), *_ = said(rig, "alarm")
    assert step - 30 <= 3
    assert "exactly 250000 counts" in alarm
    assert words[0].startswith("goes on although")
    assert any("A. Person let it go on" in words for _, words in said(rig, "flag"))
    assert campaign.finished
    assert sentry.release("A. Person") == ""


def test_a_weaker_beam_is_flagged_within_three_points(rig):
    rig.at(30, "i0_drift", 0.7)
    campaign, _, plan = rig.made(stop={"maximum_points": 36})
    rig.RE(plan)
    ((step, words),) = said(rig, "flag")
    assert step - 30 <= 3
    assert "-30%" in words
    assert said(rig, "hold") == []
    assert campaign.finished


def test_a_beam_that_goes_is_held_for_until_it_is_back(rig, soon):
    rig.at(30, "i0_drift", 0.3)
    campaign, _, plan = rig.made(stop={"maximum_points": 36})
    once_alarmed(rig, lambda: rig.faults("i0_drift", 1.0))
    rig.RE(plan)
    (step, words), *_ = said(rig, "alarm")
    assert step - 30 <= 3
    assert "-70%" in words
    assert len(said(rig, "alarm")) == 1
    assert "it has passed" in said(rig, "flag")[-1][1]
    assert campaign.finished


def test_an_edge_that_moves_is_flagged(rig):
    rig.at(25, "energy_drift_ev", 0.5)
    campaign, _, plan = rig.made(stop={"maximum_points": 60})
    rig.RE(plan)
    words = [words for _, words in said(rig, "flag")]
    assert any("the edge at" in each and "has moved by" in each for each in words), rig.told
    assert campaign.finished


@pytest.mark.slow
def test_an_edge_that_moves_far_is_held_for_until_it_is_back(rig, soon):
    rig.at(25, "energy_drift_ev", 3.0)
    campaign, _, plan = rig.made(stop={"maximum_points": 60})
    once_alarmed(rig, lambda: rig.faults("energy_drift_ev", 0.0))
    rig.RE(plan)
    assert "has moved by" in said(rig, "alarm")[0][1]
    assert "it has passed" in said(rig, "flag")[-1][1]
    assert campaign.finished


def test_a_learner_that_learns_nothing_is_stopped_and_what_it_has_is_kept(rig, monkeypatch):
    stuck = sentry_module.judges.Alarm("no_progress", "warn", "nothing changes", "flag")
    found = lambda x, s, **_: stuck if x.size > 20 else None  # noqa: E731
    monkeypatch.setattr(sentry_module.judges, "no_progress", found)
    campaign, _, plan = rig.made()
    rig.RE(plan)
    assert campaign.finished
    assert campaign.verdict.reason == "stopped by sentinel: nothing changes"
    assert [words for _, words in said(rig, "flag")] == ["nothing changes"]


# saturation


@pytest.fixture
def limited(instrument, monkeypatch):
    monkeypatch.setattr(instrument.ion_chambers, "saturation_counts", 2.0**20)
    monkeypatch.setattr(instrument.segment_scanner, "saturation_counts", 2.0**20)


def test_what_saturates_is_counted_for_a_shorter_time(rig, limited):
    rig.faults("saturation", 1)
    changes = {"learner": {"count_time_s": 2.0}, "stop": {"maximum_points": 8}}
    campaign, _, plan = rig.made(**changes)
    rig.RE(plan)
    told = rig.ledger.observations("job0")
    assert len(told) == len(campaign.decisions) == 8
    assert {o.count_time_s for o in told} == {0.5}
    for o in told:
        assert abs(o.y - edge_mu(o.x)) < 6 * o.sigma
    assert len(said(rig, "flag")) == 1
    assert len(said(rig, "retry")) == 7


def test_what_saturates_in_the_shortest_time_ends_the_sample(rig, limited):
    rig.faults("saturation", 1)
    campaign, _, plan = rig.made(learner={"count_time_s": 40.0})
    with pytest.raises(DeviceFault, match=r"even in 2\.5 s"):
        rig.RE(plan)
    assert campaign.decisions == []


def test_a_segment_that_saturates_is_scanned_faster(rig, instrument, monkeypatch):
    monkeypatch.setattr(instrument.segment_scanner, "saturation_counts", 250.0)
    campaign, _, plan = rig.made("xrd", learner={"full_time_s": 4.0})
    rig.RE(plan)
    assert campaign.finished
    told = rig.ledger.observations("job0")
    assert max(o.y * o.count_time_s for o in told) < 250
    assert said(rig, "flag")


# fluorescence


def test_an_element_that_dies_is_left_out_and_the_measurement_goes_on(rig):
    rig.at(20, "element_dead", 4)
    campaign, _, plan = rig.made(signal="fluorescence", stop={"maximum_points": 40})
    rig.RE(plan)
    assert campaign.finished
    assert [words[:9] for _, words in said(rig, "flag")] == ["element 4"]
    told = rig.ledger.observations("job0")
    assert campaign.observer.facts()["left_out"] == {"4": len(told) - 21}
    assert {data["roi4"] > 0 for _, data in rig.ledger.readings("job0")} == {True, False}
    off = [(o.y - 0.05 * edge_mu(o.x)) / o.sigma for o in told]
    assert max(map(abs, off)) < 5


def test_a_detector_that_is_dead_for_most_of_the_time_ends_the_sample(rig):
    rig.at(10, "fluorescence", 200.0)
    campaign, _, plan = rig.made(signal="fluorescence", stop={"maximum_points": 40})
    with pytest.raises(DeviceFault, match=r"is dead for .* tried 3 times"):
        rig.RE(plan)
    assert len(campaign.decisions) == 11
    assert said(rig, "retry")


def test_the_yield_is_measured_with_its_visits(rig):
    _, sentry, plan = rig.made(signal="yield", stop={"maximum_points": 36})
    rig.RE(plan)
    told = rig.ledger.observations("job0")
    off = [(o.y - 0.2 * edge_mu(o.x)) / o.sigma for o in told]
    assert max(map(abs, off)) < 5
    assert sentry.revisits.seconds > 0
    assert rig.told == []


def test_a_profile_without_conditions_has_no_sentinels(instrument, tmp_path):
    profile = config.load("sim", siteroot.activate())
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        wanted = job("xas")
        ledger.add_job(wanted)
        heard = (lambda *_: None, lambda _: None)
        campaign = Campaign(wanted, ledger)
        assert sentry_of(profile, campaign, instrument, ledger, *heard) is not None
        bare = profile.model_copy(update={"conditions": None})
        assert sentry_of(bare, campaign, instrument, ledger, *heard) is None
