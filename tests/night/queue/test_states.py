"""States of a sample: only legal transitions, nothing lost for ever, nothing out of the end."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from materialsdock.errors import Refused
from materialsdock.night.queue import states

STARTS = ("submitted", "queued")
ENDED = frozenset(("done", "done_with_warnings", "failed", "cancelled"))


def reachable(state):
    """All states that some events lead to."""
    found, edge = {state}, [state]
    while edge:
        here = edge.pop()
        after = {states.following(here, event) for event in states.legal(here)} - found
        found |= after
        edge += after
    return found


class Sample(RuleBasedStateMachine):
    """Any events in any order on one sample, and what a night must be able to rely on."""

    @initialize(start=st.sampled_from(STARTS))
    def begin(self, start):
        self.state, self.measured, self.history = start, False, [start]

    @rule(event=st.sampled_from(states.EVENTS))
    def happens(self, event):
        before = self.state
        if event not in states.legal(before):
            with pytest.raises(Refused) as refused:
                states.following(before, event)
            assert before in str(refused.value)
            assert all(word in refused.value.remedy for word in states.legal(before))
            return
        self.state = states.following(before, event)
        self.measured = self.measured or event == "measured"
        self.history.append(self.state)

    @invariant()
    def is_a_state(self):
        assert self.state in states.STATES

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
        assert self.state in ENDED or reachable(self.state) & (ENDED | {"held"})


TestSample = Sample.TestCase
TestSample.settings = settings(max_examples=100, stateful_step_count=30)


def test_the_table_speaks_of_states_and_events_there_are():
    for (state, event), after in states.TRANSITIONS.items():
        assert state in states.STATES
        assert event in states.EVENTS
        assert after in states.STATES
        assert after != state
    assert {event for _, event in states.TRANSITIONS} == set(states.EVENTS)
    assert reachable("submitted") == set(states.STATES)
    assert reachable("queued") == set(states.STATES) - {"submitted"}


@pytest.mark.parametrize("state", states.STATES)
def test_what_is_measured_is_not_measured_again_by_itself(state):
    """Only a person's retry of a held sample, or an interruption, leads back to the queue."""
    for event in states.legal(state):
        if states.following(state, event) == "queued":
            assert (state, event) in {
                ("submitted", "approve"),
                ("held", "retry"),
                ("measuring", "interrupted"),
            }


def test_terminal_states_end_or_are_analysed_again():
    for state in ENDED:
        assert set(states.legal(state)) <= {"analyse_again"}
    assert states.legal("cancelled") == ()
    assert frozenset(states.STATES) == ENDED | states.ACTIVE | {
        "submitted",
        "queued",
        "held",
    }


@pytest.mark.parametrize("state", sorted(states.ACTIVE))
def test_nothing_active_is_cancelled_under_the_beam(state):
    assert "cancel" not in states.legal(state)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        states.TRANSITIONS["queued", "claim"] = "done"
