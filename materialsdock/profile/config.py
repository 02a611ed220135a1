"""profiles/NAME/profile.toml -> a frozen Profile, and from it a connected Instrument."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from materialsdock.errors import InputError, Unreachable
from materialsdock.profile.sections import (
    DOTTED,
    Catalog,
    Conditions,
    Device,
    Epics,
    Night,
    Plans,
    Section,
    Simulation,
)
from materialsdock.protocols import Instrument
from materialsdock.techniques.xrd.model import Diffractometer

PRIOR_ENDING = ".prior.npz"


SectionT = TypeVar("SectionT", bound=Section)


class Beam(Section):
    """Hold while the ring current is below `minimum_ma`; resume above `resume_ma` for `wait_s`."""

    role: str = "ring"
    minimum_ma: float
    resume_ma: float
    wait_s: float = Field(default=0.0, ge=0)


class Motion(Section):
    """Cost of moving, for seconds measured and for choosing: velocity [unit/s], settling [s]."""

    velocity: float = Field(gt=0)
    settle_s: float = Field(default=0.0, ge=0)


class Stop(Section):
    """When to stop; the vocabulary of learning.stopping.rule_from_settings."""

    mode: Literal["paper", "robust", "target"] = "robust"
    threshold: float = Field(default=0.05, gt=0, lt=1)
    minimum_points: int | None = Field(default=None, ge=1)
    maximum_points: int | None = Field(default=None, ge=1)
    maximum_seconds: float | None = Field(default=None, gt=0)
    maximum_count_seconds: float | None = Field(default=None, gt=0)
    absolute: Literal["sd", "target"] | None = None
    gap: bool | None = None
    targets: Mapping[str, float] = {}


class Xrd(Section):
    """Powder diffraction: how a proposal is measured and what a full scan would be.

    limits : of 2θ [deg], beyond which no sample of a queue may be measured
    """

    measure: str = Field(default="plans.measure:measure_segment", pattern=DOTTED)
    visit: str = Field(default="plans.measure:measure_step", pattern=DOTTED)
    full_time_s: float = Field(default=1.0, gt=0)
    fwhm_deg: float = Field(default=0.1, gt=0)
    segment_points: int = Field(default=64, ge=8, le=512)
    objective: Literal["peaks", "profile", "fractions", "parameter"] = "peaks"
    wanted: tuple[str, ...] = ()
    wanted_esd: float | None = Field(default=None, gt=0)
    limits: tuple[float, float] | None = None
    motion: Motion
    stop: Stop = Stop()
    diffractometer: Diffractometer = Diffractometer()


class Xas(Section):
    """Absorption: how a proposal is measured, and the counting time per energy.

    limits : of the energy [eV], beyond which no sample of a queue may be measured
    """

    measure: str = Field(default="plans.measure:measure_point", pattern=DOTTED)
    visit: str = Field(default="plans.measure:measure_point", pattern=DOTTED)
    count_time_s: float = Field(default=1.0, gt=0)
    resolution_ev: float = Field(default=1.0, gt=0)
    i0_rate_hz: float = Field(default=1e5, gt=0)
    prior: Path | None = None
    standards: tuple[Path, ...] = ()
    regions: tuple[tuple[float, float, float], ...] = ()
    limits: tuple[float, float] | None = None
    motion: Motion
    stop: Stop = Stop()


class Analysis(Section):
    """The refinement search that starts by itself after a measurement.

    executor : processes here, or the Dask cluster at `scheduler_address` ("tcp://host:8786")
    storage : URL where trials are kept (refinement/storage.py); none: in memory
    engine : Rietveld program, "rietx" or "gsas2" where it is installed
    texture : preferred orientation on request only, or also by evidence (refinement/texture.py)
    warm_start : try first what earlier searches on the instrument found
    store : folder of structures, searched where a sample comes without any
    elements : that they may be made of; none: those of the sample's composition, or all
    energy : ASE calculator "module:Class" of the hybrid analysis, made with energy_arguments
    """

    engine: Literal["rietx", "gsas2"] = "rietx"
    trials: int = Field(default=16, ge=1)
    seeds: tuple[int, ...] = (0,)
    workers: int = Field(default=2, ge=1)
    trial_time_limit_s: float = Field(default=60.0, gt=0)
    executor: Literal["local", "dask"] = "local"
    scheduler_address: str | None = None
    storage: str | None = None
    texture: Literal["request", "evidence"] = "request"
    warm_start: bool = True
    store: str | None = None
    elements: tuple[str, ...] = ()
    energy: str | None = Field(default=None, pattern=DOTTED)
    energy_arguments: Mapping[str, Any] = {}
    energy_trials: int = Field(default=20, ge=1)

    @model_validator(mode="after")
    def _has_a_scheduler(self) -> Self:
        if self.executor == "dask" and self.scheduler_address is None:
            raise ValueError('executor = "dask" needs scheduler_address = "tcp://HOST:8786"')
        return self


class Profile(Section):
    """One instrument, as its staff describe it.

    positions : of the sample changer, counted from 0; none: not checked
    simulated : whether there is no other instrument than that of [simulation]; without it the
    section only says what plays a real one in rehearsals
    """

    name: str
    description: str = ""
    positions: int | None = Field(default=None, ge=1)
    simulated: bool = False
    epics: Epics
    simulation: Simulation | None = None
    devices: Mapping[str, Device]
    beam: Beam | None = None
    conditions: Conditions | None = None
    xrd: Xrd | None = None
    xas: Xas | None = None
    plans: Plans = Plans()
    analysis: Analysis = Analysis()
    catalog: Catalog = Catalog()
    night: Night = Night()

    @model_validator(mode="before")
    @classmethod
    def _knows_the_older_learn(cls, given: Any) -> Any:
        """`learn` of older profiles, at the top, is that of [plans]."""
        if not (isinstance(given, Mapping) and "learn" in given):
            return given
        rest = {key: value for key, value in given.items() if key != "learn"}
        plans = rest.get("plans", {})
        if isinstance(plans, Mapping) and plans.get("learn", given["learn"]) != given["learn"]:
            raise ValueError("learn is given twice, at the top and in [plans]: keep one of them")
        return {**rest, "plans": {**plans, "learn": given["learn"]}}

    @model_validator(mode="after")
    def _is_simulated_throughout(self) -> Self:
        if self.simulated and self.simulation is None:
            raise ValueError("simulated = true needs a section [simulation]")
        if found := self.simulated_by:
            own = found.prefix
            if real := [role for role, d in self.devices.items() if not d.prefix.startswith(own)]:
                raise ValueError(
                    f"simulated = true, but PVs of {', '.join(real)} do not begin with {own!r}: "
                    "take `simulated` away where the instrument is real"
                )
        return self

    @property
    def simulated_by(self) -> Simulation | None:
        """What the instrument is; None for a real one, whether it can be rehearsed or not."""
        return self.simulation if self.simulated else None

    @property
    def speed(self) -> float:
        """Seconds of the instrument per second of wall clock."""
        return 1.0 if self.simulated_by is None else self.simulated_by.speed


def names(site: Path) -> list[str]:
    """The profiles of a site, sorted."""
    return sorted(path.parent.name for path in (site / "profiles").glob("*/profile.toml"))


def load(name: str, site: Path) -> Profile:
    """Read and check a profile; InputError lists every fault at once."""
    path = site / "profiles" / name / "profile.toml"
    if not path.is_file():
        have = ", ".join(names(site)) or "none"
        raise InputError(f"no profile {name!r}", where=str(path.parent), remedy=f"there is: {have}")
    try:
        profile = Profile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InputError(str(error), where=str(path), remedy="mend the TOML") from error
    except ValidationError as error:
        raise InputError(faults(error), where=str(path), remedy="mend these keys") from error
    if profile.analysis.store is not None:
        folder = path.parent / Path(profile.analysis.store).expanduser()
        store = {"store": str(folder.resolve())}
        analysis = profile.analysis.model_copy(update=store)
        profile = profile.model_copy(update={"analysis": analysis})
    if profile.xas is None or profile.xas.prior is None:
        return profile
    file = prior_file(profile.xas.prior, path.parent, path.parent)
    return profile.model_copy(update={"xas": profile.xas.model_copy(update={"prior": file})})


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
            remedy=f"there is: {', '.join(have) or 'none'}; or give the path of an .npz file",
        )
    return found


def faults(error: ValidationError) -> str:
    """All faults of a pydantic validation in one line each, with key and value."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc']))} = {e['input']!r}: {e['msg']}" for e in error.errors()
    )


