"""Waiting in tests, and what they measured while they waited."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FACTOR = 3.0  # machines of a CI are slow, and so may be what is measured on them
TIMES = "MATERIALSDOCK_FAULT_TIMES"


def within(target_s: float) -> float:
    """The longest that a test lets something take whose target is `target_s`."""
    return FACTOR * target_s


def record(row: str, **seconds: float | str | None) -> None:
    """Print what was measured for a row of the fault matrix, and keep it where TIMES says."""
    rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in seconds.items()}
    line = json.dumps({"row": row, **rounded, "load": round(os.getloadavg()[0], 1)})
    print(line)
    if path := os.environ.get(TIMES):
        with Path(path).open("a") as file:
            file.write(f"{line}\n")


class TooLate(AssertionError):
    """Something did not happen within its time."""


def until(what: Callable[[], Any], limit_s: float, words: str = "") -> float:
    """Wait until `what` is true; the seconds it took."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > limit_s:
            raise TooLate(f"{words or what} not within {limit_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began
