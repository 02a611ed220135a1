"""F39-F41: a learner that is given nonsense or learns nothing, and budgets."""

from __future__ import annotations

import time

import numpy as np
import pytest
from support.faults.rig import edge_mu, record, within, write_edge
from support.places import ROOT

from materialsdock.campaign import option_words, prepare
from materialsdock.campaign.campaign import Campaign
from materialsdock.formats import read_measured
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Axis, Observation, Sample
from materialsdock.profile import config

PROFILE = config.load("sim", ROOT)
ENERGY = Axis("energy", "eV", np.linspace(7080.0, 7180.0, 161), 1.5)
STEP_S = 2.0  # the longest that a step may think

# F39


def noisy(x, rng):
    return edge_mu(np.array([x]), 7120.0)[0] + 0.01 * rng.standard_normal()


def constant(x, rng):
    return 1.0


def outlier(x, rng):
    return 1e6 if rng.random() < 0.05 else noisy(x, rng)


def step_function(x, rng):
    return 1e3 * (x > 7120.0)


@pytest.mark.parametrize("model", ["gp", "markov"])
@pytest.mark.parametrize("nature", [noisy, constant, outlier, step_function])
def test_whatever_is_told_the_next_point_is_a_number_soon(nature, model):
    learner, rng = SpectrumLearner(ENERGY, count_time_s=1.0, model=model), np.random.default_rng(1)
    longest = 0.0
    for step in range(45):
        began = time.monotonic()
        proposal = learner.ask()
        assert np.isfinite([proposal.start, proposal.stop, proposal.count_time_s]).all()
        assert ENERGY.grid[0] <= proposal.start <= ENERGY.grid[-1]
        # every fifth is a near duplicate of the one before: no matrix likes that
        x = proposal.start if step % 5 else proposal.start + 1e-9
        told = [Observation(f"r/{step}", step, x, nature(x, rng), 0.01, 1.0, "r")]
        learner.tell(told)
        longest = max(longest, time.monotonic() - began)
    mean, sd = learner.posterior(ENERGY.grid)
    assert np.isfinite(mean).all()
    assert np.isfinite(sd).all()
    assert longest < within(STEP_S)
    record(f"F39 {model}, {nature.__name__}", step_s=longest)


# F40, F41


def measured(folder, stop, *, noise=0.0, **more):
    """A campaign run to its end without a beamline; its decisions."""
    spectrum = read_measured(write_edge(folder / "edge.dat"), technique="xas")
    job = prepare.job_for(
        spectrum,
        Sample("a", "xas", 3),
        PROFILE,
        stop={**option_words.stop_options(stop), **more},
        seed=1,
    )
    rng = np.random.default_rng(0)
    with Ledger(folder / "ledger.sqlite") as ledger:
        ledger.add_job(job)
        campaign = Campaign(job, ledger)
        campaign.receive("start", {"uid": "r", "time": 0.0})
        campaign.receive("descriptor", {"uid": "d", "name": "primary", "run_start": "r"})
        proposal, number = campaign.ask(), 0
        while proposal is not None and number < 1000:
            number += 1
            mu = edge_mu(np.array([proposal.start]))[0] + noise * rng.standard_normal()
            i0 = 1e6 if noise == 0.0 else 4.0
            data = {
                "mono_energy": proposal.start,
                "i0": i0,
                "it": i0 * np.exp(-mu),
                "count_time_s": proposal.count_time_s,
            }
            event = {"uid": f"e{number}", "descriptor": "d", "seq_num": number, "data": data}
            campaign.receive("event", {**event, "time": 0.0})
            proposal = campaign.judge(proposal).next
        return campaign.decisions, ledger.observations(job.job_id)


@pytest.mark.core
@pytest.mark.parametrize("points", [1, 7, 30])
def test_a_budget_of_points_is_kept_to_the_point(tmp_path, points):
    decisions, told = measured(tmp_path, [f"maximum_points={points}", "threshold=1e-6"])
    assert len(told) == points
    assert "budget" in decisions[-1].verdict.reason


def test_a_dose_is_never_overrun(tmp_path):
    _, told = measured(tmp_path, ["maximum_count_seconds=20.5", "threshold=1e-6"])
    dose = sum(o.count_time_s for o in told)
    assert 20.5 - told[-1].count_time_s < dose <= 20.5


def test_a_budget_of_time_is_not_overrun_and_used_up_to_one_point(tmp_path):
    decisions, _ = measured(tmp_path, ["maximum_seconds=60", "threshold=1e-6"])
    last = decisions[-1].seconds_measured
    assert last <= 60.0
    assert last + 1.5 * (last - decisions[-2].seconds_measured) > 60.0


def test_a_threshold_that_is_met_at_once_does_not_stop_before_the_first_sweep(tmp_path):
    decisions, told = measured(tmp_path, ["threshold=0.999", "maximum_points=200"])
    assert decisions[-1].verdict.stop
    assert 15 <= len(told) < 200


def test_who_learns_nothing_more_gives_up_and_says_so(tmp_path):
    stop = ["threshold=1e-9", "maximum_points=300"]
    decisions, told = measured(tmp_path, stop, noise=0.5, patience=20)
    assert decisions[-1].verdict.stop
    assert len(told) < 300
    assert "given up" in decisions[-1].verdict.reason
    record("F40 no progress", points=str(len(told)))
