"""A photon shutter that is believed only by its own readback."""

from __future__ import annotations

from typing import Any, Literal

from ophyd import Component, Device, EpicsSignal, EpicsSignalRO
from ophyd.status import SubscriptionStatus

from materialsdock.errors import InputError

LIMIT_S = 2.5  # a shutter that has not closed by then is stuck


class Shutter(Device):
    """`set("open")` and `set("closed")`; done when the status readback agrees.

    The RunEngine closes it on every pause (and opens it again on resume if it was open) and
    whenever it stops what it has moved.
    """

    open_command = Component(EpicsSignal, "Open", kind="omitted")
    close_command = Component(EpicsSignal, "Close", kind="omitted")
    status = Component(EpicsSignalRO, "Status", kind="normal", auto_monitor=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._wanted = "closed"
        super().__init__(*args, **kwargs)

    @property
    def position(self) -> Literal["open", "closed"]:
        """The position by the readback, asked for now."""
        return "open" if self.status.get(use_monitor=False) else "closed"

    @property
    def shows_open(self) -> bool:
        """True if the readback said open last; by monitor, so it takes no time."""
        return bool(self.status.get())

    def set(self, value: str) -> SubscriptionStatus:
        """Drive to "open" or "closed"; the status fails after 2.5 s without the readback."""
        if value not in ("open", "closed"):
            raise InputError(
                f"a shutter cannot be {value!r}", where=self.name, remedy="use open or closed"
            )
        self._wanted = value
        return self._drive(value)

    def _drive(self, value: str) -> SubscriptionStatus:
        wanted = int(value == "open")
        reached = SubscriptionStatus(
            self.status, lambda *, value, **_: value == wanted, timeout=LIMIT_S
        )
        (self.open_command if wanted else self.close_command).put(1, wait=False)
        return reached

    def stop(self, *, success: bool = False) -> None:
        """Close: the safe state.  A paused RunEngine calls this first; `resume` undoes it."""
        self.close_command.put(1, wait=False)

    def pause(self) -> None:
        """Close while the RunEngine is paused."""
        self._drive("closed").wait(LIMIT_S)

    def resume(self) -> None:
        """Open again if the plan wants it open."""
        if self._wanted == "open":
            self._drive("open").wait(LIMIT_S)
