"""Files of absorption spectra: containers, the energy, the signal, the edge."""

from __future__ import annotations

from collections.abc import Callable

from materialsdock.formats.columns import FileColumns
from materialsdock.formats.lines import Lines
from materialsdock.techniques.xas.files import beamlines, plain
from materialsdock.techniques.xas.files.athena import athena
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.feff import feff
from materialsdock.techniques.xas.files.hdf5 import hdf5
from materialsdock.techniques.xas.files.photon_factory import photon_factory
from materialsdock.techniques.xas.files.reading import QUANTITIES, spectrum
from materialsdock.techniques.xas.files.spec import spec

CONTAINERS: tuple[Callable[[Lines], Content | None], ...] = (
    hdf5,
    athena,
    photon_factory,
    beamlines.xdac,
    beamlines.labview,
    beamlines.ssrl,
    beamlines.cls,
    beamlines.epics_scan,
    beamlines.srs,
    feff,
    plain.xdi,
    spec,
    plain.headed,
)

__all__ = ["CONTAINERS", "bare_spectrum", "read_spectrum"]


def read_spectrum(lines: Lines) -> FileColumns | None:
    """The spectrum of a file in a format that announces itself, or whose columns the user names.

    None where it may be no spectrum.  Raises InputError for what cannot be told from the file.
    """
    for container in CONTAINERS:
        if (content := container(lines)) is not None:
            return spectrum(content, lines)
    options = lines.options
    of_spectrum = set(options.columns) & set(QUANTITIES) or options.unit.lower() in ("ev", "kev")
    return bare_spectrum(lines) if of_spectrum and not lines.binary else None


def bare_spectrum(lines: Lines) -> FileColumns:
    """The spectrum in columns that nothing names.

    Raises InputError for more than two, of which the user names none.
    """
    return spectrum(plain.bare(lines), lines)
