"""The section [xrd] of a profile: powder diffraction on one instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from pydantic import Field

from materialsdock.profile.sections import DOTTED, Measuring
from materialsdock.techniques.xrd.model import Diffractometer

if TYPE_CHECKING:  # a profile asks for this section while it is being imported
    from materialsdock.profile.config import Profile

STEERED = ("fractions", "parameter")  # objectives for which refinement chooses where to count
OBJECTIVES = ("peaks", "profile", *STEERED)


class Xrd(Measuring):
    """Powder diffraction: how a proposal is measured and what a full scan would be.

    limits : of 2θ [deg]
    """

    measure: str = Field(default="plans.measure:measure_segment", pattern=DOTTED)
    visit: str = Field(default="plans.measure:measure_step", pattern=DOTTED)
    full_time_s: float = Field(default=1.0, gt=0)
    fwhm_deg: float = Field(default=0.1, gt=0)
    segment_points: int = Field(default=64, ge=8, le=512)
    objective: Literal["peaks", "profile", "fractions", "parameter"] = "peaks"
    wanted: tuple[str, ...] = ()
    wanted_esd: float | None = Field(default=None, gt=0)
    diffractometer: Diffractometer = Diffractometer()


def section_of(profile: Profile) -> Xrd:
    """Return how `profile` measures it; InputError where it does not."""
    return cast(Xrd, profile.section("xrd"))
