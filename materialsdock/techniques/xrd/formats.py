"""Powder patterns: columns, FullProf, GSAS and Bruker UXD."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns, is_number, measured, values_of
from materialsdock.formats.lines import COMMENT, Lines, row
from materialsdock.model import FloatArray, Measured

BANK = re.compile(
    r"^BANK\s+\d+\s+(\d+)\s+\d+\s+(CONST?|CONS)\s+(\S+)\s+(\S+).*?\s(STD|ESD|FXYE|FXY)?\s*$"
)
CENTIDEGREES = 100.0
LARGEST_ANGLE_DEG = 180.0


def read(lines: Lines) -> FileColumns | None:
    """A pattern in a format that announces itself, or None."""
    for number, line in lines.numbered():
        if line.startswith("BANK"):
            return _gsas(lines, number, line)
        if line.upper().startswith(("_COUNTS", "_2THETACOUNTS")):
            return _uxd(lines)
    return _fullprof(lines)


def is_mine(found: FileColumns) -> bool:
    """True where x can be 2θ [deg]."""
    return bool(found.x.min() > -LARGEST_ANGLE_DEG and found.x.max() <= LARGEST_ANGLE_DEG)


def checked(found: FileColumns, lines: Lines) -> Measured:
    """The columns as a powder pattern; InputError with the line of the first fault."""
    faults = []
    negative = np.flatnonzero(found.y < 0)
    if negative.size:
        faults.append(
            (
                found.line[negative[0]],
                f"{negative.size} negative counts, first {found.y[negative[0]]:g}",
            )
        )
    backward = np.flatnonzero(np.diff(found.x) <= 0) + 1
    if backward.size:
        faults.append(
            (
                found.line[backward[0]],
                f"2θ goes from {found.x[backward[0] - 1]:g} to {found.x[backward[0]]:g}",
            )
        )
    if (
        found.x.size
        and not -LARGEST_ANGLE_DEG <= found.x.min() <= found.x.max() <= LARGEST_ANGLE_DEG
    ):
        faults.append((found.line[0], f"{found.x.min():g} to {found.x.max():g} is not a 2θ range"))
    if faults:
        line = faults[0][0]
        lines.refuse(
            line,
            "; ".join(text for _, text in faults),
            "a powder pattern is counts ≥ 0 on increasing 2θ",
        )
    if found.y.size and not found.y.any():
        raise InputError("all counts are zero", where=lines.name, remedy="name a measured pattern")
    return measured(found, lines, "xrd")


def _even(start: float, step: float, counts: Sequence[float] | FloatArray) -> FloatArray:
    return np.asarray(start + step * np.arange(len(counts)))


def _fullprof(lines: Lines) -> FileColumns | None:
    """First line "start step end", then counts in rows (INSTRM=0)."""
    number, line = next(lines.numbered(), (1, ""))
    head = row(line)
    if head is None or len(head) < 3:
        return None
    start, step, end = head[:3]
    if not (0 < step < 1 and start + step < end <= 180):
        return None
    expected = round((end - start) / step) + 1
    counts, where = values_of(lines, number + 1)
    if len(counts) == 3 * (len(set(where))) and len(counts) != expected:
        return None  # three columns that happen to begin like this
    if len(counts) < expected:
        lines.refuse(
            where[-1] if where else number,
            f"{len(counts)} counts, but {start:g} to {end:g} by {step:g} needs {expected}",
            "the file is cut short",
        )
    return FileColumns(
        _even(start, step, counts[:expected]),
        np.array(counts[:expected]),
        where[:expected],
        "FullProf INSTRM=0",
    )


def _gsas(lines: Lines, number: int, line: str) -> FileColumns:
    match = BANK.match(line.strip())
    if match is None:
        lines.refuse(
            number, f"{line[:70]!r} is not a BANK of constant step", "export CONST or FXYE data"
        )
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
        return FileColumns(
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
    return FileColumns(
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


def _uxd(lines: Lines) -> FileColumns:
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
    values, where = values_of(lines, first, after[0] - 1 if after else None)
    lambdas = tuple(float(keys[k]) for k in ("WL1", "WL2") if is_number(keys.get(k)))
    step_time = keys.get("STEPTIME")
    common = {
        "count_time_s": float(step_time) if step_time and is_number(step_time) else None,
        "wavelengths_angstrom": lambdas or None,
        "notes": ("only the first range was read",) if after else (),
    }
    if paired:
        table = np.array(values[: len(values) // 2 * 2]).reshape(-1, 2)
        return FileColumns(table[:, 0], table[:, 1], where[::2], "Bruker UXD", **common)  # type: ignore[arg-type]
    missing = [key for key in ("START", "STEPSIZE") if not is_number(keys.get(key))]
    if missing:
        raise InputError(
            f"_{' and _'.join(missing)} missing",
            where=lines.name,
            remedy="export the UXD with its header",
        )
    x = _even(float(keys["START"]), float(keys["STEPSIZE"]), values)
    return FileColumns(x, np.array(values), where, "Bruker UXD", **common)  # type: ignore[arg-type]
