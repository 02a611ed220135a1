"""Plain tables: columns that headings or a user name, and what the text above them says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.formats.table import read_table
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files import attenuators, axis, headings, intensities
from materialsdock.techniques.xrd.files.assigned import UNREAD, Assigned, assigned
from materialsdock.techniques.xrd.files.found import FoundScan, Intensity
from materialsdock.techniques.xrd.files.header import Header, header_of

XYDATA = re.compile(r"XYDATA", re.IGNORECASE)  # FullProf's, whose heading may multiply
WORDS: Mapping[Intensity, str] = {
    "counts": "counts",
    "": "counts",
    "cps": "counts per second",
    "relative": "relative intensities",
    "arbitrary": "intensities",
}
INTER = re.compile(r"INTER\s+(\S+)\s+(\S+)", re.IGNORECASE)


def read_plain(lines: Lines) -> FoundScan:
    """The scan in a table of numbers.

    Raises InputError where nobody says which column is which and the numbers do not show it.
    """
    table = read_table(lines)
    if table.width < 2:
        lines.refuse(
            table.line[0], "one column only", "two columns are needed: position and counts"
        )
    above = [text for number, text in lines.numbered() if number < table.line[0]]
    _refuse_multipliers(above, lines)
    of = assigned(table, lines)
    found, taken = _with_sigma(*_scan(of, header_of(above), lines), of, _is_xye(of, lines))
    factor = of.first("attenuator")
    if factor is not None:
        found, taken = attenuators.applied(found, of.column(factor)), {**taken, factor: "factor"}
    shown = tuple(f"{of.shown(i)} as {what}" for i, what in sorted(taken.items()))
    return replace(found, columns=shown, notes=(*found.notes, *_unread(of, taken)))


def _scan(of: Assigned, header: Header, lines: Lines) -> tuple[FoundScan, dict[int, str]]:
    """Positions, intensities and counting times, and the columns that were taken for them."""
    intensity, scale = _intensity(of, header, lines)
    taken = {of.x: axis.SHOWN[of.axis], of.y: WORDS[intensity]}
    if scale != 1:
        taken[of.y] += f" × {scale:g}"
    unit = axis.unit_of(of.units[of.x]) or ""
    seconds: float | FloatArray | None = _timed(of.units[of.y]) or header.seconds
    times = of.first("seconds")
    if times is not None and not _is_clock(of.column(times), of.names[times]):
        scale_s = headings.SECONDS_IN.get(of.units[times].strip().lower(), 1.0)
        seconds = of.column(times) * scale_s
        taken[times] = "seconds" if scale_s == 1 else f"seconds × {scale_s:g}"
    found = FoundScan(
        of.column(of.x),
        of.column(of.y) * scale,
        of.table.line,
        f"{of.table.width} columns",
        axis=of.axis,
        unit=unit if unit in axis.UNITS[of.axis] else "",
        intensity=intensity,
        seconds=seconds,
        stated=header.stated,
        dropped=of.table.dropped,
        notes=of.notes,
    )
    return found, taken


def _intensity(of: Assigned, header: Header, lines: Lines) -> tuple[Intensity, float]:
    """The intensities as option, heading or the text above it call them, and counts in one."""
    kind, name = of.quantities[of.y], of.names[of.y]
    if kind in lines.options.columns:
        return ("cps", headings.scale_of(name)) if kind == "cps" else ("counts", 1.0)
    if kind == "cps":
        return "cps", headings.scale_of(name)
    if kind == "relative":
        return "relative", 1.0
    if header.rate and not headings.SAYS_COUNTS.search(name):
        return "cps", header.rate
    if headings.ARBITRARY.fullmatch(of.units[of.y].strip()) or headings.MULTIPLIED.search(name):
        return "arbitrary", 1.0
    return ("counts", headings.scale_of(name)) if kind == "counts" else ("", 1.0)


def _is_clock(seconds: FloatArray, name: str) -> bool:
    """True for times of day or since the start; counting times may rise as well, if so called."""
    return bool((np.diff(seconds) > 0).all()) and not headings.OF_COUNTING.search(name)


def _with_sigma(
    found: FoundScan, taken: dict[int, str], of: Assigned, xye: bool
) -> tuple[FoundScan, dict[int, str]]:
    """The scan with the column that says it is σ, or behaves so."""
    number, sigma = of.first("sigma"), None
    if number is not None:
        sigma = of.column(number)
    elif (number := of.first("weight")) is not None and (of.column(number) >= 0).all():
        weight = of.column(number)
        sigma = np.divide(1, np.sqrt(weight), out=np.zeros(weight.size), where=weight > 0)
    elif len(silent := [i for i, q in enumerate(of.quantities) if not q and i not in taken]) == 1:
        number = silent[0]
        told = intensities.scales_as_sigma if xye else intensities.behaves_as_sigma
        if told(of.column(number), found.y):
            sigma = of.column(number)
    if sigma is None or number is None:
        return found, taken
    return replace(found, sigma=sigma, sigma_from=of.shown(number)), {**taken, number: "σ"}


def _is_xye(of: Assigned, lines: Lines) -> bool:
    """True for three columns without names in a file that is called .xye: the last may be σ."""
    called = lines.name.lower().removesuffix(".gz").endswith(".xye")
    return called and of.table.width == 3 and not any(of.names)


def _unread(of: Assigned, taken: Mapping[int, str]) -> tuple[str, ...]:
    """Notes on the columns that nobody took."""
    left = [i for i in range(of.table.width) if i not in taken]
    if not left:
        return ()
    shown = ", ".join(of.shown(i).removeprefix("column ") for i in left)
    note = f"column{'' if len(left) == 1 else 's'} {shown} {'was' if len(left) == 1 else 'were'} "
    note += "not read"
    if of.table.width == 3 and of.quantities[left[0]] in ("", UNREAD):
        note += ": it neither says nor shows that it is σ; --columns sigma=3 says so"
    return (note,)


def _timed(unit: str) -> float | None:
    """Seconds of a unit such as "5 s"."""
    number, _, second = unit.partition(" ")
    found = row(number) if second == "s" and number else None
    return found[0] if found else None


def _refuse_multipliers(above: Sequence[str], lines: Lines) -> None:
    """Refuse FullProf's XYDATA heading where it multiplies what stands below it."""
    if not (above and XYDATA.match(above[0])):
        return
    for line in above:
        match = INTER.match(line)
        if match and any(row(word) != [1.0] for word in match.groups()):
            raise InputError(
                f"{line[:60]!r} multiplies positions or intensities",
                where=lines.name,
                remedy="export the pattern as two columns, 2θ and counts",
            )
