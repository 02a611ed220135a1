"""Words of a user about a file that is silent: which columns, which scan, which unit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError

REMEDY = "write NAME=COLUMN, columns counted from 1, e.g. energy=1,i0=4,it=5 or if=6+7+8+9"
COLUMN = re.compile(r"\s*([A-Za-z]\w*)\s*=\s*(\d+(?:\s*\+\s*\d+)*)\s*")


@dataclass(frozen=True)
class FileOptions:
    """Answers of a user to what a file leaves open; empty values ask nothing of the reader.

    columns : numbers, counted from 1, of the columns that are summed for each quantity
    scan : number of the scan as the file counts them; group : of a project of several
    unit : of the axis; wavelengths_angstrom, anode, instrument (a parameter file) : the radiation
    edge : absorption edge, e.g. "Fe K"; signal : e.g. "fluorescence", where a file holds several
    defaults : names of those that a profile says of all its files, of whatever technique
    """

    columns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    scan: int | None = None
    group: str = ""
    unit: str = ""
    wavelengths_angstrom: tuple[float, ...] = ()
    anode: str = ""
    instrument: Path | None = None
    edge: str = ""
    signal: str = ""
    defaults: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(repr(self))

    def over(self, others: FileOptions) -> FileOptions:
        """These, and those of `others` as defaults where these ask nothing."""
        asked = self._asked
        return replace(others, **asked, defaults=tuple(n for n in others._asked if n not in asked))

    def named(self) -> tuple[str, ...]:
        """The options that somebody asked for this file."""
        return tuple(name for name in self._asked if name not in ("defaults", *self.defaults))

    def plain(self) -> dict[str, Any]:
        """The same as plain JSON; `FileOptions.of` reads it."""
        said = dict(self._asked)
        if self.instrument is not None:
            said["instrument"] = str(self.instrument.resolve())
        return json.loads(json.dumps(said))  # type: ignore[no-any-return]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> FileOptions:
        """The options that were kept as `plain` JSON."""
        said = dict(plain)
        if "columns" in said:
            said["columns"] = {name: tuple(numbers) for name, numbers in said["columns"].items()}
        for name in ("wavelengths_angstrom", "defaults"):
            if name in said:
                said[name] = tuple(said[name])
        if "instrument" in said:
            said["instrument"] = Path(said["instrument"])
        return cls(**said)

    @property
    def _asked(self) -> dict[str, Any]:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value not in ({}, None, "", ())}


NOTHING_ASKED = FileOptions()


WRITTEN = {"wavelengths_angstrom": "wavelength"}  # names as they are typed


def columns_of(words: str) -> dict[str, tuple[int, ...]]:
    """Columns by quantity from `energy=1,i0=4,if=6+7`; InputError lists every word that is none."""
    found: dict[str, tuple[int, ...]] = {}
    wrong = []
    for word in filter(str.strip, words.split(",")):
        match = COLUMN.fullmatch(word)
        numbers = tuple(int(n) for n in match[2].split("+")) if match else ()
        if match is None or 0 in numbers or match[1].lower() in found:
            wrong.append(repr(word.strip()))
        else:
            found[match[1].lower()] = numbers
    if wrong or not found:
        said = f"cannot read {', '.join(wrong)}" if wrong else "names no column"
        raise InputError(said, where="--columns", remedy=REMEDY)
    return found


def check_columns(
    asked: Mapping[str, tuple[int, ...]], known: Sequence[str], width: int, where: str
) -> None:
    """Raise InputError where `asked` names an unknown quantity, or a column beyond `width`."""
    faults = [
        f"{name!r} is no quantity, known are {', '.join(known)}"
        for name in asked
        if name not in known
    ]
    beyond = sorted({n for numbers in asked.values() for n in numbers if n > width})
    if beyond:
        faults.append(f"column {', '.join(map(str, beyond))} is asked for, the file has {width}")
    if faults:
        raise InputError("; ".join(faults), where=f"{where}, --columns", remedy=REMEDY)
