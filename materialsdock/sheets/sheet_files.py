"""Sample sheets from files: CSV, XLSX, TOML and JSON, from people and programs of any kind.

A sheet is clean, or nothing of it passes: every fault is listed at once.  Sizes are bounded before
a parser sees them; parsers that could be led astray run in a process that can be killed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.profile.columns import BETWEEN
from materialsdock.sheets.bounds import check_archive, content, parsed
from materialsdock.sheets.entry import NUMBERS, Fault, SheetEntry, entry_of, refusal, shared
from materialsdock.sheets.parser_child import MOST_COLUMNS, MOST_ROWS

ENDINGS = (".csv", ".xlsx", ".toml", ".json")
APOSTROPHE = "'"
RISKY = ("=", "+", "-", "@", "\t")  # a spreadsheet takes what begins so for a formula
REQUIRED = tuple(name for name, field in SheetEntry.model_fields.items() if field.is_required())
UNKNOWN = "is not a column of a sheet"


@dataclass(frozen=True)
class SheetTable:
    """Rows as (place, values by column), faults found so far, and columns whose fault is said."""

    rows: Sequence[tuple[str, Mapping[str, Any]]]
    faults: Sequence[Fault] = ()
    silent: frozenset[str] = frozenset()


def read_sheet(path: Path) -> tuple[SheetEntry, ...]:
    """The entries of a sheet, relative paths in it taken from the sheet's folder.

    Raises InputError with every fault: row, column, value, reason, nearest word that is known.
    """
    entries, faults, _ = examine(path)
    if faults:
        raise refusal(faults, str(path))
    return entries


def examine(path: Path) -> tuple[tuple[SheetEntry, ...], tuple[Fault, ...], dict[str, str]]:
    """The clean entries of a sheet, the faults of all others, and id -> place of the clean ones.

    Raises InputError for a file that is no sheet at all.
    """
    sheet = _table_of(path, content(path))
    if not sheet.rows and not sheet.faults:
        raise InputError("holds no samples", where=str(path), remedy="fill in a row for each")
    faults, rows = list(sheet.faults), []
    said = {(fault.place, fault.column) for fault in faults}
    for place, raw in sheet.rows:
        row, wrong = entry_of(raw, place)
        rows.append((place, row))
        faults += [
            f for f in wrong if f.column not in sheet.silent and (place, f.column) not in said
        ]
    twice = shared(rows)
    faults += twice
    again = {fault.place for fault in twice}  # an id of two rows would name the wrong one
    clean = {p: row for p, row in rows if isinstance(row, SheetEntry) and p not in again}
    folder = path.resolve().parent
    entries = tuple(located(row, folder) for row in clean.values())
    places = {row.sample_id: place for place, row in clean.items()}
    return entries, tuple(sorted(faults, key=_line)), places


def _line(fault: Fault) -> int:
    """Return the row of a fault; 0, before all rows, for what concerns the sheet as a whole."""
    number = fault.place.rpartition(" ")[2]
    return int(number) if number.isdecimal() else 0


def located(entry: SheetEntry, folder: Path) -> SheetEntry:
    """The entry with its relative files taken from `folder`."""
    own = {name: getattr(entry, name) for name in ("replay", "instrument")}
    files = {name: None if file is None else str(folder / file) for name, file in own.items()}
    for each in technique.known().values():
        files |= each.sheet().located(entry, folder)
    return entry.model_copy(update=files)


def _table_of(path: Path, raw: bytes) -> SheetTable:
    ending = path.suffix.casefold()
    if ending not in ENDINGS:
        raise InputError(
            f"ending {path.suffix!r} is none of {', '.join(ENDINGS)}",
            where=str(path),
            remedy="save the sheet as CSV UTF-8 or XLSX",
        )
    if ending == ".csv":
        return table(_csv(_text(raw, path), path), typed=False)
    if ending == ".xlsx":
        check_archive(raw, path)
    answer = parsed(ending[1:], raw, path)
    if "records" in answer:
        return SheetTable([(f"sample {n}", row) for n, row in enumerate(answer["records"], 1)])
    found = table(answer["cells"], typed=True)
    said = [Fault(place, "", None, why) for place, why in answer["faults"]]
    return replace(found, faults=[*said, *found.faults])


def _text(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"is not UTF-8: byte {raw[error.start]:#04x} in line {line}",
            where=str(path),
            remedy='save it as "CSV UTF-8"',
        ) from error


def _csv(text: str, path: Path) -> list[list[str]]:
    """All rows, separated by what makes most of the first line's words known columns."""
    first = text.split("\n", 1)[0]
    separator = max(
        ",;\t", key=lambda s: sum(_column(w) in SheetEntry.model_fields for w in first.split(s))
    )
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    try:
        for row in lines:
            rows.append(row)
            if len(rows) > MOST_ROWS + 1 or len(row) > MOST_COLUMNS:
                raise InputError(
                    f"has more than {MOST_ROWS} rows or {MOST_COLUMNS} columns",
                    where=f"{path} line {lines.line_num}",
                    remedy="submit it in parts",
                )
    except csv.Error as error:
        raise InputError(
            f"is not CSV: {error}", where=f"{path} line {lines.line_num}", remedy="mend this line"
        ) from error
    return rows


