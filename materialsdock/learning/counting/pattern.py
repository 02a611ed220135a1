"""The value that counting at many steps gives: a powder pattern."""

from __future__ import annotations

from dataclasses import dataclass

from materialsdock.model import FloatArray


@dataclass(frozen=True, eq=False)
class Pattern:
    """A powder pattern: (n,) 2θ [deg], intensity [counts/s], sigma [counts/s], count time [s]."""

    two_theta: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    count_time_s: FloatArray
