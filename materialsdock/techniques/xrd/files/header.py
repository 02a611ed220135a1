"""Wavelength, counting time and kind of intensities, as the text above the rows says them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from materialsdock.techniques.xrd.files.anodes import K_ALPHA
from materialsdock.techniques.xrd.files.found import Stated
from materialsdock.techniques.xrd.files.headings import RATE, scale_of

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
    """The radiation that a header states, and the counting time [s].

    rate : counts per second in one of the rates that it speaks of, 0 where it speaks of none
    """

    stated: Stated
    seconds: float | None
    rate: float


def header_of(text: Iterable[str]) -> Header:
    """The words of the lines above the rows; the first to say something is believed.

    Wavelengths that others contradict are kept beside the first.
    """
    first: list[float] = []
    second: list[float] = []
    named: list[str] = []
    seconds: float | None = None
    rate = 0.0
    for line in text:
        rate = rate or (scale_of(line) if RATE.search(line) else 0.0)
        if (match := TIME.search(line)) and seconds is None:
            seconds = _number(match[1]) * SECONDS.get((match[2] or "").lower(), 1.0)
        if match := ANODE.search(line):
            named.append(match[1].capitalize())
        if match := ENERGY.search(line):
            in_kev = _number(match[1]) * (1.0 if match[2].lower() == "kev" else 1e-3)
            first += [HC_KEV_ANGSTROM / in_kev] if in_kev > 0 else []
        _add_wavelengths(line, first, second)
    anode = next(iter(named), "")
    others = [K_ALPHA[each][0] for each in named if each != anode and each in K_ALPHA]
    found = (first[0], *second[:1]) if first else ()
    where = "the heading of the file"
    return Header(Stated(found, where, anode=anode, beside=(*first[1:], *others)), seconds, rate)


def _add_wavelengths(line: str, first: list[float], second: list[float]) -> None:
    """Add the wavelengths [Å] of a line to those of the first and the second line of a tube."""
    matches, end = list(WAVELENGTH.finditer(line)), 0
    for match in matches:
        before = line[end : match.start(2)] if len(matches) > 1 else line
        end = match.end()
        if BETA.search(before) or (match[3] or "").lower() in NO_X_RAY:
            continue
        is_second = match[1] == "2" or bool(SECOND.search(before))
        (second if is_second else first).append(_angstroms(match))


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _angstroms(match: re.Match[str]) -> float:
    """A wavelength [Å]; a tiny one without a unit is in metres."""
    value = _number(match[2])
    unit = (match[3] or "").lower() or ("m" if 0 < value < METRES_BELOW else "")
    return value * PER_UNIT.get(unit, 1.0)
