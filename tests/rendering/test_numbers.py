"""Numbers as the field prints them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.rendering.numbers import with_both


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
