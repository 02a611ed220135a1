"""Wavelength, counting time and kind of intensities, as the text above the rows says them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from materialsdock.techniques.xrd.files.found import Stated
from materialsdock.techniques.xrd.files.headings import RATE

NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
WAVELENGTH = re.compile(
    r"(?:wave[-_\s]*length|lambda|λ|\bwl)[-_\s]*([12](?![\d.]))?[^\d\n]{0,25}?"
    rf"{NUMBER}\s*(nm|pm|m\b)?",
    re.IGNORECASE,
)
SECOND = re.compile(r"k[-_\s]*(?:alpha|α|a)[-_\s]*2", re.IGNORECASE)
BETA = re.compile(r"k[-_\s]*(?:beta|β|b)\b|ratio", re.IGNORECASE)
TIME = re.compile(
    r"(?:(?:count(?:ing)?|step|exposure|dwell)[-_\s]*time|(?:time|seconds?)[-_\s]*per[-_\s]*step)"
    rf"[^\d\n]{{0,20}}?{NUMBER}\s*(ms|min|s|sec|seconds?)?\b",
    re.IGNORECASE,
)
METRES = {"nm": 10.0, "pm": 0.01, "m": 1e10}
SECONDS = {"ms": 1e-3, "min": 60.0}


@dataclass(frozen=True)
class Header:
    """The radiation that a header states, the counting time [s], and whether it speaks of rates."""

    stated: Stated
    seconds: float | None
    rate: bool


def header_of(text: Iterable[str]) -> Header:
    """The words of the lines above the rows; the first to say something is believed."""
    first = second = seconds = None
    rate = False
    for line in text:
        rate = rate or bool(RATE.search(line))
        if (match := TIME.search(line)) and seconds is None:
            seconds = float(match[1]) * SECONDS.get((match[2] or "").lower(), 1.0)
        if BETA.search(line) or (match := WAVELENGTH.search(line)) is None:
            continue
        value = float(match[2]) * METRES.get((match[3] or "").lower(), 1.0)
        if match[1] == "2" or SECOND.search(line):
            second = second or value
        else:
            first = first or value
    lines = tuple(each for each in (first, second if first else None) if each)
    where = "the heading of the file" if lines else ""
    return Header(Stated(lines, where), seconds, rate)
