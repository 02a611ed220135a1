"""The counts expected of a living detector, from what it has shown before."""

from __future__ import annotations

import numpy as np
import pytest
from support.readings import readings

from materialsdock.soundness.judges import dead_detector
from materialsdock.soundness.readings import NONE_YET, expected_counts


def test_little_is_expected_of_what_is_not_known():
    new = readings([30.0], [0.0])
    assert expected_counts(NONE_YET, new) == 0
    assert expected_counts(readings(np.arange(10), np.full(10, 50.0)), new) == 0


def test_points_of_a_dead_detector_are_no_measure_of_it():
    alive = readings(np.arange(80), np.full(80, 40.0))
    dead = readings(np.arange(80, 110), np.zeros(30))
    beyond = readings([50.5, 110.0], [0.0, 0.0])
    assert expected_counts(alive + dead, beyond) == pytest.approx([20.0, 20.0])


def test_false_alarms_behind_peaks_without_background():
    rng, alarms = np.random.default_rng(3), 0
    x = np.arange(300.0)
    for _ in range(30):
        width, height = rng.uniform(2, 20), 10 ** rng.uniform(1, 4)
        rate = 0.02 + height * np.exp(-0.5 * ((x - 150) / width) ** 2)
        counts = rng.poisson(rate).astype(float)
        known, expected = NONE_YET, np.zeros(0)
        for at in range(300):
            new = readings(x[at : at + 1], counts[at : at + 1])
            expected = np.r_[expected, expected_counts(known, new)]
            known += new
            alarms += dead_detector(counts[: at + 1], expected) is not None
    assert alarms == 0
