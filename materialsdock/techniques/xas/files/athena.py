"""Athena projects: groups of spectra in Perl, or in JSON; the text is never executed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.formats.table import Table
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.edge import tidy_name
from materialsdock.techniques.xas.files.names import Meaning

MARK = "Athena project file"
PERL_ARRAY = re.compile(r"^@(x|y)\s*=\s*\((.*)\)\s*;?\s*$")
PERL_NAME = re.compile(r"^\$old_group\s*=\s*'((?:[^'\\]|\\.)*)'")
ARGUMENT = r"'{}'\s*,\s*(?:'((?:[^'\\]|\\.)*)'|([^,()]*))"
KEYS = ("label", "bkg_eshift", "bkg_z", "fft_edge", "datatype", "is_chi", "is_nor")
NO_ELEMENT = ("", "h", "he")  # the default of a group whose element nobody set
LISTED = 20


@dataclass
class AthenaGroup:
    """One spectrum of a project: key, arguments, arrays x and y, the line of x."""

    key: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    arrays: dict[str, FloatArray] = field(default_factory=dict)
    line: int = 0

    @property
    def label(self) -> str:
        """The name that people see."""
        return self.arguments.get("label") or self.key

    @property
    def is_spectrum(self) -> bool:
        """True for energies and µ; a project may hold χ(k) as well."""
        chi = "chi" in self.arguments.get("datatype", "") or self._is("is_chi")
        return not chi and {"x", "y"} <= set(self.arrays)

    @property
    def is_normalised(self) -> bool:
        """True where y is normalised µ."""
        return self.arguments.get("datatype", "") == "norm" or self._is("is_nor")

    def _is(self, key: str) -> bool:
        return self.arguments.get(key, "") not in ("", "0")


def athena(lines: Lines) -> Content | None:
    """The only group of an Athena project, or the one that is asked for; None for other files.

    Energies are moved by the shift that the project gives the group.
    Raises InputError, listing the groups, for several of which none is asked.
    """
    start = "\n".join(lines.text[:3])[:600]
    if MARK not in start:
        return None
    found = _json(lines) if start.lstrip().startswith("{") else _perl(lines)
    groups = [group for group in found if group.is_spectrum]
    if not groups:
        lines.refuse(1, "an Athena project without a spectrum", "name another project")
    group = _chosen(groups, lines)
    x, y = group.arrays["x"], group.arrays["y"]
    if x.size != y.size:
        lines.refuse(group.line, f"{x.size} energies and {y.size} values", "mend the project")
    shift = _number(group.arguments.get("bkg_eshift", ""))
    table = Table(np.column_stack([x + shift, y]), [group.line] * x.size, ("energy", "xmu"))
    place = f"group {group.label} ({groups.index(group) + 1} of {len(groups)})"
    element = group.arguments.get("bkg_z", "")
    named = element.lower() not in NO_ELEMENT
    edge = tidy_name(f"{element} {group.arguments.get('fft_edge', '')}") if named else ""
    moved = (f"energies were moved by {shift:+g} eV, as the project says",) if shift else ()
    content = Content.of(
        "Athena project",
        lines.name,
        table,
        table.names,
        units=("eV", ""),
        scan=place,
        edge=edge,
        notes=moved,
    )
    if not group.is_normalised:
        return content
    meanings = (Meaning("energy"), Meaning("mu", "normalised"))
    return replace(content, meanings=meanings)


def _chosen(groups: Sequence[AthenaGroup], lines: Lines) -> AthenaGroup:
    wanted = lines.options.group.strip()
    listed = ", ".join(f"{group.label!r}" for group in groups[:LISTED])
    listed += f" and {len(groups) - LISTED} more" if len(groups) > LISTED else ""
    remedy = f"say which, e.g. --group {groups[0].label!r}"
    if not wanted:
        if len(groups) == 1:
            return groups[0]
        raise InputError(f"holds {len(groups)} groups: {listed}", where=lines.name, remedy=remedy)
    for same in (
        [group for group in groups if wanted in (group.label, group.key)],
        [group for group in groups if wanted.lower() == group.label.lower()],
    ):
        if len(same) == 1:
            return same[0]
        if same:
            keys = ", ".join(group.key for group in same)
            raise InputError(
                f"{len(same)} groups are called {wanted!r}",
                where=f"{lines.name}, --group",
                remedy=f"name one by its key: {keys}",
            )
    raise InputError(
        f"no group {wanted!r}; it holds {listed}", where=f"{lines.name}, --group", remedy=remedy
    )


def _perl(lines: Lines) -> list[AthenaGroup]:
    """The groups of a project as lines of Perl: their names, arguments and arrays."""
    found: list[AthenaGroup] = []
    for number, text in enumerate(lines.text, 1):
        if match := PERL_NAME.match(text):
            found.append(AthenaGroup(_unescaped(match[1]), line=number))
        elif found and text.startswith("@args"):
            found[-1].arguments = {key: _argument(key, text) for key in KEYS}
        elif found and (match := PERL_ARRAY.match(text)):
            found[-1].arrays[match[1]] = _array(match[2].split(","), number, lines)
            found[-1].line = number
    return found


def _argument(key: str, text: str) -> str:
    match = re.search(ARGUMENT.format(key), text)
    return "" if match is None else _unescaped(match[1] or (match[2] or "").strip())


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text).strip()


def _array(words: Sequence[Any], number: int, lines: Lines) -> FloatArray:
    try:
        return np.array([float(str(word).strip().strip("'\"")) for word in words])
    except ValueError as error:
        lines.refuse(number, f"an array holds what is no number: {error}", "mend the project")


def _json(lines: Lines) -> list[AthenaGroup]:
    """The groups of a project as JSON: objects with args, x and y."""
    try:
        held = json.loads("\n".join(lines.text))
    except (ValueError, RecursionError) as error:
        lines.refuse(1, f"is no whole JSON: {error}", "write the project anew")
    found = []
    for key, group in held.items() if isinstance(held, dict) else ():
        if not (isinstance(group, dict) and {"x", "y"} <= set(group)):
            continue
        args = group.get("args", {})
        if isinstance(args, list):
            args = dict(zip(map(str, args[::2]), args[1::2], strict=False))
        arguments = {k: str(args.get(k, "") or "") for k in KEYS} if isinstance(args, dict) else {}
        arrays = {
            name: _array(group[name] if isinstance(group[name], list) else [None], 1, lines)
            for name in ("x", "y")
        }
        found.append(AthenaGroup(key, arguments, arrays, 1))
    return found


def _number(text: str) -> float:
    try:
        found = float(text or 0)
    except ValueError:
        return 0.0
    return found if np.isfinite(found) else 0.0
