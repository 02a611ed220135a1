"""The section of a technique that counts along one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field

from materialsdock.profile.sections import Measuring

if TYPE_CHECKING:
    from materialsdock.profile.config import Profile


class Curve(Measuring):
    """The way it is measured; the plans are the site's, as the site's devices move the axis.

    resolution : no stretch stays uncounted for longer [unit of the axis]
    count_time_s : per position
    """

    resolution: float = Field(gt=0)
    count_time_s: float = Field(default=1.0, gt=0)


def section_of(profile: Profile, name: str) -> Curve:
    """Return how `profile` measures the technique `name`; InputError where it does not."""
    return cast(Curve, profile.section(name))
