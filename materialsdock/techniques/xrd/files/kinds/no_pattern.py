"""Files that lie beside patterns and are none: refused by what they are."""

from __future__ import annotations

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.techniques.xrd.files.instrument import is_instrument


def no_pattern(lines: Lines) -> None:
    """Raise InputError for an instrument parameter file; None for any other."""
    if is_instrument(lines.text):
        raise InputError(
            "is an instrument parameter file, not a measured one",
            where=lines.name,
            remedy="name the pattern, and this one behind --instrument",
        )
