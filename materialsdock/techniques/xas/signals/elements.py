"""The elements of a fluorescence detector in one event: their counts, corrected for dead time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from materialsdock.errors import DeviceFault
from materialsdock.model import FloatArray
from materialsdock.protocols import Reading

NUMBERED = re.compile(r"roi([1-9]\d*)")
KEYS = ("roi", "icr", "ocr")


@dataclass(frozen=True, eq=False)
class Elements:
    """(k,) elements: their numbers, counts in the region, photons in and pulses out [1/s].

    seconds : for which they were counted
    """

    numbers: tuple[int, ...]
    roi: FloatArray
    icr: FloatArray
    ocr: FloatArray
    seconds: float

    @classmethod
    def of(cls, data: Reading) -> Self:
        """The elements that an event holds, by number; DeviceFault for counts that cannot be."""
        numbers = numbers_of(data)
        shown = np.array([[float(data[f"{key}{n}"]) for n in numbers] for key in KEYS])
        seconds, whole = float(data["real_time_s"]), float(data["roi_sum"])
        sound = np.isfinite(shown).all() and (shown >= 0).all() and 0 <= whole < np.inf
        if not (numbers and sound and seconds > 0):
            raise DeviceFault(
                f"{shown[0].tolist()} counts in {seconds:g} s",
                where="fluorescence",
                remedy="check the detector",
            )
        roi, icr, ocr = shown
        return cls(numbers, roi, icr, ocr, seconds)

    @cached_property
    def dead(self) -> FloatArray:
        """(k,) share of the time in which an element was dead: 1 − OCR/ICR."""
        free = np.divide(self.ocr, self.icr, out=np.ones_like(self.icr), where=self.icr > 0)
        return np.asarray(np.clip(1.0 - free, 0.0, 1.0))

    @cached_property
    def factor(self) -> FloatArray:
        """(k,) true over recorded counts, ICR/OCR; 1 where nothing came out."""
        whole = np.divide(self.icr, self.ocr, out=np.ones_like(self.icr), where=self.ocr > 0)
        return np.asarray(np.maximum(whole, 1.0))

    @cached_property
    def counts(self) -> FloatArray:
        """(k,) counts in the region, corrected for dead time."""
        return self.roi * self.factor

    @cached_property
    def variance(self) -> FloatArray:
        """(k,) variance of `counts`: Poisson photons in, of which 1/factor were recorded.

        With R counts among N pulses out of M photons in, R·M/N has the variance R·M/N·(p + (1 −
        p)·M/N), p = R/N: the pulses that lie in the region are binomial, the photons Poisson.
        """
        pulses = np.maximum(self.ocr * self.seconds, 1.0)
        inside = np.clip(self.roi / pulses, 0.0, 1.0)
        return np.asarray(self.counts * (inside + (1.0 - inside) * self.factor))


def numbers_of(data: Reading) -> tuple[int, ...]:
    """The numbers of the elements that an event holds, in order."""
    return tuple(sorted(int(found[1]) for key in data if (found := NUMBERED.fullmatch(key))))
