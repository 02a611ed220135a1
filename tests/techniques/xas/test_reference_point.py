"""The rising edge shows a shift of the energy scale, and almost never of none."""

from __future__ import annotations

import numpy as np
import pytest
from support.made_site import edge_mu
from support.readings import transmitted
from support.sentry_jobs import INITIAL

from materialsdock.errors import InputError
from materialsdock.techniques.xas import reference_point as reference_points
from materialsdock.techniques.xas.reference_point import Reference, places

RNG = np.random.default_rng(11)


def edge(energy_ev):
    return 0.7 + np.arctan((energy_ev - 7112.0) / 1.5) / np.pi


def test_the_reference_lies_on_the_rising_edge():
    energy = np.linspace(7090.0, 7140.0, 201)
    noisy = edge(energy) + 0.004 * RNG.standard_normal(energy.size)
    reference = reference_points.reference_point(energy, noisy, np.full(energy.size, 0.002), 1.0)
    assert abs(reference.energy_ev - 7112.0) < 1.0
    assert reference.slope == pytest.approx(1 / (np.pi * 1.5), rel=0.25)
    with pytest.raises(InputError, match="no rising edge"):
        reference_points.reference_point(energy, -energy, np.ones(energy.size), 1.0)


@pytest.mark.parametrize("shift_ev", [0.5, -0.5])
def test_a_drift_in_energy_is_seen_in_its_size(shift_ev):
    reference = Reference(7112.0, float(edge(7112.0)), 0.002, 1 / (np.pi * 1.5))
    alarm = reference_points.energy_drift(reference, float(edge(7112.0 - shift_ev)), 0.003)
    assert alarm.action == "flag"
    found = float(alarm.text.partition(" by ")[2].split()[0])
    assert found == pytest.approx(shift_ev, abs=0.05)
    assert reference_points.energy_drift(reference, float(edge(7110.0)), 0.003).action == "hold"


def test_false_alarms_of_an_energy_scale_that_stays():
    reference = Reference(7112.0, 0.7, 0.002, 0.2)
    noise = np.hypot(0.002, 0.004) * RNG.standard_normal(200_000)
    rate = np.mean(
        [reference_points.energy_drift(reference, 0.7 + n, 0.004) is not None for n in noise]
    )
    assert 0.002 < rate < 0.0035


def test_places_lie_on_the_edge_its_top_and_its_foot():
    energy = np.array(sorted({*INITIAL, *np.arange(7108.0, 7120.0, 0.5)}), float)
    known = transmitted(energy, 1e6 * np.exp(-edge_mu(energy)), np.full(energy.size, 1e6))
    found = places(known, 1.2)
    assert abs(found.edge.energy_ev - 7112.0) <= 2.0
    assert abs(found.top_ev - 7115.5) <= 1.0
    assert found.foot_ev < 7100.0
    falling = np.linspace(1e5, 5e5, energy.size)
    flat = transmitted(energy, falling, np.full(energy.size, 1e6))
    assert places(flat, 1.2) is None
