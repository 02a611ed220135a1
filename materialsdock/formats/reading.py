"""A reading in words and as plain JSON: the same in the terminal, in reports and ledgers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from materialsdock import technique
from materialsdock.formats.measured import read_measured
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.model import Measured
from materialsdock.rendering.numbers import count

POISSON = "√counts"  # source of the standard deviations of counts


def facts(measured: Measured, path: Path, options: FileOptions = NOTHING_ASKED) -> dict[str, Any]:
    """Say what was taken from the file as what, for the settings of a job; no empty parts."""
    said = measured.reading
    found = {
        "file": path.name,
        "format": measured.kind,
        "scan": said.scan,
        "columns": list(said.columns),
        "unit": said.unit,
        "signal": said.signal,
        "count_time_s": measured.count_time_s,
        "sigma_from": said.sigma_from,
        "wavelengths_from": said.wavelengths_from,
        "edge": said.edge,
        "dropped": list(said.dropped),
        "notes": list(measured.notes),
        "asked": options.plain(),
    }
    return {key: value for key, value in found.items() if value not in (None, "", [], {})}


def again(path: Path, settings: Mapping[str, Any], name: str) -> Measured:
    """Read a file as the job with these `settings` read it; InputError where it cannot be."""
    asked = FileOptions.of(settings.get("reading", {}).get("asked", {}))
    return read_measured(path, name, asked)


def sentences(kept: Mapping[str, Any]) -> list[str]:
    """The words of kept `facts`, one thing a line; [] for jobs of older ledgers."""
    labels = {
        "format": "format",
        "scan": "scan",
        "unit": "unit",
        "signal": "signal",
        "sigma_from": "standard deviation",
        "wavelengths_from": "wavelength",
        "edge": "edge",
    }
    found = [f"{words}: {kept[key]}" for key, words in labels.items() if kept.get(key)]
    if seconds := kept.get("count_time_s"):
        found.append(f"counted for {seconds:g} s at each point")
    if columns := kept.get("columns"):
        found.append(f"columns: {', '.join(columns)}")
    found += [f"left out: {each}" for each in kept.get("dropped", ())]
    return [*found, *kept.get("notes", ())]


def summary(measured: Measured, path: Path, options: FileOptions = NOTHING_ASKED) -> dict[str, Any]:
    """The file as it will be used, as plain JSON."""
    own = technique.named(measured.technique)
    kept = facts(measured, path, options)
    lines = measured.wavelengths_angstrom
    return {
        "file": str(path),
        "format": measured.kind,
        "technique": measured.technique,
        "scan": kept.get("scan"),
        "points": measured.reading.rows or int(measured.x.size),
        "points_used": int(measured.x.size),
        "axis": own.axis,
        "unit": own.unit,
        "unit_in_file": kept.get("unit"),
        "columns": kept.get("columns", []),
        "first": float(measured.x[0]),
        "last": float(measured.x[-1]),
        "y_first": float(measured.y[0]),
        "y_max": float(measured.y.max()),
        "count_time_s": measured.count_time_s,
        "sigma_from": kept.get("sigma_from"),
        "wavelengths_angstrom": None if lines is None else list(lines),
        "wavelengths_from": kept.get("wavelengths_from"),
        "signal": kept.get("signal"),
        "edge": kept.get("edge"),
        "dropped": kept.get("dropped", []),
        "notes": list(measured.notes),
    }


def in_words(said: Mapping[str, Any]) -> str:
    """The lines of `summary` for a person."""
    rows: list[tuple[str, Any]] = [
        ("format", said["format"]),
        ("technique", technique.named(said["technique"]).title),
        ("scan", said["scan"]),
        ("points", _points(said)),
        ("axis", f"{said['axis']}, {said['first']:.8g} to {said['last']:.8g} {said['unit']}"),
        ("unit in file", said["unit_in_file"]),
        ("columns", ", ".join(said["columns"])),
        ("signal", said["signal"]),
        ("values", f"first {said['y_first']:.6g}, largest {said['y_max']:.6g}"),
        ("sd", said["sigma_from"]),
        ("counting", said["count_time_s"] and f"{said['count_time_s']:g} s per point"),
        ("wavelength", _wavelengths(said)),
        ("edge", said["edge"]),
        *(("left out", each) for each in said["dropped"]),
        *(("note", each) for each in said["notes"]),
    ]
    lines = [f"  {label:<13} {value}" for label, value in rows if value]
    return "\n".join([said["file"], *lines])


def _points(said: Mapping[str, Any]) -> str:
    rows, used = said["points"], said["points_used"]
    return count(rows) if rows == used else f"{count(rows)}, {count(used)} of them apart"


def _wavelengths(said: Mapping[str, Any]) -> str:
    lines = said["wavelengths_angstrom"]
    if not lines:
        return ""
    source = f", {said['wavelengths_from']}" if said["wavelengths_from"] else ""
    return f"{' and '.join(f'{each:g}' for each in lines)} Å{source}"
