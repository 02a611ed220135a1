"""Formats of a first angle, a step and then counts: FullProf, Sietronics .cpi, Rigaku .asc."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import values_of
from materialsdock.formats.lines import COMMENT, Lines, row
from materialsdock.techniques.xrd.files import headings
from materialsdock.techniques.xrd.files.found import FoundScan, Stated, stepped
from materialsdock.techniques.xrd.files.scans import chosen

NUMBERS = re.compile(r"\s*([-+\d.eE]+)[,\s]+([-+\d.eE]+)[,\s]+([-+\d.eE]+)(?:\s|$)")
MOST_TITLES, MOST_PADDING = 6, 10
SIETRONICS = "SIETRONICS XRD SCAN"
ASC_KEY = re.compile(r"\*([A-Z_0-9]+)\s*=\s*(.*)$")
SECONDS = re.compile(r"sec\w*\.?\s*/\s*step", re.IGNORECASE)
DEG_MIN = re.compile(r"deg\w*\.?\s*/\s*min", re.IGNORECASE)


def fullprof(lines: Lines) -> FoundScan | None:
    """A line "start step end" and perhaps a title, then counts in rows (INSTRM=0).

    Titles may stand above it, where just as many counts follow as it promises.
    """
    text = [(n, line) for n, line in lines.numbered() if line[0] not in COMMENT]
    begins = (_range_of(line) for _, line in text[: MOST_TITLES + 1])
    titles = next((i for i, numbers in enumerate(begins) if numbers), None)
    if titles is None or any(_is_data(line) for _, line in text[:titles]):
        return None
    number, line = text[titles]
    start, step, end = _range_of(line)
    expected = round((end - start) / step) + 1
    following = text[titles + 1 : titles + 2]
    if not following or row(following[0][1]) is None:
        return None  # a title, and then something else than counts
    counts, where = values_of(lines, number + 1)
    if len(counts) == 3 * len(set(where)) and len(counts) != expected:
        return None  # three columns that happen to begin like this
    if titles and not expected <= len(counts) < expected + MOST_PADDING:
        return None  # numbers of another meaning below the titles
    if len(counts) < expected:
        lines.refuse(
            where[-1] if where else number,
            f"{len(counts)} counts, but {start:g} to {end:g} by {step:g} needs {expected}",
            "the file is cut short",
        )
    more = len(counts) - expected
    return FoundScan(
        stepped(start, step, expected),
        np.array(counts[:expected]),
        where[:expected],
        "FullProf INSTRM=0",
        unit="deg",
        columns=("first line as start, step and end of 2θ", "rows as counts"),
        dropped=(f"{more} numbers behind the last step",) if more else (),
    )


def _range_of(line: str) -> tuple[float, ...]:
    """Start, step and end [deg] at the beginning of a line; () where it holds none."""
    match = NUMBERS.match(line)
    numbers = [row(word) for word in match.groups()] if match else []
    if not numbers or None in numbers:
        return ()
    start, step, end = (each[0] for each in numbers if each)
    if not (0 < step < 1 and -180 <= start < start + step < end <= 180):
        return ()
    return start, step, end


def _is_data(line: str) -> bool:
    """True for a row with a fraction: a title may be a date or a number."""
    return row(line) is not None and "." in line


def sietronics(lines: Lines) -> FoundScan | None:
    """.cpi: a title, start, end, step, anode, wavelength, remarks, SCANDATA, a count a line."""
    text = list(lines.numbered())
    if not text or not text[0][1].upper().startswith(SIETRONICS):
        return None
    begin = next((number for number, line in text if line.upper() == "SCANDATA"), None)
    head = [line for number, line in text if begin is None or number < begin]
    numbers = [row(line) for line in head[1:4]]
    if begin is None or len(numbers) < 3 or None in numbers:
        raise InputError(
            "a Sietronics file without start, end, step and SCANDATA",
            where=lines.name,
            remedy="export it again",
        )
    start, end, step = (each[0] for each in numbers if each)
    counts, where = values_of(lines, begin + 1)
    _check_count(len(counts), start, step, end, lines)
    wavelength = row(head[5]) if len(head) > 5 else None
    anode = head[4] if len(head) > 4 and head[4].isalpha() else ""
    stated = Stated((wavelength[0],) if wavelength else (), "the file", anode=anode)
    return FoundScan(
        stepped(start, step, len(counts)),
        np.array(counts),
        where,
        "Sietronics CPI",
        unit="deg",
        stated=stated,
        columns=("start, end and step of the heading as 2θ", "rows as counts"),
    )


def rigaku_asc(lines: Lines) -> FoundScan | None:
    """Rigaku .asc: *KEY = value lines, then for each scan *COUNT = n and n numbers."""
    keys: dict[str, str] = {}
    scans: list[tuple[int, Mapping[str, str]]] = []
    for number, line in lines.numbered():
        if (match := ASC_KEY.match(line)) is None:
            continue
        keys[match[1]] = match[2].strip()
        if match[1] == "COUNT" and {"START", "STEP"} <= keys.keys():
            scans.append((number, dict(keys)))
    if not scans:
        return None
    labels = [f"{own['START']} to {own.get('STOP', '?')}°" for _, own in scans]
    which, said, notes = chosen(labels, lines)
    begin, own = scans[which]
    ends = [n for n, line in lines.numbered() if n > begin and line[0] == "*"]
    counts, where = values_of(lines, begin + 1, ends[0] - 1 if ends else None)
    start, step = _of(own, "START", lines), _of(own, "STEP", lines)
    if len(counts) != (expected := round(_of(own, "COUNT", lines))):
        lines.refuse(
            where[-1] if where else begin,
            f"{len(counts)} counts where *COUNT promises {expected}",
            "the file is damaged, export it again",
        )
    if "STOP" in own:
        _check_count(len(counts), start, step, _of(own, "STOP", lines), lines)
    axis = own.get("SCAN_AXIS", "2theta")
    if "2" not in axis:
        raise InputError(
            f"*SCAN_AXIS is {axis!r}, this is no 2θ scan",
            where=lines.name,
            remedy="export the scan of 2θ",
        )
    waves = (row(own.get(f"WAVE_LENGTH{i}", "")) for i in (1, 2))
    return FoundScan(
        stepped(start, step, len(counts)),
        np.array(counts) * headings.scale_of(own.get("YUNIT", "")),
        where,
        "Rigaku ASC",
        unit="deg",
        intensity="cps" if headings.RATE.search(own.get("YUNIT", "")) else "counts",
        seconds=_asc_seconds(own, step),
        stated=Stated(
            tuple(w[0] for w in waves if w), "the file (*WAVE_LENGTH)", anode=own.get("TARGET", "")
        ),
        scan=said,
        columns=("*START and *STEP as 2θ", "rows as counts"),
        notes=notes,
    )


def _asc_seconds(keys: Mapping[str, str], step: float) -> float | None:
    """Counting time of a step [s] from *SPEED and its unit, which some files leave out."""
    speed, unit = row(keys.get("SPEED", "")), keys.get("SPEED_DIM", "")
    if not speed or speed[0] <= 0:
        return None
    if SECONDS.search(unit):
        return speed[0]
    return 60.0 * step / speed[0] if DEG_MIN.search(unit) else None


def _of(keys: Mapping[str, str], key: str, lines: Lines) -> float:
    found = row(keys.get(key, ""))
    if not found or not math.isfinite(found[0]):
        raise InputError(
            f"*{key} is {keys.get(key, 'missing')!r}", where=lines.name, remedy="export it again"
        )
    return found[0]


def _check_count(n: int, start: float, step: float, end: float, lines: Lines) -> None:
    """Raise InputError where `n` counts do not fill a range [deg]; a continuous scan lacks one."""
    expected = (end - start) / step + 1 if step > 0 and math.isfinite(end - start) else math.nan
    if not -1.5 < n - expected < 0.5:
        raise InputError(
            f"{n} counts, but {start:g} to {end:g} by {step:g} needs {expected:.6g}",
            where=lines.name,
            remedy="the file is damaged or cut short, export it again",
        )
