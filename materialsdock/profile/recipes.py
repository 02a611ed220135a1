"""Recipes: how a kind of sample is measured and analysed, by name in the profile's folder.

What an entry of a sheet says goes before its recipe, and the recipe before the profile.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from materialsdock.errors import InputError
from materialsdock.profile.config import Profile
from materialsdock.profile.sections import Analysis, Section, Stop, changed, faults

FOLDER = "recipes"
ANGLES = ("two_theta_start", "two_theta_stop", "two_theta_step")
ENERGIES = ("below_ev", "above_ev")
AIM = ("objective", "wanted", "wanted_esd")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Measure(Section):
    """What is measured: 2θ range and step [deg], or energies [eV] below and above the edge.

    count_time_s : per position of a full 2θ scan, or per energy
    objective, wanted, wanted_esd : as in the profile's [xrd]
    """

    technique: str
    two_theta_start: float | None = Field(default=None, ge=-180, le=180)
    two_theta_stop: float | None = Field(default=None, ge=-180, le=180)
    two_theta_step: float | None = Field(default=None, gt=0, le=10)
    below_ev: float | None = Field(default=None, gt=0, le=10_000)
    above_ev: float | None = Field(default=None, gt=0, le=10_000)
    count_time_s: float | None = Field(default=None, gt=0, le=86_400)
    objective: Literal["peaks", "profile", "fractions", "parameter"] | None = None
    wanted: tuple[str, ...] | None = None
    wanted_esd: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        others = ENERGIES if self.technique == "xrd" else (*ANGLES, *AIM)
        given = self.model_fields_set
        faults = [f"{key} is not of {self.technique}" for key in others if key in given]
        for first, last in (ANGLES[:2], ENERGIES):
            if (first in given) != (last in given):
                faults.append(f"{first} and {last} come together")
        start, stop = self.two_theta_start, self.two_theta_stop
        if start is not None and stop is not None and start >= stop:
            faults.append(f"two_theta_stop = {stop:g} is not above two_theta_start = {start:g}")
        if faults:
            raise ValueError("; ".join(faults))
        return self


class Recipe(Section):
    """One file of the folder recipes/: what it leaves out is as the profile says.

    stop, analysis : keys of the profile's sections of these names
    """

    description: str = ""
    measure: Measure
    stop: Stop = Stop()
    analysis: Analysis = Analysis()


def names(profile_folder: Path) -> list[str]:
    """The recipes of a profile, sorted."""
    return sorted(path.stem for path in (profile_folder / FOLDER).glob("*.toml"))


def load_recipe(name: str, profile_folder: Path) -> Recipe:
    """A recipe by name; InputError lists every fault of it, or the names that there are."""
    path = profile_folder / FOLDER / f"{name}.toml"
    known = names(profile_folder)
    if name not in known or not NAME.fullmatch(name):
        near = difflib.get_close_matches(name, known, 1)
        raise InputError(
            f"no recipe {name!r}" + (f", did you mean {near[0]!r}?" if near else ""),
            where=str(path.parent),
            remedy=f"there is: {', '.join(known) or 'none'}",
        )
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(error), where=str(path), remedy="mend the TOML") from error
    except OSError as error:
        raise InputError(str(error.strerror), where=str(path), remedy="make it readable") from error
    except ValidationError as error:
        raise InputError(faults(error), where=str(path), remedy="mend these keys") from error


def stop_changes(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says about stopping; the profile says the rest."""
    return recipe.stop.model_dump(exclude_unset=True)


def applied(recipe: Recipe, profile: Profile, profile_folder: Path) -> Profile:
    """The profile with what the recipe says of analysis and aim.

    Raises InputError where the two together make no sense.
    """
    changes = recipe.analysis.model_dump(exclude_unset=True)
    if changes.get("store") is not None:
        folder = profile_folder / Path(changes["store"]).expanduser()
        changes["store"] = str(folder.resolve())
    found = profile.model_copy(update={"analysis": changed(profile.analysis, changes)})
    aim = recipe.measure.model_dump(include=set(AIM), exclude_none=True)
    if found.xrd is None or not aim:
        return found
    # another objective does not keep what the profile wants of its own
    clean = {"wanted": (), "wanted_esd": None} if "objective" in aim else {}
    return found.model_copy(update={"xrd": changed(found.xrd, {**clean, **aim})})
