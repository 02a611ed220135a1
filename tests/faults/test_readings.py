"""F09, F10, F13, F16: what is read is wrong, though everything answers."""

from __future__ import annotations

import time

import pytest
from support.faults.checker import FEW, breaks
from support.faults.rig import calm, profile, record, rig, until, within, write_edge

from materialsdock.night.queue import queue

LIMIT = 5e5  # counts; the first chamber counts 1e5 in a second
CHAMBERS = (
    '{ class = "devices.counters:IonChambers", prefix = "SIM:scaler1", '
    f"options = {{ saturation_counts = {LIMIT} }} }}"
)
HYSTERESIS_S, FLICKER_S = 6.0, 15.0
CHANGES = {
    **profile(),
    "ion_chambers   ": CHAMBERS,
    "reference_share": "0.3",
    "hysteresis_s": f"{HYSTERESIS_S}",
}
BRIGHT_S, TOO_BRIGHT_S = 8.0, 200.0  # a sixteenth of the second is too long, too


@pytest.fixture(scope="module")
def going(tmp_path_factory):
    """A night of points that are counted for 2 s."""
    with rig(tmp_path_factory.mktemp("readings"), changes=CHANGES) as made:
        write_edge(made.folder / "edge.dat", white=0.0)  # whose contrast no shift changes
        made.submit(made.edges(20, points=200, threshold=1e-6, count_time_s=2.0))
        yield made


@pytest.fixture
def night(going):
    calm(going)
    going.seen()
    return going


def after_the_edge(night):
    """The sample that is measured, when its edge is known and much is still to come."""

    def points():
        name = night.measured_now()
        job = name and night.sample(name).job_id
        return len(night.ledger.observations(job)) if job else 0

    until(lambda: 40 <= points() <= 100, 60.0, "a sample whose edge is known")
    return night.measured_now()


def flags(night, sample):
    return [
        n.body["words"]
        for n in night.notes(0, "condition")
        if n.sample_id == sample and n.body["kind"] == "flag"
    ]


def next_is(night, number, **more):
    """Stop what is measured, and begin with this sample; its id."""
    (row,) = night.edges(1, first=number, points=30, priority=9, **more)
    night.submit([row])
    assert night.ask("stop").state == "done"
    return row["sample_id"]


def test_saturation_is_counted_for_a_shorter_time_and_flagged(night):
    sample = next_is(night, 900, count_time_s=BRIGHT_S)
    until(lambda: night.sample(sample).job_id, within(10), "begun")
    began = time.monotonic()
    until(lambda: night.sample(sample).state not in ("queued", "measuring"), within(30), "measured")
    job = night.sample(sample).job_id
    assert {o.count_time_s for o in night.ledger.observations(job)} == {BRIGHT_S / 4}
    (flag,) = flags(night, sample)
    assert f"counted again for {BRIGHT_S / 4:g} s" in flag
    until(lambda: night.sample(sample).state == "done_with_warnings", within(30), "analysed")
    record("F09 saturation", measured_s=time.monotonic() - began)


def test_saturation_in_the_shortest_time_sets_the_sample_aside(night):
    sample = next_is(night, 901, count_time_s=TOO_BRIGHT_S)
    until(lambda: night.sample(sample).state == "held", within(20), "held")
    began = time.monotonic()
    assert f"even in {TOO_BRIGHT_S / 16:g} s" in night.sample(sample).reason
    record("F09 saturation, too bright", again_s=night.again_after(began, 20))


@pytest.mark.parametrize(
    ("row", "fault", "value", "words"),
    [
        ("F10 detector constant", "detector_constant", 190_000, "exactly 190000 counts"),
        ("F16 beam -70 %", "i0_drift", 0.3, "the incident beam is -70%"),
        ("F16 energy +3 eV", "energy_drift_ev", 3.0, "has moved by"),
    ],
)
def test_a_wrong_reading_holds_until_it_is_right_again(night, row, fault, value, words):
    sample, seq, began = after_the_edge(night), night.last_note(), time.monotonic()
    before = night.points()
    night.switch(fault, value)
    seen = night.told_after(seq, began, "'kind': 'alarm'", within(20))
    safe = night.safe_after(began + seen, 3)
    points = night.points()
    assert fault == "energy_drift_ev" or points - before <= 3 + 2  # while the switch was written
    time.sleep(1.0)
    assert night.points() == points
    night.switch(fault, 0)
    again = night.again_after(time.monotonic(), 30)
    (alarm,) = [n for n in night.notes(seq, "condition") if n.body["kind"] == "alarm"]
    assert words in alarm.body["words"]
    assert any("it has passed" in flag for flag in flags(night, sample))
    record(row, detect_s=seen, points=str(points - before), safe_s=safe, again_s=again)


def test_a_weaker_beam_is_flagged_and_measured_with(night):
    sample, seq, began = after_the_edge(night), night.last_note(), time.monotonic()
    night.switch("i0_drift", 0.7)
    seen = night.told_after(seq, began, "the incident beam is -30%", within(5))
    night.measuring(5)
    night.switch("i0_drift", 0)
    assert [n.body["kind"] for n in night.notes(seq, "condition")] == ["flag"]
    assert flags(night, sample)
    record("F16 beam -30 %", detect_s=seen)


def test_a_flickering_beam_makes_few_holds(night):
    seq = night.last_note()
    night.switch("beam_flicker", 0.5)
    time.sleep(FLICKER_S)
    night.switch("beam_flicker", 0)
    ended = time.monotonic()
    again = night.again_after(ended, 20)
    holds = [n for n in night.notes(seq, "condition") if n.body["kind"] == "hold"]
    assert 1 <= len(holds) <= 1 + FLICKER_S / HYSTERESIS_S
    assert len(holds) + 2 < FLICKER_S * 0.5, "it would have been one for each dump"
    record("F13 flicker 0.5 Hz", holds=str(len(holds)), again_s=again)


def test_nothing_is_broken_and_wrong_points_are_flagged(night):
    night.finish()
    flagged = [s.sample_id for s in queue.samples(night.ledger) if flags(night, s.sample_id)]
    broken = breaks(night.ledger, night.history, at_most=FEW)
    assert [
        words
        for words in broken
        if not words.startswith(tuple(f"I11: {sample}" for sample in flagged))
    ] == []
    for sample in flagged:
        assert night.sample(sample).state in ("done_with_warnings", "held", "cancelled")
