"""The questions of a sample's sentry to its technique."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from materialsdock import technique
from materialsdock.model import Axis, Decision, FloatArray, Job, Proposal
from materialsdock.profile.sections import Motion
from materialsdock.soundness.judges import Alarm
from materialsdock.soundness.readings import Readings


class SampleVisits(Protocol):
    """Places that are counted again for the sake of the sentinels, one of them the reference.

    kind : of the alarm that a count at the reference settles, e.g. "energy"
    seconds : what the visits so far have taken; visited : what they have counted
    """

    kind: str
    seconds: float
    visited: Readings

    def cost_s(self, at: float, recorded: Readings) -> float:
        """Seconds for a visit of `at`: there, counting, and back again."""

    def due(self, recorded: Readings, measured_s: float) -> Proposal | None:
        """The next visit, when one is due after `measured_s` of the sample without visits."""

    def seen(self, new: Readings, recorded: Readings) -> Alarm | None:
        """Judge a visit; `recorded` is all that the learner was given before it."""

    def shifted(self, new: Readings, recorded: Readings) -> Alarm | None:
        """Tell if a count at the reference is not what it was."""

    def at_reference(self) -> Proposal | None:
        """The reference counted once; None while there is none."""

    def forget(self, visits: int) -> None:
        """The last `visits` were spoilt."""

    def accept(self) -> None:
        """Take what the last visit to the reference showed as right from here on."""


class Sentinels(Protocol):
    """The part `sentinels` of a technique, see materialsdock.technique."""

    def visits(self, job: Job, motion: Motion, share: float) -> SampleVisits | None:
        """The visits of a sample, for at most `share` of its time; None: there are none."""

    def dead(self, recorded: Readings, expected: FloatArray) -> Alarm | None:
        """Tell if a detector shows nothing, or again and again the same."""

    def after_sweep(self, recorded: Readings, axis: Axis, tolerance: float) -> Alarm | None:
        """Tell, at the end of a sweep, if the sample is not what it was."""

    def stuck(self, decisions: Sequence[Decision]) -> Alarm | None:
        """Tell if the learner has stopped learning."""


def sentinels_of(name: str) -> Sentinels:
    """Return the sentinels of a technique, its own or the ordinary ones."""
    return cast(Sentinels, technique.named(name).sentinels())
