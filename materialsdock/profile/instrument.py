"""From a profile to its instrument: every device made and connected."""

from __future__ import annotations

import os
import sys
from typing import Any

from materialsdock.errors import Unreachable
from materialsdock.profile.config import Profile
from materialsdock.protocols import Instrument
from materialsdock.technique import resolved


def prepare_channel_access(profile: Profile) -> None:
    """Set the profile's EPICS environment and ophyd's timeouts, before the first signal is made."""
    if "epics" not in sys.modules:
        os.environ.update(profile.epics.environment)
    resolved(profile.epics.configure)()


def build_instrument(profile: Profile) -> Instrument:
    """Make and connect every device of the profile.

    Raises Unreachable naming all devices that did not connect in time.
    """
    prepare_channel_access(profile)
    devices = {
        role: resolved(device.cls)(device.prefix, name=role, **device.options)
        for role, device in profile.devices.items()
    }
    absent = [role for role, device in devices.items() if not _connects(profile, device)]
    if absent:
        raise Unreachable(
            f"no answer from {', '.join(absent)} in {profile.epics.connection_timeout_s:g} s",
            where=f"profile {profile.name}",
            remedy="is the IOC up? for the simulation run `materialsdock sim up`",
        )
    return Instrument(profile.name, devices)


def release(instrument: Instrument) -> None:
    """Disconnect every device, so that a server that goes away surprises nobody."""
    for device in instrument.devices.values():
        device.destroy()


def _connects(profile: Profile, device: Any) -> bool:
    try:
        device.wait_for_connection(timeout=profile.epics.connection_timeout_s)
    except TimeoutError:
        return False
    return True
