"""Places of an absorption sample that are counted again: has the energy moved, or the sample?"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from materialsdock.model import Proposal
from materialsdock.soundness import judges
from materialsdock.soundness.judges import Alarm
from materialsdock.soundness.readings import NONE_YET, Readings
from materialsdock.techniques.xas.reference_point import (
    MOVED,
    SAME_EV,
    Places,
    contrast,
    energy_drift,
    places,
    slope,
)

FADED = 0.05  # of the contrast
FEWEST = 16


class MotionCost(Protocol):
    """Cost of moving the monochromator."""

    @property
    def velocity(self) -> float:
        """Speed [eV/s]."""

    @property
    def settle_s(self) -> float:
        """Settling after a move [s]."""


def damage(recorded: Readings) -> Alarm | None:
    """Tell if places counted again absorb otherwise than at first, besides an offset of all."""
    mu, sd = recorded.value, recorded.sigma
    return judges.sample_damage(recorded.x, mu, sd, scale="offset", tolerance=SAME_EV)


class Revisits:
    """The visits of one sample: which is due, and what they show.

    A place was counted by the learner before; its first value is that of then.  What looks like a
    shift of the edge is believed after a second look, which also tells it from damage; what looks
    like damage after a look at the edge: a shift or a dead detector looks like it, too.

    kind : of the alarm that a count at the reference point settles
    """

    kind = MOVED

    def __init__(
        self,
        motion: MotionCost,
        share: float,
        count_time_s: float,
        first_sweep: int,
        resolution: float,
    ) -> None:
        self.motion, self.share, self.count_time_s = motion, share, count_time_s
        self.first_sweep, self.resolution = max(first_sweep, FEWEST), resolution
        self.places: Places | None = None
        self.visited = NONE_YET
        self.seconds = 0.0
        self._turn = 0
        self._again: list[float] = []  # still to be seen before a doubt is settled
        self._doubted = False  # whether the edge is where it was
        self._suspected = False  # damage

    def cost_s(self, energy: float, recorded: Readings) -> float:
        """Return the seconds for a visit of `at`: there, counting, and back again."""
        away = abs(energy - float(recorded.x[-1]))
        return 2 * away / self.motion.velocity + self.motion.settle_s + self.count_time_s

    def due(self, recorded: Readings, measured_s: float) -> Proposal | None:
        """The next visit, when one is due after `measured_s` of the sample without visits."""
        if not self.share or recorded.x.size < self.first_sweep:
            return None
        known = self._known(recorded)
        if known is None:
            return None
        energy = self._again[0] if self._again else known.energies[self._turn % 3]
        cost_s, spent_s = self.cost_s(energy, recorded), self.seconds
        if self._again or judges.revisit_due(measured_s + spent_s, spent_s, cost_s, self.share):
            return Proposal(energy, energy, self.count_time_s)
        return None

    def _known(self, recorded: Readings) -> Places | None:
        if self.places is None:
            self.places = places(recorded, self.resolution)
        return self.places

    def seen(self, new: Readings, recorded: Readings) -> Alarm | None:
        """Judge what a visit shows; `recorded` is all that the learner was given before it."""
        known = self._known(recorded)
        self.seconds += self.cost_s(float(new.x[0]), recorded)
        self.visited += new
        if known is None:
            return None
        if self._again:
            self._again.pop(0)
        else:
            self._turn += 1
        if self._again:
            return None
        if abs(new.x[0] - known.edge.energy_ev) <= SAME_EV:
            return self._at_edge(new, recorded, known)
        self._suspected = damage(recorded + self.visited) is not None
        if self._suspected:
            self._again = [known.edge.energy_ev]
        return None

    def _at_edge(self, new: Readings, recorded: Readings, known: Places) -> Alarm | None:
        alarm, doubted = self.shifted(new, recorded), self._doubted
        self._doubted = alarm is not None and not doubted
        if self._doubted:
            self._again = [known.top_ev, known.foot_ev, known.edge.energy_ev]
            return None
        everything = recorded + self.visited
        suspected, self._suspected = self._suspected, False
        if alarm is None:
            return damage(everything) if suspected else None
        first, last = (contrast(everything, known, last=last) for last in (False, True))
        fallen, change = 1 - last / first, abs(float(new.value[0]) - known.edge.value)
        # what fades by a share moves no value by more than that share of the highest; a shift does
        if fallen > FADED and change <= fallen * float(everything.value.max()):
            words = f"the contrast of the edge has fallen by {fallen:.0%}"
            return Alarm("damage", "warn", words, "held")
        return alarm

    def shifted(self, new: Readings, recorded: Readings) -> Alarm | None:
        """Tell if a count at the reference point says that the energy has moved."""
        if self.places is None:
            return None
        edge = replace(self.places.edge, slope=slope(recorded, self.places, self.resolution))
        return energy_drift(edge, float(new.value[0]), float(new.sigma[0]))

    def at_reference(self) -> Proposal | None:
        """The reference point counted once."""
        if self.places is None:
            return None
        at = self.places.edge.energy_ev
        return Proposal(at, at, self.count_time_s)

    def forget(self, visits: int) -> None:
        """The last `visits` were spoilt, and what they made doubtful is not."""
        self.visited = self.visited[: self.visited.x.size - visits]
        self._again, self._doubted, self._suspected = [], False, False

    def accept(self) -> None:
        """The energy of the last visit to the edge is the right one from here on."""
        if self.places is None or not self.visited.x.size:
            return
        edge = self.places.edge
        at = np.flatnonzero(np.abs(self.visited.x - edge.energy_ev) <= SAME_EV)[-1]
        value, sd = float(self.visited.value[at]), float(self.visited.sigma[at])
        edge = replace(edge, value=value, sd=sd)
        self.places = replace(self.places, edge=edge)
