"""Reading one recorded event of the electrometer."""

from __future__ import annotations

import math

from materialsdock.errors import DeviceFault
from materialsdock.model import Job
from materialsdock.protocols import Counted, Reading
from materialsdock.technique import EachByItself


def observe(data: Reading) -> Counted:
    """Energy [eV], electron yield Iey/I0, its sd from counting statistics, and the time [s].

    Raises DeviceFault when the chamber saw nothing, or the electrometer what cannot be.
    """
    i0, iey, seconds = (float(data[key]) for key in ("i0", "iey", "count_time_s"))
    if not (math.isfinite(i0) and math.isfinite(iey) and i0 > 0 and iey >= 0):
        raise DeviceFault(
            f"chamber and electrometer read I0 = {i0}, Iey = {iey}",
            where="electrometer",
            remedy="check beam, shutter and the contact of the sample",
        )
    sigma = math.sqrt(max(iey, 1.0) * (1.0 + iey / i0)) / i0
    return Counted(float(data["mono_energy"]), iey / i0, sigma, seconds)


def observer(job: Job) -> EachByItself:
    """The observer of a job: its events tell nothing of each other."""
    return EachByItself(observe)
