"""GSAS powder data: BANK records of constant step (STD, ESD) or with positions (FXY, FXYE).

The layouts: Larson & Von Dreele (2004), LAUR 86-748, "GSAS raw powder file".  An STD value of
several detectors is their mean count (GSAS-II reads it so: its variance is value over detectors).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from materialsdock.formats.lines import Lines, row
from materialsdock.techniques.xrd.files.found import FoundScan, stepped
from materialsdock.techniques.xrd.files.header import header_of
from materialsdock.techniques.xrd.files.scans import chosen

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
BANK = re.compile(rf"BANK\s+(\d+)\s+(\d+)\s+\d+\s+(\S+)((?:\s+{NUMBER})*)(?:\s+([A-Z]+))?\s*$")
FORMS = ("STD", "ESD", "FXY", "FXYE")
FLIGHT = ("TIME_MAP", "RALF", "SLOG", "LOG6", "LPSD", "COND", "CONQ", "EDS")
CENTIDEGREES = 100.0
LOWEST_END = 200.0  # of a pattern in hundredths of a degree
DEGREES_APART = 50.0  # between degrees and their hundredths
HEADER_LINES = 60
ASK = "export CONST data as STD, ESD or FXYE"


def read_gsas(lines: Lines) -> FoundScan | None:
    """One bank of a GSAS file; None where there is none."""
    starts = [number for number, line in lines.numbered() if line.startswith("BANK")]
    if not starts:
        return None
    heads = [_head(lines, number) for number in starts]
    labels = [f"{match[2]} points" for match in heads]
    place, said, notes = chosen(labels, lines, [int(match[1]) for match in heads], "bank")
    begin, match = starts[place], heads[place]
    end = starts[place + 1] if place + 1 < len(starts) else len(lines.text) + 1
    body = [
        (n, text)
        for n, text in enumerate(lines.text, 1)
        if begin < n < end and text.strip() and not text.startswith("#")
    ]
    form = match[5] or "STD"
    numbers = row(match[4].strip()) or []
    if match[3] not in ("CONS", "CONST") or form not in FORMS or len(numbers) < 2:
        _refuse(lines, begin, match[3], form)
    if form in ("FXY", "FXYE"):
        found = _with_positions(lines, body, form)
        found = _compared(found, (int(match[2]), *numbers[:2]), lines)
    else:
        _refuse_rows(lines, body, form, int(match[2]))
        found = _constant(lines, body, form, (int(match[2]), *numbers[:2]), begin)
        found = replace(
            found, unit="centideg", notes=(*found.notes, *_behind(lines, body, form, int(match[2])))
        )
    found = _perhaps_degrees(found, begin, lines)
    header = header_of(text for _, text in zip(range(HEADER_LINES), lines.text, strict=False))
    return replace(found, stated=header.stated, scan=said, notes=(*notes, *found.notes))


def _head(lines: Lines, number: int) -> re.Match[str]:
    line = lines.text[number - 1].strip()
    match = BANK.match(line)
    if match is None:
        lines.refuse(number, f"{line[:70]!r} is not a BANK of constant step", ASK)
    return match


def _refuse(lines: Lines, number: int, kind: str, form: str) -> NoReturn:
    line = lines.text[number - 1].strip()
    why = "is not a BANK of constant step"
    if kind in FLIGHT:
        why += f" ({kind} holds times of flight, energies or positions of a detector)"
    elif kind in ("CONS", "CONST"):
        why += f" in a form that is known ({form})"
    lines.refuse(number, f"{line[:70]!r} {why}", ASK)


def _with_positions(lines: Lines, body: Sequence[tuple[int, str]], form: str) -> FoundScan:
    """FXY and FXYE: a row of position [centideg], intensity and esd for each point."""
    rows = [(n, row(text)) for n, text in body]
    bad = next((n for n, values in rows if values is None or len(values) < len(form) - 1), None)
    if bad is not None:
        lines.refuse(bad, "not a row of position, intensity and esd", "the data are damaged")
    if not rows:
        lines.refuse(1, "a BANK without a point", "export it again")
    table = np.array([values[: len(form) - 1] for _, values in rows if values])
    sigma = table[:, 2] if form == "FXYE" else None
    return FoundScan(
        table[:, 0],
        table[:, 1],
        [n for n, _ in rows],
        f"GSAS {form}",
        sigma=sigma,
        sigma_from="" if sigma is None else f"esd of GSAS {form}",
        columns=("1 as 2θ", "2 as counts", "3 as σ")[: len(form) - 1],
    )


def _compared(found: FoundScan, head: tuple[float, ...], lines: Lines) -> FoundScan:
    """The scan in its unit, with a note where its rows are not those that BANK announces.

    Raises InputError where one of them is in degrees.
    """
    expected, start, step = int(head[0]), head[1], head[2]
    first = float(found.x[0])
    if start and not 1 / DEGREES_APART < abs(first / start) < DEGREES_APART:
        if not lines.options.unit:
            lines.refuse(
                found.line[0],
                f"the rows begin at {first:g}, BANK at {start:g}: one of them is in degrees",
                "say the unit of the rows: --unit centideg or --unit deg",
            )
        return replace(found, unit="")
    notes = []
    if found.x.size != expected:
        notes.append(f"BANK promises {expected} points, {found.x.size} rows follow")
    of_rows = float(np.median(np.diff(found.x))) if found.x.size > 1 else step
    if step > 0 and (abs(first - start) > step / 2 or abs(of_rows - step) > step / 20):
        notes.append(
            f"the rows begin at {first / CENTIDEGREES:g}° with steps of "
            f"{of_rows / CENTIDEGREES:g}°, and were taken; BANK says {start / CENTIDEGREES:g}° "
            f"and {step / CENTIDEGREES:g}°"
        )
    return replace(found, unit="centideg", notes=(*found.notes, *notes))


def _perhaps_degrees(found: FoundScan, begin: int, lines: Lines) -> FoundScan:
    """The scan; InputError where it ends so low that it must be in degrees, and nobody says so."""
    if found.unit != "centideg" or not 0 < found.x.max() < LOWEST_END:
        return found
    if lines.options.unit:
        return replace(found, unit="")
    first, last = found.x.min(), found.x.max()
    lines.refuse(
        begin,
        f"BANK runs from {first:g} to {last:g}, which is {first / CENTIDEGREES:g} to "
        f"{last / CENTIDEGREES:g}° in hundredths of a degree",
        "say its unit: --unit deg or --unit centideg",
    )


def _behind(
    lines: Lines, body: Sequence[tuple[int, str]], form: str, expected: int
) -> tuple[str, ...]:
    """A note on values behind those that BANK promises, other than the zeros of a last record."""
    more, _ = _fixed_width(lines, body, form)
    left = sum(value != 0 for value, _ in more[expected:])
    return (f"{left} values behind the {expected} that BANK promises were not read",) * bool(left)


def _refuse_rows(lines: Lines, body: Sequence[tuple[int, str]], form: str, expected: int) -> None:
    """Refuse a row for each point where the form wants records of several."""
    rows = [row(text) for _, text in body]
    if len(rows) >= max(expected, 2) and all(values and len(values) in (2, 3) for values in rows):
        lines.refuse(
            body[0][0],
            f"one point a row, as in FXYE, where BANK says {form}",
            "write FXYE in the BANK record, or export it again",
        )


def _constant(
    lines: Lines,
    body: Sequence[tuple[int, str]],
    form: str,
    head: tuple[float, ...],
    begin: int,
) -> FoundScan:
    """STD and ESD: the counts of an even grid; zeros that pad the last record are no points."""
    expected, start, step = int(head[0]), head[1], head[2]
    table, where = _fixed_width(lines, body, form)
    if len(table) < expected:
        lines.refuse(
            where[-1] if where else begin,
            f"{len(table)} points where BANK promises {expected}",
            "the file is cut short",
        )
    values = np.array(table[:expected]).reshape(-1, 2)
    counted = int(np.flatnonzero(values[:, 0])[-1]) + 1 if values[:, 0].any() else expected
    y, second = values[:counted].T
    sigma, said = None, ""
    notes: tuple[str, ...] = ()
    if form == "ESD":
        sigma, said = second, "esd of GSAS ESD"
    elif (second > 1).any():
        sigma, said = np.sqrt(np.maximum(y, 1.0) / second), "√(counts per detector)"
    if padding := expected - counted:
        notes = (f"{padding} zeros that pad the last record were left out",)
    return FoundScan(
        stepped(start, step, counted),
        y,
        where[:counted],
        f"GSAS {form}",
        intensity="counts" if sigma is None else "",
        sigma=sigma,
        sigma_from=said,
        columns=("BANK as 2θ", "records as counts"),
        notes=notes,
    )


def _fixed_width(
    lines: Lines, body: Sequence[tuple[int, str]], form: str
) -> tuple[list[tuple[float, float]], list[int]]:
    """STD: ten of (I2 detectors, F6 counts) a record; ESD: five of (F8 intensity, F8 esd)."""
    found: list[tuple[float, float]] = []
    where: list[int] = []
    for number, text in body:
        text = text.rstrip()
        fields = [text[i : i + 8] for i in range(0, min(len(text), 80), 8)]
        try:
            if form == "ESD":
                pairs = zip(fields[::2], fields[1::2], strict=False)
                points = [(float(a), float(b)) for a, b in pairs]
            else:
                points = [(float(f[2:]), float(f[:2].strip() or 1) or 1.0) for f in fields]
        except ValueError:
            lines.refuse(number, f"{text[:60]!r} are not GSAS {form} counts", "export it again")
        found += points
        where += [number] * len(points)
    return found, where
