"""The adaptive plan under a real RunEngine and real Channel Access: nothing twice, nothing lost."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from functools import partial
from types import SimpleNamespace

import bluesky.plan_stubs as bps
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus, RunEngineInterrupted
from support.beamline_jobs import XAS, XRD

from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.plan import beam_suspender
from materialsdock.errors import MaterialsDockError
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Proposal, Sample
from materialsdock.profile import config
from materialsdock.profile.instrument import build_instrument, release
from materialsdock.profile.sections import Beam
from plans import scan, stubs
from plans.adaptive import learn
from plans.measure import measure_point, measure_segment, measure_step


@pytest.fixture
def instrument(beamline):
    found = build_instrument(config.load("sim", runner_site()))
    yield found
    release(found)


def runner_site():
    from materialsdock.profile import siteroot

    return siteroot.activate()


@pytest.fixture
def rig(instrument, RE, tmp_path):
    """Everything for one campaign: `rig.start("xas")` makes the plan and listens to documents."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    documents = defaultdict(list)

    def start(technique):
        position, settings = {"xrd": (0, XRD), "xas": (1, XAS)}[technique]
        job = Job("job", Sample("a sample", technique, position), settings)
        ledger.add_job(job)
        campaign = Campaign(job, ledger)
        RE.subscribe(campaign.receive)
        RE.subscribe(lambda name, doc: documents[name].append(doc))
        measure = {"xrd": measure_segment, "xas": measure_point}[technique]
        return campaign, partial(learn, campaign, instrument, measure)

    yield SimpleNamespace(
        start=start, documents=documents, RE=RE, instrument=instrument, ledger=ledger
    )
    ledger.close()


def rows(documents, stream):
    """Every (seq_num, data) of a stream, in the order emitted."""
    from materialsdock.ledger.documents import events

    uids = {d["uid"] for d in documents["descriptor"] if d["name"] == stream}
    return [
        row
        for name in ("event", "event_page")
        for document in documents[name]
        if document["descriptor"] in uids
        for row in events(name, document)
    ]


def assert_sound(rig, campaign):
    """No reading twice, none lost, one decision per step, the ledger as the bus, shutter closed."""
    primary, decision = rows(rig.documents, "primary"), rows(rig.documents, "decision")
    assert sorted(seq for seq, _ in primary) == list(range(1, len(primary) + 1))
    assert sorted(seq for seq, _ in decision) == list(range(1, len(decision) + 1))
    told = rig.ledger.observations("job")
    assert len(told) == len(primary)
    assert len(decision) == len(campaign.decisions) == len(rig.ledger.decisions("job"))
    assert [data["step"] for _, data in decision] == list(range(len(decision)))
    if campaign.job.sample.technique == "xas":
        assert [o.x for o in told] == [data["mono_energy"] for _, data in primary]
        np.testing.assert_allclose(
            [o.x for o in told], [d.proposal.start for d in campaign.decisions], atol=1e-3
        )
    assert rig.instrument.shutter.position == "closed"


@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_a_run_ends_by_itself_and_says_why(rig, technique):
    campaign, plan = rig.start(technique)
    rig.RE(plan())
    (stop,) = rig.documents["stop"]
    assert stop["exit_status"] == "success"
    assert stop["reason"] == campaign.verdict.reason
    assert campaign.finished
    assert set(rig.documents["start"][0]) >= {"job_id", "sample", "technique"}
    assert_sound(rig, campaign)


def pause_and_resume(rig, plan, after_messages):
    """Run `plan`, pausing at once when so many messages have passed, then resuming."""
    remaining = list(after_messages)
    seen = 0

    def hook(message):
        nonlocal seen
        seen += 1
        if remaining and seen >= remaining[0]:
            remaining.pop(0)
            threading.Thread(target=rig.RE.request_pause, daemon=True).start()
            time.sleep(0.02)

    rig.RE.msg_hook = hook
    try:
        rig.RE(plan())
    except RunEngineInterrupted:
        while rig.RE.state == "paused":
            try:
                rig.RE.resume()
            except RunEngineInterrupted:
                continue
    finally:
        rig.RE.msg_hook = None
    return len(after_messages) - len(remaining)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))]
)
@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_pauses_anywhere_repeat_nothing_and_lose_nothing(rig, technique, seed):
    rng = np.random.default_rng(seed)
    campaign, plan = rig.start(technique)
    paused = pause_and_resume(rig, plan, np.sort(rng.integers(8, 160, 4)).tolist())
    assert paused >= 1
    assert rig.documents["stop"][0]["exit_status"] == "success"
    assert_sound(rig, campaign)


def test_a_beam_dump_holds_the_run_with_the_shutter_closed(rig):
    beam = Beam(minimum_ma=50, resume_ma=90, wait_s=0.1)
    profile = config.load("sim", runner_site()).model_copy(update={"beam": beam})
    rig.RE.install_suspender(beam_suspender(profile, rig.instrument))
    campaign, plan = rig.start("xas")
    held = []

    def dump():
        while len(campaign.decisions) < 5:
            time.sleep(0.005)
        rig.instrument.ring.current.put(5.0, wait=True)
        time.sleep(0.6)
        held.append((len(campaign.decisions), rig.instrument.shutter.position))
        time.sleep(0.2)
        held.append((len(campaign.decisions), rig.instrument.shutter.position))
        rig.instrument.ring.current.put(100.0, wait=True)

    thread = threading.Thread(target=dump)
    thread.start()
    rig.RE(plan())
    thread.join()
    assert held[0] == held[1]
    assert held[0][1] == "closed"
    assert min(data["i0"] for _, data in rows(rig.documents, "primary")) > 0
    assert campaign.finished
    assert_sound(rig, campaign)


