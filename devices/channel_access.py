"""Time limits of Channel Access: ophyd's defaults wait for ever."""

from __future__ import annotations

import logging
import os

log = logging.getLogger(__name__)

# shorter than a guard's patience with a loop that does not turn
READ_S, WRITE_S, CONNECT_S = 2.0, 2.0, 2.0
_configured = False


def configure() -> None:
    """Set ophyd's read, write and connection time limits [s], once, before the first signal.

    Also asks libca to notice a frozen IOC in 4 s instead of 30 s, unless the environment says
    otherwise.
    """
    global _configured
    if _configured:
        return
    os.environ.setdefault("EPICS_CA_CONN_TMO", "4")
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
