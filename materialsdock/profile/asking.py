"""The parts of a job that every technique needs from a profile: its id, and when to stop."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from materialsdock.learning.stopping.rules import FIELDS
from materialsdock.learning.stopping.settings import BUDGETS
from materialsdock.profile.sections import Stop


def new_job_id(sample: str) -> str:
    """A readable, sortable, unique id: date, time, sample's letters and digits, random tail."""
    slug = "".join(c for c in sample if c.isascii() and c.isalnum())[:24] or "sample"
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}"


def within_full_scan(stop: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Stopping settings with the time of the full scan [s] as the budget nobody asked for.

    Whoever asks for maximum_seconds gets that, be it more or less.
    """
    return {"full_scan_seconds": float(seconds), **stop}


def stop_settings(stop: Stop, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The profile's stopping section with the user's changes, None left out.

    A user who changes the mode does not get what the profile says of another one.
    """
    asked = {key: value for key, value in changes.items() if value is not None}
    own = {key: value for key, value in stop.model_dump().items() if value is not None}
    known = {"mode", "targets", *BUDGETS, *FIELDS[asked.get("mode", stop.mode)]}
    return {**{key: value for key, value in own.items() if key in known}, **asked}
