"""From a profile to its instrument: every device made and connected."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from materialsdock.errors import Unreachable
from materialsdock.profile.config import Profile
from materialsdock.protocols import Instrument
from materialsdock.technique import resolved

LEAST_S = 0.1  # that a device gets to answer when the others have used up the time
LONGEST = 3.0  # connection_timeout_s for all devices together, where some answer slowly


def prepare_channel_access(profile: Profile) -> None:
    """Set the profile's EPICS environment and ophyd's timeouts, before the first signal is made."""
    if "epics" not in sys.modules:
        os.environ.update(profile.epics.environment)
    resolved(profile.epics.configure)()


def build_instrument(profile: Profile) -> Instrument:
    """Make and connect every device of the profile.

    They have `connection_timeout_s` together, not each, from the last one on that answered: a slow
    server is not a silent one.  Raises Unreachable naming all devices that did not connect in time.
    """
    prepare_channel_access(profile)
    devices = {
        role: resolved(device.cls)(device.prefix, name=role, **device.options)
        for role, device in profile.devices.items()
    }
    began = time.monotonic()
    absent = _silent(devices, profile.epics.connection_timeout_s)
    if absent:
        raise Unreachable(
            f"no answer from {', '.join(absent)} in {time.monotonic() - began:.1f} s",
            where=f"profile {profile.name}",
            remedy="is the IOC up? for the simulation run `materialsdock sim up`",
        )
    return Instrument(profile.name, devices)


def _silent(devices: Mapping[str, Any], timeout_s: float) -> list[str]:
    """The roles of the devices that do not connect in `timeout_s` from the last answer on."""
    began = answered = time.monotonic()
    silent = []
    for role, device in devices.items():
        if _connects(device, min(answered + timeout_s, began + LONGEST * timeout_s)):
            answered = time.monotonic()
        else:
            silent.append(role)
    return silent


def release(instrument: Instrument) -> None:
    """Disconnect every device, so that a server that goes away surprises nobody."""
    for device in instrument.devices.values():
        device.destroy()


def _connects(device: Any, deadline: float) -> bool:
    """Wait for the device until `deadline` of the monotonic clock [s], a moment at least."""
    try:
        device.wait_for_connection(timeout=max(deadline - time.monotonic(), LEAST_S))
    except TimeoutError:
        return False
    return True
