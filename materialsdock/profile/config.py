"""profiles/NAME/profile.toml -> a frozen Profile, with one section for each technique."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationError, create_model, model_validator

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.profile.files import FileKeys
from materialsdock.profile.sections import (
    Analysis,
    Beam,
    Catalog,
    ConditionSettings,
    Device,
    Epics,
    Measuring,
    NightSettings,
    Plans,
    Section,
    SimulationSettings,
    faults,
)


class Profile(Section):
    """One instrument, as its staff describe it.

    positions : of the sample changer, counted from 0; none: not checked
    simulated : whether there is no other instrument than that of [simulation]; without it the
    section only says what plays a real one in rehearsals
    Every technique that is installed adds the optional section of its name.
    """

    name: str
    description: str = ""
    positions: int | None = Field(default=None, ge=1)
    simulated: bool = False
    epics: Epics
    simulation: SimulationSettings | None = None
    devices: Mapping[str, Device]
    beam: Beam | None = None
    conditions: ConditionSettings | None = None
    plans: Plans = Plans()
    formats: FileKeys = FileKeys()
    analysis: Analysis = Analysis()
    catalog: Catalog = Catalog()
    night: NightSettings = NightSettings()

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

    @model_validator(mode="before")
    @classmethod
    def _knows_its_techniques(cls, given: Any) -> Any:
        """Only a technique's section has a plan `measure`; InputError lists the installed ones."""
        for name, section in given.items() if isinstance(given, Mapping) else ():
            if isinstance(section, Mapping) and "measure" in section:
                technique.named(name)
        return given

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
    def simulated_by(self) -> SimulationSettings | None:
        """The simulation that is the instrument; None for a real one, rehearsable or not."""
        return self.simulation if self.simulated else None

    @property
    def speed(self) -> float:
        """Seconds of the instrument per second of wall clock."""
        return 1.0 if self.simulated_by is None else self.simulated_by.speed

    @property
    def techniques(self) -> Mapping[str, Measuring]:
        """The sections of the techniques that this instrument has, by name."""
        given = {name: getattr(self, name) for name in technique.known()}
        return {name: section for name, section in given.items() if section is not None}

    def section(self, name: str) -> Measuring:
        """Return how the technique `name` is measured here; InputError where it is not."""
        if name not in self.techniques:
            raise InputError(
                f"profile {self.name!r} has no [{name}] section",
                where="profile.toml",
                remedy=f"describe the instrument under [{name}] or choose another technique",
            )
        return self.techniques[name]

    def with_section(self, name: str, section: Measuring) -> Self:
        """The profile with another section of the technique `name`."""
        return self.model_copy(update={name: section})


if not TYPE_CHECKING:
    if _taken := set(technique.known()) & set(Profile.model_fields):
        raise InputError(
            f"no technique can be called {', '.join(sorted(_taken))}: profiles have such a key",
            where=technique.GROUP,
            remedy="uninstall that package",
        )
    Profile = create_model(
        "Profile",
        __base__=Profile,
        __doc__=Profile.__doc__,
        __module__=__name__,
        **{name: (each.section() | None, None) for name, each in technique.known().items()},
    )


def names(site: Path) -> list[str]:
    """The profiles of a site, sorted."""
    return sorted(path.parent.name for path in (site / "profiles").glob("*/profile.toml"))


def load(name: str, site: Path) -> Profile:
    """Read and check a profile; InputError lists every fault at once."""
    path = site / "profiles" / name / "profile.toml"
    if not path.is_file():
        have = ", ".join(names(site)) or "none"
        raise InputError(
            f"no profile {name!r}", where=str(path.parent), remedy=f"available: {have}"
        )
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
    for named, section in profile.techniques.items():
        profile = profile.with_section(named, section.resolved(path.parent))
    return profile
