"""Wavelength, counting time and kind of intensities, as the text above the rows says them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from materialsdock.techniques.xrd.files.anodes import K_ALPHA
from materialsdock.techniques.xrd.files.found import Stated
from materialsdock.techniques.xrd.files.headings import RATE, scale_of

NUMBER = r"([-+]?(?:\d+(?:\.\d*|,\d+)?|\.\d+)(?:[eE][-+]?\d+)?)"
WAVELENGTH = re.compile(
    r"(?:wave[-_\s]*length|wellenl(?:ä|ae)nge|lambda|λ|\bwl)[-_\s]*([12](?![\d.,]))?([^\d\n]{0,25}?)"
    rf"{NUMBER}\s*(nm|pm|[uµμ]m|mm|cm|m\b)?",
    re.IGNORECASE,
)
ENERGY = re.compile(
    rf"(?:x-?\s?ray|photon|beam|incident)[-_\s]*energy[^\d\n]{{0,15}}?{NUMBER}\s*(k?eV)\b",
    re.IGNORECASE,
)
BARE_ENERGY = re.compile(rf"\b(?:energy|E)\s*[:=]?\s*{NUMBER}\s*(k?eV)\b")
OTHER_ENERGY = re.compile(r"thresh|ring|electron|resolution|window|edge|detector", re.IGNORECASE)
RADIATION = re.compile(
    r"^(?!.*(?:fluoresc|filter)).*?\b(Cr|Mn|Fe|Co|Ni|Cu|Ga|Mo|Rh|Ag)[\s-]*"
    r"K[\s_-]?(?:alpha|α|a)[\s_-]?(1\s*[,/+&]\s*(?:K[\s_-]?(?:alpha|α|a)[\s_-]?)?2|1?2?)(?![A-Za-z\d])",
    re.IGNORECASE,
)
NO_WAVELENGTH = re.compile(r"\s*/|.*(filter|range|resolution|spread|shift)", re.IGNORECASE)
KA2_GONE = re.compile(
    r"K[\s_-]?(alpha|α|a)[\s_-]?2[\s-]*(was |is )?(strip|remov|eliminat)\w*", re.IGNORECASE
)
REMARKS = {
    re.compile(r"\bneutrons?\b", re.IGNORECASE): "everything here takes X-rays",
    re.compile(r"\bsmooth(ed|ing)\b(?! *[:=]? *(no|off|0|none)\b)", re.IGNORECASE): (
        "neighbouring points are not independent, σ is not √counts"
    ),
    re.compile(
        r"\b(background|bkg|baseline)[\s-]*(was )?(subtract|remov)(ed|ion)\b", re.IGNORECASE
    ): "what was counted is not known, σ is larger than √counts",
    KA2_GONE: "σ is larger than √counts",
    re.compile(r"\b(zero|2-?theta)[\s-]*(shift|offset|error)\s*[:=]?\s*-?\d[\d.]*"): (
        "it was not applied"
    ),
}
NEAR, BEHIND = 30, 12  # characters about a wavelength that speak of it
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


def header_of(lines: Iterable[str]) -> Header:
    """The words of the lines above the rows; the first to say something is believed.

    Wavelengths that others contradict are kept beside the first.
    """
    text = list(lines)
    first: list[float] = []
    second: list[float] = []
    named: list[str] = []
    seconds: float | None = None
    rate, alone = 0.0, any(map(KA2_GONE.search, text))
    for line in text:
        rate = rate or (scale_of(line) if RATE.search(line) else 0.0)
        if (match := TIME.search(line)) and seconds is None:
            seconds = _number(match[1]) * SECONDS.get((match[2] or "").lower(), 1.0)
        if match := ANODE.search(line):
            named.append(match[1].capitalize())
        if match := RADIATION.search(line):
            named.append(match[1].capitalize())
            alone = alone or match[2] == "1"
        first += _of_energy(ENERGY.search(line))
        _add_wavelengths(line, first, second)
    bare = (BARE_ENERGY.search(line) for line in text if not OTHER_ENERGY.search(line))
    first = first or [each for match in bare for each in _of_energy(match)]
    anode = next(iter(named), "")
    others = [K_ALPHA[each][0] for each in named if each != anode and each in K_ALPHA]
    if alone and not first and anode in K_ALPHA:
        first, second = [K_ALPHA[anode][0]], []
    found = (first[0], *second[:1]) if first else ()
    where = "the heading of the file"
    stated = Stated(
        found,
        where,
        alone=alone and len(found) == 1,
        anode=anode,
        beside=(*first[1:], *others),
        notes=_said_besides(text),
    )
    return Header(stated, seconds, rate)


def _of_energy(match: re.Match[str] | None) -> list[float]:
    """The wavelength [Å] of photons of the energy that was found."""
    if match is None or (energy := _number(match[1])) <= 0:
        return []
    return [HC_KEV_ANGSTROM / (energy * (1.0 if match[2].lower() == "kev" else 1e-3))]


def _add_wavelengths(line: str, first: list[float], second: list[float]) -> None:
    """Add the wavelengths [Å] of a line to those of the first and the second line of a tube."""
    end = 0
    for match in WAVELENGTH.finditer(line):
        behind = re.split("[,;]", line[match.end() : match.end() + BEHIND])[0]
        about = line[max(end, match.start(3) - NEAR) : match.end()] + behind
        end = match.end()
        no_x_ray = (match[4] or "").lower() in NO_X_RAY or NO_WAVELENGTH.match(match[2])
        if no_x_ray or BETA.search(about):
            continue
        is_second = match[1] == "2" or bool(SECOND.search(about))
        (second if is_second else first).append(_angstroms(match))


def _said_besides(text: Sequence[str]) -> tuple[str, ...]:
    """Notes on words of a heading that make counts or radiation other than they seem."""
    notes = []
    for pattern, note in REMARKS.items():
        if found := next((match[0] for line in text if (match := pattern.search(line))), ""):
            notes.append(f"the heading says {found.strip()!r}: {note}")
    return tuple(notes)


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _angstroms(match: re.Match[str]) -> float:
    """A wavelength [Å]; a tiny one without a unit is in metres."""
    value = _number(match[3])
    unit = (match[4] or "").lower() or ("m" if 0 < value < METRES_BELOW else "")
    return value * PER_UNIT.get(unit, 1.0)
