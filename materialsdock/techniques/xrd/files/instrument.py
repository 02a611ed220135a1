"""Instrument parameter files of GSAS-II (.instprm) and GSAS (.prm): the radiation and the widths.

Widths there are those of a Gaussian variance U, V, W [centideg²] and a Lorentzian X, Y [centideg];
here they are full widths at half maximum in degrees: 8 ln 2 of a variance (Larson & Von Dreele
2004, LAUR 86-748, "CW profile functions"; Toby & Von Dreele 2013, J. Appl. Cryst. 46, 544).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError
from materialsdock.formats.text import decoded
from materialsdock.techniques.xrd.model import Radiation

VARIANCE = 8 * math.log(2) * 1e-4  # centideg² of a variance into deg² of a full width
CENTIDEG = 1e-2
LARGEST_BYTES = 1_000_000
GEOMETRIES = {"Bragg-Brentano": "bragg_brentano", "Debye-Scherrer": "debye_scherrer"}
HEAD = "#GSAS-II instrument parameter file"
OF_FLIGHT = re.compile(r"(difC|Type)\s*:\s*(PNT|\d)", re.IGNORECASE)
BANK = re.compile(r"#\s*Bank\s+\d+")
ICONS = {"Lam1": (0, 10), "Lam2": (10, 20), "Zero": (20, 30), "Polariz.": (40, 50)}
RATIO = (55, 65)
# of the coefficients of GSAS's profile functions: X, Y, S/L and H/L
PLACES: Mapping[int, tuple[int | None, ...]] = {
    2: (3, 4, None, None),
    3: (4, 5, 6, 7),
    4: (4, None, 9, 10),
}


def read_instrument(path: Path) -> tuple[Radiation, tuple[str, ...]]:
    """The radiation and the instrument of a parameter file, and what was decided to read it.

    Raises InputError for a file that cannot be read, or is none for X-rays of one wavelength.
    """
    text = _text(path)
    if any(line.startswith("INS ") for line in text):
        items, notes = _gsas(text, path)
    elif any(re.match(r"Lam1?\s*:", line) for line in text):
        items, notes = _gsas2(text)
    elif any(map(OF_FLIGHT.match, text)):
        raise _wrong(path, "is for times of flight, where the pattern is one of X-rays over 2θ")
    else:
        raise _wrong(path, "is no instrument parameter file of GSAS or GSAS-II")
    kind = items.get("Type", "PXC").strip()
    if not kind.startswith("PX"):
        of = "neutrons" if kind[1:2] == "N" else "another radiation"
        raise _wrong(path, f"is for {of} ({kind}), not for X-rays of one wavelength (PXC)")
    numbers = {key: _number(value, key, path) for key, value in items.items() if key in KEYS}
    lines = tuple(numbers[key] for key in ("Lam", "Lam1", "Lam2") if numbers.get(key))
    if not lines or not all(0.05 <= each <= 5 for each in lines):
        raise _wrong(path, f"names the wavelengths {list(lines)} Å")
    weights = (1.0, numbers.get("I(L2)/I(L1)") or 0.5)[: len(lines)]
    instrument, more = _instrument(numbers, items)
    said = f"instrument file {path.name}"
    return Radiation(lines, weights, len(lines) == 1, said, instrument), (*notes, *more)


KEYS = (*ICONS, "Lam", "I(L2)/I(L1)", "U", "V", "W", "X", "Y", "Z", "SH/L", "S/L", "H/L")


def _text(path: Path) -> list[str]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise _wrong(path, f"is larger than {LARGEST_BYTES // 10**6} MB")
        text = decoded(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="name a readable file",
        ) from error
    if text is None:
        raise _wrong(path, "is binary")
    return text.splitlines()


def _wrong(path: Path, what: str) -> InputError:
    return InputError(
        what,
        where=str(path),
        remedy="name an .instprm or .prm file for X-rays, or say --wavelength or --anode",
    )


def is_instrument(text: Sequence[str]) -> bool:
    """True for lines of an instrument parameter file."""
    return any(line.startswith("INS ") for line in text) or bool(text and text[0].startswith(HEAD))


def _number(value: str, key: str, path: Path) -> float:
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{key} is {value!r}", where=str(path), remedy="mend that number")
    return found


def _gsas2(text: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The items "key:value" of the first bank."""
    starts = [number for number, line in enumerate(text) if BANK.match(line)]
    several = len(starts) > 1
    block = text[starts[0] : starts[1]] if several else text
    pairs = (line.partition(":") for line in block if not line.startswith("#") and ":" in line)
    items = {key.strip(): value.strip() for key, _, value in pairs}
    notes = (f"the first of {len(starts)} banks of the instrument file was read",)
    return items, notes if several else ()


