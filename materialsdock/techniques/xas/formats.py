"""Absorption spectra as a file of every kind holds them: the seam to `materialsdock.formats`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns, measured
from materialsdock.formats.lines import Lines
from materialsdock.model import Measured
from materialsdock.rendering.numbers import count
from materialsdock.techniques.xas.files import bare_spectrum, read_spectrum
from materialsdock.techniques.xas.files.edge import edge_inside
from materialsdock.techniques.xas.files.energy_range import WIDEST
from materialsdock.techniques.xas.files.reading import QUANTITIES as COLUMNS
from materialsdock.techniques.xas.files.reading import SPREAD

OPTIONS = ("edge", "group", "signal")
QUANTITIES = (*COLUMNS, SPREAD)
SMALLEST_EV = 180.0  # x that does not go beyond it may be 2θ [deg]
LARGEST_MU = 20.0
KEV, KEV_SPAN = (0.1, 120.0), 2.5  # of a scan in keV
COUNTED = ("fluorescence", "electron yield")  # in any unit


def read(lines: Lines) -> FileColumns | None:
    """A spectrum in a format that announces itself, or whose columns the user names; or None."""
    return read_spectrum(lines)


def is_mine(found: FileColumns) -> bool:
    """True where x can be an energy [eV] and no angle, or y over a short range of x µ over keV."""
    low, high = float(found.x.min()), float(found.x.max())
    if high > SMALLEST_EV:
        return 0 < high < WIDEST * low
    in_kev = KEV[0] < low < high < KEV[1] and high - low < KEV_SPAN
    return bool(in_kev and np.abs(found.y).max() < LARGEST_MU and (found.y % 1 != 0).any())


def checked(found: FileColumns, lines: Lines) -> Measured:
    """The columns as µ over energy [eV], sorted; InputError where they are no spectrum."""
    if not found.reading.signal:  # bare columns, which nobody has looked at
        found = replace(bare_spectrum(lines), technique=found.technique)
    spectrum = measured(found, lines, found.technique)
    if not spectrum.reading.signal.startswith(COUNTED) and np.abs(spectrum.y).max() > LARGEST_MU:
        raise InputError(
            f"{found.kind}: y runs to {np.abs(spectrum.y).max():.4g}, which cannot be µ",
            where=lines.name,
            remedy="name the columns, e.g. --columns energy=1,i0=2,it=3, or say what it is: "
            "--signal fluorescence",
        )
    spectrum = _sorted(spectrum)
    edge, notes = edge_inside(
        spectrum.x, spectrum.y, lines.options.edge, spectrum.reading.edge, lines.name
    )
    return replace(
        spectrum,
        reading=replace(spectrum.reading, edge=edge),
        notes=(*spectrum.notes, *notes),
    )


def _sorted(spectrum: Measured) -> Measured:
    """The spectrum with every energy once, in order."""
    energy, inverse = np.unique(spectrum.x, return_inverse=True)
    if energy.size == spectrum.x.size and (np.diff(spectrum.x) > 0).all():
        return spectrum
    times = np.bincount(inverse)
    sigma = spectrum.sigma
    if sigma is not None:
        sigma = np.sqrt(np.bincount(inverse, sigma**2)) / times
    rows = count(spectrum.x.size)
    note = f"{rows} rows sorted"
    if energy.size < spectrum.x.size:
        note = f"{rows} rows sorted and merged to {count(energy.size)} energies"
    return replace(
        spectrum,
        x=energy,
        y=np.bincount(inverse, spectrum.y) / times,
        sigma=sigma,
        reading=replace(spectrum.reading, rows=int(spectrum.x.size)),
        notes=(*spectrum.notes, note),
    )
