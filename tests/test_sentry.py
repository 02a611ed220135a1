"""Sentinels at work: every alarm within its promised points, none in clean measurements."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from materialsdock import config, siteroot
from materialsdock.campaign import Campaign
from materialsdock.config import Motion
from materialsdock.errors import DeviceFault
from materialsdock.ledger import Ledger
from materialsdock.model import Job, Sample
from materialsdock.night import queue
from materialsdock.night import sentry as sentry_module
from materialsdock.night.posted import sentry_of
from materialsdock.night.readings import (
    NONE_YET,
    Readings,
    damage,
    expected_counts,
    flags_of,
    places,
)
from materialsdock.night.sentry import Sentry
from materialsdock.sections import Conditions as Section
from materialsdock.sentinels import dead_detector
from plans import stubs
from plans.adaptive import learn
from plans.attempts import Attempts
from plans.guards import Conditions, Gate
from plans.reference import Visits
from sim_devices.world import AbsorptionScene, DiffractionScene, World

INITIAL = [*range(7080, 7100, 4), *range(7100, 7130, 3), *range(7132, 7160, 5)]
XAS = {
    "axis": {
        "name": "energy",
        "unit": "eV",
        "start": 7080.0,
        "step": 0.25,
        "points": 321,
        "resolution": 1.2,
    },
    "learner": {
        "count_time_s": 0.2,
        "velocity": 200.0,
        "settle_s": 0.1,
        "initial": [float(e) for e in INITIAL],
    },
    "stop": {"mode": "robust", "threshold": 1e-6, "maximum_points": 60},
}
XRD = {
    "axis": {
        "name": "two_theta",
        "unit": "deg",
        "start": 20.0,
        "step": 0.02,
        "points": 400,
        "resolution": 0.1,
    },
    "learner": {"full_time_s": 1.0, "fwhm_deg": 0.1, "velocity_deg_s": 5.0, "settle_s": 0.1},
    "stop": {"mode": "robust", "threshold": 0.05},
}
MOTION = Motion(velocity=200.0, settle_s=0.1)
OFTEN = Section(hold_proof_s=0.2, hysteresis_s=0.0, reference_share=0.2)


def absorption(energy_ev):
    """The edge in conftest's simulated beamline."""
    step = 0.5 + np.arctan((energy_ev - 7112.0) / 1.5) / np.pi
    return 0.2 + step + 0.4 * np.exp(-0.5 * ((energy_ev - 7116.0) / 2.0) ** 2)


def diffraction_rate(two_theta):
    peaks = ((24.0, 900.0), (30.0, 400.0), (37.0, 1500.0))
    return 20 + sum(h * np.exp(-0.5 * ((two_theta - c) / 0.05) ** 2) for c, h in peaks)


def job(technique, seed=0, **changes):
    settings = {"xas": XAS, "xrd": XRD}[technique]
    settings = {k: {**v, **changes.get(k, {})} for k, v in settings.items()}
    return Job(f"job{seed}", Sample("a sample", technique, int(technique == "xas")), settings, seed)


# clean measurements, in memory


