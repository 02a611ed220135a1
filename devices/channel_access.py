"""Time limits of Channel Access: ophyd's defaults wait for ever."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
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


def forgetting_refused(read: Callable[..., Any]) -> Callable[..., Any]:
    """pyepics' `ca.get_with_metadata`, which can read a channel again after libca refused to.

    pyepics notes a read as under way before it asks for it.  When libca refuses (the circuit has
    just been lost), that note stays, and every later read of the channel waits for an answer that
    nobody owes, for ever (pyepics 3.5.10).
    """
    from epics import ca

    @functools.wraps(read)
    def found(chid: Any, ftype: int | None = None, **how: Any) -> Any:
        try:
            return read(chid, ftype, **how)
        except ca.CASeverityException:
            entry = ca.get_cache(ca.name(chid))
            kind = ca.field_type(chid) if ftype is None else ftype
            with entry.lock:
                if entry.get_results[kind][0] is ca.GET_PENDING:
                    entry.get_results[kind] = [None]
            raise

    return found


def telling_latecomers(get_pv: Callable[..., Any]) -> Callable[..., Any]:
    """ophyd's `cl.get_pv`, which also tells those who ask for a PV while it is connecting.

    pyepics calls the listeners that it has and notes only then that the PV is connected.  Whoever
    asks for the same PV in between, as two devices on one scaler do, is called neither then nor
    later, and its device stays "not connected" for ever (pyepics 3.5.10).  libca knows earlier.
    """
    from epics import ca

    @functools.wraps(get_pv)
    def found(
        pvname: str,
        *args: Any,
        connection_callback: Callable[..., None] | None = None,
        access_callback: Callable[..., None] | None = None,
        **how: Any,
    ) -> Any:
        listeners = {
            "connection_callback": connection_callback,
            "access_callback": access_callback,
        }
        pv = get_pv(pvname, *args, **listeners, **how)
        if pv.connected or not ca.isConnected(pv.chid):
            return pv  # told already, or will be
        if access_callback is not None:
            rights = ca.read_access(pv.chid), ca.write_access(pv.chid)
            access_callback(*(bool(right) for right in rights), pv=pv)
        if connection_callback is not None:  # to be told twice harms nobody
            connection_callback(pvname=pv.pvname, conn=True, pv=pv)
        return pv

    return found


def forgetting_tokens(reset: Callable[..., None]) -> Callable[..., None]:
    """ophyd's `OphydObject._reset_sub`, which also forgets the tokens of what it clears.

    Every move and every count subscribes once and is cleared when it ends, and its token stays
    for ever (ophyd 1.11): 1.4 MB in a hundred edges.
    """

    @functools.wraps(reset)
    def ended(device: Any, event_type: str) -> None:
        for token in list(device._callbacks[event_type]):
            device._cid_to_event_mapping.pop(token, None)
        reset(device, event_type)

    return ended


def configure() -> None:
    """Set ophyd's read, write and connection time limits [s], once, before the first signal.

    Also asks libca to notice a frozen IOC in 4 s instead of 30 s, unless the environment says
    otherwise, has pyepics measure its time limits with a clock that does not jump and read a
    channel again after a read that was refused, and has ophyd tell every device that its PVs are
    connected and forget what has ended.
    """
    global _configured
    if _configured:
        return
    os.environ.setdefault("EPICS_CA_CONN_TMO", "4")
    import epics.ca
    import epics.pv

    # a read under way when the wall clock jumps fails at once, or waits as long as the jump
    epics.ca.time = epics.pv.time = SteadyTime()
    epics.ca.get_with_metadata = forgetting_refused(epics.ca.get_with_metadata)
    import ophyd
    from ophyd.ophydobj import OphydObject
    from ophyd.signal import EpicsSignalBase

    ophyd.cl.get_pv = telling_latecomers(ophyd.cl.get_pv)
    OphydObject._reset_sub = forgetting_tokens(OphydObject._reset_sub)
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
