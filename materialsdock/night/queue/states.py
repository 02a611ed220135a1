"""States of a sample in the queue and the legal transitions between them: pure.

`held` needs a person; the terminal states need nobody.  What is measured is never lost by a
transition: a sample that is measured again goes on with the points it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from materialsdock.errors import Refused

State = Literal[
    "submitted",
    "queued",
    "measuring",
    "measured",
    "analysing",
    "done",
    "done_with_warnings",
    "held",
    "failed",
    "cancelled",
]
Event = Literal[
    "approve",
    "claim",
    "measured",
    "interrupted",
    "aborted",
    "fault",
    "analyse",
    "analysis_interrupted",
    "finish",
    "finish_with_warnings",
    "fail",
    "hold",
    "retry",
    "analyse_again",
    "cancel",
]
STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)
ACTIVE: frozenset[State] = frozenset(("measuring", "measured", "analysing"))
TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        ("submitted", "approve"): "queued",
        ("submitted", "hold"): "held",
        ("submitted", "cancel"): "cancelled",
        ("queued", "claim"): "measuring",
        ("queued", "hold"): "held",
        ("queued", "cancel"): "cancelled",
        ("measuring", "measured"): "measured",
        ("measuring", "interrupted"): "queued",
        ("measuring", "aborted"): "held",
        ("measuring", "fault"): "held",
        ("measured", "analyse"): "analysing",
        ("analysing", "analysis_interrupted"): "measured",
        ("analysing", "finish"): "done",
        ("analysing", "finish_with_warnings"): "done_with_warnings",
        ("analysing", "fail"): "failed",
        ("held", "retry"): "queued",
        ("held", "cancel"): "cancelled",
        ("failed", "analyse_again"): "measured",
        ("done", "analyse_again"): "measured",
        ("done_with_warnings", "analyse_again"): "measured",
    }
)


def legal(state: State) -> tuple[Event, ...]:
    """The events that `state` allows."""
    return tuple(event for event in EVENTS if (state, event) in TRANSITIONS)


def following(state: State, event: Event) -> State:
    """The state after `event`; Refused, naming what is possible, when it is not legal."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        possible = ", ".join(legal(state)) or "nothing more"
        raise Refused(f"{event} is not possible while {state}", remedy=f"possible: {possible}")
    return after
