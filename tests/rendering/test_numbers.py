"""Numbers with both their uncertainties, and plurals."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.rendering.numbers import many, with_both, with_esd, with_esds


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


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ((7123.2178, 0.0243, 0.1271), "7123.22(2)[13]"),
        ((0.31415, 0.002, 0.0003), "0.3141(20)[3]"),
        ((12345.6, 30.0, 120.0), "12350(30)[120]"),
        ((-0.004, 0.0001, 0.01), "-0.004(0)[10]"),
        ((1.0, 0.0, 0.0), "1"),
        ((1.0, math.inf, 0.1), "1"),
        ((math.nan, 0.1, 0.1), "—"),
    ],
)
def test_both_standard_deviations_count_units_of_the_last_digit(number, text):
    assert with_both(*number) == text


@settings(max_examples=50)
@given(st.floats(-1e5, 1e5), st.floats(1e-4, 1e3), st.floats(1e-4, 1e3))
def test_what_is_written_is_within_half_a_unit_of_what_is_meant(value, statistical, systematic):
    text = with_both(value, statistical, systematic)
    head, one, other = re.fullmatch(r"(.+)\((\d+)\)\[(\d+)\]", text).groups()
    unit = 10.0 ** -len(head.partition(".")[2])
    larger = max(statistical, systematic)
    assert abs(float(head) - value) <= 0.051 * larger + 1e-9
    for written, meant in ((one, statistical), (other, systematic)):
        assert abs(int(written) * unit - meant) <= 0.051 * larger + 1e-9