def resolve(dotted: str) -> Callable[..., Any]:
    """The object that "package.module:name" names; InputError when there is none."""
    module_name, _, attribute = dotted.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"cannot load {dotted!r}: {error}", where="profile.toml", remedy="name module:object"
        ) from error
    return found


def changed(section: SectionT, changes: Mapping[str, Any]) -> SectionT:
    """The section with `changes`, checked as the file is; InputError names every fault."""
    try:
        return type(section).model_validate({**section.model_dump(), **changes})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InputError(
            faults, where="options", remedy="see materialsdock measure --help"
        ) from None


def prepare_channel_access(profile: Profile) -> None:
    """Set the profile's EPICS environment and ophyd's timeouts, before the first signal is made."""
    if "epics" not in sys.modules:
        os.environ.update(profile.epics.environment)
    resolve(profile.epics.configure)()


def build_instrument(profile: Profile) -> Instrument:
    """Make and connect every device of the profile.

    Raises Unreachable naming all devices that did not connect in time.
    """
    prepare_channel_access(profile)
    devices = {
        role: resolve(device.cls)(device.prefix, name=role, **device.options)
        for role, device in profile.devices.items()
    }
    absent = [role for role, device in devices.items() if not _connects(profile, device)]
    if absent:
        raise Unreachable(
            f"no answer from {', '.join(absent)} in {profile.epics.connection_timeout_s:g} s",
            where=f"profile {profile.name}",
            remedy="is the IOC up? for the simulation run `materialsdock sim up`",
        )
    return Instrument(profile.name, devices)


def release(instrument: Instrument) -> None:
    """Disconnect every device, so that a server that goes away surprises nobody."""
    for device in instrument.devices.values():
        device.destroy()


def _connects(profile: Profile, device: Any) -> bool:
    try:
        device.wait_for_connection(timeout=profile.epics.connection_timeout_s)
    except TimeoutError:
        return False
    return True