@pytest.mark.parametrize("how", ["abort", "halt", "stop"])
def test_every_exit_closes_the_shutter_and_keeps_what_was_measured(rig, how):
    campaign, plan = rig.start("xas")

    def interfere(message):
        if message.command == "trigger" and len(campaign.decisions) == 4:
            rig.RE.msg_hook = None
            threading.Thread(target=getattr(rig.RE, how), daemon=True).start()
            time.sleep(0.05)

    rig.RE.msg_hook = interfere
    with pytest.raises(RunEngineInterrupted):
        rig.RE(plan())
    assert rig.documents["stop"][0]["exit_status"] in {"abort", "success"}
    deadline = time.monotonic() + 2
    while rig.instrument.shutter.position != "closed" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert rig.instrument.shutter.position == "closed"
    assert len(rig.ledger.observations("job")) >= 4


def test_a_broken_detector_ends_the_run_safely(rig, faults):
    campaign, plan = rig.start("xas")

    def break_it(message):
        if message.command == "trigger" and len(campaign.decisions) == 3:
            faults("detector_nan", 1)

    rig.RE.msg_hook = break_it
    with pytest.raises((FailedStatus, MaterialsDockError)):
        rig.RE(plan())
    assert rig.documents["stop"][0]["exit_status"] == "fail"
    assert len(rig.ledger.observations("job")) == 3
    assert rig.instrument.shutter.position == "closed"


def test_without_beam_an_exposure_waits_with_the_shutter_closed(rig):
    rig.instrument.ring.current.put(3.0, wait=True)
    while rig.instrument.ring.current.get() > 50.0:  # the news comes by monitor
        time.sleep(0.01)
    seen = []

    def refill():
        time.sleep(0.4)
        seen.append(rig.instrument.shutter.position)
        rig.instrument.ring.current.put(100.0, wait=True)

    thread = threading.Thread(target=refill)
    thread.start()
    began = time.monotonic()

    def plan():
        yield from stubs.hold_for_beam(rig.instrument, "ring", 50.0, 90.0)
        seen.append(rig.instrument.shutter.position)

    rig.RE(plan())
    thread.join()
    assert time.monotonic() - began > 0.4
    assert seen == ["closed", "open"]
    assert rig.instrument.shutter.position == "closed"  # the RunEngine's own safe end


def test_thinking_does_not_stall_the_loop_and_passes_errors_on():
    engine = RunEngine({}, context_managers=[])
    longest, last = [0.0], [time.monotonic()]

    def beat():
        now = time.monotonic()
        longest[0] = max(longest[0], now - last[0])
        last[0] = now
        engine.loop.call_later(0.01, beat)

    def plan():
        answer = yield from stubs.think(lambda: time.sleep(0.5) or 42)
        assert answer == 42
        with pytest.raises(ZeroDivisionError):
            yield from stubs.think(lambda: 1 / 0)
        yield from bps.null()

    engine.loop.call_soon_threadsafe(beat)
    engine(plan())
    assert longest[0] < 0.25


def test_baselines_measure_what_they_say(rig):
    rig.RE.subscribe(lambda name, doc: rig.documents[name].append(doc))
    rig.RE(bps.mv(rig.instrument.sample_changer, 1))
    regions = [(7100.0, 7104.0, 2.0), (7104.0, 7106.0, 0.5)]
    rig.RE(scan.expert_energy(rig.instrument, regions, 0.1))
    energies = [data["mono_energy"] for _, data in rows(rig.documents, "primary")]
    np.testing.assert_allclose(energies, [7100, 7102, 7104, 7104.5, 7105, 7105.5, 7106], atol=1e-3)
    rig.RE(bps.mv(rig.instrument.sample_changer, 0))
    rig.documents.clear()
    rig.RE(scan.uniform_two_theta(rig.instrument, 20.0, 22.0, 101, 0.1))
    angles = [data["two_theta"] for _, data in rows(rig.documents, "primary")]
    np.testing.assert_allclose(angles, np.linspace(20.0, 22.0, 101), atol=1e-3)
    assert rig.instrument.shutter.position == "closed"


def test_a_step_scan_is_a_segment_done_slowly(rig):
    rig.RE.subscribe(lambda name, doc: rig.documents[name].append(doc))
    proposals = [Proposal(x, x, 0.1) for x in (21.0, 21.1)]
    rig.RE(scan.fixed(proposals, rig.instrument, measure_step))
    assert [
        set(data) >= {"two_theta", "counts", "count_time_s"}
        for _, data in rows(rig.documents, "primary")
    ] == [True, True]


def test_older_profiles_find_the_measuring_plans_where_they_were():
    assert stubs.measure_point is measure_point
    assert stubs.measure_step is measure_step
    assert stubs.measure_segment is measure_segment
