"""Services beside the daemon for people and machines: long holds, notices, metrics.

None of them may keep a night from running: what cannot be started is an alarm in the night's log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from materialsdock.errors import MaterialsDockError
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue
from materialsdock.night.status import long_holds, metrics, notices
from materialsdock.profile import config

END_S = 5.0
WatcherT = TypeVar("WatcherT")


@contextmanager
def telling(profile: config.Profile, data: DataDirectory) -> Iterator[None]:
    """Notices where the profile names a file of URLs, metrics where it names a port."""
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger(data.ledger))
        _beside(long_holds.run, long_holds.LongHolds(ledger, data, profile.night), stack)
        if profile.night.notify_file is not None:
            _notices(profile, data, ledger, stack)
        if profile.night.metrics_port:
            try:
                stack.callback(metrics.serve(data, profile.night.metrics_port).close)
            except MaterialsDockError as fault:
                queue.note(ledger, "metrics", {"fault": str(fault)}, severity="warn")
        yield


def _notices(
    profile: config.Profile, data: DataDirectory, ledger: Ledger, stack: ExitStack
) -> None:
    assert profile.night.notify_file is not None
    send = notices.apprise_from(profile.night.notify_file)
    found = notices.Notices(ledger, data, profile.night, send, instrument=profile.name)
    _beside(notices.run, found, stack)


def _beside(
    run: Callable[[WatcherT, threading.Event], None], watcher: WatcherT, stack: ExitStack
) -> None:
    """Run it in a thread of its own until the night ends."""
    ended = threading.Event()
    thread = threading.Thread(target=run, args=(watcher, ended), daemon=True)
    thread.start()
    # not longer: a service that hangs must not hold up the end of the night
    stack.callback(thread.join, END_S)
    stack.callback(ended.set)
