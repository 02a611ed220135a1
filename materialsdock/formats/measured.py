"""One measured scan, whatever file it came in."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.model import Measured
from materialsdock.techniques.xas import formats as spectra
from materialsdock.techniques.xrd import formats as powder

LARGEST_BYTES = 50_000_000
FEWEST_POINTS = 20
LARGEST_ANGLE_DEG = 180.0
LARGEST_MU = 20.0


def read_measured(path: Path, technique: str | None = None) -> Measured:
    """Read a powder pattern or an absorption spectrum.

    Raises InputError naming file, line, the offending text and a remedy.
    """
    lines = Lines(str(path), _text(path).splitlines())
    found = None
    if technique != "xas":
        found = powder.read(lines)
    if found is None and technique != "xrd":
        found = spectra.read(lines)
    if found is None:
        found = powder.read_columns(lines)
    kind = technique or _guess(found, lines)
    if kind == "xas":
        return _checked_spectrum(_as_spectrum(found, lines), lines)
    return _checked_pattern(found, lines)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"larger than {LARGEST_BYTES // 10**6} MB", where=str(path))
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(path) as unpacked:
                raw = unpacked.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"cannot be read: {getattr(error, 'strerror', None) or error}",
            where=str(path),
            remedy="name a readable file",
        ) from error
    if len(raw) > LARGEST_BYTES:
        raise InputError(f"larger than {LARGEST_BYTES // 10**6} MB unpacked", where=str(path))
    if not raw.strip():
        raise InputError("is empty", where=str(path), remedy="name a measured file")
    if b"\0" in raw[:4096]:
        raise InputError(
            "is binary", where=str(path), remedy="export it as text (.xye, .xy, .uxd, .xdi)"
        )
    return raw.decode("utf-8", errors="replace").lstrip("\ufeff")


def _guess(found: powder.Scan, lines: Lines) -> str:
    if found.kind in spectra.KINDS or found.x.max() > LARGEST_ANGLE_DEG:
        return "xas"
    if found.x.min() > -LARGEST_ANGLE_DEG:
        return "xrd"
    raise InputError(
        f"x runs from {found.x.min():g} to {found.x.max():g}",
        where=lines.name,
        remedy="say --technique xrd or --technique xas",
    )


def _as_spectrum(found: powder.Scan, lines: Lines) -> powder.Scan:
    if found.kind in spectra.KINDS:
        return found
    return replace(found, kind="columns: energy, µ")


def _checked(found: powder.Scan, lines: Lines, technique: str) -> Measured:
    bad = np.flatnonzero(~(np.isfinite(found.x) & np.isfinite(found.y)))
    if bad.size:
        i = int(bad[0])
        lines.refuse(
            found.line[i],
            f"{found.x[i]:g}, {found.y[i]:g} is not finite ({bad.size} so)",
            "remove or measure these points again",
        )
    if found.x.size < FEWEST_POINTS:
        raise InputError(
            f"{found.x.size} points are too few",
            where=lines.name,
            remedy=f"name a scan of at least {FEWEST_POINTS} points",
        )
    return Measured(
        technique,
        found.x,
        found.y,
        found.sigma,
        found.count_time_s,
        found.wavelengths_angstrom,
        found.kind,
        found.notes,
    )


def _checked_pattern(found: powder.Scan, lines: Lines) -> Measured:
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
    if found.x.size and not -LARGEST_ANGLE_DEG <= found.x.min() <= found.x.max() <= 180.0:
        faults.append((found.line[0], f"{found.x.min():g} to {found.x.max():g} is no 2θ range"))
    if faults:
        line = faults[0][0]
        lines.refuse(
            line,
            "; ".join(text for _, text in faults),
            "a powder pattern is counts ≥ 0 on increasing 2θ",
        )
    if found.y.size and not found.y.any():
        raise InputError("all counts are zero", where=lines.name, remedy="name a measured pattern")
    return _checked(found, lines, "xrd")


def _checked_spectrum(found: powder.Scan, lines: Lines) -> Measured:
    measured = _checked(found, lines, "xas")
    if np.abs(measured.y).max() > LARGEST_MU:
        raise InputError(
            f"{found.kind}: y runs to {np.abs(measured.y).max():.4g}, which is no µ",
            where=lines.name,
            remedy="name the columns in an XDI header: energy, i0, itrans",
        )
    energy, inverse = np.unique(measured.x, return_inverse=True)
    if energy[0] <= 0:
        raise InputError(f"energy {energy[0]:g} eV", where=lines.name, remedy="energies are in eV")
    if energy.size == measured.x.size and (np.diff(measured.x) > 0).all():
        return measured
    count = np.bincount(inverse)
    merged = np.bincount(inverse, measured.y) / count
    note = f"{measured.x.size} rows sorted and merged to {energy.size} energies"
    return replace(measured, x=energy, y=merged, sigma=None, notes=(*measured.notes, note))
