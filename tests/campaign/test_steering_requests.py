"""Requests to steer: refused before they are recorded, and replayed as they were."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.steered_campaigns import (
    ANNA,
    JOBS,
    XAS,
    begun,
    force,
    record,
    run,
    take_step,
    timeless,
    veto,
)

from materialsdock.campaign import steering
from materialsdock.campaign.campaign import Campaign, same_place
from materialsdock.campaign.steering import Steering
from materialsdock.errors import InputError, LedgerFault, Refused
from materialsdock.ledger.ledger import Ledger, text
from materialsdock.views.explain import sentences


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        yield found


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Steering("veto", ANNA), "one position x or one interval"),
        (Steering("veto", ANNA, x=1.0, interval=(1.0, 2.0)), "one position x or one interval"),
        (Steering("force", ANNA, interval=(7100.0, 7101.0)), "give the position x"),
        (force(math.nan), "is not an interval"),
        (veto(7120.0, 7100.0), "is not an interval"),
        (force(8000.0), r"outside the axis, 7080 to 7160 eV"),
        (veto(7100.1, 7100.2), "holds no position"),
        (Steering("change", ANNA), "no setting to change"),
        (Steering("change", ANNA, changes={"mode": "paper"}), "cannot change"),
        (
            Steering("change", ANNA, changes={"threshold": 2.0, "maximum_points": -1, "x": 1}),
            r"threshold = 2.0.*maximum_points = -1.*'x'|maximum_points.*'x'",
        ),
        (Steering("halt", " "), "does not say who"),
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
    with pytest.raises(InputError, match=r"no request 'dance'"):
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
@settings(max_examples=7, suppress_health_check=[HealthCheck.too_slow])
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
    assert "a person asked: force 7111.5 eV by anna@beamline" in said[4]
    assert "asked" not in said[5]
