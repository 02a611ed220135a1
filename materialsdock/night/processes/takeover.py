"""The takeover of the instrument by a new worker: if nobody drives it now, in its safe state."""

from __future__ import annotations

import time

from materialsdock.errors import DeviceFault, Refused
from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.control import intents
from materialsdock.night.processes.guard import FEED_S, safe_state
from materialsdock.protocols import Instrument

CLAIMED = "claimed"  # the last epoch that this data folder's workers had


def take_over(instrument: Instrument, ledger: Ledger) -> int:
    """Claim the instrument and bring it into its safe state; the epoch of the new owner.

    Before the first heartbeat of this process: its guard would feed the dead-man for it.  Raises
    Refused while another night drives the instrument, DeviceFault when the shutter cannot be
    verified closed.
    """
    owner = instrument.devices.get("owner")
    found = 0 if owner is None else owner.found()
    if found not in (0, fact(ledger, CLAIMED)) and _fed(instrument):
        raise Refused(
            f"another night drives {instrument.name}: its epoch is {found}",
            where=owner.name if owner is not None else instrument.name,
            remedy="end that one first; one instrument has one data folder at a time",
        )
    epoch = intents.next_epoch(ledger, above=found)
    set_fact(ledger, CLAIMED, epoch)
    if owner is not None:
        owner.claim(epoch)
    if failed := safe_state(instrument):
        raise DeviceFault(
            "; ".join(failed), where=instrument.name, remedy="look at the instrument itself"
        )
    return epoch


def _fed(instrument: Instrument) -> bool:
    """Return True if somebody's guard feeds the dead-man, which it does for a live worker only."""
    deadman = instrument.devices.get("deadman")
    if deadman is None:
        return False
    before = deadman.beat.get(use_monitor=False)
    time.sleep(3 * FEED_S)
    return bool(deadman.beat.get(use_monitor=False) != before)
