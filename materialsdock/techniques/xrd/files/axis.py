"""Positions of a file, in whatever quantity and unit they are, into increasing 2θ [deg]."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files.found import FoundScan

ANGLES = {"deg": 1.0, "mdeg": 1e-3, "centideg": 1e-2, "rad": 180 / math.pi, "mrad": 0.18 / math.pi}
UNITS: Mapping[str, Mapping[str, float]] = {
    "two_theta": ANGLES,
    "theta": ANGLES,
    "q": {"1/A": 1.0, "1/nm": 0.1},
    "d": {"A": 1.0, "nm": 10.0},
}
SHOWN = {"two_theta": "2θ", "theta": "θ", "q": "Q", "d": "d"}
SPELT = {
    "": ("", "a.u."),
    "deg": ("deg", "degs", "degree", "degrees", "°", "°2th", "°2θ", "°2theta", "°th", "2theta"),
    "mdeg": ("mdeg", "millideg", "millidegree", "millidegrees", "m°"),
    "centideg": ("centideg", "cdeg", "centidegree", "centidegrees", "1/100deg"),
    "rad": ("rad", "radian", "radians"),
    "mrad": ("mrad",),
    "1/A": ("1/a", "a-1", "a^-1", "a**-1", "/a", "inva", "a^{-1}", "reciprocala"),
    "1/nm": ("1/nm", "nm-1", "nm^-1", "nm**-1", "/nm", "invnm", "nm^{-1}"),
    "A": ("a", "angstrom", "angstroms"),
    "nm": ("nm", "nanometer", "nanometers", "nanometre"),
}
NAMED = {spelling: unit for unit, spellings in SPELT.items() for spelling in spellings}
MINUS_ONE = re.compile(r"⁻¹|\^?\(-1\)|⁻1")
LARGEST_DEG = 180.0
LOW_DEG = 12.0


def unit_of(word: str) -> str | None:
    """The unit a word means, "" for none; None where it means no unit of a pattern's axis."""
    plain = MINUS_ONE.sub("-1", word.strip(" .")).casefold()
    plain = re.sub(r"(å|a\u030a|a)ngstr[oö]ms?|å|\u212b|a\u030a", "a", plain).replace(" ", "")
    return NAMED.get(plain.replace("·", "").replace(".", ""))


def asked(found: FoundScan, lines: Lines) -> FoundScan:
    """The scan with the axis and unit that `--unit` gives it; InputError for one it cannot have."""
    word = lines.options.unit
    if not word:
        return found
    unit = unit_of(word)
    fits = [axis for axis, units in UNITS.items() if unit in units]
    if not unit or not fits or (found.unit and found.axis not in fits):
        known = ", ".join(dict.fromkeys(u for units in UNITS.values() for u in units))
        what = f"{word!r} is no unit of {SHOWN[found.axis]}" if found.unit else f"no unit {word!r}"
        raise InputError(what, where=f"{lines.name}, --unit", remedy=f"known are {known}")
    if found.axis not in fits:  # bare columns are taken for 2θ where nobody says what they are
        found = replace(found, axis=fits[0])
    elif found.unit and found.unit != unit:
        raise InputError(
            f"the file gives {SHOWN[found.axis]} in {found.unit}, not in {unit}",
            where=f"{lines.name}, --unit",
            remedy="leave --unit out",
        )
    return replace(found, unit=unit)


def two_theta(
    found: FoundScan, wavelength_angstrom: float | None, said: str, lines: Lines
) -> tuple[FloatArray, str]:
    """2θ (n,) [deg] of the positions, and how they were converted.

    wavelength_angstrom : for Q and d, from where `said` says; InputError where they need one and
    there is none, and for positions that are no 2θ range.
    """
    unit = found.unit or next(iter(UNITS[found.axis]))
    values = found.x * UNITS[found.axis][unit]
    shown = f"{SHOWN[found.axis]} [{unit}]"
    if found.axis in ("q", "d"):
        if wavelength_angstrom is None:
            raise InputError(
                f"the axis is {shown}, and the file names no wavelength to make 2θ of it",
                where=lines.name,
                remedy="say --wavelength, --anode or --instrument",
            )
        values = _from_spacing(found, values, wavelength_angstrom, unit, lines)
        return values, f"{shown}, made 2θ with {wavelength_angstrom:.7g} Å {said}".rstrip()
    if found.axis == "theta":
        values = 2 * values
    if not -LARGEST_DEG <= values.min() <= values.max() <= LARGEST_DEG or (
        not found.unit and np.abs(values).max() <= math.pi
    ):
        lines.refuse(found.line[0], *_no_range(found, values))
    words = {"two_theta": "" if unit == "deg" else f" × {ANGLES[unit]:g}", "theta": " × 2"}
    return values, f"{shown}{words[found.axis]}"


