"""Keys of profiles and recipes, and columns of sheets, read from their pydantic classes."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from materialsdock.profile.columns import OneOfWords
from materialsdock.profile.config import Profile
from materialsdock.profile.recipes import Recipe
from materialsdock.profile.sections import DOTTED
from materialsdock.sheets.entry import OF_TECHNIQUE, First, SheetEntry

UNITS = {
    "s": "s", "deg": "deg", "ev": "eV", "ma": "mA", "hz": "1/s", "gb": "GB", "hours": "h",
    "minutes": "min", "seconds": "s", "angstrom": "Å", "mm": "mm", "um": "µm", "kev": "keV",
}  # fmt: skip
AXES = {"two_theta_start": "deg", "two_theta_stop": "deg", "two_theta_step": "deg"}
WORDS = {str: "text", int: "whole number", float: "number", Path: "path", bool: "true or false"}
SIGNS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
SENTENCE = re.compile(r"\n *(?=[A-Z][a-z]+ )")  # what begins so speaks of the whole class again
EXAMPLES = {
    "sample_id": "S012", "name": "spinel, 900 °C", "position": "12", "technique": "xrd",
    "recipe": "phase-fractions", "two_theta_start": "10", "two_theta_stop": "120",
    "two_theta_step": "0.02", "composition": "Zn,Al,O", "phases": "cifs/zincite.cif; corundum",
    "element": "Fe", "edge": "K", "energy_start_ev": "7000", "energy_stop_ev": "7600",
    "standards": "FeO.xdi; Fe2O3.xdi", "signal": "fluorescence", "count_time_s": "0.5",
    "threshold": "0.1", "maximum_points": "300", "maximum_minutes": "45", "priority": "5",
    "hazard": "toxic",
    "owner": "M. Curie", "comment": "second try", "replay": "measured/S012.xye",
    "texture": "corundum:0 0 1",
    "columns": "two_theta=1,counts=2", "scan": "2", "group": "sample", "unit": "deg",
    "wavelength": "1.5406; 1.5444", "anode": "Cu", "instrument": "lab.instprm",
}  # fmt: skip


def profile() -> str:
    """Every key of profile.toml, section by section."""
    return "\n\n".join(_sections(Profile, ""))


def recipe() -> str:
    """Every key of a recipe besides those of the profile's sections of the same name."""
    fields = Recipe.model_fields
    own = {name: field for name, field in fields.items() if name == "description"}
    measure = typing.cast("type[BaseModel]", fields["measure"].annotation)
    return "\n\n".join([f"## At the top\n\n{_table(Recipe, own)}", *_sections(measure, "measure")])


def sheet() -> str:
    """Every column of a sample sheet, with an example."""
    head = "| column | of | takes | unit | example | |\n|---|---|---|---|---|---|"
    rows = []
    for name, field in SheetEntry.model_fields.items():
        owners = [each for each, columns in OF_TECHNIQUE.items() if name in columns.model_fields]
        needed = "needed" if field.is_required() else ""
        said = "; ".join(filter(None, (needed, meaning(_owner(name, owners), name))))
        example = f"`{EXAMPLES[name]}`" if name in EXAMPLES else ""
        rows.append(
            f"| `{name}` | {', '.join(owners) or 'all'} | {_takes(field)} | {unit(name)} "
            f"| {example} | {said} |"
        )
    return "\n".join([head, *rows])


def _owner(column: str, owners: list[str]) -> type[BaseModel]:
    if owners:
        return typing.cast("type[BaseModel]", OF_TECHNIQUE[owners[0]])
    return First if column in First.model_fields else SheetEntry.__mro__[1]


def _sections(model: type[BaseModel], name: str) -> Iterator[str]:
    """The table of one section, then those inside it."""
    inner, own = {}, {}
    for key, field in model.model_fields.items():
        found = _model_in(field.annotation)
        (own if found is None else inner)[key] = field if found is None else found
    title = f"## `[{name}]`" if name else "## At the top"
    yield "\n\n".join(filter(None, (title, summary(model), _table(model, own))))
    for key, found in inner.items():
        each = ".NAME" if _many(model.model_fields[key].annotation) else ""
        yield from _sections(found, f"{name}.{key}".lstrip(".") + each)


