"""The storage ring, as a beamline sees it."""

from __future__ import annotations

from typing import Any

from ophyd import Component, Device, EpicsSignal


class RingCurrent(Device):
    """Ring current [mA] under the key `ring_current`; writable only where the IOC allows it.

    lowest_ma : the least that was seen since `mark`, so that no short dump goes unseen
    """

    current = Component(EpicsSignal, "", kind="hinted", auto_monitor=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lowest_ma = float("inf")
        super().__init__(*args, **kwargs)
        self.current.name = f"{self.name}_current"
        self.current.subscribe(self._seen)

    def _seen(self, *, value: float, **_: Any) -> None:
        self.lowest_ma = min(self.lowest_ma, value)

    def mark(self) -> None:
        """Begin to look for the lowest current anew."""
        self.lowest_ma = float(self.current.get())
