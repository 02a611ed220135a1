"""Carries the ledger over to the databroker catalog and packs closed runs, beside all else."""

from __future__ import annotations

import logging
import time

from materialsdock.errors import MaterialsDockError
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.packing import pack_next
from materialsdock.night.processes.child_of_daemon import child
from materialsdock.night.system.heartbeats import Heart
from materialsdock.night.system.process import Line
from materialsdock.profile import config
from materialsdock.views.catalog import CatalogFeeder, catalog_of

log = logging.getLogger(__name__)
TURN_S = 0.5
AGAIN_S = 10.0
DRAIN_S = 30.0


def feed(profile: config.Profile, data: DataDirectory, line: Line, heart: Heart) -> None:
    """Feed the catalog until told to end; a catalog that is away is tried again for ever."""
    with Ledger(data.ledger) as ledger:
        while True:
            try:
                with (
                    catalog_of(profile, data) as client,
                    CatalogFeeder(ledger, client, data.path) as feeder,
                ):
                    line.say("ready")
                    wait_for_end(ledger, line, heart)
                    feeder.drain(DRAIN_S)
                    return
            except MaterialsDockError as error:
                log.warning("the catalog waits: %s", error)
                if _told_to_end(ledger, line, heart, AGAIN_S):
                    return


def _told_to_end(ledger: Ledger, line: Line, heart: Heart, limit_s: float) -> bool:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        heart.beat()
        if not line.inbox.empty():
            return True
        _pack(ledger)
        time.sleep(TURN_S)
    return False


def _pack(ledger: Ledger) -> None:
    """Pack a page of what is closed, where there is any; a ledger of before packs night by night.

    A page at a time: the heart must beat, and whoever measures writes in between.
    """
    try:
        pack_next(ledger)
    except MaterialsDockError as error:
        log.warning("closed runs are not packed: %s", error)


def wait_for_end(ledger: Ledger, line: Line, heart: Heart) -> None:
    """Send heartbeats, and pack, until the daemon ends it."""
    while not _told_to_end(ledger, line, heart, AGAIN_S):
        pass


def main() -> None:
    """`python -m materialsdock.night.processes.librarian`: started by the daemon only."""
    with child("librarian") as role, Heart(role.beat / "librarian.beat") as heart:
        role.line.listen()
        feed(role.profile, role.data, role.line, heart)


if __name__ == "__main__":
    main()
