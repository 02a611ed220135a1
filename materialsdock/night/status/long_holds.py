"""A hold for the beam, the permit or an IOC that lasts: notify people who could end it.

A short one ends by itself and is only a line of the log.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from materialsdock.errors import LedgerFault
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import last_hold
from materialsdock.night.queue import queue
from materialsdock.night.status import state
from materialsdock.profile.sections import NightSettings

log = logging.getLogger(__name__)
TURN_S = 2.0
LASTS, OVER = "long_hold", "long_hold_over"


class LongHolds:
    """Notes a warning once for each hold that is longer than the profile lets pass.

    steady : monotonic clock, for tests
    """

    def __init__(
        self,
        ledger: Ledger,
        data: DataDirectory,
        night: NightSettings,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger, self.data, self.after_s = ledger, data, night.warn_hold_after_s
        self._steady = steady
        self._since: float | None = None
        self._told: str | None = None  # the sample of the hold that people were notified of

    def turn(self) -> None:
        """Look once; LedgerFault when it cannot be noted, then the next turn tries again."""
        worker, now = state.pulse(self.data, "worker"), self._steady()
        if not worker.alive or worker.phase != "holding":
            self._since = None
            if self._told is not None:
                queue.note(self.ledger, OVER, {"reason": "it is over"}, sample_id=self._told)
                self._told = None
            return
        self._since = now if self._since is None else self._since
        lasts_s = now - self._since
        if self._told is None and lasts_s >= self.after_s:
            self._tell(lasts_s)

    def _tell(self, lasts_s: float) -> None:
        measured = queue.samples(self.ledger, "measuring")
        if not measured:
            return
        words = last_hold(self.ledger) or "the conditions do not hold"
        body = {"reason": f"nothing was counted for {_span(lasts_s)}: {words}"}
        name = measured[0].sample_id
        queue.note(self.ledger, LASTS, body, severity="warn", sample_id=name)
        self._told = name


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def run(found: LongHolds, ended: threading.Event) -> None:
    """Turn until `ended`; a ledger that cannot be written is waited for."""
    while not ended.wait(TURN_S):
        try:
            found.turn()
        except LedgerFault as fault:
            log.warning("long holds: %s", fault)
