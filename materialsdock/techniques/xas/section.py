"""The section [xas] of a profile: X-ray absorption on one instrument."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, cast

from pydantic import Field

from materialsdock.errors import InputError
from materialsdock.profile.sections import DOTTED, Measuring
from materialsdock.techniques.shared.composition import Composition

if TYPE_CHECKING:  # a profile asks for this section while it is being imported
    from materialsdock.profile.config import Profile

PRIOR_ENDING = ".prior.npz"


class Xas(Measuring):
    """Absorption: how a proposal is measured, and the counting time per energy.

    limits : of the energy [eV]; regions : (from [eV], to [eV], weight)
    signal : what is measured: transmission by the device of role ion_chambers, fluorescence by
        that of role fluorescence, the yield of electrons by that of role electrometer
    composition : of the sample, e.g. Fe2O3, from which self-absorption is estimated
    """

    measure: str = Field(default="plans.measure:measure_point", pattern=DOTTED)
    visit: str = Field(default="plans.measure:measure_point", pattern=DOTTED)
    count_time_s: float = Field(default=1.0, gt=0)
    resolution_ev: float = Field(default=1.0, gt=0)
    i0_rate_hz: float = Field(default=1e5, gt=0)
    signal: Literal["transmission", "fluorescence", "yield"] = "transmission"
    composition: Composition = ""
    prior: Path | None = None
    standards: tuple[Path, ...] = ()
    regions: tuple[tuple[float, float, float], ...] = ()

    def resolved(self, folder: Path) -> Self:
        """The section with its library prior as a file of `folder`, the profile's."""
        if self.prior is None:
            return self
        return self.model_copy(update={"prior": prior_file(self.prior, folder, folder)})


SECTION = Xas


def prior_file(named: Path, folder: Path, relative_to: Path) -> Path:
    """The library prior that `named` names: a path that ends in .npz, or one of `folder`/priors.

    "Fe-K" is profiles/NAME/priors/Fe-K.prior.npz; InputError lists those there are.
    """
    if named.suffix == ".npz":
        return relative_to / named
    found = folder / "priors" / f"{named}{PRIOR_ENDING}"
    if not found.is_file():
        have = sorted(p.name.removesuffix(PRIOR_ENDING) for p in found.parent.glob("*.npz"))
        raise InputError(
            f"no library prior {str(named)!r}",
            where=str(found.parent),
            remedy=f"available: {', '.join(have) or 'none'}; or give the path of an .npz file",
        )
    return found


def section_of(profile: Profile) -> Xas:
    """Return how `profile` measures it; InputError where it does not."""
    return cast(Xas, profile.section("xas"))
