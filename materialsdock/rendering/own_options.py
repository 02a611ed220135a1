"""Options that techniques bring to the commands of everybody."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.rendering.options import flag

Kinds = Mapping[str, type]  # dataclass of options by technique


def of_measure() -> Kinds:
    """Return each technique's class of options, besides those that all techniques share."""
    return {name: each.options().Options for name, each in technique.known().items()}


def command(function: Callable[..., None], kinds: Kinds, after: str) -> Callable[..., None]:
    """`function(..., **own)` as a command that has the options of `kinds` behind `after`.

    Raises InputError naming the techniques that mean different things by one option.
    """
    hints = get_type_hints(function, include_extras=True)
    mine = [
        each.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in inspect.signature(function).parameters.items()
        if each.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    at = 1 + [each.name for each in mine].index(after)
    every = [*mine[:at], *_joined(kinds).values(), *mine[at:]]

    @functools.wraps(function)
    def with_own(**given: Any) -> None:
        function(**given)

    with_own.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    with_own.__annotations__ = {each.name: each.annotation for each in every}
    return with_own


def made(kinds: Kinds, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of each technique from the values of all by name; what is absent is default."""
    return {
        name: kind(**{f.name: values[f.name] for f in fields(kind) if f.name in values})
        for name, kind in kinds.items()
    }


def words(options: Any) -> dict[str, str]:
    """Map each option that was asked for to its name on the command line.

    An option that has its default value was not asked for.
    """
    hints = get_type_hints(type(options), include_extras=True)
    default = type(options)()
    return {
        name: flag(name, hint)
        for name, hint in hints.items()
        if getattr(options, name) not in (None, (), [], "", getattr(default, name))
    }


def _joined(kinds: Kinds) -> dict[str, inspect.Parameter]:
    owners: dict[str, str] = {}
    found: dict[str, inspect.Parameter] = {}
    for owner, kind in kinds.items():
        hints = get_type_hints(kind, include_extras=True)
        for each in fields(kind):
            default = each.default if each.default_factory is MISSING else each.default_factory()
            parameter = inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=hints[each.name],
            )
            if _meaning(found.setdefault(each.name, parameter)) != _meaning(parameter):
                raise InputError(
                    f"option {each.name!r} of {owner} and of {owners[each.name]} have "
                    "different meanings",
                    where="command line",
                    remedy="give one of them another name",
                )
            owners.setdefault(each.name, owner)
    return found


def _meaning(parameter: inspect.Parameter) -> tuple[Any, ...]:
    (option,) = parameter.annotation.__metadata__
    return parameter.annotation.__origin__, parameter.default, vars(option)
