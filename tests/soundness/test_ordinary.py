"""The sentinels that every technique has: of counts, and of places counted again."""

from __future__ import annotations

import numpy as np
from support.readings import readings

from materialsdock.model import Axis
from materialsdock.soundness import ordinary
from materialsdock.soundness.ordinary import rates_changed


def test_a_beam_that_fades_is_no_damage():
    rng = np.random.default_rng(5)
    x = np.tile(np.arange(40.0), 2)
    monitor = np.repeat([1e5, 0.5e5], 40)
    mean = np.tile(20 + 900 * np.exp(-0.5 * ((np.arange(40) - 20) / 3) ** 2), 2)
    fading = np.linspace(1.0, 0.5, 80)
    counts = rng.poisson(20 * mean * fading)
    assert rates_changed(readings(x, counts, 1e5 * fading * 20, 20.0), 0.5) is None
    bleached = rng.poisson(20 * np.where((mean > 100) & (np.arange(80) > 39), 0.7, 1) * mean)
    assert rates_changed(readings(x, bleached, monitor * 0 + 2e6, 20.0), 0.5).action == "held"


def test_they_ask_for_no_visits_and_hold_no_learner_for_stuck():
    assert ordinary.visits(None, None, 0.05) is None
    assert ordinary.stuck(()) is None


def test_a_dead_detector_and_a_sample_that_changed_are_seen_by_counts_alone():
    axis = Axis("angle", "deg", np.arange(40.0), 0.5)
    mean = 20 + 900 * np.exp(-0.5 * ((np.arange(40) - 20) / 3) ** 2)
    counts = np.random.default_rng(7).poisson(np.r_[mean, mean]).astype(float)
    recorded = readings(np.tile(np.arange(40.0), 2), counts)
    assert ordinary.after_sweep(recorded, axis, 0.2) is None
    assert ordinary.dead(recorded, counts) is None
    destroyed = readings(recorded.x, np.r_[counts[:40], counts[:40] * 0 + 20])
    assert ordinary.after_sweep(destroyed, axis, 0.2).kind == "damage"
    dark = readings(np.arange(3.0), np.zeros(3))
    assert ordinary.dead(dark, np.full(3, 100.0)).kind == "dead_detector"
