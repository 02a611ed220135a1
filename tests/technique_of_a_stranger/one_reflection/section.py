"""The section [reflection] of a profile."""

from __future__ import annotations

from pydantic import Field

from materialsdock.profile.sections import DOTTED, Measuring


class Reflection(Measuring):
    """One reflection: counts over 2θ, one place at a time.

    limits : of 2θ [deg]; resolution_deg : no stretch may stay uncounted for longer
    """

    measure: str = Field(default="plans.measure:measure_step", pattern=DOTTED)
    visit: str = Field(default="plans.measure:measure_step", pattern=DOTTED)
    count_time_s: float = Field(default=1.0, gt=0)
    resolution_deg: float = Field(default=0.05, gt=0)
