"""The plans that a profile names."""

from __future__ import annotations

from collections.abc import Mapping

from materialsdock.errors import InputError
from materialsdock.profile.config import Profile
from materialsdock.technique import resolved


def named(profile: Profile) -> Mapping[str, str]:
    """Dotted name of every plan by its key in the profile, e.g. "plans.gate" or "xrd.measure"."""
    given = profile.plans.model_dump()
    found = {f"plans.baselines.{key}": name for key, name in given.pop("baselines").items()}
    found |= {f"plans.{key}": name for key, name in given.items()}
    for technique, section in profile.techniques.items():
        found[f"{technique}.measure"] = section.measure
        found[f"{technique}.visit"] = section.visit
    return found


def check(profile: Profile) -> None:
    """Resolve every plan that the profile names; before anything moves.

    The site is active, and the instrument built: a plan that imports ophyd must not be the first.
    Raises InputError with key and value of all that name nothing, or nothing that can be called.
    """
    if faults := [words for key, name in named(profile).items() if (words := _fault(key, name))]:
        raise InputError(
            "; ".join(faults),
            where=f"profile.toml of {profile.name}",
            remedy="name package.module:object that the site has",
        )


def _fault(key: str, name: str) -> str:
    try:
        found = resolved(name)
    except InputError as error:
        return f"{key} = {name!r}: {error.what}"
    return "" if callable(found) else f"{key} = {name!r}: is no plan but {found!r:.40}"