def _column(word: Any) -> str:
    """A column's name as people write it: Sample ID is sample_id."""
    return re.sub(r"[\s-]+", "_", str(word or "").strip().casefold())


def table(cells: Sequence[Sequence[Any]], *, typed: bool) -> SheetTable:
    """Rows by column; the first filled row is the header.

    typed : whether the file itself tells formulas from text, as a workbook does
    """
    numbered = [(n, row) for n, row in enumerate(cells, 1) if any(map(_filled, row))]
    if not numbered:
        return SheetTable([], [])
    header = numbered[0][1]
    names = [_column(word) for word in header]
    rows, faults = [], _header_faults(header, names)
    for n, row in numbered[1:]:
        place, raw = f"row {n}", {}
        for column, value in zip_longest(names, row, fillvalue=""):
            if not _filled(value):
                continue
            if not column:
                faults.append(Fault(place, "", value, "is in a column without a name"))
            elif column in SheetEntry.model_fields:
                raw[column] = _value(column, value)
                faults += _cell_faults(place, column, value, typed)
        rows.append((place, raw))
    unknown = [fault.nearest for fault in faults if fault.reason == UNKNOWN]
    return SheetTable(rows, faults, frozenset((*unknown, *set(REQUIRED).difference(names))))


def _header_faults(header: Sequence[Any], names: Sequence[str]) -> list[Fault]:
    known = tuple(SheetEntry.model_fields)
    faults = []
    for word, name in zip(header, names, strict=True):
        if name and name not in known:
            faults.append(Fault("header", str(word), None, UNKNOWN, known))
    twice = {name for name in names if name and names.count(name) > 1}
    faults += [Fault("header", name, None, "is there more than once") for name in sorted(twice)]
    absent = [name for name in REQUIRED if name not in names]
    return faults + [Fault("header", name, None, "is missing") for name in absent]


def _filled(value: Any) -> bool:
    return value is not None and str(value).strip() != ""


def _value(column: str, value: Any) -> Any:
    """A cell as the entry wants it: text for text, without the apostrophe that guards it."""
    if column in NUMBERS or isinstance(value, dict):
        return value
    text = str(value)
    return text[1:] if text.startswith(APOSTROPHE) and risky(text) else text


def risky(text: str) -> bool:
    """Return True if a spreadsheet would take it for a formula, but for apostrophes before it."""
    return text.lstrip(APOSTROPHE).startswith(RISKY)


def _cell_faults(place: str, column: str, value: Any, typed: bool) -> list[Fault]:
    if isinstance(value, dict):
        return [Fault(place, column, value["date"], "is a date: format the column as text")]
    if not typed and value.lstrip().startswith("="):
        why = "is a formula: paste its value, or put an apostrophe before text"
        return [Fault(place, column, value, why)]
    return []


def write_sheet(path: Path, entries: Sequence[SheetEntry], recipes: Sequence[str] = ()) -> None:
    """Write entries as .csv or .xlsx, text that looks like a formula with an apostrophe before it.

    recipes : names that the workbook offers in its column
    Raises InputError for another ending or a file that cannot be written.
    """
    columns = list(SheetEntry.model_fields)
    rows = [[_cell(column, getattr(entry, column)) for column in columns] for entry in entries]
    ending = path.suffix.casefold()
    try:
        if ending == ".csv":
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows([columns, *rows])
        elif ending == ".xlsx":
            from materialsdock.sheets.workbook import write_workbook  # slow to import

            write_workbook(path, columns, rows, recipes)
        else:
            raise InputError(
                f"ending {path.suffix!r}", where=str(path), remedy="write a .csv or .xlsx file"
            )
    except OSError as error:
        raise InputError(error.strerror or str(error), where=str(path)) from error


def write_template(path: Path, recipes: Sequence[str] = ()) -> None:
    """Write an empty sheet with all columns; a workbook offers the words that it knows."""
    write_sheet(path, (), recipes)


def _cell(column: str, value: Any) -> Any:
    if value is None:
        return ""
    if column in NUMBERS:
        return value
    text = BETWEEN.join(value) if isinstance(value, tuple) else str(value)
    return f"{APOSTROPHE}{text}" if risky(text) else text
