"""Reading one recorded event of a 2θ scan."""

from __future__ import annotations

import math

from materialsdock.errors import DeviceFault
from materialsdock.protocols import Counted, Reading


def observe(data: Reading) -> Counted:
    """2θ [deg], count rate [1/s], its sd and the count time [s] of one event.

    The sd is that of the raw count, at least one count; learners that know better (a model mean)
    replace it.  Raises DeviceFault for counts that no counter can have shown.
    """
    counts, seconds = float(data["counts"]), float(data["count_time_s"])
    if not (math.isfinite(counts) and counts >= 0 and seconds > 0):
        raise DeviceFault(
            f"{counts} counts in {seconds} s", where="counts", remedy="check detector"
        )
    return Counted(
        float(data["two_theta"]),
        counts / seconds,
        math.sqrt(max(counts, 1.0)) / seconds,
        seconds,
    )
