"""Remedies where no structure agrees with a pattern: another cell, wavelength or zero.

Each is tried on the positions and heights of peaks alone, in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Structure
from materialsdock.techniques.xrd.files.anodes import K_ALPHA
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases import powder_lines
from materialsdock.techniques.xrd.phases.screen import (
    STRAINS,
    HasLines,
    Observed,
    observe,
    screen,
    tabulate,
)
from materialsdock.techniques.xrd.rietveld.crystals import read_crystals

ANODES = ("Cr", "Fe", "Co", "Cu", "Mo", "Ag")  # those of laboratories
SAME_LINE = 0.02  # of a wavelength: nearer is the same radiation
USUAL_STRAINS = np.linspace(-0.004, 0.004, 9)
FACTORS = np.array([-0.06, -0.04, -0.02, 0.0, 0.02, 0.04, 0.06])  # of cells, each ± 1.2 %
ZEROS_DEG = np.arange(-1.2, 1.21, 0.06)
USUAL_ZEROS_DEG = np.array([0.0, -0.06, 0.06])  # none first: it wins where all are alike
LIKE, BETTER = 0.4, 0.15  # likeness 0-1 that a remedy needs, and by how much it must be better


class Named(HasLines, Protocol):
    """Powder lines with a name."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, eq=False)
class StructureLines:
    """The lines of a structure: name, d [Å] (k,), intensity per weight (k,)."""

    name: str
    d: FloatArray
    intensity: FloatArray


@dataclass(frozen=True)
class _Tried:
    """The best likeness 0-1 of one remedy, with the entry, strain and zero [deg] it is of."""

    likeness: float
    name: str
    strain: float
    zero_deg: float


def lines_of(structure: Structure) -> StructureLines:
    """The powder lines of a candidate phase."""
    crystal = next(crystal for crystal in read_crystals(structure.cif) if crystal.sites)
    weight = sum(a.occ * a.element.weight for a in crystal.get_all_unit_cell_sites())
    crystal.change_occupancies_to_crystallographic()
    return StructureLines(structure.name, *powder_lines.powder_lines(crystal, weight))


def remedies(
    pattern: Pattern, diffractometer: Diffractometer, lines: Sequence[Named]
) -> tuple[str, ...]:
    """Say what would put the lines of one of the structures on the observed peaks, if anything.

    All three are tried: a common factor on cell lengths up to 7 %, a zero up to 1.2°, and the
    radiation of another anode.
    """
    observed = observe(pattern, diffractometer)
    usual = _best(lines, observed)
    told = (_factor(lines, observed), _zero(lines, observed), *_anodes(lines, observed))
    better = [(t, said) for t, said in told if t.likeness > max(LIKE, usual.likeness + BETTER)]
    better.sort(key=lambda pair: -pair[0].likeness)
    return tuple(
        f"{said} (likeness of peaks {tried.likeness:.2f} instead of {usual.likeness:.2f})"
        for tried, said in better
    )


def _factor(lines: Sequence[Named], observed: Observed) -> tuple[_Tried, str]:
    best, factor = _Tried(0.0, "", 0.0, 0.0), 1.0
    for wide in FACTORS:
        scaled = [StructureLines(one.name, one.d * (1 + wide), one.intensity) for one in lines]
        tried = _best(scaled, observed, strains=STRAINS)
        if tried.likeness > best.likeness:
            best, factor = tried, (1 + wide) * (1 + tried.strain)
    wavelength = observed.diffractometer.wavelengths_angstrom[0]
    return best, (
        f"give {best.name} a cell with all lengths times about {factor:.2f}, as a computed or "
        f"substituted structure needs; or the wavelength is about {wavelength / factor:.2f} Å, "
        f"not {wavelength:.4f}"
    )


def _zero(lines: Sequence[Named], observed: Observed) -> tuple[_Tried, str]:
    best = _best(lines, observed, zeros=ZEROS_DEG)
    return best, (
        f"correct the zero of 2θ, which is off by {best.zero_deg:+.2f}° for {best.name}: "
        "measure a standard"
    )


def _anodes(lines: Sequence[Named], observed: Observed) -> Iterator[tuple[_Tried, str]]:
    now = observed.diffractometer
    for anode in ANODES:
        wavelength = K_ALPHA[anode][0]
        if abs(wavelength / now.wavelengths_angstrom[0] - 1) < SAME_LINE:
            continue
        other = replace(now, wavelengths_angstrom=(wavelength,), weights=(1.0,))
        tried = _best(lines, replace(observed, diffractometer=other))
        yield (
            tried,
            (
                f"check the wavelength: {tried.name} agrees with {anode} Kα, {wavelength:.4f} Å, "
                f"and the pattern was taken as {now.wavelengths_angstrom[0]:.4f} Å"
            ),
        )


def _best(
    lines: Sequence[Named],
    observed: Observed,
    *,
    strains: FloatArray = USUAL_STRAINS,
    zeros: FloatArray = USUAL_ZEROS_DEG,
) -> _Tried:
    net = np.maximum(observed.net, 0.0)
    found = screen(tabulate(lines, observed), observed, net, strains=strains, zeros_deg=zeros)
    i = int(np.argmax(found.score))
    return _Tried(
        float(found.score[i]), lines[i].name, float(found.strain[i]), float(found.zero_deg[i])
    )
