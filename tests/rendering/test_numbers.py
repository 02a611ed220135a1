"""Numbers with both their uncertainties, and plurals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.rendering.numbers import many, with_esd, with_esds


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((4.156826, 0.00002, 0.00004), "4.15683(2)[4]"),
        ((4.156826, 0.00002, 0.0011), "4.15683(2)[110]"),
        ((55.123, 0.23, 1.31), "55.1(2)[13]"),
        ((55.123, 0.5, 0.02), "55.12(50)[2]"),
        ((55.123, 0.23, None), "55.1(2)"),
        ((55.123, 0.23, 0.0), "55.1(2)"),
        ((55.12, None, 1.3), "55[1]"),
        ((12345.0, 30.0, 400.0), "12340(30)[400]"),
        ((1.2345e-9, 2e-12, 5e-12), "1.234(2)[5]e-9"),
        ((5.0, None, None), "5"),
        ((7122.4174, 0.00002, 0.022), "7122.42[2]"),
        ((7122.4174, 0.022, 0.00002), "7122.42(2)"),
        ((None, 1.0, 1.0), "—"),
        ((5.1, math.nan, 0.1), "5.1[1]"),
    ],
)
def test_both_uncertainties_stand_behind_the_value(given, text):
    assert with_esds(*given) == text


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 1e5), st.floats(1e-4, 1e2))
def test_without_a_systematic_one_it_is_the_usual_notation(value, esd):
    assert with_esds(value, esd, None) == with_esd(value, esd)


def test_one_is_no_plural():
    assert many(1, "trial") == "1 trial"
    assert many(0, "trial") == "0 trials"
