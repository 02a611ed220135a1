"""The settings that an analyst may choose of a spectrum, the same for every command and sheet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.normalise import Ranges

Range = tuple[float, float]
LARGEST_ORDER = 3
LARGEST_RBKG = 3.0
LARGEST_SHIFT_EV = 10.0


@dataclass(frozen=True)
class SpectrumSettings:
    """Settings of normalisation and background; None: as the spectrum's length allows.

    e0 : [eV] that ranges and k are counted from; None: the edge at half height
    pre, norm : [eV from e0] of the pre-edge line, and of the post-edge polynomial
    order : of that polynomial, 0 to 3; rbkg : [Å] below which everything is background
    k_range : [1/Å] of the Fourier transform
    shift : [eV] by which a mixture may be shifted against its standards; 0: not at all
    Raises InputError naming every value that cannot be used.
    """

    e0: float | None = None
    pre: Range | None = None
    norm: Range | None = None
    order: int | None = None
    rbkg: float | None = None
    k_range: Range | None = None
    shift: float = 0.0

    def __post_init__(self) -> None:
        if faults := [*self._faults()]:
            raise InputError(
                "; ".join(faults),
                where="normalisation",
                remedy="e.g. e0 7112, pre -150 -30, norm 50 400, order 2, rbkg 1.0, k-range 3 12",
            )

    def _faults(self) -> Iterator[str]:
        if self.e0 is not None and not 0 < self.e0 < math.inf:
            yield f"e0 {self.e0:g} eV is no energy"
        if self.pre is not None and not -math.inf < self.pre[0] < self.pre[1] < 0:
            yield f"pre {_both(self.pre)} eV is not from LO to HI, both below 0: before the edge"
        if self.norm is not None and not 0 < self.norm[0] < self.norm[1] < math.inf:
            yield f"norm {_both(self.norm)} eV is not from LO to HI, both above 0: behind the edge"
        if self.order is not None and self.order not in range(LARGEST_ORDER + 1):
            yield f"order {self.order} is not 0 to {LARGEST_ORDER}"
        if self.rbkg is not None and not 0 < self.rbkg <= LARGEST_RBKG:
            yield f"rbkg {self.rbkg:g} Å is not above 0 and up to {LARGEST_RBKG:g}"
        if self.k_range is not None and not 0 <= self.k_range[0] < self.k_range[1] < math.inf:
            yield f"k-range {_both(self.k_range)} 1/Å is not from LO to HI"
        if not 0 <= self.shift <= LARGEST_SHIFT_EV:
            yield f"shift {self.shift:g} eV is not 0 to {LARGEST_SHIFT_EV:g}"

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> SpectrumSettings:
        """The settings of a job, a row or a profile: those of its keys that are settings."""
        known: dict[str, Any] = {
            key: tuple(said[key]) if isinstance(said[key], list) else said[key]
            for key in cls.__dataclass_fields__
            if said.get(key) is not None
        }
        return cls(**known)

    def chosen(self) -> dict[str, Any]:
        """Those that somebody chose, as plain values for a job."""
        default = SpectrumSettings()
        return {key: v for key, v in asdict(self).items() if v != getattr(default, key)}

    def ranges(self, relative_ev: FloatArray) -> Ranges:
        """The ranges of a spectrum whose energies from e0 are (m,) [eV]."""
        own = Ranges.of(relative_ev)
        order = own.order if self.order is None else self.order
        return Ranges(self.pre or own.pre_ev, self.norm or own.post_ev, order)


def _both(ends: Range) -> str:
    return f"{ends[0]:g} {ends[1]:g}"


NOTHING_CHOSEN = SpectrumSettings()
