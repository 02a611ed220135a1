"""The section [xas] of a profile: X-ray absorption on one instrument."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field

from materialsdock.errors import InputError
from materialsdock.profile.sections import DOTTED, Measuring, Section
from materialsdock.techniques.shared.composition import Composition
from materialsdock.techniques.xas.spectrum.edge_table import Edge
from materialsdock.techniques.xas.spectrum.sampling import Sampling
from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings

if TYPE_CHECKING:  # a profile asks for this section while it is being imported
    from materialsdock.profile.config import Profile

PRIOR_ENDING = ".prior.npz"


def _usable(name: str) -> AfterValidator:
    """A validator of one setting of a spectrum, in the words of SpectrumSettings."""

    def checked(value: Any) -> Any:
        try:
            SpectrumSettings(**{name: value})
        except InputError as fault:
            raise ValueError(fault.what) from None
        return value

    return AfterValidator(checked)


Range = tuple[float, float]
E0 = Annotated[float, _usable("e0")]
Pre = Annotated[Range, _usable("pre")]
Norm = Annotated[Range, _usable("norm")]
KRange = Annotated[Range, _usable("k_range")]
Order = Annotated[int, _usable("order")]
Rbkg = Annotated[float, _usable("rbkg")]
Shift = Annotated[float, _usable("shift")]


class SpectrumKeys(Section):
    """Keys of a profile and of a recipe about the analysis of a spectrum.

    e0 : energy [eV] that ranges and k are counted from; none: half height of the edge
    pre, norm : range [eV from e0] of the pre-edge line, and of the post-edge polynomial
    order : of that polynomial, 0 to 3; rbkg : distance [Å] below which everything is background
    k_range : of the Fourier transform [1/Å]
    shift : [eV] by which a mixture may be shifted against its standards
    """

    e0: E0 | None = None
    pre: Pre | None = None
    norm: Norm | None = None
    order: Order | None = None
    rbkg: Rbkg | None = None
    k_range: KRange | None = None
    shift: Shift = 0.0


class Xas(SpectrumKeys, Measuring):
    """Absorption: how a proposal is measured, and the counting time per energy.

    limits : of the energy [eV]; regions : (from [eV], to [eV], weight)
    signal : what is measured: transmission by the device of role ion_chambers, fluorescence by
        that of role fluorescence, the yield of electrons by that of role electrometer
    composition : of the sample, e.g. Fe2O3, from which self-absorption is estimated
    mono_resolution_ev : of the monochromator at full width [eV]; mono_resolution : the same as a
    share of the energy, where it has no fixed width; Si 111 has 1.4e-4
    resolution_ev : the widest gap [eV] between points near every edge, in place of what
    monochromator and core hole make it
    """

    measure: str = Field(default="plans.measure:measure_point", pattern=DOTTED)
    visit: str = Field(default="plans.measure:measure_point", pattern=DOTTED)
    count_time_s: float = Field(default=1.0, gt=0)
    mono_resolution_ev: float | None = Field(default=None, gt=0)
    mono_resolution: float = Field(default=1.4e-4, gt=0, lt=0.1)
    resolution_ev: float | None = Field(default=None, gt=0)
    i0_rate_hz: float = Field(default=1e5, gt=0)
    signal: Literal["transmission", "fluorescence", "yield"] = "transmission"
    composition: Composition = ""
    prior: Path | None = None
    standards: tuple[Path, ...] = ()
    regions: tuple[tuple[float, float, float], ...] = ()

    def sampling(self, edge: Edge) -> Sampling:
        """Return how densely the surroundings of an edge are measured on this instrument."""
        if self.resolution_ev is not None:
            return Sampling(self.resolution_ev, self.resolution_ev)
        return Sampling.of(edge.core_hole_width_ev, self.mono_ev(edge))

    def mono_ev(self, edge: Edge) -> float:
        """The full width of the monochromator at an edge [eV]."""
        return self.mono_resolution_ev or self.mono_resolution * edge.energy_ev

    @property
    def chosen(self) -> SpectrumSettings:
        """The settings of the analysis that the profile chooses."""
        return SpectrumSettings.of(self.model_dump())

    def resolved(self, folder: Path) -> Self:
        """The section with its library prior as a file of `folder`, the profile's."""
        if self.prior is None:
            return self
        return self.model_copy(update={"prior": prior_file(self.prior, folder, folder)})


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
