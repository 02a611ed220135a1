"""The storage ring, as a beamline sees it."""

from __future__ import annotations

from typing import Any

from ophyd import Component, Device, EpicsSignal


class RingCurrent(Device):
    """Ring current [mA] under the key `ring_current`; writable only where the IOC allows it."""

    current = Component(EpicsSignal, "", kind="hinted", auto_monitor=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current.name = f"{self.name}_current"
