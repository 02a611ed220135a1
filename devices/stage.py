"""Motors that are believed only when their readback agrees."""

from __future__ import annotations

import time
from typing import Any

from ophyd import EpicsMotor

SETTLE_MARGIN_S = 5.0
LATE_NEWS_S = 0.3  # a "done" of the motion before this one may still be on its way


class VerifiedMotor(EpicsMotor):
    """An EpicsMotor whose move succeeds only within `tolerance` of its target.

    A finished move is not a correct move: stop() and a restarted IOC both report "done".  Every
    move has a time limit from distance and velocity.
    """

    tolerance = 1e-3  # [EGU]

    def __init__(self, *args: Any, tolerance: float | None = None, **kwargs: Any) -> None:
        self._target: float | None = None
        super().__init__(*args, **kwargs)
        if tolerance is not None:
            self.tolerance = tolerance

    def move(
        self, position: float, wait: bool = True, *, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Move to `position` [EGU]; the time limit follows from distance and velocity."""
        self.check_value(position)
        self._target = float(position)
        if timeout is None:
            timeout = 2 * abs(position - self.position) / self.velocity.get() + SETTLE_MARGIN_S
        return super().move(position, wait=wait, timeout=timeout, **kwargs)

    def _done_moving(self, success: bool = True, **kwargs: Any) -> None:
        if success and self._target is not None:
            found = self._arrived(self._target)
            if found is None:
                return
            success = found
        self._target = None  # motion that somebody else starts is not ours to judge
        super()._done_moving(success=success, **kwargs)

    def _arrived(self, target: float) -> bool | None:
        """Whether the record rests at `target`; None when it moves: its "done" is yet to come.

        The "done" of a motion that was stopped just before may arrive after the next one began.
        """
        deadline = time.monotonic() + LATE_NEWS_S
        while True:
            moving = self.motor_done_move.get(use_monitor=False) == 0
            if moving or self._target != target:  # or a next move has begun meanwhile
                return None
            readback = self.user_readback.get(use_monitor=False)
            if abs(readback - target) <= self.tolerance:
                return True
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self.log.error(
            "%s is at %g instead of %g (tolerance %g)", self.name, readback, target, self.tolerance
        )
        return False


class TwoTheta(VerifiedMotor):
    """The detector arm: 2θ [deg]."""


class SampleChanger(VerifiedMotor):
    """The sample changer: integer positions."""

    tolerance = 0.05
