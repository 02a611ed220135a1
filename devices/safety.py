"""The safeguards between a dead program and an open shutter: heartbeat, dead-man, epoch, permit."""

from __future__ import annotations

import time
from typing import Any

from epics.ca import CASeverityException, ChannelAccessException
from ophyd import Component, Device, EpicsSignal, EpicsSignalRO
from ophyd.utils import DisconnectedError, ReadOnlyError

from materialsdock.errors import Refused


class Heartbeat(Device):
    """A number that the IOC raises once a second; nothing but its change is believed.

    losses : how often the connection was lost, so that a quick restart does not go unseen
    lost_errors : what Channel Access raises when an IOC goes away
    """

    beat = Component(EpicsSignalRO, "", kind="omitted", auto_monitor=True)
    lost_errors = (
        DisconnectedError,
        ReadOnlyError,  # what a channel says before its access rights have come back
        CASeverityException,
        ChannelAccessException,
        ConnectionError,
        TimeoutError,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._changed: float | None = None
        self._value: int | None = None
        self.losses = 0
        super().__init__(*args, **kwargs)
        self.beat.subscribe(self._beats, event_type=self.beat.SUB_VALUE)
        self.beat.subscribe(self._connects, event_type=self.beat.SUB_META, run=False)

    def _beats(self, *, value: int, **_: Any) -> None:
        if self._value is not None and value < self._value:  # the IOC began anew
            self.losses += 1
        if value != self._value:
            self._value, self._changed = value, time.monotonic()

    def _connects(self, *, connected: bool = True, **_: Any) -> None:
        if not connected and self._changed is not None:
            self._changed = None
            self.losses += 1

    @property
    def age_s(self) -> float:
        """Seconds since the last change, by our own monotonic clock; infinite when disconnected."""
        changed = self._changed
        return float("inf") if changed is None else time.monotonic() - changed


class DeadMan(Device):
    """The IOC's dead-man: closes the shutter 3 s after the last `feed`."""

    beat = Component(EpicsSignal, "HB", kind="omitted", auto_monitor=True)
    armed = Component(EpicsSignalRO, "Armed", kind="normal", auto_monitor=True)
    tripped = Component(EpicsSignalRO, "Tripped", kind="normal", auto_monitor=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._count = 0
        super().__init__(*args, **kwargs)

    def feed(self) -> bool:
        """One heartbeat, sent without waiting; the first one arms.  False when nobody is there."""
        if not self.beat.connected:
            return False
        self._count = (max(self._count, int(self.beat.get())) + 1) % 2**31
        self.beat.put(self._count, wait=False)
        return True


class OwnerEpoch(Device):
    """The owner who may move: an epoch that the IOC lets rise only."""

    epoch = Component(EpicsSignal, "", kind="normal", auto_monitor=True)

    def found(self) -> int:
        """The epoch that the IOC itself says now."""
        return int(self.epoch.get(use_monitor=False))

    def claim(self, epoch: int) -> None:
        """Claim the instrument; Refused when its epoch is not `epoch` afterwards."""
        self.epoch.put(epoch, wait=True)
        found = self.found()
        if found != epoch:
            raise Refused(
                f"epoch {epoch} is not after {found}: another process owns the instrument",
                where=self.name,
                remedy="end that process, or restart this one to take over",
            )


class Permit(Device):
    """The permit to open the shutter: 1 or 0, given by others."""

    granted = Component(EpicsSignalRO, "", kind="normal", auto_monitor=True)