def _no_range(found: FoundScan, values: FloatArray) -> tuple[str, str]:
    shown = f"{values.min():g} to {values.max():g} is not a 2θ range"
    if found.unit:
        return shown, "say --unit, or which column is what: --columns two_theta=1,..."
    return f"{shown} [deg]", (
        "say --unit (deg, mdeg, centideg, rad, 1/A, ...), or which column is what: "
        "--columns two_theta=2,counts=3"
    )


def remarks(angles: FloatArray) -> tuple[str, ...]:
    """A note on 2θ (n,) [deg] on the other side of the beam."""
    below = np.count_nonzero(angles < 0)
    return (f"{below} points lie below 2θ = 0°, from {angles.min():g}° on",) if below else ()


def doubt(found: FoundScan, angles: FloatArray) -> tuple[str, ...]:
    """A note where 2θ (n,) [deg] that nobody called so ends where Q would end, too."""
    if found.unit or found.axis != "two_theta" or angles.max() > LOW_DEG:
        return ()
    shown = f"{angles.min():g} to {angles.max():g}"
    return (
        f"{shown} was taken as 2θ in degrees, nobody says so: if it is Q or d, say "
        "--unit 1/A or --unit A",
    )


def _from_spacing(
    found: FoundScan, values: FloatArray, wavelength: float, unit: str, lines: Lines
) -> FloatArray:
    """2θ [deg] of Q [1/Å] or d [Å]: λ = 2d sin θ, Q = 2π/d."""
    with np.errstate(divide="ignore"):
        sine = values * wavelength / (4 * np.pi) if found.axis == "q" else wavelength / 2 / values
    beyond = np.flatnonzero(~(np.abs(sine) <= 1))
    if beyond.size:
        first = int(beyond[0])
        others = " or ".join(f"--unit {u}" for u in UNITS[found.axis] if u != unit)
        lines.refuse(
            found.line[first],
            f"{SHOWN[found.axis]} = {found.x[first]:g} {unit} cannot be reached with "
            f"{wavelength:.6g} Å ({beyond.size} points so)",
            f"say {others}, or another --wavelength",
        )
    return np.asarray(2 * np.degrees(np.arcsin(sine)), dtype=float)


def increasing(found: FoundScan, lines: Lines) -> tuple[FoundScan, tuple[str, ...]]:
    """The scan with increasing 2θ, and in words what was done for it.

    A scan that runs downwards is turned round, a point that stands there twice is left out.
    InputError, with its line, where 2θ goes back, or two intensities stand at one 2θ.
    """
    notes: list[str] = []
    step = np.diff(found.x)
    if step.size and (step <= 0).all() and (step < 0).any():
        found, step = taken(found, slice(None, None, -1)), -step[::-1]
        if found.axis != "d":
            notes.append("2θ descends in the file, the points were reversed")
    twice = np.flatnonzero(step == 0) + 1
    same = np.array([i for i in twice if found.y[i] == found.y[i - 1]], dtype=int)
    if same.size and same.size == twice.size:
        keep = np.ones(found.x.size, dtype=bool)
        keep[same] = False
        found = taken(found, keep)
        notes.append(f"{same.size} points that stand there twice were left out once")
    back = np.flatnonzero(np.diff(found.x) <= 0) + 1
    if back.size:
        i = int(back[0])
        lines.refuse(
            found.line[i],
            f"2θ goes from {found.x[i - 1]:g} to {found.x[i]:g}, {back.size} times so",
            "a powder pattern is counts on increasing 2θ: give one scan, one value per point",
        )
    return found, tuple(notes)


def taken(found: FoundScan, which: Any) -> FoundScan:
    """The points `which` of a scan, a slice or a mask (n,)."""
    arrays = ("x", "y", "factor", "sigma", "seconds")
    kept = {
        name: value[which]
        for name in arrays
        if isinstance(value := getattr(found, name), np.ndarray)
    }
    return replace(found, line=np.asarray(found.line)[which].tolist(), **kept)
