"""Save what was counted exactly once, whatever pauses.

What has been saved is sealed by a checkpoint at once, so it is never measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import Msg

Plan = Generator[Msg, Any, None]


def sealed(saving: Callable[[], Plan]) -> Plan:
    """Carry out the one message of `saving()`, which emits documents, and no pause can repeat it.

    Only that one: a pause inside a sealed section drops the message it interrupts, and one that
    reads may be interrupted, whereas emitting is not.
    """
    yield Msg("rewindable", None, False)
    yield from saving()
    yield from bps.checkpoint()
    yield Msg("rewindable", None, True)


def save_event(readables: list[Any], stream: str) -> Plan:
    """Read `readables` into one event of `stream`, and seal it."""
    yield from bps.create(stream)
    for readable in readables:
        yield from bps.read(readable)
    yield from sealed(bps.save)
