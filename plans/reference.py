"""Going back to a place that was counted before, between two exposures, in a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Protocol

from bluesky.utils import Msg

from materialsdock.model import Proposal
from plans.attempts import Attempts

Plan = Generator[Msg, Any, None]
STREAM = "reference"


class VisitingSentry(Protocol):
    """A sentry that says when to look again, and where."""

    def ended(self) -> None:
        """Raises DeviceFault when the sample must not be measured any further."""

    def next_visit(self) -> Proposal | None:
        """Return what to count now; None for nothing."""


class Visits:
    """A `ready` for `plans.adaptive.learn` that counts what its sentry asks for.

    measure : of one point, as plans.measure.measure_point; what it saves goes to no learner.
    A visit is attempted like any exposure: it is voided, repeated and paused like one.
    """

    def __init__(
        self, attempts: Attempts, sentry: VisitingSentry, measure: Callable[..., Plan]
    ) -> None:
        self.attempts, self.sentry = attempts, sentry
        self._measure = attempts.of(partial(measure, stream=STREAM), proven=False)
        attempts.proof = self.visits

    def ready(self) -> Plan:
        """Wait until all conditions hold, and make the visits that are due.

        Raises DeviceFault when a sentinel has ended the sample.
        """
        self.sentry.ended()
        yield from self.attempts.gate.ready()
        yield from self.visits()

    def visits(self) -> Plan:
        """Make the visits that are due, as after a hold; raises DeviceFault like `ready`."""
        gate = self.attempts.gate
        while (visit := self.sentry.next_visit()) is not None:
            yield from self._measure(visit, gate.instrument)
            self.sentry.ended()
            yield from gate.ready()
