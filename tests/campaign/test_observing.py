"""From events to observations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from materialsdock.campaign import observing
from materialsdock.errors import DeviceFault
from materialsdock.technique import EachByItself
from materialsdock.techniques.xas.reading import observe as spectrum_reading
from materialsdock.techniques.xrd.reading import observe as pattern_reading

OBSERVER = EachByItself(pattern_reading)


@given(counts=st.integers(0, 10**7), seconds=st.floats(1e-3, 1e3))
def test_counts_give_back_their_rate_and_poisson_sd(counts, seconds):
    data = {"two_theta": 30.0, "counts": counts, "count_time_s": seconds}
    x, rate, sigma, time = pattern_reading(data)
    assert (x, time) == (30.0, seconds)
    assert round(rate * seconds) == counts
    assert sigma * seconds == pytest.approx(math.sqrt(max(counts, 1)))


def test_absorption_is_the_log_ratio_with_counting_sd():
    energy, mu, sigma, _ = spectrum_reading(
        {"mono_energy": 7112.0, "i0": 1e4, "it": 1e3, "count_time_s": 1.0}
    )
    assert energy == 7112.0
    assert mu == pytest.approx(math.log(10))
    assert sigma == pytest.approx(math.sqrt(1e-4 + 1e-3))


@pytest.mark.parametrize("counts", [math.nan, -1.0, math.inf])
def test_impossible_counts_never_become_observations(counts):
    with pytest.raises(DeviceFault, match="counts"):
        pattern_reading({"two_theta": 1.0, "counts": counts, "count_time_s": 1.0})


@pytest.mark.parametrize(("i0", "it"), [(0, 1), (1, 0), (math.nan, 1), (5, -1)])
def test_a_blind_chamber_is_a_fault(i0, it):
    with pytest.raises(DeviceFault, match="ion chambers"):
        spectrum_reading({"mono_energy": 1.0, "i0": i0, "it": it, "count_time_s": 1.0})


def test_pages_and_events_give_the_same_observations():
    rows = [{"two_theta": 10.0 + i, "counts": 5 + i, "count_time_s": 1.0} for i in range(3)]
    page = {
        "descriptor": "d",
        "seq_num": [1, 2, 3],
        "data": {key: [row[key] for row in rows] for key in rows[0]},
    }
    paged = observing.observations(OBSERVER, "event_page", page, run_uid="r", step=4)
    single = [
        o
        for i, row in enumerate(rows)
        for o in observing.observations(
            OBSERVER, "event", {"seq_num": i + 1, "data": row}, run_uid="r", step=4
        )
    ]
    assert paged == single
    assert [o.uid for o in paged] == ["r/1", "r/2", "r/3"]
