"""Edge and monochromator, as the lines above the data of a beamline file say."""

from __future__ import annotations

import re
from typing import TypedDict

from materialsdock.formats.lines import Lines, row
from materialsdock.techniques.xas.files.energy import d_spacing_of

LONGEST = 600  # lines of a head
ELEMENT = re.compile(r"\b(?:element(?:\.symbol)?|atom)\s*[:=]\s*([A-Z][a-z]?)\b", re.IGNORECASE)
SHELL = re.compile(r"\bedge\s*[:=]\s*([KLM])\s*_?(\d|I{1,3})?\b", re.IGNORECASE)
EDGE_ENERGY = re.compile(
    r"\b(?:E0|\w*edge_?energy)\b\s*[:=]?\s*(\d+(?:\.\d*)?)\s*(k?eV)?", re.IGNORECASE
)
D_SPACING = re.compile(r"\bd_?-?spacing\s*[:=]?\s*(\d+\.\d+)|\bD\s*=\s*(\d+\.\d+)\s*A\b")
CRYSTAL_LINE = re.compile(r"\b(mono|dcm|crystal|diffraction)", re.IGNORECASE)
ROMAN = {"I": "1", "II": "2", "III": "3"}
D_APART = 0.01  # of a d-spacing; crystals are named at another temperature
KEV_BELOW = 200.0  # an edge energy below is in keV


class Said(TypedDict):
    """Edge by name, its energy [eV], the element, the d-spacing [Å]; "" or None: not said.

    d_rival_angstrom : of crystals that contradict the d-spacing
    """

    edge: str
    edge_ev: float | None
    element: str
    d_spacing_angstrom: float | None
    d_rival_angstrom: float | None


def said(lines: Lines, data: int) -> Said:
    """Read edge, element and d-spacing in the lines above line `data`."""
    head = [text for number, text in lines.numbered() if number < data][:LONGEST]
    head = [text for text in head if row(text) is None]
    text = "\n".join(head)
    element, shell = ELEMENT.search(text), SHELL.search(text)
    symbol = element[1].capitalize() if element else ""
    edge = ""
    if symbol and shell:
        number = (shell[2] or "").upper()
        edge = f"{symbol} {shell[1].upper()}{ROMAN.get(number, number)}"
    number, crystals = _d_spacing(text), _of_crystals(head)
    rival = bool(number and crystals and abs(number - crystals) > D_APART * crystals)
    return Said(
        edge=edge,
        edge_ev=_edge_energy(text),
        element=symbol,
        d_spacing_angstrom=number or crystals,
        d_rival_angstrom=crystals if rival else None,
    )


def _edge_energy(text: str) -> float | None:
    match = EDGE_ENERGY.search(text)
    value = float(match[1]) if match else 0.0
    if match is None or value <= 0:
        return None
    return value * 1000 if value < KEV_BELOW or (match[2] or "").lower() == "kev" else value


def _d_spacing(text: str) -> float | None:
    if match := D_SPACING.search(text):
        found = float(match[1] or match[2])
        if 0.1 < found < 100:
            return found
    return None


def _of_crystals(head: list[str]) -> float | None:
    """The d-spacing [Å] of the crystals that a head names."""
    crystals = (d_spacing_of(line) for line in head if CRYSTAL_LINE.search(line))
    return next((each for each in crystals if each is not None), None)
