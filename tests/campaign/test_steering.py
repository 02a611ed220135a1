"""Steering: exact in its effect on what is measured next and on when it ends."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from support.steered_campaigns import (
    ANNA,
    JOBS,
    XAS,
    XRD,
    begun,
    force,
    observed,
    positions,
    record,
    run,
    stopping,
    take_step,
    veto,
)

from materialsdock.campaign import steering
from materialsdock.campaign.campaign import Campaign, same_place
from materialsdock.campaign.steering import Steering
from materialsdock.errors import Refused
from materialsdock.learning.counting.steered_learner import Sensed, SteeredLearner
from materialsdock.learning.stopping.certificate import certify
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Axis


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        yield found


# -- effects ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "low", "high"), [("xas", 7105.0, 7120.0), ("xrd", 23.5, 24.7)])
@pytest.mark.parametrize("steps", [0, 3, 13])
def test_what_was_vetoed_is_never_counted_again(ledger, name, low, high, steps):
    campaign = begun(JOBS[name], ledger, steps)
    campaign.steer(veto(low, high, reason="beam damage"))
    run(campaign)
    later = positions(campaign.decisions[steps:])
    assert later.size > 10
    assert not ((later >= low) & (later <= high)).any()
    assert campaign.verdict.stop
    assert f"excluded: {steering.span(low, high)}" in campaign.verdict.reason
    assert "beam damage" in campaign.decisions[steps].steered
    assert not any(d.steered for d in campaign.decisions[steps + 1 :])


def test_rules_do_not_wait_for_a_vetoed_region(ledger):
    """Without the budget the campaign ends by itself, with a hole wider than the resolution."""
    job = stopping(XAS, maximum_points=None, patience=0)
    campaign = begun(job, ledger, 5)
    campaign.steer(veto(7140.0, 7155.0))
    run(campaign, 400)
    assert campaign.verdict.stop
    assert campaign.verdict.reason.startswith("the error ratio λ"), campaign.verdict.reason
    x = np.sort(positions(campaign.decisions))
    assert np.diff(x).max() > 10.0
    quantities = campaign.evidence.quantities
    assert quantities["excluded"] == pytest.approx(15.5)
    assert quantities["largest_gap"] <= quantities["resolution"]


def test_a_vetoed_pattern_is_judged_by_the_rest(ledger):
    campaign = begun(XRD, ledger, 2)
    campaign.steer(veto(26.0, 27.0))
    run(campaign)
    quantities = campaign.evidence.quantities
    assert campaign.verdict.stop
    assert math.isfinite(quantities["detectable_strength"])
    assert quantities["largest_gap"] <= 0.02 * 1.001
    assert quantities["excluded"] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("name", JOBS)
def test_a_veto_of_everything_ends_the_measurement(ledger, name):
    job = JOBS[name]
    campaign = begun(job, ledger, 4)
    campaign.steer(veto(0.0, 1e5))
    assert campaign.ask() is None
    assert campaign.finished
    assert campaign.verdict.reason.startswith("no position is left to count; excluded: 0 to 100000")
    assert len(campaign.decisions) == 4
    again = Campaign.resume(job.job_id, ledger)
    assert again.finished
    assert again.verdict == campaign.verdict


@pytest.mark.parametrize("name", JOBS)
def test_a_veto_of_everything_before_the_first_point(ledger, name):
    campaign = begun(JOBS[name], ledger)
    campaign.steer(veto(0.0, 1e5))
    assert campaign.ask() is None
    assert campaign.finished


def test_a_veto_of_the_whole_first_sweep_leaves_the_others(ledger):
    job = replace(
        XAS,
        settings={
            **XAS.settings,
            "learner": {**XAS.settings["learner"], "initial": [7100.0, 7101.0, 7102.0]},
        },
    )
    campaign = begun(job, ledger)
    campaign.steer(veto(7099.0, 7103.0))
    run(campaign, 30)
    assert len(campaign.decisions) == 30


@pytest.mark.parametrize(("name", "x"), [("xas", 7111.5), ("xrd", 24.0)])
@pytest.mark.parametrize("steps", [0, 5, 13])
def test_a_forced_position_is_counted_next_and_the_plan_goes_on(ledger, name, x, steps):
    campaign = begun(JOBS[name], ledger, steps)
    planned = campaign.ask()
    campaign.steer(force(x))
    forced = take_step(campaign).proposal
    assert forced.start <= x <= forced.stop
    if name == "xas":
        assert forced.points == 1
    assert forced.score == math.inf
    following = take_step(campaign).proposal
    assert same_place(following, planned) or same_place(
        forced, replace(planned, sweep=forced.sweep)
    )


@pytest.mark.parametrize("name", JOBS)
def test_several_forced_positions_come_in_their_order(ledger, name):
    campaign = begun(JOBS[name], ledger, 4)
    grid = campaign.axis.grid
    wanted = [float(grid[i]) for i in (40, 7, 100)]
    for x in wanted:
        campaign.steer(force(x))
    for x in wanted:
        proposal = take_step(campaign).proposal
        assert proposal.start <= x + 1e-9
        assert x - 1e-9 <= proposal.stop


def test_a_forced_position_comes_before_a_stop(ledger):
    campaign = begun(stopping(XAS, maximum_points=20), ledger, 19)
    proposal = campaign.ask()
    campaign.steer(force(7090.0))
    record(campaign, proposal)
    decision = campaign.judge(proposal)
    assert not decision.verdict.stop
    assert "asked for" in decision.verdict.reason
    last = take_step(campaign)
    assert last.proposal.start == 7090.0
    assert last.verdict.stop


def test_a_veto_drops_what_was_forced_before(ledger):
    campaign = begun(XAS, ledger, 3)
    campaign.steer(force(7111.5))
    campaign.steer(veto(7111.0, 7112.0))
    assert campaign.ask().start != 7111.5
    with pytest.raises(Refused, match=r"vetoed: veto 7111 to 7112 eV by anna"):
        campaign.steer(force(7111.5))


def test_a_change_counts_from_now_on(ledger):
    campaign = begun(XAS, ledger, 20)
    campaign.steer(Steering("change", ANNA, changes={"maximum_points": 25, "threshold": 0.01}))
    run(campaign)
    assert len(campaign.decisions) == 25
    assert campaign.decisions[19].verdict.threshold == 0.05
    assert campaign.decisions[20].verdict.threshold == 0.01
    assert campaign.decisions[20].steered == (
        "change maximum_points = 25, threshold = 0.01 by anna@beamline"
    )


@pytest.mark.parametrize("name", JOBS)
def test_a_stop_during_a_step_counts_after_it(ledger, name):
    campaign = begun(JOBS[name], ledger, 3)
    proposal = campaign.ask()
    campaign.steer(Steering("halt", ANNA, "wrong sample"))
    record(campaign, proposal)
    decision = campaign.judge(proposal)
    assert decision.verdict.stop
    assert decision.next is None
    assert decision.verdict.reason == "stopped by anna@beamline: wrong sample"
    assert decision.steered == "stop by anna@beamline: wrong sample"
    assert campaign.ask() is None
    with pytest.raises(Refused, match="ended"):
        campaign.steer(force(7100.0))


@pytest.mark.parametrize("steps", [0, 3])
def test_a_stop_between_steps_measures_nothing_more(ledger, steps):
    campaign = begun(XAS, ledger, steps)
    campaign.steer(Steering("halt", ANNA))
    again = Campaign.resume("xas", ledger)  # killed before it had its effect
    for each in (campaign, again):
        assert each.ask() is None
        assert each.finished
        assert each.verdict.reason == "stopped by anna@beamline"
    assert len(ledger.decisions("xas")) == steps


def test_approval_is_of_one_proposal(ledger):
    job = replace(XAS, settings={**XAS.settings, "approval": "points"})
    campaign = begun(job, ledger)
    assert campaign.needs_approval
    assert not begun(replace(XAS, job_id="free"), ledger).needs_approval
    first = campaign.ask()
    assert not campaign.approved
    campaign.steer(Steering("approve", ANNA))
    assert campaign.approved
    assert Campaign.resume("xas", ledger).approved
    assert campaign.ask() == first
    assert campaign.approved
    campaign.steer(veto(first.start, first.start + 1.0))
    assert not campaign.approved  # it is another proposal now
    campaign.steer(Steering("approve", ANNA))
    decision = take_step(campaign)
    assert decision.steered.endswith("approved by anna@beamline")
    assert not campaign.approved


def test_a_steered_pattern_goes_on_without_what_was_vetoed(ledger):
    """The refinement sees a pattern with a hole; its derivatives come back on the whole grid."""
    axis = Axis.of(XRD.settings["axis"])

    def sensitivity(pattern):
        shape = np.exp(-0.5 * ((pattern.two_theta - 24.0) / 0.05) ** 2)
        jacobian = np.stack([shape, np.ones_like(shape)], axis=1)
        one = np.array([[1.0], [0.0]])
        return Sensed(20.0 + 900.0 * shape, jacobian, one, np.array([900.0]), "1/s", "height")

    learner = SteeredLearner(
        axis,
        sensitivity=sensitivity,
        quantity="height",
        full_time_s=10.0,
        fwhm_deg=0.1,
        segment_points=32,
    )
    counted, step = [], 0
    while (proposal := learner.ask()) is not None and step < 60:
        if step == 4:
            learner.exclude(26.0, 27.0)
            proposal = learner.ask()
        if step == 20:
            learner.force(24.0)
            proposal = learner.ask()
            assert proposal.start <= 24.0 <= proposal.stop
        learner.tell(observed(XRD, step, proposal))
        counted.append(proposal.x)
        step += 1
    later = np.concatenate(counted[4:])
    assert not ((later >= 26.0) & (later <= 27.0)).any()
    quantities = learner.evidence().quantities
    assert quantities["passes"] > 1
    assert math.isfinite(quantities["height_esd"])
    assert learner.even_passes == 0, learner.trouble
    assert ((later > 23.8) & (later < 24.2)).sum() > 20


def test_the_certificate_names_what_was_vetoed(ledger):
    campaign = begun(stopping(XAS, maximum_points=None, patience=0), ledger, 5)
    campaign.steer(veto(7140.0, 7155.0))
    run(campaign, 400)
    found = certify(campaign.learner.present, campaign.evidence)
    assert found.excluded == pytest.approx(15.5)
    assert "15.5 of the axis were vetoed: no bound holds there" in found.sentences()
    assert found.missing is None
