"""The scan that one format holds, before its units, its σ and its wavelengths are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from materialsdock.model import FloatArray

Intensity = Literal["counts", "cps", "relative", "arbitrary", ""]


@dataclass(frozen=True)
class Stated:
    """The words of a file about its radiation; what it does not say is empty.

    wavelengths_angstrom : of its lines; where : the place they stand, in words
    alone : one line, and the file says that there is no other; anode : its element
    beside : lines that the same file names at other places; notes : what else it says of itself
    """

    wavelengths_angstrom: tuple[float, ...] = ()
    where: str = ""
    alone: bool = False
    anode: str = ""
    beside: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FoundScan:
    """Positions x and intensities y (n,) as a file has them, and the line (n,) of each.

    axis, unit : what x is, "two_theta", "theta", "q" or "d", and in which unit
    intensity : "counts", "cps" (counts per second), "relative" (to a largest one), "arbitrary"
        (units), "" where it is not said
    seconds : counting time of each point, one number or (n,)
    exposures : the points stand as they were measured, a place perhaps more than once
    factor : (n,) attenuation of each point; corrected : y was multiplied by it already
    sigma : (n,) standard deviation of y where the file has one; sigma_from : where it stands
    """

    x: FloatArray
    y: FloatArray
    line: Sequence[int]
    kind: str
    axis: str = "two_theta"
    unit: str = ""
    intensity: Intensity = ""
    seconds: float | FloatArray | None = None
    exposures: bool = False
    factor: FloatArray | None = None
    corrected: bool = False
    sigma: FloatArray | None = None
    sigma_from: str = ""
    stated: Stated = field(default_factory=Stated)
    scan: str = ""
    columns: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def stepped(start: float, step: float, n: int) -> FloatArray:
    """(n,) evenly stepped positions."""
    return np.asarray(start + step * np.arange(n), dtype=float)