class Twin:
    """A measurement without instrument: documents as the RunEngine emits them."""

    def __init__(self, tmp_path, technique, seed, **changes):
        self.ledger = Ledger(tmp_path / f"{technique}{seed}.sqlite")
        made = job(technique, seed, **changes)
        self.ledger.add_job(made)
        self.campaign = Campaign(made, self.ledger)
        self.technique, self.told, self.seq, self.visits = technique, [], 0, 0
        x = 20 + 0.02 * np.arange(1500)
        counts = np.random.default_rng(seed).poisson(diffraction_rate(x))
        zeros = np.zeros(x.size)
        energy = np.linspace(7080.0, 7160.0, 641)
        self.world = World(
            {
                0: DiffractionScene(x, counts, 1.0, zeros, zeros),
                1: AbsorptionScene(energy, absorption(energy), 1e6),
            },
            seed,
        )
        self.clock = 0.0
        self.sentry = Sentry(
            self.campaign, MOTION, OFTEN, lambda *said: self.told.append(said),
            clock=lambda: self.clock,
        )  # fmt: skip
        self.emit("start", {"uid": "run"})
        for stream in ("primary", "reference"):
            self.emit("descriptor", {"uid": stream, "name": stream, "run_start": "run"})

    def emit(self, name, document):
        self.campaign.receive(name, document)
        self.sentry.receive(name, document)

    def rows(self, proposal):
        for x in proposal.x:
            seconds = proposal.count_time_s
            if self.technique == "xas":
                i0, it = self.world.absorption(1, x, seconds)
                yield {"mono_energy": x, "i0": i0, "it": it, "count_time_s": seconds}
            else:
                (counts,) = self.world.diffraction(0, np.array([x]), seconds)
                yield {"two_theta": x, "counts": float(counts), "monitor": 1e5 * seconds,
                       "count_time_s": seconds}  # fmt: skip

    def count(self, proposal, stream="primary"):
        rows = list(self.rows(proposal))
        numbers = [self.seq + n for n in range(len(rows))]
        self.seq += len(rows)
        data = {key: [row[key] for row in rows] for key in rows[0]}
        page = {"descriptor": stream, "seq_num": numbers, "data": data, "run_start": "run"}
        self.emit("event_page", page)

    def run(self, before=lambda step: None):
        while (proposal := self.campaign.ask()) is not None:
            before(len(self.campaign.decisions))
            self.sentry.ended()
            while (visit := self.sentry.next_visit()) is not None:
                self.count(visit, "reference")
                self.visits += 1
            if self.sentry.held():
                return
            self.count(proposal)
            self.campaign.judge(proposal)


def test_no_alarm_in_twenty_clean_measurements(tmp_path):
    visits = 0
    for seed in range(10):
        twin = Twin(tmp_path, "xas", seed)
        twin.run()
        assert twin.told == [], seed
        assert len(twin.campaign.decisions) == 60
        visits += twin.visits
    for seed in range(10):
        twin = Twin(tmp_path, "xrd", seed)
        twin.run()
        assert twin.told == [], seed
        assert twin.campaign.finished
    assert visits > 60


def test_visits_keep_to_their_share_and_are_told_to_no_learner(tmp_path):
    twin = Twin(tmp_path, "xas", 3)
    twin.run()
    spent = twin.sentry.revisits.seconds
    whole = spent + twin.campaign.decisions[-1].seconds_measured
    assert 0.1 < spent / whole <= 0.2
    assert len(twin.ledger.observations("job3")) == 60
    none = Section(hold_proof_s=0.2, reference_share=0.0)
    assert Sentry(twin.campaign, MOTION, none, lambda *_: None).next_visit() is None


def test_the_same_documents_bring_it_to_the_same_state(tmp_path):
    twin = Twin(tmp_path, "xas", 4)
    with pytest.raises(DeviceFault, match=r"contrast|look different"):
        twin.run(lambda step: setattr(twin.world, "damage_rate", 0.2 * (step > 30)))
    campaign = Campaign.resume("job4", twin.ledger)
    again = []
    other = Sentry(campaign, MOTION, OFTEN, lambda *said: again.append(said))
    flags = other.recall(twin.ledger)
    assert again == []
    assert flags == [words for kind, words in twin.told if kind == "flag"]
    assert other.revisits.seconds == pytest.approx(twin.sentry.revisits.seconds)
    assert other.revisits.places == twin.sentry.revisits.places
    with pytest.raises(DeviceFault):
        other.ended()


@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_a_sample_that_is_destroyed_ends(tmp_path, technique):
    twin = Twin(tmp_path, technique, 5)
    rate, begin = {"xas": (0.2, 30), "xrd": (0.05, 8)}[technique]
    with pytest.raises(DeviceFault, match=r"contrast|look different|scatter -"):
        twin.run(lambda step: setattr(twin.world, "damage_rate", rate * (step > begin)))
    assert not twin.campaign.finished


# pure parts


