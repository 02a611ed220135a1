"""A simulated multi-element detector loses counts as such detectors do."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from sim_devices.detectors import SHARES, MultiElement
from sim_devices.scenes.xas import AbsorptionScene, energy_through
from sim_devices.world import World


@pytest.mark.parametrize("paralysable", [False, True])
def test_pulses_out_follow_the_law_of_its_dead_time(paralysable):
    detector = MultiElement(dead_time_s=2e-6, paralysable=paralysable)
    roi, into, out = detector.counted(2e5, 50.0, np.random.default_rng(1))
    busy = np.array(SHARES) * 2e5 / detector.region * 2e-6
    free = np.exp(-busy) if paralysable else 1 / (1 + busy)
    assert out / into == pytest.approx(free, rel=2e-3)
    assert roi == pytest.approx(50.0 * out * detector.region, rel=5e-3)
    assert (roi * into / out).sum() == pytest.approx(2e5 * 50.0, rel=2e-3)


def test_a_dead_element_shows_nothing_and_the_others_go_on():
    roi, into, out = MultiElement(dead=3).counted(1e4, 1.0, np.random.default_rng(1))
    assert [each[2] for each in (roi, into, out)] == [0, 0, 0]
    assert (np.delete(roi, 2) > 0).all()


def test_a_detector_draws_the_same_whatever_the_scaler_has_drawn():
    """Resumed, a measurement sees the counts that it would have seen."""
    energy = np.array([7100.0, 7200.0])

    beamline = SimpleNamespace(
        bragg=SimpleNamespace(readback=math.degrees(math.asin(12398.42 / (2 * 3.1356 * 7150.0)))),
        faults=SimpleNamespace(energy_drift_ev=SimpleNamespace(value=0.0)),
        intensity=1.0,
        sample_seen=lambda: True,
    )

    def drawn(visits, times, scaler):
        scene = AbsorptionScene(energy, np.ones(2), 1e5, visits, fluorescence=np.ones(2))
        sample = World({1: scene}, 5).sample(1)
        for _ in range(scaler):
            sample.channels(beamline, 1.0)
        return [sample.elements(beamline, 1.0, MultiElement())[0].tolist() for _ in range(times)]

    place, whole = round(energy_through(beamline) * 1e4), drawn({}, 3, 0)
    assert drawn({}, 3, 2) == whole
    assert drawn({place: 2}, 1, 0) == whole[2:]
    assert whole[0] != whole[1]
