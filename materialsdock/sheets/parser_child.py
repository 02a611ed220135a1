"""Run as a program of its own: a workbook, TOML or JSON from standard input to plain rows.

Whatever a file does to its parser, it does to this process, whose memory and time are bounded; so
it imports nothing of the project and writes nothing but one line of JSON.
"""

from __future__ import annotations

import datetime
import io
import json
import re
import resource
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

MEMORY_BYTES = 190 * 2**20  # of addresses
CPU_S = 8
MOST_ROWS, MOST_COLUMNS = 10_000, 64
MOST_CHARACTERS = 5_000_000
SHEET = "samples"
RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
FORMULA = re.compile(rb'<(?:\w+:)?c\b[^>]*\br="([A-Z]{1,3}[0-9]{1,7})"[^>]*>\s*<(?:\w+:)?f[ />]')
Answer = dict[str, Any]


class Refusal(Exception):
    """A fault of the file as a whole, in words."""


def parse(kind: str, content: bytes) -> Answer:
    """{"cells": rows, "faults": [[place, words]]}, {"records": rows} or {"refused": words}."""
    try:
        return {"xlsx": workbook, "toml": toml, "json": json_text}[kind](content)
    except Refusal as refusal:
        return {"refused": str(refusal)}
    except RecursionError:
        return {"refused": "is nested too deeply"}
    except MemoryError:
        return {"refused": f"needs more than {MEMORY_BYTES // 2**20} MB to be read"}


def workbook(content: bytes) -> Answer:
    """The cells of the sheet "samples", or else the first one, from the sheet's first row on."""
    from python_calamine import (
        CalamineError,
        PasswordError,
        WorksheetNotFound,
        XmlError,
        ZipError,
        load_workbook,
    )

    try:
        book = load_workbook(io.BytesIO(content))
        name = next(filter(lambda n: n.casefold() == SHEET, book.sheet_names), None)
        name = name or next(iter(book.sheet_names), None)
        if name is None:
            raise Refusal("holds no worksheet")
        faults = [
            [f"cell {cell}", "a formula: paste its value"] for cell in formulas(content, name)
        ]
        found = book.get_sheet_by_name(name)
    except (CalamineError, PasswordError, WorksheetNotFound, XmlError, ZipError, OSError) as error:
        raise Refusal(f"is not a workbook that can be read: {error}") from error
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, ValueError) as error:
        raise Refusal(f"is a damaged workbook: {error}") from error
    last_row, last_column = found.end or (0, 0)  # counted from 0, the header among them
    bounded(last_row, last_column + 1)
    for (top, left), (bottom, right) in found.merged_cell_ranges or ():
        place = f"rows {top + 1} to {bottom + 1}, columns {left + 1} to {right + 1}"
        faults.append([place, "merged cells: a value belongs to one cell"])
    rows = found.to_python(skip_empty_area=False)
    if sum(len(cell) for row in rows for cell in row if isinstance(cell, str)) > MOST_CHARACTERS:
        raise Refusal(f"holds more than {MOST_CHARACTERS} characters")
    return {"cells": [[plain(value) for value in row] for row in rows], "faults": faults[:1000]}


def bounded(rows: int, columns: int) -> None:
    """Refusal of a table that is no sheet of samples."""
    if rows > MOST_ROWS or columns > MOST_COLUMNS:
        raise Refusal(
            f"has {rows} rows and {columns} columns, at most are {MOST_ROWS} and {MOST_COLUMNS}"
        )


def formulas(content: bytes, name: str) -> list[str]:
    """The cells of a sheet that hold formulas, of which the reader only gives the last value."""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        for part in parts.namelist():
            declared(parts, part)
        sheets = tree(parts, "xl/workbook.xml").iter()
        related = [
            s.get(RELATED) for s in sheets if s.tag.endswith("}sheet") and s.get("name") == name
        ]
        links = tree(parts, "xl/_rels/workbook.xml.rels").iter()
        targets = [str(link.get("Target")) for link in links if link.get("Id") in related]
        found: list[str] = []
        for target in targets:
            path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            found += [match.decode() for match in FORMULA.findall(parts.read(path))]
    return found


def declared(parts: zipfile.ZipFile, path: str) -> bytes:
    """A part of the workbook; Refusal of one that declares entities."""
    text = parts.read(path)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise Refusal("declares XML entities, which no workbook needs")
    return text


def tree(parts: zipfile.ZipFile, path: str) -> ElementTree.Element:
    """A small part of the workbook, parsed."""
    return ElementTree.fromstring(declared(parts, path))


def plain(value: Any) -> Any:
    """A cell as JSON has it: whole numbers whole, dates as {"date": ISO text}."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return {"date": str(value)}
    return value


def toml(content: bytes) -> Answer:
    """The tables [[samples]] of a TOML text."""
    try:
        return records(tomllib.loads(content.decode("utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        raise Refusal(f"is not TOML: {error}") from error


def json_text(content: bytes) -> Answer:
    """A JSON list of objects, or {"samples": [...]}."""
    try:
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=once)
    except (UnicodeDecodeError, ValueError) as error:
        raise Refusal(f"is not JSON: {error}") from error
    return records(found)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; Refusal where a key stands twice, of which one would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        raise Refusal(f"has {next(n for n in names if names.count(n) > 1)!r} twice in one object")
    return found


def records(found: Any) -> Answer:
    """The list of tables in what was parsed, each bounded."""
    if isinstance(found, dict):
        if odd := [key for key in found if key != SHEET]:
            raise Refusal(f"has {some(odd)} beside {SHEET!r}")
        found = found.get(SHEET)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Refusal(f"holds no list of tables {SHEET!r}")
    bounded(len(found), max((len(each) for each in found), default=0))
    return {"records": found}


def some(names: Iterable[str]) -> str:
    """The first names, cut short."""
    return ", ".join(repr(name[:40]) for name in list(names)[:5])


def main() -> None:
    """Bound this process, then parse."""
    for what, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_S)):
        _, hard = resource.getrlimit(what)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer = parse(sys.argv[1], sys.stdin.buffer.read())
    json.dump(answer, sys.stdout, default=lambda value: {"date": str(value)})


if __name__ == "__main__":
    main()