def _table(model: type[BaseModel], fields: Mapping[str, FieldInfo]) -> str:
    if not fields:
        return ""
    head = "| key | takes | unit | default | |\n|---|---|---|---|---|"
    rows = [
        f"| `{field.alias or name}` | {_takes(field)} | {unit(name)} | {_default(field)} "
        f"| {meaning(model, name)} |"
        for name, field in fields.items()
    ]
    return "\n".join([head, *rows])


def unit(name: str) -> str:
    """The unit that a key's name ends in; "" where it has none."""
    return AXES.get(name) or UNITS.get(name.rpartition("_")[2] if "_" in name else "", "")


def summary(model: type[BaseModel]) -> str:
    """The sentences of a class that speak of the whole of it."""
    text = _documented(model)
    first = _said_of(text, model)
    return text[: first[0][1]].strip() if first else text


def meaning(model: type[BaseModel], name: str) -> str:
    """What is said of one key: its description, or what the docstring of its class says."""
    field = model.model_fields[name]
    if field.description:
        return _in_a_cell(field.description)
    for owner in model.__mro__:
        if not (isinstance(owner, type) and issubclass(owner, BaseModel)):
            continue
        text = _documented(owner)
        found = _said_of(text, model)
        for place, (names, _, begins) in enumerate(found):
            if name in names:
                ends = found[place + 1][1] if place + 1 < len(found) else len(text)
                said = SENTENCE.split(text[begins:ends])[0]
                return _in_a_cell(said.strip().rstrip(";.").strip())
    return ""


def _documented(model: type[BaseModel]) -> str:
    return re.sub(r"[ \t]+", " ", (model.__dict__.get("__doc__") or "").strip())


def _said_of(text: str, model: type[BaseModel]) -> list[tuple[list[str], int, int]]:
    """Where a docstring speaks of keys: their names, and where that and their meaning begin."""
    pattern = re.compile(
        r"(?:^|(?<=[;:] )|(?<=\n)) ?([a-z_*]\w*(?:, \w+)*)(?: \([^)]*\))? ?: ", re.M
    )
    found = []
    for match in pattern.finditer(text):
        names = match[1].split(", ")
        if all(n in model.model_fields for n in names):
            found.append((names, match.start(), match.end()))
    return found


def _in_a_cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _bare(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        return parts[0] if len(parts) == 1 else annotation
    return annotation


def _many(annotation: Any) -> bool:
    origin = typing.get_origin(_bare(annotation))
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    kind = _bare(annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields: Any = {f.name: (hints[f.name], f.default) for f in dataclasses.fields(kind)}
        return create_model(kind.__name__, __doc__=kind.__doc__, **fields)
    if _many(annotation):
        return _model_in(typing.get_args(kind)[1])
    return None


def _takes(field: FieldInfo) -> str:
    said = _kind(field.annotation)
    limits = [
        f"{word} {getattr(rule, name):g}"
        for rule in (*field.metadata, *_rules(field.annotation))
        for name, word in SIGNS.items()
        if getattr(rule, name, None) is not None
    ]
    words = [m for m in (*field.metadata, *_rules(field.annotation)) if isinstance(m, OneOfWords)]
    if words:
        known = words[0].known
        said = "one of " + ", ".join(known[:6]) + (" ..." if len(known) > 6 else "")
    if any(getattr(rule, "pattern", None) == DOTTED for rule in field.metadata):
        said = "`package.module:object`"
    return ", ".join([said, *dict.fromkeys(limits)])


def _rules(annotation: Any) -> list[Any]:
    kind = _bare(annotation)
    if typing.get_origin(kind) is Annotated:
        rules = []
        for rule in kind.__metadata__:
            rules += [*rule.metadata] if isinstance(rule, FieldInfo) else [rule]
        return rules + _rules(kind.__origin__)
    return []


def _kind(annotation: Any) -> str:
    kind = _bare(annotation)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _kind(kind.__origin__)
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{part}`" for part in parts)
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis:
        return f"list of: {_kind(parts[0])}"
    if origin is tuple:
        return "[" + ", ".join(_kind(part) for part in parts) + "]"
    if _many(kind):
        return f"table of: {_kind(parts[1])}"
    return WORDS.get(kind, "any value" if kind is Any else getattr(kind, "__name__", str(kind)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value in (None, "", (), {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Mapping):
        return "`{ " + ", ".join(f"{k} = {v!r}" for k, v in value.items()) + " }`"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"
