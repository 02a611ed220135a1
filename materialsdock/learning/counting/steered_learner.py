"""Refinement steers counting: each pass goes where the wanted number's esd falls fastest.

Pass 0 counts the whole range evenly.  After every pass a quick refinement of the merged pattern
says what each second would say of the wanted number (fisher); most of the next pass goes
there.  A share of every pass stays even, so that a phase nobody expected can still be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from scipy.linalg import LinAlgError

from materialsdock.errors import InputError, ModelFault
from materialsdock.learning.counting import allocation, fisher
from materialsdock.learning.counting.multipass_learner import MultiPassLearner
from materialsdock.learning.counting.passes import Pass
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Axis, FloatArray

UNKNOWN = float("inf")
QUANTUM = 0.5  # of the mean time of a pass: so finely its seconds are divided


class CountingSensitivity(Protocol):
    """The findings of a quick refinement: on the pattern (n,) and k wanted numbers of one kind.

    y : (n,) calculated rate [1/s]; jacobian : (n, p) ∂y/∂θ; gradient : (p, k) ∂wanted/∂θ
    estimate : (k,) present values [unit]; quantity : what they are, "weight_fraction"
    """

    @property
    def y(self) -> FloatArray: ...

    @property
    def jacobian(self) -> FloatArray: ...

    @property
    def gradient(self) -> FloatArray: ...

    @property
    def estimate(self) -> FloatArray: ...

    @property
    def unit(self) -> str: ...

    @property
    def quantity(self) -> str: ...


@dataclass(frozen=True, eq=False)
class Sensed:
    """A Sensitivity on the whole grid."""

    y: FloatArray
    jacobian: FloatArray
    gradient: FloatArray
    estimate: FloatArray
    unit: str
    quantity: str


def on_grid(found: CountingSensitivity, seen: allocation.Mask) -> CountingSensitivity:
    """Extend what was found at the positions `seen` to a whole grid (m,): no derivatives elsewhere.

    Raises ModelFault when it is of another number of positions.
    """
    if found.y.shape != (seen.sum(),):
        raise ModelFault(
            f"{found.y.size} calculated rates for {seen.sum()} positions",
            where="refinement that steers counting",
        )
    if seen.all():
        return found
    y, jacobian = np.full(seen.size, found.y.mean()), np.zeros((seen.size, found.jacobian.shape[1]))
    y[seen], jacobian[seen] = found.y, found.jacobian
    return Sensed(y, jacobian, found.gradient, found.estimate, found.unit, found.quantity)


class SteeredLearner(MultiPassLearner):
    """Learns what is wanted of the refined structures; satisfies protocols.Learner.

    sensitivity : pattern -> Sensitivity, equal for equal patterns (xrd.rietveld.sensitivity); where
        it raises InputError or ModelFault (too few counts to refine), or its derivatives do not
        give an esd (a phase that is not there), the next pass is even and `trouble` says why
    quantity : the name of what is wanted; its largest esd is the quantity `<quantity>_esd`
    wanted_esd : [unit] the last pass is no longer than this needs, and nothing follows it
    even_share : of every pass, counted evenly
    first_fraction, pass_fraction : of a full scan's time
    capacity_s : most seconds per position (default: 10 full_time_s)
    further options : as in MultiPassLearner
    """

    def __init__(
        self,
        axis: Axis,
        *,
        sensitivity: Callable[[Pattern], CountingSensitivity],
        quantity: str,
        wanted_esd: float = 0.0,
        even_share: float = 0.2,
        first_fraction: float = 0.1,
        pass_fraction: float = 0.05,
        **options: Any,
    ) -> None:
        if not 0 < even_share <= 1 or not wanted_esd >= 0:
            raise InputError(
                f"even_share {even_share} is not in (0, 1] or wanted_esd {wanted_esd} is negative"
            )
        self.sensitivity, self.quantity = sensitivity, quantity
        self.wanted_esd, self.even_share = wanted_esd, even_share
        self._sensed: dict[int, CountingSensitivity | None] = {}
        options.setdefault("capacity_s", 10.0 * options["full_time_s"])
        super().__init__(
            axis, first_fraction=first_fraction, pass_fraction=pass_fraction, **options
        )

    def _forget(self) -> None:
        super()._forget()
        self._sensed = {}
        self.trouble = ""

    def _sense(self) -> CountingSensitivity | None:
        """Refine all passes finished so far for their sensitivity; None where that fails."""
        seen = self._posterior.seconds > 0
        if not (seen | self.barred).all() or not seen.any():
            return None  # received out of order: the rest of the first pass is still to come
        if self.steps not in self._sensed:
            try:
                found = self.sensitivity(self.pattern())
            except (InputError, ModelFault) as error:
                self._senseless(str(error))
                return None
            except ArithmeticError as error:  # a phase of scale zero has no derivative
                self._senseless(f"derivatives of the refinement: {error}")
                return None
            found = on_grid(found, seen)
            try:  # what the esd cannot be had of cannot steer either
                self._esd_of(found)
            except (ModelFault, LinAlgError) as error:
                self._senseless(str(error))
                return None
            self._sensed[self.steps] = found
        return self._sensed[self.steps]

    def _senseless(self, why: str) -> None:
        """Make the next pass even, and keep why for the report."""
        self._sensed[self.steps], self.trouble = None, why

    @property
    def even_passes(self) -> int:
        """The number of passes that could not be steered."""
        return sum(found is None for found in self._sensed.values())

    def _esd(self) -> float:
        """Largest esd [unit] of what is wanted, by the last refinement and all counts so far."""
        found = self._sensed[max(self._sensed)] if self._sensed else None
        if found is None:
            return UNKNOWN
        return self._esd_of(found)

    def _esd_of(self, found: CountingSensitivity) -> float:
        told = fisher.information(found.y, found.jacobian, self._posterior.seconds)
        return float(fisher.esd(told, found.gradient).max())

    # -- passes -------------------------------------------------------------------------------

    def _plan(self, number: int) -> Pass:
        if number == 0:
            return super()._plan(0)
        first_step, found = self._passes[-1].end, self._sense()
        if found is not None and self._esd() <= self.wanted_esd:
            return Pass(first_step, (), (), ())
        seconds = self._seconds_of_a_pass(found)
        pieces = self._pieces(seconds)
        if number % 2:  # back the way it came
            pieces.reverse()
        _, significances = self._rates()
        return Pass(
            first_step,
            tuple(pieces),
            tuple(float(seconds[a]) for a, _ in pieces),
            tuple(float(significances[a : b + 1].mean()) for a, b in pieces),
        )

    def _seconds_of_a_pass(self, found: CountingSensitivity | None) -> FloatArray:
        """Seconds (m,) that the next pass gives each position."""
        mean = self.pass_fraction * self.full_time_s
        room = np.maximum(self.capacity_s - self._posterior.seconds, 0.0)
        room[self.barred] = 0.0
        if found is None:
            return np.minimum(mean, room)
        even = np.minimum(self.even_share * mean, room)
        width = max(1, round(0.5 * self.fwhm_deg / self.step_deg))
        extra = fisher.allocate(
            found.y,
            found.jacobian,
            found.gradient,
            self._posterior.seconds + even,
            room=room - even,
            width=width,
            budget_s=(1 - self.even_share) * mean * room.size,
            quantum_s=QUANTUM * mean,
            wanted=self.wanted_esd,
        )
        return np.asarray(even + extra)

    def _pieces(self, seconds: FloatArray) -> list[tuple[int, int]]:
        """(first, last) of runs of positions with equal seconds, of at most segment_points."""
        changes = np.flatnonzero(np.abs(np.diff(seconds)) > 1e-9) + 1
        edges = [0, *changes.tolist(), seconds.size]
        return [
            (a + first, a + last)
            for a, b in pairwise(edges)
            if seconds[a] > 1e-9
            for first, last in allocation.segments(
                np.ones(b - a, dtype=bool), self.segment_points, 0
            )
        ]

    # -- what is known ------------------------------------------------------------------------

    def _quantities(self, complete: bool) -> dict[str, float]:
        """Add `<quantity>_esd` [unit] to those of MultiPassLearner; inf before it is known."""
        if complete:
            self._sense()
        return {**super()._quantities(complete), f"{self.quantity}_esd": self._esd()}

    def estimates(self) -> Mapping[str, Any]:
        """The last refinement's values (k,) of what is wanted, their unit and esd; or nothing."""
        found = self._sensed[max(self._sensed)] if self._sensed else None
        if found is None:
            return {}
        return {"values": found.estimate.tolist(), "unit": found.unit, "esd": self._esd()}
