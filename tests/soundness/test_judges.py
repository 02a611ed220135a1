"""Sentinels alarm when they should, and almost never when they should not."""

from __future__ import annotations

import numpy as np
import pytest

from materialsdock.errors import InputError
from materialsdock.soundness import judges

RNG = np.random.default_rng(11)


# dead detector


def test_no_counts_where_some_were_expected_hold_everything():
    expected = np.array([30.0, 8.0, 9.0, 7.0])
    alarm = judges.dead_detector(np.array([31.0, 0, 0, 0]), expected)
    assert (alarm.action, alarm.kind) == ("hold", "dead_detector")
    assert "24 were expected" in alarm.text


def test_no_counts_where_few_were_expected_are_no_alarm():
    assert judges.dead_detector(np.zeros(3), np.full(3, 2.0)) is None
    assert judges.dead_detector(np.zeros(2), np.full(2, 1e6)) is None


def test_the_same_number_again_and_again_is_no_detector():
    assert judges.dead_detector(np.full(3, 1e6), np.full(3, 1e6)).action == "hold"
    assert judges.dead_detector(np.full(3, 4.0), np.full(3, 4.0)) is None
    assert "at 9 points" in judges.dead_detector(np.full(9, 12.0), np.full(9, 12.0)).text


def test_false_alarms_of_a_living_detector():
    alarms = 0
    for mean in np.geomspace(0.1, 1e6, 20):
        counts = RNG.poisson(mean, 50_000).astype(float)
        # only runs of equal numbers can alarm: the others are cleared without asking one by one
        suspect = np.flatnonzero((counts[2:] == counts[1:-1]) & (counts[1:-1] == counts[:-2])) + 3
        expected = np.full(counts.size, mean)
        for end in suspect:
            seen = slice(max(0, end - 40), end)
            alarms += judges.dead_detector(counts[seen], expected[seen]) is not None
    assert alarms <= 1


# incident beam


def test_a_beam_that_drifts_is_flagged_and_one_that_goes_is_held():
    time = np.ones(30)
    rates = np.full(30, 1e4)
    assert judges.intensity_drift(rates, time) is None
    rates[-3:] = 0.7e4
    assert judges.intensity_drift(rates, time).action == "flag"
    rates[-3:] = 0.4e4
    assert judges.intensity_drift(rates, time).action == "hold"
    assert judges.intensity_drift(np.zeros(30), time).action == "hold"


def test_a_drift_is_seen_within_three_points():
    rates = np.r_[np.full(20, 1e4), np.full(3, 0.7e4)]
    for n in (21, 22):
        assert n == 22 or judges.intensity_drift(rates[:n], np.ones(n)) is None
    assert judges.intensity_drift(rates, np.ones(23)) is not None


def test_false_alarms_of_a_flickering_beam():
    alarms = 0
    for _ in range(5_000):
        beam = 1e4 * (1 + 0.03 * RNG.standard_normal(30))
        alarms += judges.intensity_drift(RNG.poisson(beam) / 1.0, np.ones(30)) is not None
    assert alarms == 0


def test_the_beam_that_comes_back_must_be_the_one_that_went():
    assert judges.beam_proof(1e5, 0.9e5, 1.0) is None
    assert judges.beam_proof(1e5, 0.7e5, 1.0).action == "hold"
    assert judges.beam_proof(10.0, 6.0, 1.0) is None  # ten counts prove nothing
    with pytest.raises(InputError):
        judges.beam_proof(0.0, 1.0, 1.0)
    back = RNG.poisson(100.0, 50_000)
    assert sum(judges.beam_proof(100.0, float(n), 1.0) is not None for n in back) <= 1


# absorption


def edge(energy_ev):
    return 0.7 + np.arctan((energy_ev - 7112.0) / 1.5) / np.pi


def test_revisits_keep_to_their_share():
    spent = total = 0.0
    for _ in range(5_000):
        if judges.revisit_due(total, spent, 3.0):
            spent, total = spent + 3.0, total + 3.0
        total += 1.0
    assert 0.045 < spent / total <= 0.05


# damage


def visits(mean, seconds, change=1.0, places=40, rng=RNG):
    x = np.tile(np.arange(places, dtype=float), 2)
    rate = np.r_[mean, change * mean]
    counts = rng.poisson(rate * seconds).astype(float)
    time = np.full(2 * places, seconds)
    return x, counts / time, np.sqrt(np.maximum(counts, 1)) / time, time


def damaged(data, scale="factor"):
    x, y, sigma, time = data
    known = {"count_time_s": time} if scale == "factor" else {}
    return judges.sample_damage(x, y, sigma, scale=scale, tolerance=0.01, **known)


def peaks(places=40):
    return 20 + 900 * np.exp(-0.5 * ((np.arange(places) - 20) / 3) ** 2)


def test_peaks_that_fade_are_damage_and_a_weaker_beam_is_not():
    faded = np.where(peaks() > 100, 0.7, 1.0)
    assert damaged(visits(peaks(), 20.0, faded)).action == "held"
    assert damaged(visits(peaks(), 20.0, 0.6)) is None
    assert damaged(visits(peaks()[:1], 1.0, 0.1, places=1)) is None


@pytest.mark.parametrize("level", [5.0, 50.0, 5_000.0])
def test_false_alarms_of_a_sample_that_lasts(level):
    mean = level * peaks() / peaks().mean()
    assert sum(damaged(visits(mean, 1.0)) is not None for _ in range(1_000)) <= 3


def test_false_alarms_in_absorption_with_another_gain():
    x = np.tile(np.linspace(7100.0, 7130.0, 30), 2)
    alarms = 0
    for _ in range(2_000):
        y = edge(x) + 0.01 * RNG.standard_normal(60) + np.r_[np.zeros(30), np.full(30, 0.05)]
        data = (x, y, np.full(60, 0.01), np.ones(60))
        alarms += damaged(data, "offset") is not None
    assert alarms <= 4
    bleached = np.r_[edge(x[:30]), edge(x[:30] + 1.0)]
    assert damaged((x, bleached, np.full(60, 0.01), np.ones(60)), "offset").kind == "damage"


# progress


def stuck(proposed, statistic, **terms):
    known = {"tolerance": 0.1, "budget_left": True, **terms}
    return judges.no_progress(np.array(proposed), np.array(statistic), **known)


def test_a_learner_that_has_stopped_learning_is_noticed():
    assert "3 times" in stuck([1.0, 5.0, 5.05, 5.0], [1.0, 0.9, 0.8, 0.7]).text
    assert stuck([1.0, 2.0], [1.0, np.nan]).action == "held"
    flat = 0.5 + 1e-4 * RNG.standard_normal(60)
    assert stuck(np.arange(60.0), flat).action == "flag"
    assert stuck(np.arange(60.0), flat, budget_left=False) is None
    assert stuck([], []) is None


def test_false_alarms_of_a_learner_that_learns():
    alarms = 0
    for _ in range(2_000):
        steps = RNG.uniform(0, 100, 300)
        falling = np.geomspace(1.0, 0.1, 300) * (1 + 0.03 * RNG.standard_normal(300))
        ends = RNG.integers(60, 300, 4)
        alarms += any(stuck(steps[:n], falling[:n]) is not None for n in ends)
    assert alarms == 0
