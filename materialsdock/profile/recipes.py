"""Recipes: how a kind of sample is measured and analysed, by name in the profile's folder.

What an entry of a sheet says goes before its recipe, and the recipe before the profile.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.profile.config import Profile
from materialsdock.profile.sections import Analysis, Section, Stop, changed, faults, joined

FOLDER = "recipes"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def _known(name: str) -> str:
    """A technique that is installed; ValueError, which lists those there are, for another."""
    try:
        return technique.named(name).name
    except InputError as fault:
        raise ValueError(str(fault)) from fault


class MeasureKeys(Section):
    """The measurement of a recipe; every technique adds its own keys, such as the range.

    count_time_s : per position of a full scan
    """

    technique: Annotated[str, AfterValidator(_known)]
    count_time_s: float | None = Field(default=None, gt=0, le=86_400)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        keys = technique.named(self.technique).sheet().RecipeKeys
        others = [
            key for key in type(self).model_fields if key not in (*COMMON, *keys.model_fields)
        ]
        faults = [
            f"{key} is not of {self.technique}" for key in others if key in self.model_fields_set
        ]
        if faults := [*faults, *keys.faults(self)]:
            raise ValueError("; ".join(faults))
        return self


COMMON = tuple(MeasureKeys.model_fields)
if not TYPE_CHECKING:
    MeasureKeys = joined(
        "Measure",
        MeasureKeys,
        {n: each.sheet().RecipeKeys for n, each in technique.known().items()},
    )


class Recipe(Section):
    """One file of the folder recipes/: what it leaves out is as the profile says.

    stop, analysis : keys of the profile's sections of these names
    """

    description: str = ""
    measure: MeasureKeys
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
            where=f"profile {profile_folder.name}",
            remedy=f"available: {', '.join(known) or 'none'}",
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
    """Return what a recipe says about stopping; the profile says the rest."""
    return recipe.stop.model_dump(exclude_unset=True)


def applied(recipe: Recipe, profile: Profile, profile_folder: Path) -> Profile:
    """The profile with what the recipe says of analysis and technique.

    Raises InputError where the two together make no sense.
    """
    changes = recipe.analysis.model_dump(exclude_unset=True)
    if changes.get("store") is not None:
        folder = profile_folder / Path(changes["store"]).expanduser()
        changes["store"] = str(folder.resolve())
    found = profile.model_copy(update={"analysis": changed(profile.analysis, changes)})
    name, keys = recipe.measure.technique, recipe.measure.model_dump(exclude_none=True)
    if name not in found.techniques:
        return found
    section = technique.named(name).sheet().applied(found.section(name), keys)
    return found.with_section(name, section)
