"""A campaign rebuilt from its ledger goes on as the one that was lost, whatever its options."""

from __future__ import annotations

import numpy as np
import pytest
from support import structures
from support.places import ROOT
from support.signals import fluorescence, profile

from materialsdock.campaign import option_words, prepare
from materialsdock.campaign.campaign import Campaign, same_place
from materialsdock.learning.prior.library import LibraryPrior
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Measured, Observation, Sample
from materialsdock.profile import config
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.testing import crystals
from sim_devices.detectors import MultiElement

PROFILE = config.load("sim", ROOT)
ENERGY = np.linspace(6950.0, 7400.0, 901)
SPECTRUM = Measured(technique="xas", x=ENERGY, y=simulate_xanes(ENERGY))
MIXTURE = (crystals.CORUNDUM, crystals.ZINCITE)


def prior(path):
    axis = np.linspace(-100.0, 150.0, 120)
    shape = 0.5 + np.arctan(axis / 1.5) / np.pi
    LibraryPrior(
        "Fe K",
        axis,
        shape,
        0.1 * np.vstack([shape, shape**2]),
        np.full(120, 0.05),
        axis / 8,
        np.array([7112.0, 7116.0]),
        ("a", "b"),
    ).save(path)
    return path


def absorption(folder, *, library=False, velocity=50.0):
    motion = PROFILE.section("xas").motion.model_copy(update={"velocity": velocity})
    section = PROFILE.section("xas").model_copy(
        update={
            "motion": motion,
            "regions": ((7100.0, 7130.0, 5.0),),
            "prior": prior(folder / "fe.npz") if library else None,
        }
    )
    profile = PROFILE.model_copy(update={"xas": section})
    stop = option_words.stop_options(["maximum_points=90", "e0_sd=0.02", "area:7100:7150_sd=0.001"])
    return prepare.job_for(SPECTRUM, Sample("s", "xas"), profile, stop=stop, seed=1)


def steered():
    pattern = structures.simulated([(MIXTURE[0], 0.6), (MIXTURE[1], 0.4)])
    few = slice(550, 900)
    measured = Measured("xrd", pattern.two_theta[few], pattern.intensity[few])
    section = PROFILE.section("xrd").model_copy(
        update={"objective": "fractions", "wanted_esd": 0.5}
    )
    profile = PROFILE.model_copy(update={"xrd": section})
    stop = option_words.stop_options(["maximum_points=600"])
    return measured, prepare.job_for(measured, Sample("s", "xrd", 0, MIXTURE), profile, stop=stop)


def observed(job, truth, step, proposal):
    rng = np.random.default_rng([4, step])
    xas = job.sample.technique == "xas"
    found = []
    for i, x in enumerate(proposal.x + (0.05 * rng.standard_normal() if xas else 0.0)):
        y, t = float(np.interp(x, truth.x, truth.y)), proposal.count_time_s
        y = y + 0.005 * rng.standard_normal() if xas else float(rng.poisson(y * t)) / t
        found.append(Observation(f"r/{step}-{i:03d}", step, float(x), y, 0.005, t, "r"))
    return found


def go_on(campaign, truth, steps=10**4):
    proposal = campaign.ask()
    while proposal is not None and steps:
        campaign.look_ahead()
        step, steps = len(campaign.decisions), steps - 1
        told = observed(campaign.job, truth, step, proposal)
        campaign._ledger.add_documents(campaign.job.job_id, [], told)
        campaign._waiting = told
        proposal = campaign.judge(proposal).next
    return campaign


@pytest.fixture
def each_refined_once(monkeypatch):
    """A rebuilt campaign refines the counts that it had before: to the same end, for 1 s of CPU."""
    differentiate, known = RietxEngine.differentiate, {}

    def remembered(engine, pattern, *asked):
        key = *(column.tobytes() for column in vars(pattern).values()), repr(asked)
        if key not in known:
            known[key] = differentiate(engine, pattern, *asked)
        return known[key]

    monkeypatch.setattr(RietxEngine, "differentiate", remembered)
    return known


@pytest.mark.parametrize(
    "case", ["plain", pytest.param("library", marks=pytest.mark.slow), "expert", "steered"]
)
def test_rebuilt_at_any_step_it_decides_the_same(tmp_path, case, each_refined_once):
    truth = SPECTRUM
    if case == "steered":
        truth, job = steered()
    else:
        slow = 2.0 if case == "expert" else 50.0
        job = absorption(tmp_path, library=case == "library", velocity=slow)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_job(job)
        whole = go_on(Campaign(job, ledger), truth)
        if case == "expert":
            assert whole.learner.choice.expert
    with Ledger(tmp_path / "killed.sqlite") as ledger:
        ledger.add_job(job)
        go_on(Campaign(job, ledger), truth, 3)
        for _ in range(4):
            campaign = Campaign.resume(job.job_id, ledger)
            go_on(campaign, truth, 1 + len(whole.decisions) // 5)
        again = go_on(Campaign.resume(job.job_id, ledger), truth)
    assert bool(each_refined_once) == (case == "steered")
    assert len(again.decisions) == len(whole.decisions)
    for one, other in zip(whole.decisions, again.decisions, strict=True):
        assert one.verdict == other.verdict
        assert same_place(one.next, other.next)


def fluorescence_event(job, step, x):
    """What the detector records at a step; its fourth element dies at the thirtieth."""
    rng = np.random.default_rng([4, step])
    ratio = 0.1 * float(np.interp(x, ENERGY, SPECTRUM.y))
    return fluorescence(x, ratio, 1.0, rng, detector=MultiElement(dead=4 if step > 30 else 0))


def go_on_recording(campaign, steps=10**4):
    """As `go_on`, with events; each beginning is a run of its own."""
    job, run = campaign.job, f"r{len(campaign.decisions)}"
    campaign.receive("start", {"uid": run})
    campaign.receive("descriptor", {"uid": f"d{run}", "name": "primary", "run_start": run})
    number, proposal = 0, campaign.ask()
    while proposal is not None and number < steps:
        number += 1
        data = fluorescence_event(job, len(campaign.decisions), proposal.start)
        event = {"uid": f"e{run}{number}", "descriptor": f"d{run}", "seq_num": number, "data": data}
        campaign.receive("event", event)
        proposal = campaign.judge(proposal).next
    return campaign


def test_fluorescence_is_rebuilt_with_the_elements_that_were_left_out(tmp_path):
    job = prepare.job_for(SPECTRUM, Sample("s", "xas"), profile("fluorescence"), seed=1)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_job(job)
        whole = go_on_recording(Campaign(job, ledger), 60)
        told = [(o.x, o.y, o.sigma) for o in ledger.observations(job.job_id)]
    with Ledger(tmp_path / "killed.sqlite") as ledger:
        ledger.add_job(job)
        campaign = go_on_recording(Campaign(job, ledger), 20)
        for _ in range(2):
            campaign = go_on_recording(Campaign.resume(job.job_id, ledger), 20)
        assert [(o.x, o.y, o.sigma) for o in ledger.observations(job.job_id)] == told
    assert campaign.observer.remarks == whole.observer.remarks
    assert campaign.observer.facts() == whole.observer.facts()
    assert whole.observer.facts()["left_out"] == {"4": 29}
