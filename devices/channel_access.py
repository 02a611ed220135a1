"""Time limits of Channel Access: ophyd's defaults wait for ever."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

log = logging.getLogger(__name__)

# shorter than a guard's patience with a loop that does not turn
READ_S, WRITE_S, CONNECT_S = 2.0, 2.0, 2.0
_configured = False


class SteadyTime:
    """The module `time`, but its `time()` does not follow jumps of the wall clock."""

    def __init__(self) -> None:
        self._off = time.time() - time.monotonic()

    def time(self) -> float:
        """Seconds since 1970 by the clock of when this was made."""
        return self._off + time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def configure() -> None:
    """Set ophyd's read, write and connection time limits [s], once, before the first signal.

    Also asks libca to notice a frozen IOC in 4 s instead of 30 s, unless the environment says
    otherwise, and has pyepics measure its time limits with a clock that does not jump.
    """
    global _configured
    if _configured:
        return
    os.environ.setdefault("EPICS_CA_CONN_TMO", "4")
    import epics.ca
    import epics.pv

    # a read under way when the wall clock jumps fails at once, or waits as long as the jump
    epics.ca.time = epics.pv.time = SteadyTime()
    from ophyd.signal import EpicsSignalBase

    try:
        EpicsSignalBase.set_defaults(
            timeout=READ_S, write_timeout=WRITE_S, connection_timeout=CONNECT_S
        )
    except RuntimeError:
        log.warning(
            "ophyd devices exist already: their time limits hold for materialsdock's too; "
            "load the profile before making devices of your own"
        )
    _configured = True
