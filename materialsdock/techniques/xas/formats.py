"""Absorption spectra: XDI, and columns whose header names them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns, measured
from materialsdock.formats.lines import Lines
from materialsdock.model import FloatArray, Measured

KINDS = ("XDI", "named columns")
SMALLEST_EV = 180.0  # x that does not go beyond it may be 2θ [deg]
LARGEST_MU = 20.0
COLUMN = re.compile(r"^#\s*Column\.(\d+):\s*(\S+)", re.IGNORECASE)
MU = ("mutrans", "mu", "xmu", "munorm", "norm", "mufluor")
TRANSMITTED, FLUORESCENCE = ("itrans", "it", "i1", "itrn"), ("ifluor", "if", "fluor", "iff")


def read(lines: Lines) -> FileColumns | None:
    """A spectrum whose columns are named, or None."""
    names = _xdi_names(lines)
    kind = "XDI"
    if names is None:
        names, kind = _header_names(lines), "named columns"
    if names is None or not names[0].startswith(("energy", "e", "mono")):
        return None
    rows = list(lines.numbers())
    if not rows:
        lines.refuse(len(lines.text), "no rows of numbers", "the file ends before its data")
    width = min(len(values) for _, values in rows)
    table = np.array([values[:width] for _, values in rows])
    columns = dict(zip(names, table.T, strict=False))
    mu, note = _absorption(columns, lines)
    return FileColumns(table[:, 0], mu, [n for n, _ in rows], kind, notes=(note,))


def is_mine(found: FileColumns) -> bool:
    """True where x can be an energy [eV] and no angle."""
    return bool(found.x.max() > SMALLEST_EV)


def checked(found: FileColumns, lines: Lines) -> Measured:
    """The columns as µ over energy [eV], sorted; InputError where they are no spectrum."""
    if found.kind not in KINDS:
        found = replace(found, kind="columns: energy, µ")
    spectrum = measured(found, lines, "xas")
    if np.abs(spectrum.y).max() > LARGEST_MU:
        raise InputError(
            f"{found.kind}: y runs to {np.abs(spectrum.y).max():.4g}, which cannot be µ",
            where=lines.name,
            remedy="name the columns in an XDI header: energy, i0, itrans",
        )
    energy, inverse = np.unique(spectrum.x, return_inverse=True)
    if energy[0] <= 0:
        raise InputError(f"energy {energy[0]:g} eV", where=lines.name, remedy="energies are in eV")
    if energy.size == spectrum.x.size and (np.diff(spectrum.x) > 0).all():
        return spectrum
    count = np.bincount(inverse)
    merged = np.bincount(inverse, spectrum.y) / count
    note = f"{spectrum.x.size} rows sorted and merged to {energy.size} energies"
    return replace(spectrum, x=energy, y=merged, sigma=None, notes=(*spectrum.notes, note))


def _xdi_names(lines: Lines) -> list[str] | None:
    found = {}
    for _, line in lines.numbered():
        if match := COLUMN.match(line):
            found[int(match[1])] = match[2].lower()
    return [found[i] for i in sorted(found)] or None


def _header_names(lines: Lines) -> list[str] | None:
    """The words of the last comment line before the data, when they name energy and more."""
    header = ""
    for _, line in lines.numbered():
        if line[0] not in "#%":
            break
        header = line if re.search(r"energy|xmu", line, re.IGNORECASE) else header
    words = re.split(r"\s{2,}|[\t,]+|\s\*\s", header.lstrip("#% ").lower())
    names = [word.strip(" *") for word in words if word.strip(" *")]
    return names if len(names) >= 2 else None


def _absorption(columns: Mapping[str, FloatArray], lines: Lines) -> tuple[FloatArray, str]:
    first = next((columns[k] for k in ("i0",) if k in columns), None)
    for name in MU:
        if name in columns:
            return columns[name], f"µ is column {name}"
    for name in TRANSMITTED:
        if first is not None and name in columns:
            bad = np.flatnonzero(~((first > 0) & (columns[name] > 0)))
            if bad.size:
                lines.refuse(1, f"{bad.size} points with i0 or {name} ≤ 0", "remove those points")
            return np.log(first / columns[name]), f"µ = ln(i0/{name})"
    for name in FLUORESCENCE:
        if first is not None and name in columns:
            return columns[name] / first, f"µ = {name}/i0"
    names: Sequence[str] = list(columns)
    lines.refuse(
        1,
        f"columns {', '.join(names)} hold no µ, nor i0 with a detector",
        "name the columns in an XDI header: energy, i0, itrans or mutrans",
    )
