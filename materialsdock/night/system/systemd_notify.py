"""The reports of the daemon and the guard to a service manager: systemd's notify protocol.

See sd_notify(3).  Without NOTIFY_SOCKET in the environment nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from materialsdock.night.system.heartbeats import Heart

log = logging.getLogger(__name__)
ALIVE_S = 1.0


class ManagedHeart(Heart):
    """A heart whose heartbeats the service manager gets, too.

    No thread sends anything: a loop that stands still is silent there as it is in the file.
    READY=1 goes with the second heartbeat, when the loop has done all it does once.

    words : what the process does now, for `systemctl status`
    """

    def __init__(self, path: Path, words: Callable[[], str]) -> None:
        super().__init__(path)
        # children must not send in the name of this process
        self._address = os.environ.pop("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self._words = words
        self._turned = self._ready = False
        self._told = 0.0

    def beat(self) -> None:
        """Note that the loop turns, and let the service manager know."""
        super().beat()
        if not self._address:
            return
        now = time.monotonic()
        if self._turned and now - self._told >= ALIVE_S:
            first = "" if self._ready else "READY=1\n"
            self._ready, self._told = True, now
            self._tell(f"{first}WATCHDOG=1\nSTATUS={' '.join(self._words().split())}")
        self._turned = True

    def stopping(self) -> None:
        """The process ends in order, which takes a while."""
        if self._address:
            self._tell("STOPPING=1\nSTATUS=ends in order")

    def _tell(self, lines: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.setblocking(False)  # a manager that does not listen must hold up nobody
            try:
                way.sendto(lines.encode(), self._address)
            except OSError as error:
                log.warning("systemd could not be notified: %s", error)
