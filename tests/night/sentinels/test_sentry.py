"""Sentinels in memory: silent in clean measurements, and the parts they are made of."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.made_site import edge_mu
from support.sentry_jobs import MOTION, OFTEN, diffraction_rate, job
from support.signals import fluorescence

from materialsdock import technique as techniques
from materialsdock.campaign.campaign import Campaign
from materialsdock.errors import DeviceFault
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue
from materialsdock.night.sentinels.flags import flags_of
from materialsdock.night.sentinels.of_sample import sentry_of
from materialsdock.night.sentinels.sentry import Sentry
from materialsdock.profile import config, siteroot
from materialsdock.profile.sections import ConditionSettings as Section
from sim_devices.detectors import MultiElement
from sim_devices.scenes.xas import AbsorptionScene, absorbed
from sim_devices.scenes.xrd import DiffractionScene, diffracted
from sim_devices.world import World

# clean measurements, in memory


class Twin:
    """A measurement without instrument: documents as the RunEngine emits them."""

    def __init__(self, tmp_path, technique, seed, *, signal=None, **changes):
        self.ledger = Ledger(tmp_path / f"{technique}{seed}.sqlite")
        made = job(technique, seed, **changes)
        if signal:
            made = replace(made, settings={**made.settings, "signal": signal})
        self.signal, self.dead, self.rng = signal, 0, np.random.default_rng(seed)
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
                1: AbsorptionScene(energy, edge_mu(energy), 1e6),
            },
            seed,
        )
        self.clock = 0.0
        self.sentry = Sentry(
            self.campaign,
            MOTION,
            OFTEN,
            lambda *said: self.told.append(said),
            clock=lambda: self.clock,
        )
        self.emit("start", {"uid": "run"})
        for stream in ("primary", "reference"):
            self.emit("descriptor", {"uid": stream, "name": stream, "run_start": "run"})

    def emit(self, name, document):
        self.campaign.receive(name, document)
        self.sentry.receive(name, document)

    def rows(self, proposal):
        for x in proposal.x:
            seconds = proposal.count_time_s
            if self.signal:
                detector = MultiElement(dead=self.dead)
                ratio = 0.1 * edge_mu(np.array([x]))[0]
                yield fluorescence(x, ratio, seconds, self.rng, 1e6, detector)
            elif self.technique == "xas":
                i0, it = absorbed(self.world.sample(1), x, seconds)
                yield {"mono_energy": x, "i0": i0, "it": it, "count_time_s": seconds}
            else:
                (counts,) = diffracted(self.world.sample(0), np.array([x]), seconds)
                yield {
                    "two_theta": x,
                    "counts": float(counts),
                    "monitor": 1e5 * seconds,
                    "count_time_s": seconds,
                }

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


@pytest.mark.slow
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


def test_a_dead_element_is_said_and_left_out_and_the_measurement_goes_on(tmp_path):
    twin = Twin(tmp_path, "xas", 5, signal="fluorescence")
    twin.run(lambda step: setattr(twin, "dead", 4 * (step > 30)))
    (said,) = twin.told
    assert said[0] == "flag"
    assert said[1].startswith("element 4 of the fluorescence detector is left out from")
    assert len(twin.campaign.decisions) == 60
    assert twin.visits > 3
    values = np.array([o.y for o in twin.ledger.observations("job5")])
    true = 0.1 * edge_mu(np.array([o.x for o in twin.ledger.observations("job5")]))
    assert np.abs(values / true - 1).max() < 0.05
    other = Sentry(twin.campaign, MOTION, OFTEN, lambda *_: None)
    assert other.recall(twin.ledger) == [said[1]]


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


def test_a_technique_without_sentinels_of_its_own_is_watched_by_its_counts(tmp_path, monkeypatch):
    named = techniques.named
    ordinary = techniques.Technique.sentinels
    monkeypatch.setattr(techniques, "named", lambda name: replace(named(name), sentinels=ordinary))
    clean = Twin(tmp_path, "xrd", 7)
    clean.run()
    assert (clean.told, clean.visits, clean.sentry.revisits) == ([], 0, None)
    assert clean.campaign.finished
    dark = Twin(tmp_path, "xrd", 8)
    sample = dark.world.sample(0)
    full = sample.diffraction
    dead = lambda *of: (0 * full(*of)[0],)  # noqa: E731
    dark.run(lambda step: setattr(sample, "diffraction", dead if step > 4 else full))
    assert "no counts" in dark.sentry.held()


# chambers and flags


def test_a_first_chamber_that_stands_still_is_seen_within_three_points(tmp_path):
    twin = Twin(tmp_path, "xas", 6)
    sample, frozen = twin.world.sample(1), []
    full = sample.absorption

    def stands(*of):
        i0, it = full(*of)
        frozen.append(i0)
        return frozen[0], it

    twin.run(lambda step: setattr(sample, "absorption", stands if step > 30 else full))
    assert twin.told == [("alarm", f"exactly {frozen[0]:g} counts at 3 points in a row")]
    assert len(frozen) == 3
    assert twin.sentry.held()
    twin.clock += 1000.0
    twin.count(twin.sentry.next_visit(), "reference")
    assert twin.sentry.held(), "a chamber that still stands proves nothing"
    sample.absorption, twin.clock = full, twin.clock + 1000.0
    twin.count(twin.sentry.next_visit(), "reference")
    assert not twin.sentry.held()


def test_a_flag_that_was_lost_with_the_daemon_is_told_again(tmp_path):
    twin = Twin(tmp_path, "xas", 4)
    sample = twin.world.sample(1)
    full = sample.absorption
    weak = lambda energy, seconds, _, empty: full(energy, seconds, 0.7, empty)  # noqa: E731
    twin.run(lambda step: setattr(sample, "absorption", weak if step > 30 else full))
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


# in the night


def test_flags_are_warnings_of_the_outcome(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for kind, words in (("flag", "weak"), ("hold", "dark"), ("flag", "weak"), ("flag", "b")):
            body = {"said": "condition", "kind": kind, "words": words}
            queue.note(ledger, "condition", body, sample_id="S1")
        queue.note(ledger, "condition", {"kind": "flag", "words": "other"}, sample_id="S2")
        assert flags_of(ledger, "S1") == ["weak", "b"]