def _gsas(text: Sequence[str], path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """The items of GSAS-II out of the records of the first bank of GSAS."""
    records = {line[:12]: line[12:].rstrip() for line in text if line.startswith("INS ")}
    head = records.get("INS  1 ICONS")
    if head is None:
        raise _wrong(path, "has no record 'INS  1 ICONS'")
    kind = records.get("INS   HTYPE ", "PXC")[:6].strip()
    items = {key: head[slice(*place)].strip() or "0" for key, place in ICONS.items()}
    items |= {"Type": kind, "I(L2)/I(L1)": head[slice(*RATIO)].strip() or "0"}
    notes: tuple[str, ...] = ()
    if items.pop("Zero").strip("0.-+ "):
        notes = ("the zero of the GSAS file was not used: programs disagree about its unit",)
    function = records.get("INS  1PRCF1 ", "").split()
    rows = [records.get(f"INS  1PRCF1{n}", "") for n in range(1, 6)]
    values = [row[i : i + 15].strip() for row in rows for i in range(0, len(row), 15)]
    if function and function[0].isdigit() and int(function[0]) in PLACES and len(values) > 2:
        items |= dict(zip("UVW", values, strict=False))
        names = ("X", "Y", "S/L", "H/L")
        for name, place in zip(names, PLACES[int(function[0])], strict=True):
            if place is not None and place < len(values) and values[place]:
                items[name] = values[place]
    return items, notes


def _instrument(
    numbers: Mapping[str, float], items: Mapping[str, str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields of the Diffractometer, and what of the file could not be used."""
    found: dict[str, Any] = {}
    notes = []
    if 0 < numbers.get("Polariz.", 0.0) <= 1:
        found["polarization"] = numbers["Polariz."]
    if numbers.get("Zero"):
        found["zero_deg"] = numbers["Zero"]
    if (kind := items.get("Diff-type", "")) in GEOMETRIES:
        found["geometry"] = GEOMETRIES[kind]
    half = numbers.get("SH/L", 0.0) / 2
    axial = (numbers.get("S/L", half), numbers.get("H/L", half))
    if any(axial):
        found["axial"] = tuple(max(each, 0.0) for each in axial)
    if numbers.get("Z"):
        notes.append(f"Z = {numbers['Z']:g} of the instrument file has no place here")
    u, v, w = (numbers.get(key, 0.0) * VARIANCE for key in "UVW")
    x, y = (numbers.get(key, 0.0) * CENTIDEG for key in "XY")
    if min(w, x, y) < 0:
        notes.append("negative widths W, X or Y of the instrument file start at 0")
    widths = (u, v, max(w, 0.0), max(x, 0.0), max(y, 0.0))
    if (fwhm := full_width(widths, 60.0)) > 0:
        found |= {"widths": widths, "fwhm_deg": fwhm}
    return found, tuple(notes)


def full_width(widths: Sequence[float], two_theta_deg: float) -> float:
    """Full width at half maximum [deg] of a peak; 0 where the widths have none.

    Thompson, Cox & Hastings (1987) J. Appl. Cryst. 20, 79.
    """
    u, v, w, x, y = widths
    theta = math.radians(two_theta_deg / 2)
    tan = math.tan(theta)
    g = math.sqrt(max(u * tan**2 + v * tan + w, 0.0))
    l = x / math.cos(theta) + y * tan  # noqa: E741
    mixed = 2.69269 * g**4 * l + 2.42843 * g**3 * l**2 + 4.47163 * g**2 * l**3 + 0.07842 * g * l**4
    return float((g**5 + mixed + l**5) ** 0.2)
