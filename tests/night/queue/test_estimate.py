"""The end of a night: calibrated over simulated nights, learning while it runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.ledger.facts import set_fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import estimate, history, queue
from materialsdock.night.queue.history import Spent
from materialsdock.night.queue.states import following

RECIPES = {"xanes": (300.0, 0.25), "phases": (900.0, 0.5), "exafs": (1800.0, 0.35)}


def drawn(rng, recipe):
    """Measuring and analysing seconds of one sample: log-normal, as adaptive stops are."""
    median, sd = RECIPES[recipe]
    return median * np.exp(sd * rng.standard_normal()), 60.0 * np.exp(0.3 * rng.standard_normal())


def spent_on(recipe, measuring_s, analysing_s=60.0):
    return Spent("S", recipe, "done", measuring_s, analysing_s, measuring_s / 2, True, True)


def ends_at(samples):
    clock = analysed = 0.0
    for measuring_s, analysing_s in samples:
        clock += measuring_s
        analysed = max(clock, analysed) + analysing_s
    return analysed


def one_night(rng):
    """(P50, P90, what was needed) [s] at a random moment of a night of 8 to 24 samples."""
    names = rng.choice(list(RECIPES), rng.integers(8, 25))
    times = [drawn(rng, name) for name in names]
    done = int(rng.integers(3, len(names) - 1))
    elapsed = rng.uniform(0, times[done][0])
    known = estimate.known_from(
        [spent_on(n, *t) for n, t in zip(names[:done], times, strict=False)], {}
    )
    left = [estimate.Left(names[done], True, elapsed)] + [
        estimate.Left(n) for n in names[done + 1 :]
    ]
    found = estimate.finish(left, known, nights=400)
    first = (times[done][0] - elapsed, times[done][1])
    return found.p50_s, found.p90_s, ends_at([first, *times[done + 1 :]])


def test_it_is_calibrated_over_simulated_nights():
    rng = np.random.default_rng(20261121)
    p50, p90, needed = np.array([one_night(rng) for _ in range(500)]).T
    covered, half = np.mean(needed <= p90), np.mean(needed <= p50)
    wide = np.median(p90 / p50)
    print(f"P90 covers {covered:.1%}, P50 {half:.1%}, P90 / P50 {wide:.2f}")
    assert 0.88 <= covered <= 0.97
    assert 0.40 <= half <= 0.62
    assert wide < 1.6


def test_a_forecast_counts_until_samples_have_finished():
    left = [estimate.Left("xanes")] * 10
    ahead = estimate.known_from([], {"xanes": [estimate.Foretold(t) for t in (100.0, 110.0, 90.0)]})
    first = estimate.finish(left, ahead)
    assert first.p50_s == pytest.approx(1000, rel=0.15)
    assert first.basis == {"xanes": "its forecast"}
    slow = [spent_on("xanes", t) for t in (400.0, 420.0, 380.0)]
    later = estimate.finish(left, estimate.known_from(slow, {"xanes": [estimate.Foretold(100.0)]}))
    assert later.p50_s == pytest.approx(4000, rel=0.1)
    assert later.basis == {"xanes": "3 finished"}


@pytest.mark.parametrize("exafs", [{}, {"exafs": [estimate.Foretold(9000.0, 5.0)]}])
def test_a_forecast_is_scaled_by_how_much_longer_finished_samples_took(exafs):
    done = [spent_on("exafs", 500.0)]  # 250 s of instrument time, 6.25 s if it were as rehearsed
    forecast = {"xanes": [estimate.Foretold(100.0, 5.0)], **exafs}
    known = estimate.known_from(done, forecast, speed=200.0)
    assert known.measuring["xanes"].seconds[0] == pytest.approx(80.0 * 5.5)
    real = estimate.known_from(done, {"xanes": [estimate.Foretold(100.0)]})
    assert list(real.measuring["xanes"].seconds) == [200.0]


def test_before_any_has_finished_a_forecast_is_of_the_profiles_speed(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert estimate.speed_of(ledger) == 1.0  # a real instrument
        estimate.keep_forecast(
            ledger, {"xanes": [estimate.Foretold(1.0)], "exafs": [estimate.Foretold(5.0)]}
        )
        estimate.keep_forecast(ledger, {"xanes": [estimate.Foretold(1000.0, 3.0)]})
        set_fact(ledger, estimate.SPEED, 200.0)
        known = estimate.known_from([], estimate.forecast_of(ledger), estimate.speed_of(ledger))
    assert list(known.measuring["xanes"].seconds) == [8.0]
    assert list(known.measuring["exafs"].seconds) == [0.025]


def test_a_running_sample_conditions_its_own_time():
    known = estimate.known_from([spent_on("xanes", t) for t in (100.0, 105.0, 300.0, 310.0)], {})
    fresh = estimate.finish([estimate.Left("xanes")], known)
    late = estimate.finish([estimate.Left("xanes", True, 200.0)], known)
    assert late.p50_s - 60 < 150 < fresh.p50_s
    beyond = estimate.finish([estimate.Left("xanes", True, 5000.0)], known)
    assert 60 < beyond.p50_s < 1000


def test_nothing_comparable_is_said_and_not_guessed():
    unknown = estimate.finish([estimate.Left("xanes")], estimate.known_from([], {}))
    assert unknown.p90_s is None
    assert "nothing of its kind" in unknown.basis["xanes"]
    other = estimate.finish(
        [estimate.Left("xanes")], estimate.known_from([spent_on("exafs", 500.0)], {})
    )
    assert other.basis == {"xanes": "other recipes"}
    assert estimate.finish([], estimate.known_from([], {})).p90_s == 0.0


def test_the_last_analysis_counts():
    known = estimate.known_from([spent_on("xanes", 100.0, 1000.0)], {})
    one = estimate.finish([estimate.Left("xanes", measure=False)], known)
    assert one.p50_s == pytest.approx(1000.0, rel=0.1)
    assert estimate.finish([estimate.Left("xanes")] * 2, known).p50_s == pytest.approx(
        2100.0, rel=0.1
    )


@settings(max_examples=30)
@given(
    st.lists(st.floats(1.0, 1e5), min_size=1, max_size=8),
    st.lists(st.floats(0.0, 1e6), min_size=1, max_size=5),
)
def test_it_is_positive_ordered_and_the_same_each_time(times, elapsed):
    known = estimate.known_from([spent_on("xanes", t) for t in times], {})
    left = [estimate.Left("xanes", True, seconds) for seconds in elapsed]
    found = estimate.finish(left, known, nights=100)
    assert 0 < found.p50_s <= found.p90_s < float("inf")
    assert estimate.finish(left, known, nights=100) == found


def log_of(ledger, steps, monkeypatch):
    """Walk one sample through (time, event) and jumps of the clock."""
    queue.submit(ledger, [("S1", 0, {"recipe": "xanes"})])
    for at, event in steps:
        monkeypatch.setattr(queue.time, "time", lambda at=at: at)
        if event == "jump":
            queue.note(ledger, "clock_jump", {"seconds": 5000.0}, severity="warn")
        else:
            queue.advance(ledger, "S1", event)


def test_times_are_read_from_the_log_without_jumps_of_the_clock(tmp_path, monkeypatch):
    steps = [
        (1000.0, "claim"),
        (1100.0, "interrupted"),
        (1150.0, "claim"),
        (6200.0, "jump"),  # 50 s after the claim
        (6300.0, "measured"),
        (6310.0, "analyse"),
        (6350.0, "finish"),
    ]
    assert following("analysing", "finish") == "done"
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        log_of(ledger, steps, monkeypatch)
        (took,) = history.spent(ledger, 9999.0)
    assert (took.recipe, took.state, took.measured, took.analysed) == ("xanes", "done", True, True)
    assert took.measuring_s == pytest.approx(100.0 + 150.0)
    assert took.analysing_s == pytest.approx(40.0)


@pytest.mark.parametrize("event", ["fault", "aborted"])
def test_what_was_given_up_tells_nothing_of_how_long_it_takes(tmp_path, monkeypatch, event):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        log_of(ledger, [(1000.0, "claim"), (1000.2, event)], monkeypatch)
        (took,) = history.spent(ledger, 1001.0)
        assert not took.measured
        assert estimate.known_from([took], {}).measuring == {}


def test_what_goes_on_is_counted_until_now(tmp_path, monkeypatch):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        log_of(
            ledger,
            [
                (1000.0, "claim"),
                (1010.0, "measured"),
                (1010.0, "analyse"),
                (1020.0, "analysis_interrupted"),
            ],
            monkeypatch,
        )
        (took,) = history.spent(ledger, 1030.0)
        assert (took.measuring_s, took.analysed) == (10.0, False)
        left = estimate.left_of(queue.samples(ledger), [took])
    assert left == [estimate.Left("xanes", measure=False)]


def test_a_night_goes_on_after_a_killed_daemon_and_ends_with_an_orderly_one(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert history.night_began(ledger) is None
        first = queue.note(ledger, "daemon", {"started": True})
        queue.note(ledger, "daemon", {"started": True})
        assert history.night_began(ledger).seq == first
        queue.note(ledger, "daemon", {"started": False})
        assert history.night_began(ledger).seq == first
        second = queue.note(ledger, "daemon", {"started": True})
        assert history.night_began(ledger).seq == second
