"""Wavelength, counting time and kind of intensities, as the text above the rows says them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from materialsdock.techniques.xrd.files.found import Stated
from materialsdock.techniques.xrd.files.headings import RATE

NUMBER = r"([-+]?(?:\d+(?:\.\d*|,\d+)?|\.\d+)(?:[eE][-+]?\d+)?)"
WAVELENGTH = re.compile(
    r"(?:wave[-_\s]*length|wellenl(?:ä|ae)nge|lambda|λ|\bwl)[-_\s]*([12](?![\d.]))?[^\d\n]{0,25}?"
    rf"{NUMBER}\s*(nm|pm|[uµμ]m|mm|cm|m\b)?",
    re.IGNORECASE,
)
ENERGY = re.compile(
    rf"(?:x-?\s?ray|photon|beam|incident)[-_\s]*energy[^\d\n]{{0,15}}?{NUMBER}\s*(k?eV)\b",
    re.IGNORECASE,
)
HC_KEV_ANGSTROM = 12.398419843320026
NO_X_RAY = {"um", "µm", "μm", "mm", "cm"}  # light of another kind
SECOND = re.compile(r"k[-_\s]*(?:alpha|α|a)[-_\s]*2", re.IGNORECASE)
BETA = re.compile(r"k[-_\s]*(?:beta|β|b)\b|ratio", re.IGNORECASE)
TIME = re.compile(
    r"(?:(?:count(?:ing)?|step|exposure|dwell)[-_\s]*time|(?:time|seconds?)[-_\s]*per[-_\s]*step)"
    rf"[^\d\n]{{0,20}}?{NUMBER}\s*(ms|min|s|sec|seconds?)?\b",
    re.IGNORECASE,
)
ANODE = re.compile(r"\banode\b(?:\s*material)?[\s:=,'\"]+([A-Z][a-z]?)\b", re.IGNORECASE)
PER_UNIT = {"nm": 10.0, "pm": 0.01, "m": 1e10}
METRES_BELOW = 1e-7
SECONDS = {"ms": 1e-3, "min": 60.0}


@dataclass(frozen=True)
class Header:
    """The radiation that a header states, the counting time [s], and whether it speaks of rates."""

    stated: Stated
    seconds: float | None
    rate: bool


def header_of(text: Iterable[str]) -> Header:
    """The words of the lines above the rows; the first to say something is believed."""
    lines: dict[str, float] = {}
    seconds: float | None = None
    rate, anode = False, ""
    for line in text:
        rate = rate or bool(RATE.search(line))
        if (match := TIME.search(line)) and seconds is None:
            seconds = _number(match[1]) * SECONDS.get((match[2] or "").lower(), 1.0)
        if (match := ANODE.search(line)) and not anode:
            anode = match[1]
        if match := ENERGY.search(line):
            in_kev = _number(match[1]) * (1.0 if match[2].lower() == "kev" else 1e-3)
            lines.setdefault("1", HC_KEV_ANGSTROM / in_kev if in_kev > 0 else 0.0)
        for match in () if BETA.search(line) else WAVELENGTH.finditer(line):
            if (match[3] or "").lower() in NO_X_RAY:
                continue
            second = match[1] == "2" or bool(SECOND.search(line))
            lines.setdefault("2" if second else "1", _angstroms(match))
    found = tuple(lines[key] for key in "12" if key in lines) if "1" in lines else ()
    return Header(Stated(found, "the heading of the file", anode=anode), seconds, rate)


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _angstroms(match: re.Match[str]) -> float:
    """A wavelength [Å]; a tiny one without a unit is in metres."""
    value = _number(match[2])
    unit = (match[3] or "").lower() or ("m" if 0 < value < METRES_BELOW else "")
    return value * PER_UNIT.get(unit, 1.0)
