"""Bruker UXD: _KEY=value lines, then the counts of a range; several ranges may follow each other.

rietx 1.10 cuts every row of a _COUNTS block to the length of the last one, so this one is ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import values_of
from materialsdock.formats.lines import COMMENT, Lines, row
from materialsdock.techniques.xrd.files.found import FoundScan, Stated, stepped
from materialsdock.techniques.xrd.files.scans import chosen

MARKER = re.compile(r"_(2THETA)?(COUNTS|CPS)(TIME)?\s*(=.*)?$", re.IGNORECASE)
KEY = re.compile(r"_(\w+)\s*=\s*(.*)$")
DRIVES = ("COUPLED", "2THETA", "TWOTHETA", "THETA2THETA", "LOCKED COUPLED", "UNLOCKED COUPLED")


@dataclass(frozen=True)
class Range:
    """The keys of one range, and its first and last line of numbers."""

    marker: re.Match[str]
    keys: Mapping[str, str]
    first: int
    last: int


def read_uxd(lines: Lines) -> FoundScan | None:
    """One range of a UXD file; None where it has no block of counts."""
    ranges = _ranges(lines)
    if not ranges:
        return None
    place, said, notes = chosen([_label(each) for each in ranges], lines, what="range")
    found = ranges[place]
    drive = found.keys.get("DRIVE", DRIVES[0])
    if drive.upper().replace("-", "") not in DRIVES:
        lines.refuse(
            found.first,
            f"_DRIVE is {drive!r}, this range is no 2θ scan",
            "name another range with --scan, or export the coupled scan",
        )
    values, where = values_of(lines, found.first, found.last)
    width = 1 + bool(found.marker[1]) + bool(found.marker[3])
    table = np.array(values[: len(values) // width * width]).reshape(-1, width)
    if not table.size:
        lines.refuse(found.first - 1, "no counts in this range", "export it again")
    own = found.keys
    left = len(values) % width
    x = table[:, 0] if found.marker[1] else _positions(own, len(table), lines)
    time = row(own.get("STEPTIME", ""))
    per_unit = 10.0 if own.get("WLUNIT", "").lower() == "nm" else 1.0
    waves = (row(own.get(key, "")) for key in ("WL1", "WL2"))
    return FoundScan(
        x,
        table[:, int(bool(found.marker[1]))],
        where[: table.size : width],
        "Bruker UXD",
        unit="deg",
        intensity="cps" if found.marker[2].upper() == "CPS" else "counts",
        seconds=table[:, -1] if found.marker[3] else time[0] if time and time[0] > 0 else None,
        stated=Stated(
            tuple(wave[0] * per_unit for wave in waves if wave and wave[0]),
            "the file (_WL1, _WL2)",
            anode=own.get("ANODE", ""),
        ),
        scan=said,
        columns=_columns(found),
        dropped=("the last row, which is not complete",) if left else (),
        notes=(*notes, *_otherwise(own, x)),
    )


def _otherwise(keys: Mapping[str, str], x: np.ndarray) -> tuple[str, ...]:
    """Notes on keys of a range that contradict its rows."""
    notes = []
    count, start, step = (row(keys.get(key, "")) for key in ("STEPCOUNT", "START", "STEPSIZE"))
    if count and count[0] != x.size:
        notes.append(f"_STEPCOUNT is {count[0]:g}, {x.size} points follow")
    apart = abs(step[0]) / 2 if step and step[0] else 0.0
    if start and apart and min(abs(x[0] - start[0]), abs(x[-1] - start[0])) > apart:
        notes.append(f"_START is {start[0]:g}, the rows begin at {x[0]:g}, and were taken")
    return tuple(notes)


def _ranges(lines: Lines) -> list[Range]:
    """The ranges in their order; keys of one hold for the next, unless it has its own."""
    keys: dict[str, str] = {}
    opened: tuple[re.Match[str], dict[str, str], int] | None = None
    found: list[Range] = []
    last = 0
    for number, line in lines.numbered():
        marker, key = MARKER.match(line), KEY.match(line)
        if opened is not None and (line[0] in COMMENT or marker or key):
            found.append(Range(*opened, last))
            opened = None
        if marker:
            opened, last = (marker, dict(keys), number + 1), number
        elif key:
            keys[key[1].upper()] = key[2].strip().strip("'\"")
        last = number
    return [*found, Range(*opened, last)] if opened is not None else found


def _label(found: Range) -> str:
    own = found.keys
    return f"{own.get('DRIVE', 'scan')} from {own.get('START', own.get('2THETA', '?'))}°"


def _positions(keys: Mapping[str, str], n: int, lines: Lines) -> np.ndarray:
    start, step = row(keys.get("START", "")), row(keys.get("STEPSIZE", ""))
    pairs = (("START", start), ("STEPSIZE", step))
    if start is None or step is None:
        raise InputError(
            f"_{' and _'.join(key for key, value in pairs if value is None)} missing",
            where=lines.name,
            remedy="export the UXD with its header",
        )
    return stepped(start[0], step[0], n)


def _columns(found: Range) -> tuple[str, ...]:
    value = "counts per second" if found.marker[2].upper() == "CPS" else "counts"
    if not found.marker[1]:
        return "_START and _STEPSIZE as 2θ", f"rows as {value}"
    last = ("3 as seconds",) if found.marker[3] else ()
    return "1 as 2θ", f"2 as {value}", *last
