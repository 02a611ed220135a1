"""The density of points about an edge, from the width of the narrowest line that can be there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NARROW_EV = (-10.0, 12.0)  # from the tabulated edge: pre-edge peaks, the onset, sharp white lines
NEAR_EV = (-20.0, 40.0)  # where local errors are bounded
POINTS_PER_LINE = 2.0  # of the full width of a pre-edge peak


@dataclass(frozen=True)
class Sampling:
    """The widest gaps between points [eV]: where pre-edge peaks lie, and in the rest near the edge.

    narrow_ev : NARROW_EV; where the instrument has one resolution for all, the whole of NEAR_EV
    """

    fine_ev: float
    near_ev: float

    @classmethod
    def of(cls, core_hole_width_ev: float, mono_resolution_ev: float) -> Sampling:
        """Two points a line where pre-edge peaks lie, so that their height is kept; one elsewhere.

        A line is as wide as core hole (Lorentzian) and monochromator (Gaussian) make it.
        """
        width = line_width(core_hole_width_ev, mono_resolution_ev)
        return cls(width / POINTS_PER_LINE, width)

    @property
    def narrow_ev(self) -> tuple[float, float]:
        """The range from the tabulated edge [eV] in which gaps are no wider than `fine_ev`."""
        return NARROW_EV if self.fine_ev < self.near_ev else NEAR_EV


def line_width(lorentzian_ev: float, gaussian_ev: float) -> float:
    """Full width at half maximum [eV] of a Voigt line from those of its parts.

    Olivero and Longbothum, J. Quant. Spectrosc. Radiat. Transfer 17, 233 (1977): to 0.02 %.
    """
    return float(0.5346 * lorentzian_ev + np.sqrt(0.2166 * lorentzian_ev**2 + gaussian_ev**2))
