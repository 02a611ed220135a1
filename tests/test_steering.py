"""Steering: recorded before it counts, exact in its effect, and replayed as it was."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materialsdock import building, steering
from materialsdock.campaign import Campaign, same_place
from materialsdock.errors import InputError, LedgerFault, Refused
from materialsdock.explain import sentences
from materialsdock.learning.certificate import certify
from materialsdock.learning.steered import Sensed, SteeredLearner
from materialsdock.ledger import Ledger, text
from materialsdock.model import Job, Observation, Sample
from materialsdock.steering import Steering

ANNA = "anna@beamline"
XAS = Job(
    "xas",
    Sample("s", "xas"),
    {
        "axis": {"name": "energy", "unit": "eV", "resolution": 2.0, "start": 7080.0, "step": 0.5,
                 "points": 161},
        "learner": {"count_time_s": 1.0, "velocity": 50.0},
        "stop": {"maximum_points": 60},
    },
    3,
)  # fmt: skip
XRD = Job(
    "xrd",
    Sample("s", "xrd"),
    {
        "axis": {"name": "two_theta", "unit": "deg", "resolution": 0.1, "start": 20.0,
                 "step": 0.02, "points": 400},
        "learner": {"full_time_s": 10.0, "fwhm_deg": 0.1, "segment_points": 32},
        "stop": {"per_observation": True},
    },
    3,
)  # fmt: skip
JOBS = {"xas": XAS, "xrd": XRD}


def stopping(job, **keys):
    return replace(job, settings={**job.settings, "stop": {**job.settings["stop"], **keys}})


def truth(job, x):
    if job.sample.technique == "xas":
        return 0.7 + np.arctan((x - 7112.0) / 1.5) / np.pi
    return 20.0 + 900.0 * np.exp(-0.5 * ((x - 24.0) / 0.05) ** 2)


def observed(job, step, proposal):
    """Equal for equal step and proposal."""
    rng = np.random.default_rng([9, step])
    t, found = proposal.count_time_s, []
    for i, x in enumerate(proposal.x):
        y, sigma = float(truth(job, x)), 0.005
        if job.sample.technique == "xas":
            y += sigma * rng.standard_normal()
        else:
            y = float(rng.poisson(y * t)) / t
        found.append(Observation(f"r/{step}-{i:03d}", step, float(x), y, sigma, t, "r"))
    return found


def record(campaign, proposal):
    """What a plan does between `ask` and `judge`."""
    found = observed(campaign.job, len(campaign.decisions), proposal)
    campaign._ledger.add_documents(campaign.job.job_id, [], found)
    campaign._waiting.extend(found)


def take_step(campaign):
    proposal = campaign.ask()
    if proposal is None:
        return None
    campaign.look_ahead()
    record(campaign, proposal)
    return campaign.judge(proposal)


def run(campaign, steps=10**4):
    while steps and take_step(campaign) is not None:
        steps -= 1
    return campaign


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        yield found


def begun(job, ledger, steps=0):
    ledger.add_job(job)
    return run(Campaign(job, ledger), steps) if steps else Campaign(job, ledger)


def veto(low, high, **more):
    return Steering("veto", ANNA, interval=(low, high), **more)


def force(x):
    return Steering("force", ANNA, x=x)


def positions(decisions):
    return np.concatenate([d.proposal.x for d in decisions]) if decisions else np.empty(0)


def timeless(decisions):
    return [replace(d, seconds_deciding=0.0) for d in decisions]


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
    assert campaign.verdict.reason.startswith("λ"), campaign.verdict.reason
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
    assert campaign.verdict.reason.startswith("nothing left to count; excluded: 0 to 100000")
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
    job = replace(XAS, settings={**XAS.settings, "learner": {
        **XAS.settings["learner"], "initial": [7100.0, 7101.0, 7102.0]}})  # fmt: skip
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
    assert "forced" in decision.verdict.reason
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
    axis = building.axis(XRD.settings["axis"])

    def sensitivity(pattern):
        shape = np.exp(-0.5 * ((pattern.two_theta - 24.0) / 0.05) ** 2)
        jacobian = np.stack([shape, np.ones_like(shape)], axis=1)
        one = np.array([[1.0], [0.0]])
        return Sensed(20.0 + 900.0 * shape, jacobian, one, np.array([900.0]), "1/s", "height")

    learner = SteeredLearner(
        axis, sensitivity=sensitivity, quantity="height", full_time_s=10.0, fwhm_deg=0.1,
        segment_points=32,
    )  # fmt: skip
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
    assert "15.5 of the axis were vetoed: nothing is promised there" in found.sentences()
    assert found.missing is None


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Steering("veto", ANNA), "one position x or one interval"),
        (Steering("veto", ANNA, x=1.0, interval=(1.0, 2.0)), "one position x or one interval"),
        (Steering("force", ANNA, interval=(7100.0, 7101.0)), "the one position"),
        (force(math.nan), "no interval"),
        (veto(7120.0, 7100.0), "no interval"),
        (force(8000.0), r"outside the axis, 7080 to 7160 eV"),
        (veto(7100.1, 7100.2), "holds no position"),
        (Steering("change", ANNA), "nothing to change"),
        (Steering("change", ANNA, changes={"mode": "paper"}), "cannot change"),
        (
            Steering("change", ANNA, changes={"threshold": 2.0, "maximum_points": -1, "x": 1}),
            r"threshold = 2.0.*maximum_points = -1.*'x'|maximum_points.*'x'",
        ),
        (Steering("halt", " "), "nobody"),
    ],
)
def test_what_is_wrong_is_refused_before_it_is_recorded(ledger, bad, said):
    campaign = begun(XAS, ledger, 2)
    before = campaign.ask()
    with pytest.raises(InputError, match=said):
        campaign.steer(bad)
    assert ledger.steering("xas") == ()
    assert campaign.ask() == before


def test_requests_come_as_json():
    order = {"who": ANNA, "x": 7100, "reason": None, "seq": 3, "lease_epoch": 1}
    assert Steering.asked("force", order) == Steering("force", ANNA, x=7100.0)
    assert Steering.asked("stop", order | {"x": None}) == Steering("halt", ANNA)
    ranged = {"who": ANNA, "low": 1, "high": 2}
    assert Steering.asked("veto", ranged) == Steering("veto", ANNA, interval=(1.0, 2.0))
    with pytest.raises(InputError, match=r"no steering 'dance'"):
        Steering.asked("dance", order)
    with pytest.raises(InputError, match=r"who.*x: |x: .*who"):
        Steering.asked("force", {"x": "here"})


@given(
    st.builds(
        Steering,
        st.sampled_from(steering.KINDS),
        st.text(),
        st.text(),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
        st.dictionaries(st.text(), st.integers() | st.booleans() | st.text(), max_size=3),
    )
)
def test_a_request_comes_back_from_the_ledger_as_it_was(asked):
    body = json.loads(text(steering.plain(asked)))
    assert steering.from_plain(body) == asked


# -- durable ------------------------------------------------------------------------------------

places = st.floats(0.02, 0.98)
requests = st.one_of(
    st.tuples(st.just("veto"), places, st.floats(0.01, 0.15)),
    st.tuples(st.just("force"), places),
    st.tuples(st.just("change"), st.integers(25, 50)),
    st.tuples(st.just("approve")),
)
when = st.sampled_from(["before", "asked", "recorded"])
kills = st.sets(st.sampled_from(["before", "steered", "asked again", "recorded", "decided"]))
scripts = st.lists(
    st.tuples(st.integers(0, 4), st.lists(st.tuples(when, requests), max_size=3), kills),
    min_size=1,
    max_size=5,
)


def request(axis, words):
    low, high = axis.grid[0], axis.grid[-1]
    kind, *values = words
    if kind == "change":
        return Steering("change", ANNA, changes={"minimum_points": values[0]})
    if kind == "approve":
        return Steering("approve", ANNA)
    x = float(low + values[0] * (high - low))
    if kind == "force":
        return force(float(axis.grid[axis.index(x)]))
    return veto(x, x + values[1] * float(high - low))


def carry_out(job, script, ledger, killed):
    """Steps with requests before, in and after them, killed and rebuilt where `killed` says."""
    campaign = begun(job, ledger)

    def steer(moment, wanted):
        for at, words in wanted:
            if at == moment and not campaign.finished:
                with contextlib.suppress(Refused):
                    campaign.steer(request(campaign.axis, words))

    def survive(moment, moments):
        nonlocal campaign
        if killed and moment in moments:
            campaign = Campaign.resume(job.job_id, ledger)

    for pause, wanted, moments in script:
        run(campaign, pause) if pause else None
        survive("before", moments)
        steer("before", wanted)
        survive("steered", moments)
        if (proposal := campaign.ask()) is None:
            break
        survive("asked again", moments)
        if killed and "asked again" in moments:
            assert same_place(campaign.ask(), proposal)
        steer("asked", wanted)
        record(campaign, proposal)
        survive("recorded", moments)
        steer("recorded", wanted)
        campaign.judge(proposal)
        survive("decided", moments)
    return run(campaign, 6)


@pytest.mark.parametrize("name", JOBS)
@settings(max_examples=7, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts)
def test_resumed_at_any_moment_is_as_if_never_interrupted(name, script):
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for killed in (False, True):
            with Ledger(Path(folder) / f"{killed}.sqlite") as ledger:
                campaign = carry_out(JOBS[name], script, ledger, killed)
                again = Campaign.resume(name, ledger)
                assert timeless(again.decisions) == timeless(campaign.decisions)
                assert again.verdict == campaign.verdict
                results.append((campaign.decisions, campaign.verdict))
    (whole, verdict), (rebuilt, verdict_rebuilt) = results
    assert verdict == verdict_rebuilt
    assert len(whole) == len(rebuilt)
    for one, other in zip(timeless(whole), timeless(rebuilt), strict=True):
        assert same_place(one.proposal, other.proposal)
        assert same_place(one.next, other.next)
        assert (one.verdict, one.steered) == (other.verdict, other.steered)


def test_what_was_in_flight_when_it_died_and_vetoed_is_not_counted_again(ledger):
    """The steering was recorded while a step ran that left nothing behind."""
    campaign = begun(XAS, ledger, 5)
    lost = campaign.ask()
    campaign.steer(veto(lost.start, lost.start))
    again = Campaign.resume("xas", ledger)
    assert again.ask().start != lost.start
    run(again, 3)
    assert timeless(Campaign.resume("xas", ledger).decisions) == timeless(again.decisions)


def test_a_ledger_that_was_changed_is_not_followed(ledger):
    campaign = begun(XAS, ledger, 5)
    campaign.steer(force(7111.5))
    take_step(campaign)
    with ledger.transaction() as db:
        db.execute("DELETE FROM steering WHERE body LIKE '%force%'")
    with pytest.raises(LedgerFault, match="the ledger says"):
        Campaign.resume("xas", ledger)


def test_jobs_without_steering_leave_no_trace_of_it(ledger):
    run(begun(XAS, ledger), 15)
    assert ledger.steering("xas") == ()
    assert not ledger.rows("SELECT 1 FROM decisions WHERE body LIKE '%steered%'")


def test_people_steer_while_it_measures(ledger):
    """Requests from two threads while a third measures: all have their effect, and replay."""
    campaign = begun(XAS, ledger, 2)
    grid = campaign.axis.grid

    def ask(offset):
        for i in range(4):
            campaign.steer(force(float(grid[offset + 8 * i])))

    threads = [threading.Thread(target=ask, args=(offset,)) for offset in (3, 70)]
    for thread in threads:
        thread.start()
    run(campaign, 12)
    for thread in threads:
        thread.join()
    run(campaign, 12)
    counted = {d.proposal.start for d in campaign.decisions if d.proposal.score == math.inf}
    assert counted == {float(grid[o + 8 * i]) for o in (3, 70) for i in range(4)}
    assert timeless(Campaign.resume("xas", ledger).decisions) == timeless(campaign.decisions)


def test_sentences_say_what_was_asked(ledger):
    campaign = begun(XAS, ledger, 4)
    campaign.steer(force(7111.5))
    run(campaign, 2)
    said = sentences(campaign.decisions, "eV")
    assert "a position that was asked for" in said[4]
    assert "asked meanwhile: force 7111.5 eV by anna@beamline" in said[4]
    assert "asked" not in said[5]
