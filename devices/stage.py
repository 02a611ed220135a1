"""Motors that are believed only when their readback agrees."""

from __future__ import annotations

import threading
import time
from typing import Any

from ophyd import EpicsMotor

MARGIN_S = 5.0
STALL_S = 3.0  # without a new readback, short of the target
LOOK_S = 0.25
LATE_S = 2.0
FAR = 10.0  # tolerances: no readback that stands still is so far from where it came to rest
LATE_NEWS_S = 0.3  # a "done" of the motion before this one may still be on its way
BUSY_S = 1.0  # within which an IOC takes up a move


class VerifiedMotor(EpicsMotor):
    """An EpicsMotor whose move succeeds only within `tolerance` of its target.

    A finished move is not a correct move: stop() and a restarted IOC both report "done".  Every
    move has a time limit from distance and velocity, and one that stands still is stopped.

    fault : why the last move failed, "" when it did not
    """

    tolerance = 1e-3  # [EGU]

    def __init__(self, *args: Any, tolerance: float | None = None, **kwargs: Any) -> None:
        self._target: float | None = None
        self._sent: float | None = None  # where it came to rest when we moved it last
        self._ended = threading.Event()
        self.fault = ""
        super().__init__(*args, **kwargs)
        if tolerance is not None:
            self.tolerance = tolerance

    @property
    def astray(self) -> str:
        """The words that others have moved it since our last move ended.

        "" while it rests where it was sent, and during a move of our own; by monitor, so it takes
        no time.
        """
        sent, here = self._sent, self._position
        if sent is None or self._target is not None or here is None:
            return ""
        if abs(here - sent) > FAR * self.tolerance:
            return f"{self.name} was moved by others from {sent:g} to {here:g}"
        return f"{self.name} is being moved by others" if self._moving else ""

    def move(
        self, position: float, wait: bool = True, *, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Move to `position` [EGU]; the time limit follows from distance and velocity."""
        self.check_value(position)
        self._sent, self._target = None, float(position)
        if timeout is None:
            timeout = 2 * abs(position - self.position) / self.velocity.get() + MARGIN_S
        self.fault = ""
        self._ended.set()  # the watch of a move before this one
        self._ended = ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=(ended, timeout), daemon=True)
        watch.start()
        # the status itself ends late: whoever watches knows more
        return super().move(position, wait=wait, timeout=timeout + LATE_S, **kwargs)

    def stop(self, *, success: bool = False) -> None:
        """Stop; the status of a move in flight ends at once, as `success` has it.

        A RunEngine that pauses says success and makes the move again: a status that failed later
        would have ophyd stop that one.
        """
        self._ended.set()  # nobody is to judge where it comes to rest
        self.motor_stop.put(1, wait=False)
        super()._done_moving(success=success)
        self._target = None

    def _watch(self, ended: threading.Event, limit_s: float) -> None:
        """Stop a motion whose readback stands still short of its target, or that never ends."""
        began = since = time.monotonic()
        target, last = self._target, self._position
        while not ended.wait(LOOK_S):
            now = time.monotonic()
            if self._position != last:
                last, since = self._position, now
            away = last is None or target is None or abs(last - target) > self.tolerance
            if self._moving and away and now - since > STALL_S:
                return self._give_up(f"{self.name} stands at {last} short of {target}")
            if now - began > limit_s:
                return self._give_up(f"{self.name} was not done with its move to {target} in time")

    def _give_up(self, why: str) -> None:
        self.fault = why
        self.log.error("%s; stopped", why)
        self._ended.set()
        if self.connected:
            self.motor_stop.put(1, wait=False)
        super()._done_moving(success=False)
        self._target = None

    def _done_moving(self, success: bool = True, **kwargs: Any) -> None:
        target, ended = self._target, self._ended
        if success and target is not None:
            found = self._arrived(target, ended)
            if found is None:
                return
            success, self._sent = found, target if found else None
        ended.set()
        self._target = None  # motion that somebody else starts is not ours to judge
        super()._done_moving(success=success, **kwargs)

    def _arrived(self, target: float, ended: threading.Event) -> bool | None:
        """Return True once the record rests at `target`, False if it rests elsewhere.

        None when it moves: its "done" is yet to come.  The "done" of a motion that was stopped just
        before may arrive after the next one began.
        """
        began, since = time.monotonic(), None
        while True:
            moving = self.motor_done_move.get(use_monitor=False) == 0
            if moving or ended.is_set():  # or it was stopped, or a next move has begun meanwhile
                return None
            readback = self.user_readback.get(use_monitor=False)
            if abs(readback - target) <= self.tolerance:
                return True
            asked, now = self.user_setpoint.get(use_monitor=False), time.monotonic()
            if since is None and abs(asked - target) <= self.tolerance:
                since = now
            if now - (since or began) > (LATE_NEWS_S if since else BUSY_S):
                break
            time.sleep(0.02)
        self.fault = f"{self.name} is at {readback:.8g} instead of {target:.8g}"
        self.log.error("%s (tolerance %g)", self.fault, self.tolerance)
        return False


class TwoTheta(VerifiedMotor):
    """The detector arm: 2θ [deg]."""


class SampleChanger(VerifiedMotor):
    """The sample changer: integer positions."""

    tolerance = 0.05
