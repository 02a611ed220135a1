"""From recorded events to observations: the only way in which a learner hears of the world."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from materialsdock.errors import DeviceFault
from materialsdock.ledger.documents import events
from materialsdock.model import Observation
from materialsdock.protocols import Counted, Reading


def of_diffraction(data: Reading) -> Counted:
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


def of_absorption(data: Reading) -> Counted:
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


OBSERVERS: Mapping[str, Callable[[Reading], Counted]] = {
    "xrd": of_diffraction,
    "xas": of_absorption,
}


def observations(
    technique: str, name: str, document: Mapping[str, Any], *, run_uid: str, step: int
) -> list[Observation]:
    """The observations of one document of stream `primary`, with uids "<run uid>/<seq_num>"."""
    observe = OBSERVERS[technique]
    found = []
    for seq_num, data in events(name, document):
        x, y, sigma, seconds = observe(data)
        found.append(Observation(f"{run_uid}/{seq_num}", step, x, y, sigma, seconds, run_uid))
    return found
