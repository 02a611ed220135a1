"""Reading one recorded event of a single counter."""

from __future__ import annotations

import math

from materialsdock.errors import DeviceFault
from materialsdock.protocols import Counted, Reading
from materialsdock.technique import ReadingKeys


def rate(data: Reading, keys: ReadingKeys) -> Counted:
    """Position, count rate [1/s], its sd from counting statistics, and the count time [s].

    Raises DeviceFault for counts that no counter can have shown.
    """
    counts, seconds = float(data[keys.signal]), float(data["count_time_s"])
    if not (math.isfinite(counts) and counts >= 0 and seconds > 0):
        raise DeviceFault(
            f"{counts} counts in {seconds} s", where=keys.signal, remedy="check the counter"
        )
    sigma = math.sqrt(max(counts, 1.0)) / seconds
    return Counted(float(data[keys.position]), counts / seconds, sigma, seconds)
