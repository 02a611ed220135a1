"""Reading one recorded event of an energy scan."""

from __future__ import annotations

import math

from materialsdock.errors import DeviceFault
from materialsdock.protocols import Counted, Reading


def observe(data: Reading) -> Counted:
    """Energy [eV], µ = ln(I0/It), its sd from counting statistics, and the count time [s].

    Raises DeviceFault when a chamber saw nothing.
    """
    i0, it, seconds = (float(data[key]) for key in ("i0", "it", "count_time_s"))
    if not (math.isfinite(i0) and math.isfinite(it) and i0 > 0 and it > 0):
        raise DeviceFault(
            f"ion chambers read I0 = {i0}, It = {it}",
            where="ion_chambers",
            remedy="check beam, shutter and the chambers' gain",
        )
    return Counted(
        float(data["mono_energy"]),
        math.log(i0 / it),
        math.sqrt(1.0 / i0 + 1.0 / it),
        seconds,
    )
