"""Files of absorption spectra: containers, the energy, the signal, the edge."""

from __future__ import annotations

from collections.abc import Callable

from materialsdock.formats.columns import FileColumns
from materialsdock.formats.lines import Lines
from materialsdock.techniques.xas.files import plain
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.reading import QUANTITIES, spectrum

CONTAINERS: tuple[Callable[[Lines], Content | None], ...] = (plain.xdi, plain.headed)

__all__ = ["CONTAINERS", "bare_spectrum", "read_spectrum"]


def read_spectrum(lines: Lines) -> FileColumns | None:
    """The spectrum of a file in a format that announces itself, or whose columns the user names.

    None where it may be no spectrum.  Raises InputError for what cannot be told from the file.
    """
    for container in CONTAINERS:
        if (content := container(lines)) is not None:
            return spectrum(content, lines)
    return bare_spectrum(lines) if set(lines.options.columns) & set(QUANTITIES) else None


def bare_spectrum(lines: Lines) -> FileColumns:
    """The spectrum in columns that nothing names.

    Raises InputError for more than two, of which the user names none.
    """
    return spectrum(plain.bare(lines), lines)
