"""States of a sample: only legal transitions, nothing lost for ever, nothing out of the end."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from materialsdock import jobs
from materialsdock.errors import Refused

STARTS = ("submitted", "queued")


def reachable(state):
    """All states that some events lead to."""
    found, edge = {state}, [state]
    while edge:
        here = edge.pop()
        after = {jobs.following(here, event) for event in jobs.legal(here)} - found
        found |= after
        edge += after
    return found


class Sample(RuleBasedStateMachine):
    """Any events in any order on one sample, and what a night must be able to rely on."""

    @initialize(start=st.sampled_from(STARTS))
    def begin(self, start):
        self.state, self.measured, self.history = start, False, [start]

    @rule(event=st.sampled_from(jobs.EVENTS))
    def happens(self, event):
        before = self.state
        if event not in jobs.legal(before):
            with pytest.raises(Refused) as refused:
                jobs.following(before, event)
            assert before in str(refused.value)
            assert all(word in refused.value.remedy for word in jobs.legal(before))
            return
        self.state = jobs.following(before, event)
        self.measured = self.measured or event == "measured"
        self.history.append(self.state)

    @invariant()
    def is_a_state(self):
        assert self.state in jobs.STATES

    @invariant()
    def never_analysed_before_it_was_measured(self):
        if self.state in ("measured", "analysing", "done", "done_with_warnings", "failed"):
            assert self.measured

    @invariant()
    def cancelled_is_for_ever(self):
        if "cancelled" in self.history:
            assert self.history.index("cancelled") == len(self.history) - 1

    @invariant()
    def an_end_or_a_person_is_in_reach(self):
        assert self.state in jobs.TERMINAL or reachable(self.state) & (jobs.TERMINAL | {"held"})


TestSample = Sample.TestCase
TestSample.settings = settings(max_examples=100, stateful_step_count=30)


def test_the_table_speaks_of_states_and_events_there_are():
    for (state, event), after in jobs.TRANSITIONS.items():
        assert state in jobs.STATES
        assert event in jobs.EVENTS
        assert after in jobs.STATES
        assert after != state
    assert {event for _, event in jobs.TRANSITIONS} == set(jobs.EVENTS)
    assert reachable("submitted") == set(jobs.STATES)
    assert reachable("queued") == set(jobs.STATES) - {"submitted"}


@pytest.mark.parametrize("state", jobs.STATES)
def test_what_is_measured_is_not_measured_again_by_itself(state):
    """Only a person's retry of a held sample, or an interruption, leads back to the queue."""
    for event in jobs.legal(state):
        if jobs.following(state, event) == "queued":
            assert (state, event) in {
                ("submitted", "approve"), ("held", "retry"), ("measuring", "interrupted")
            }  # fmt: skip


def test_terminal_states_end_or_are_analysed_again():
    for state in jobs.TERMINAL:
        assert set(jobs.legal(state)) <= {"analyse_again"}
    assert jobs.legal("cancelled") == ()
    assert frozenset(jobs.STATES) == jobs.TERMINAL | jobs.ACTIVE | {"submitted", "queued", "held"}


@pytest.mark.parametrize("state", sorted(jobs.ACTIVE))
def test_nothing_active_is_cancelled_under_the_beam(state):
    assert "cancel" not in jobs.legal(state)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        jobs.TRANSITIONS["queued", "claim"] = "done"