def readings(x, counts, monitor=None, seconds=1.0):
    x, counts = np.asarray(x, float), np.asarray(counts, float)
    time_s = np.full(x.size, seconds)
    return Readings(x, counts, 1e5 * time_s if monitor is None else monitor, time_s)


def test_little_is_expected_of_what_is_not_known():
    new = readings([30.0], [0.0])
    assert expected_counts(NONE_YET, new) == 0
    assert expected_counts(readings(np.arange(10), np.full(10, 50.0)), new) == 0


def test_points_of_a_dead_detector_are_no_measure_of_it():
    alive = readings(np.arange(80), np.full(80, 40.0))
    dead = readings(np.arange(80, 110), np.zeros(30))
    beyond = readings([50.5, 110.0], [0.0, 0.0])
    assert expected_counts(alive + dead, beyond) == pytest.approx([20.0, 20.0])


def test_false_alarms_behind_peaks_without_background():
    rng, alarms = np.random.default_rng(3), 0
    x = np.arange(300.0)
    for _ in range(30):
        width, height = rng.uniform(2, 20), 10 ** rng.uniform(1, 4)
        rate = 0.02 + height * np.exp(-0.5 * ((x - 150) / width) ** 2)
        counts = rng.poisson(rate).astype(float)
        known, expected = NONE_YET, np.zeros(0)
        for at in range(300):
            new = readings(x[at : at + 1], counts[at : at + 1])
            expected = np.r_[expected, expected_counts(known, new)]
            known += new
            alarms += dead_detector(counts[: at + 1], expected) is not None
    assert alarms == 0


def test_places_lie_on_the_edge_its_top_and_its_foot():
    energy = np.array(sorted({*INITIAL, *np.arange(7108.0, 7120.0, 0.5)}), float)
    known = Readings(energy, 1e6 * np.exp(-absorption(energy)), np.full(energy.size, 1e6),
                     np.ones(energy.size))  # fmt: skip
    found = places(known, 1.2)
    assert abs(found.edge.energy_ev - 7112.0) <= 2.0
    assert abs(found.top_ev - 7115.5) <= 1.0
    assert found.foot_ev < 7100.0
    flat = Readings(energy, np.linspace(1e5, 5e5, energy.size), np.full(energy.size, 1e6),
                    np.ones(energy.size))  # fmt: skip
    assert places(flat, 1.2) is None


def test_a_beam_that_fades_is_no_damage():
    rng = np.random.default_rng(5)
    x = np.tile(np.arange(40.0), 2)
    monitor = np.repeat([1e5, 0.5e5], 40)
    mean = np.tile(20 + 900 * np.exp(-0.5 * ((np.arange(40) - 20) / 3) ** 2), 2)
    fading = np.linspace(1.0, 0.5, 80)
    counts = rng.poisson(20 * mean * fading)
    assert damage("xrd", readings(x, counts, 1e5 * fading * 20, 20.0), 0.5) is None
    bleached = rng.poisson(20 * np.where((mean > 100) & (np.arange(80) > 39), 0.7, 1) * mean)
    assert damage("xrd", readings(x, bleached, monitor * 0 + 2e6, 20.0), 0.5).action == "held"


def test_a_first_chamber_that_stands_still_is_seen_within_three_points(tmp_path):
    twin = Twin(tmp_path, "xas", 6)
    full, frozen = twin.world.absorption, []

    def stands(*of):
        i0, it = full(*of)
        frozen.append(i0)
        return frozen[0], it

    twin.run(lambda step: setattr(twin.world, "absorption", stands if step > 30 else full))
    assert twin.told == [("alarm", f"exactly {frozen[0]:g} counts at 3 points in a row")]
    assert len(frozen) == 3
    assert twin.sentry.held()
    twin.clock += 1000.0
    twin.count(twin.sentry.next_visit(), "reference")
    assert twin.sentry.held(), "a chamber that still stands proves nothing"
    twin.world.absorption, twin.clock = full, twin.clock + 1000.0
    twin.count(twin.sentry.next_visit(), "reference")
    assert not twin.sentry.held()


