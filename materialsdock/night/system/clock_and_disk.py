"""The daemon's watch over clocks, disk, and the night's own budget."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import Severity
from materialsdock.night.queue import queue
from materialsdock.night.system.heartbeats import boot
from materialsdock.profile.sections import NightSettings

Notice = tuple[str, Severity, dict[str, Any]]
JUMP_S = 1.0
LOOK_S = 1.0
NIGHT = "night"


class ClockWatch:
    """Reports what changed since it was asked last; `wall`, `steady` and `free` are for tests."""

    def __init__(
        self,
        folder: Path,
        night: NightSettings,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        free: Callable[[], float] | None = None,
    ) -> None:
        self._night, self._wall, self._steady = night, wall, steady
        self._free = free or (lambda: shutil.disk_usage(folder).free / 1e9)
        self._offset = wall() - steady()
        self._looked = steady()
        self._low = False

    def look(self) -> list[Notice]:
        """Return what is new, at most once a second."""
        now = self._steady()
        if now - self._looked < LOOK_S:
            return []
        self._looked = now
        return [*self._clock(), *self._disk()]

    def _clock(self) -> list[Notice]:
        """Wall clock against the monotonic one: only labels jump, nothing else depends on it."""
        jump = self._wall() - self._steady() - self._offset
        if abs(jump) < JUMP_S:
            return []
        self._offset += jump
        return [("clock_jump", "warn", {"seconds": jump})]

    def _disk(self) -> list[Notice]:
        free_gb = self._free()
        low = free_gb < self._night.disk_free_gb
        changed, self._low = low != self._low, low
        if not changed:
            return []
        body = {"free_gb": round(free_gb, 2), "wanted_gb": self._night.disk_free_gb}
        return [("disk_low" if low else "disk_enough", "critical" if low else "info", body)]

    def next_sample(self, ledger: Ledger, resting: Sequence[str] = ()) -> queue.Queued | None:
        """Claim the next sample, or hold everything where no further one may begin.

        A night begins with its first sample, also across restarts of the daemon, and ends with its
        last one or with its hours; what is released after that is another night.
        resting : ids whose retry is not due yet
        """
        if fact(ledger, "hold") is not None:
            return None
        began = fact(ledger, NIGHT)
        if why := self._no_more(began):
            with ledger.transaction():
                queue.hold_all(ledger, why)
                set_fact(ledger, NIGHT, None)
            return None
        claimed = queue.claim(ledger, besides=resting)
        if claimed is not None and began is None:
            set_fact(ledger, NIGHT, [boot(), self._steady(), self._wall()])
        elif claimed is None and began is not None and not queue.samples(ledger, "queued"):
            set_fact(ledger, NIGHT, None)
        return claimed

    def _no_more(self, began: tuple[str, float, float] | None) -> str | None:
        hours = self._night.maximum_hours
        if hours is not None and began is not None and self._age_s(*began) > 3600 * hours:
            return f"the night's {hours:g} h are over"
        if self._low:
            return f"less than {self._night.disk_free_gb:g} GB of disk are free"
        return None

    def _age_s(self, born: str, steady: float, wall: float) -> float:
        """Return the age of a night [s]; by wall clock only when it began in another boot."""
        return self._steady() - steady if born == boot() else self._wall() - wall
