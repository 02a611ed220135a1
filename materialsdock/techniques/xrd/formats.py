"""Powder patterns: columns, FullProf, GSAS and Bruker UXD."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import COMMENT, Lines, row
from materialsdock.model import FloatArray

BANK = re.compile(
    r"^BANK\s+\d+\s+(\d+)\s+\d+\s+(CONST?|CONS)\s+(\S+)\s+(\S+).*?\s(STD|ESD|FXYE|FXY)?\s*$"
)
CENTIDEGREES = 100.0


@dataclass(frozen=True, eq=False)
class Scan:
    """What a reader found: x, y (n,) and the line each point came from (n,)."""

    x: FloatArray
    y: FloatArray
    line: Sequence[int]
    kind: str
    sigma: FloatArray | None = None
    count_time_s: float | None = None
    wavelengths_angstrom: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()


def read(lines: Lines) -> Scan | None:
    """A pattern in a format that announces itself, or None."""
    for number, line in lines.numbered():
        if line.startswith("BANK"):
            return _gsas(lines, number, line)
        if line.upper().startswith(("_COUNTS", "_2THETACOUNTS")):
            return _uxd(lines)
    return _fullprof(lines)


def read_columns(lines: Lines) -> Scan:
    """Two columns x, y, or three with the standard deviation; more are left unread, with a note."""
    rows = list(lines.numbers())
    if not rows:
        number, text = next(lines.numbered(), (1, ""))
        lines.refuse(
            number,
            f"no rows of numbers, it begins with {text[:60]!r}",
            "name a text file with columns 2θ and counts, or energy and µ",
        )
    width = len(rows[0][1])
    ragged = next((number for number, values in rows if len(values) != width), None)
    if ragged is not None:
        lines.refuse(ragged, f"a row has not {width} columns as the first", "mend that row")
    if width < 2:
        lines.refuse(rows[0][0], "one column only", "two columns are needed: position and counts")
    table = np.array([values for _, values in rows])
    scan = Scan(table[:, 0], table[:, 1], [number for number, _ in rows], f"{width} columns")
    if width == 3 and (table[:, 2] > 0).all():
        return replace(scan, sigma=table[:, 2])
    if width > 2:
        return replace(scan, notes=(f"columns 3 to {width} were not read",))
    return scan


def _values(lines: Lines, first: int, last: int | None = None) -> tuple[list[float], list[int]]:
    found: list[float] = []
    where: list[int] = []
    for number, line in lines.numbered():
        if number < first or (last is not None and number > last):
            continue
        values = row(line)
        if values is None:
            lines.refuse(number, f"{line[:60]!r} are not counts", "the data block is damaged")
        found += values
        where += [number] * len(values)
    return found, where


def _even(start: float, step: float, counts: Sequence[float] | FloatArray) -> FloatArray:
    return np.asarray(start + step * np.arange(len(counts)))


def _fullprof(lines: Lines) -> Scan | None:
    """First line "start step end", then counts in rows (INSTRM=0)."""
    number, line = next(lines.numbered(), (1, ""))
    head = row(line)
    if head is None or len(head) < 3:
        return None
    start, step, end = head[:3]
    if not (0 < step < 1 and start + step < end <= 180):
        return None
    expected = round((end - start) / step) + 1
    counts, where = _values(lines, number + 1)
    if len(counts) == 3 * (len(set(where))) and len(counts) != expected:
        return None  # three columns that happen to begin like this
    if len(counts) < expected:
        lines.refuse(
            where[-1] if where else number,
            f"{len(counts)} counts, but {start:g} to {end:g} by {step:g} needs {expected}",
            "the file is cut short",
        )
    return Scan(
        _even(start, step, counts[:expected]),
        np.array(counts[:expected]),
        where[:expected],
        "FullProf INSTRM=0",
    )


def _gsas(lines: Lines, number: int, line: str) -> Scan:
    match = BANK.match(line.strip())
    if match is None:
        lines.refuse(number, f"{line[:70]!r} is no constant-step BANK", "export CONST or FXYE data")
    expected, start, step = int(match[1]), float(match[3]), float(match[4])
    form = match[5] or "STD"
    body = [(n, text) for n, text in enumerate(lines.text, 1) if n > number and text.strip()]
    wavelength = _wavelength(lines)
    if form in ("FXYE", "FXY"):
        rows = [(n, row(text)) for n, text in body]
        bad = next((n for n, values in rows if values is None or len(values) < len(form) - 1), None)
        if bad is not None:
            lines.refuse(bad, "not a row of position, intensity and esd", "the data are damaged")
        table = np.array([values[:3] for _, values in rows if values])
        sigma = table[:, 2] if form == "FXYE" else None
        return Scan(
            table[:, 0] / CENTIDEGREES,
            table[:, 1],
            [n for n, _ in rows],
            f"GSAS {form}",
            sigma,
            wavelengths_angstrom=wavelength,
        )
    values, where = _fixed_width(lines, body, form)
    if len(values) < expected:
        lines.refuse(
            where[-1] if where else number,
            f"{len(values)} points where BANK promises {expected}",
            "the file is cut short",
        )
    table = np.array(values[:expected])
    counted = int(np.flatnonzero(table[:, 0])[-1]) + 1 if table[:, 0].any() else expected
    padding = expected - counted
    sigma = table[:counted, 1] if form == "ESD" else None
    return Scan(
        _even(start / CENTIDEGREES, step / CENTIDEGREES, table[:counted]),
        table[:counted, 0],
        where[:counted],
        f"GSAS {form}",
        sigma,
        wavelengths_angstrom=wavelength,
        notes=(f"{padding} zeros that pad the last record were left out",) if padding else (),
    )


def _fixed_width(
    lines: Lines, body: Sequence[tuple[int, str]], form: str
) -> tuple[list[tuple[float, float]], list[int]]:
    """STD: ten of (I2 detectors, I6 counts); ESD: five of (F8 intensity, F8 esd)."""
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
                points = [(float(f[2:]) / float(f[:2].strip() or 1), 0.0) for f in fields]
        except (ValueError, ZeroDivisionError):
            lines.refuse(number, f"{text[:60]!r} are not GSAS {form} counts", "export it again")
        found += points
        where += [number] * len(points)
    return found, where


def _wavelength(lines: Lines) -> tuple[float, ...] | None:
    for line in lines.text[:60]:
        if match := re.search(r"wavelength\s*=\s*([\d.]+)", line, re.IGNORECASE):
            return (float(match[1]),)
    return None


def _uxd(lines: Lines) -> Scan:
    """Bruker UXD: _KEY=value lines, then counts; the last row may be shorter than the others."""
    keys: dict[str, str] = {}
    first, paired = 0, False
    for number, line in lines.numbered():
        upper = line.upper()
        if upper.startswith(("_COUNTS", "_2THETACOUNTS")):
            first, paired = number + 1, upper.startswith("_2THETA")
            break
        if line.startswith("_") and "=" in line:
            key, _, value = line[1:].partition("=")
            keys[key.strip().upper()] = value.strip().strip("'")
    after = [n for n, line in lines.numbered() if n >= first and line[0] in COMMENT]
    values, where = _values(lines, first, after[0] - 1 if after else None)
    lambdas = tuple(float(keys[k]) for k in ("WL1", "WL2") if _is_number(keys.get(k)))
    step_time = keys.get("STEPTIME")
    common = {
        "count_time_s": float(step_time) if step_time and _is_number(step_time) else None,
        "wavelengths_angstrom": lambdas or None,
        "notes": ("only the first range was read",) if after else (),
    }
    if paired:
        table = np.array(values[: len(values) // 2 * 2]).reshape(-1, 2)
        return Scan(table[:, 0], table[:, 1], where[::2], "Bruker UXD", **common)  # type: ignore[arg-type]
    missing = [key for key in ("START", "STEPSIZE") if not _is_number(keys.get(key))]
    if missing:
        raise InputError(
            f"_{' and _'.join(missing)} missing",
            where=lines.name,
            remedy="export the UXD with its header",
        )
    x = _even(float(keys["START"]), float(keys["STEPSIZE"]), values)
    return Scan(x, np.array(values), where, "Bruker UXD", **common)  # type: ignore[arg-type]


def _is_number(word: str | None) -> bool:
    return word is not None and row(word) is not None
