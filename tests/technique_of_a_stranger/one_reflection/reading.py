"""Reading one recorded event of the point detector."""

from __future__ import annotations

from materialsdock.protocols import Counted, Reading
from materialsdock.techniques.ordinary.reading import rate
from one_reflection.technique import TECHNIQUE


def observe(data: Reading) -> Counted:
    """2θ [deg], count rate [1/s], its sd, the count time [s]; DeviceFault for impossible counts."""
    return rate(data, TECHNIQUE.keys)
