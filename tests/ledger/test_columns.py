"""Columns: whatever JSON is packed comes back to the letter."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.ledger import columns

texts = st.text() | st.uuids().map(str) | st.sampled_from(
    ["run/12", "run/013", "run/", "7", "", "a\n7", "1" * 30, "{}", '{"a": 1.0}', '{"a":1}', "{a"]
)  # fmt: skip
numbers = st.integers() | st.floats() | st.integers(2**53, 2**70) | st.integers(-(2**70), -(2**53))
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from("abc"), inner),
    max_leaves=40,
)


def same(one, other):
    """Equal to the last bit and letter, NaN and the order of keys too."""
    return json.dumps(one) == json.dumps(other)


@settings(max_examples=100, deadline=None)
@given(values)
def test_any_value_comes_back(value):
    assert same(columns.unpacked(columns.packed(value)), value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.fixed_dictionaries({"seq": st.integers(1, 99)}, optional={"x": values})))
def test_rows_that_are_nearly_alike_come_back(rows):
    packed = columns.packed({"rows": rows, "others": [1.0]})
    assert same(columns.unpacked(packed, "rows"), rows)
    assert columns.unpacked(packed, "others") == [1.0]


@pytest.mark.parametrize(
    "value",
    [
        [-0.0, 0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308],
        [2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 0, 10**40],
        ["\ud800", "\x00", "λ 試料"],
        [[], [[]], {}, {"": {}}],
        [1, 1.0, True, None, "1", [1], {"a": 1}],
    ],
)
def test_what_is_at_the_edge_comes_back(value):
    assert same(columns.unpacked(columns.packed(value)), value)


def test_nothing_is_taken_for_json_that_would_not_come_back():
    for text in (
        '{"a":1}',
        '{"a": 1e400}',
        '{"a": -0}',
        '{"a": 1, "a": 2}',
        "[1]",
        "{",
        '{"a": 1} ',
    ):
        assert columns.parsed(text) is None
    assert columns.parsed('{"a": NaN, "b": -0.0}') is not None


def test_what_is_alike_packs_to_a_tenth():
    rng = np.random.default_rng(0)
    rows = [
        {"uid": f"0b6d-run/{n}", "x": 7000.0 + n / 4, "y": float(rng.poisson(40)), "time": 1.0}
        for n in range(4000)
    ]
    assert len(columns.packed(rows)) < len(json.dumps(rows)) / 50


@pytest.mark.parametrize("at", [0.1, 0.5, 0.95])
def test_a_bit_that_fell_over_is_seen(at):
    packed = bytearray(columns.packed([{"x": n / 7} for n in range(100)]))
    packed[int(at * len(packed))] ^= 4
    with pytest.raises(columns.UNREADABLE):
        columns.unpacked(bytes(packed))