def test_a_flag_that_was_lost_with_the_daemon_is_told_again(tmp_path):
    twin = Twin(tmp_path, "xas", 4)
    full = twin.world.absorption
    weak = lambda *of: full(*of, 0.7)  # noqa: E731
    twin.run(lambda step: setattr(twin.world, "absorption", weak if step > 30 else full))
    profile = config.load("sim", siteroot.activate())
    told = []
    heard = (twin.ledger, lambda *said: told.append(said), lambda seconds: None)
    queue.submit(twin.ledger, [("S1", 0, {})])
    queue.assign(twin.ledger, "S1", twin.campaign.job)
    instrument = SimpleNamespace(devices={"ion_chambers": None})
    lost = Campaign.resume("job4", twin.ledger)
    assert sentry_of(profile, lost, instrument, *heard) is not None
    assert told == [said for said in twin.told if said[0] == "flag"]
    assert "the incident beam is -30%" in told[0][1]
    for kind, words in told:
        queue.note(twin.ledger, "condition", {"kind": kind, "words": words}, sample_id="S1")
    before = len(told)
    assert sentry_of(profile, lost, instrument, *heard) is not None
    assert len(told) == before


# on the simulated beamline


@pytest.fixture(scope="module")
def instrument(beamline):
    found = config.build_instrument(config.load("sim", siteroot.activate()))
    yield found
    config.release(found)


@pytest.fixture
def rig(instrument, RE, tmp_path, faults):
    """`rig.made(technique)` : campaign, sentry and plan; `rig.told` : (step, kind, words).

    `rig.at(step, name, value)` : switch a fault after that decision.
    """
    ledger, told, actions = Ledger(tmp_path / "ledger.sqlite"), [], {}

    def made(technique="xas", section=OFTEN, **changes):
        wanted = job(technique, **changes)
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
        gate = Gate(instrument, Conditions(**terms, held=sentry.held, report=report))
        attempts = Attempts(gate)
        measure = {"xrd": stubs.measure_segment, "xas": stubs.measure_point}[technique]
        point = {"xrd": stubs.measure_step, "xas": stubs.measure_point}[technique]
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


@pytest.mark.parametrize("during", ["an exposure", "a decision"])
def test_after_a_hold_the_reference_point_is_counted_before_anything_else(rig, soon, during):
    import epics

    learner = {"count_time_s": 100.0 if during == "an exposure" else 0.2}
    campaign, sentry, plan = rig.made(section=Section(reference_share=0.05), learner=learner)

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


def test_an_edge_that_moves_far_is_held_for_until_it_is_back(rig, soon):
    rig.at(25, "energy_drift_ev", 3.0)
    campaign, _, plan = rig.made(stop={"maximum_points": 60})
    once_alarmed(rig, lambda: rig.faults("energy_drift_ev", 0.0))
    rig.RE(plan)
    assert "has moved by" in said(rig, "alarm")[0][1]
    assert "it has passed" in said(rig, "flag")[-1][1]
    assert campaign.finished


def test_a_learner_that_learns_nothing_is_stopped_and_what_it_has_is_kept(rig, monkeypatch):
    stuck = sentry_module.sentinels.Alarm("no_progress", "warn", "nothing changes", "flag")
    found = lambda x, s, **_: stuck if x.size > 20 else None  # noqa: E731
    monkeypatch.setattr(sentry_module.sentinels, "no_progress", found)
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
        assert abs(o.y - absorption(o.x)) < 6 * o.sigma
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


# in the night


def test_flags_are_warnings_of_the_outcome(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for kind, words in (("flag", "weak"), ("hold", "dark"), ("flag", "weak"), ("flag", "b")):
            body = {"said": "condition", "kind": kind, "words": words}
            queue.note(ledger, "condition", body, sample_id="S1")
        queue.note(ledger, "condition", {"kind": "flag", "words": "other"}, sample_id="S2")
        assert flags_of(ledger, "S1") == ["weak", "b"]


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
