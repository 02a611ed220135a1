"""The table of rules for what follows a fault, cell by cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from materialsdock import errors
from materialsdock.night.queue.after_fault import BY_CODE, FaultAction, after_fault, fault_class
from materialsdock.night.queue.states import following

DELAYS = (10.0, 60.0)
COMMON = "3 different samples failed in a row, last a"
sample_ids = st.sampled_from("abcdefg")
many = st.lists(sample_ids, max_size=5)


@pytest.mark.parametrize(
    ("kind", "failures", "before", "action"),
    [
        ("operator", 0, (), FaultAction("aborted")),
        ("operator", 9, ("b", "c", "d"), FaultAction("aborted")),
        ("infrastructure", 0, (), FaultAction("interrupted", 10.0)),
        ("infrastructure", 1, (), FaultAction("interrupted", 60.0)),
        ("infrastructure", 2, (), FaultAction("fault")),
        ("infrastructure", 3, ("a",), FaultAction("fault")),
        ("infrastructure", 0, ("b", "c"), FaultAction("interrupted", 10.0)),
        ("infrastructure", 2, ("b", "c"), FaultAction("fault", hold_all=COMMON)),
        ("sample", 0, (), FaultAction("fault")),
        ("sample", 0, ("b",), FaultAction("fault")),
        ("sample", 0, ("b", "b", "b"), FaultAction("fault")),
        ("sample", 0, ("a", "b"), FaultAction("fault")),
        ("sample", 0, ("b", "c"), FaultAction("fault", hold_all=COMMON)),
    ],
)
def test_each_fault_has_its_answer(kind, failures, before, action):
    assert after_fault(kind, "a", failures, before, retry_delays_s=DELAYS) == action


@given(
    st.sampled_from(("infrastructure", "sample", "operator")),
    sample_ids,
    st.integers(0, 9),
    many,
    st.lists(st.floats(0, 1e4), max_size=4),
    st.integers(1, 4),
)
def test_every_answer_is_legal_and_finite(kind, sample_id, failures, before, delays, in_a_row):
    action = after_fault(
        kind, sample_id, failures, before, retry_delays_s=delays, in_a_row=in_a_row
    )
    assert following("measuring", action.event) in ("queued", "held")
    assert action.delay_s == (delays[failures] if action.event == "interrupted" else 0.0)
    if kind == "operator":
        assert action == FaultAction("aborted")
    if failures >= len(delays):
        assert action.event != "interrupted"  # no sample is tried for ever
    different = len({*before, sample_id})
    assert (action.hold_all is not None) == (action.event == "fault" and different >= in_a_row)


def test_every_error_of_the_project_has_a_class():
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {k.code for k in kinds if issubclass(k, errors.MaterialsDockError)} - {"error"}
    assert codes <= set(BY_CODE)
    assert fault_class("nobody knows") == "infrastructure"
