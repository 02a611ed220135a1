"""The contents of a technique's parts, as materialsdock.technique lists them, and what lacks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from types import ModuleType
from typing import Any

from materialsdock.errors import InputError
from materialsdock.technique import Part, Technique

# functions of each module: how many values they are given, and which by name
CALLS: Mapping[str, Mapping[str, tuple[int, tuple[str, ...]]]] = {
    "sheet": {
        "contradictions": (1, ()),
        "located": (2, ()),
        "applied": (2, ()),
        "structures": (2, ()),
        "scan_of": (1, ()),
    },
    "options": {
        "checks": (5, ()),
        "changes": (2, ()),
        "of_analysis": (1, ()),
        "structures": (1, ()),
    },
    "formats": {"read": (1, ()), "is_mine": (1, ()), "checked": (2, ())},
    "job": {"scan_of": (1, ()), "job": (3, ("stop", "seed", "count_time_s"))},
    "scene": {"scene": (3, ()), "counted": (2, ()), "stand_in": (1, ()), "replayed": (2, ())},
    "analysis": {"check": (1, ()), "analyse": (4, ()), "remembered": (1, ()), "recalled": (1, ())},
    "report": {
        "drawings": (2, ()),
        "summary": (1, ()),
        "lines": (1, ()),
        "warnings": (1, ()),
        "context": (1, ()),
    },
    "export": {
        "missing": (1, ()),
        "entry": (1, ()),
        "sample": (1, ()),
        "curve": (1, ()),
        "units": (1, ()),
        "answer": (1, ()),
    },
    "refine": {"described": (3, ()), "settings": (3, ()), "write": (2, ())},
    "sentinels": {"visits": (3, ()), "dead": (2, ()), "after_sweep": (3, ()), "stuck": (1, ())},
}
VALUES: Mapping[str, tuple[str, ...]] = {
    "sheet": ("Columns", "RecipeKeys", "SETTINGS", "FACTS", "STRUCTURES_IN"),
    "options": ("Options", "ANEW"),
    "analysis": ("Found", "Measurement"),
    "refine": ("Options",),
    "report": ("TEMPLATE",),
    "export": ("FORMATS",),
}
FUNCTIONS: Mapping[str, int] = {"learner": 1, "observe": 1, "demo": 0, "cli": 1}


def parts_of(found: Technique) -> dict[str, Part]:
    """The parts that a technique brings, by field."""
    named = {field.name: getattr(found, field.name) for field in fields(found)}
    return {name: part for name, part in named.items() if isinstance(part, Part)}


def faults(found: Technique) -> Iterator[str]:
    """Yield what cannot be loaded, is missing, or cannot be called as it will be, in sentences."""
    for name, part in parts_of(found).items():
        try:
            value = part()
        except InputError as fault:
            yield f"{name}: {fault}"
            continue
        if name in FUNCTIONS:
            yield from _takes(value, part.dotted, FUNCTIONS[name])
        if name not in CALLS:
            continue
        if not isinstance(value, ModuleType):
            yield f"{name}: {part.dotted} is no module"
        for call, (given, named) in CALLS[name].items():
            yield from _takes(getattr(value, call, None), f"{part.dotted}.{call}", given, named)
        absent = [each for each in VALUES.get(name, ()) if not hasattr(value, each)]
        yield from (f"{part.dotted} has no {each}" for each in absent)


def _takes(function: Any, name: str, given: int, named: Sequence[str] = ()) -> Iterator[str]:
    if not callable(function):
        yield f"there is no function {name}"
        return
    try:
        inspect.signature(function).bind(*[None] * given, **dict.fromkeys(named))
    except TypeError as error:
        words = f" and {', '.join(named)}" if named else ""
        yield f"{name} is given {given} values{words}: {error}"
