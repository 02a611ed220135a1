"""Reading powder patterns: formats that announce themselves, and plain tables."""

from __future__ import annotations

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns
from materialsdock.formats.lines import Lines
from materialsdock.formats.table import read_table
from materialsdock.techniques.xrd.files.assigned import claims
from materialsdock.techniques.xrd.files.headings import AXES
from materialsdock.techniques.xrd.files.judge import judged
from materialsdock.techniques.xrd.files.kinds.chi import read_chi
from materialsdock.techniques.xrd.files.kinds.gsas import read_gsas
from materialsdock.techniques.xrd.files.kinds.jcamp import read_jcamp
from materialsdock.techniques.xrd.files.kinds.mdi import read_mdi
from materialsdock.techniques.xrd.files.kinds.nexus import read_nexus
from materialsdock.techniques.xrd.files.kinds.no_pattern import no_pattern
from materialsdock.techniques.xrd.files.kinds.powder_cif import read_powder_cif
from materialsdock.techniques.xrd.files.kinds.stepped import fullprof, rigaku_asc, sietronics
from materialsdock.techniques.xrd.files.kinds.uxd import read_uxd
from materialsdock.techniques.xrd.files.kinds.vendor import read_vendor
from materialsdock.techniques.xrd.files.plain import read_plain

__all__ = ["read", "read_bare"]

BINARY = (read_vendor, read_nexus)
TEXT = (
    no_pattern,
    read_vendor,
    read_powder_cif,
    read_jcamp,
    sietronics,
    read_mdi,
    rigaku_asc,
    read_gsas,
    read_uxd,
    read_chi,
    fullprof,
)


@np.errstate(all="ignore")  # what is not finite is refused, not warned of
def read(lines: Lines) -> FileColumns | None:
    """The pattern of a file whose format, heading or user says that it is one; else None.

    Raises InputError for a file of a known format that cannot be read.
    """
    for reader in BINARY if lines.binary else TEXT:
        if (found := reader(lines)) is not None:
            return judged(found, lines)
    if lines.binary or not _announced(lines):
        return None
    return read_bare(lines)


@np.errstate(all="ignore")
def read_bare(lines: Lines) -> FileColumns:
    """The pattern in a table of numbers; InputError where it cannot be one."""
    return judged(read_plain(lines), lines)


def _announced(lines: Lines) -> bool:
    """True where the heading of a table, or its user, names a position of powder diffraction."""
    if any(axis in lines.options.columns for axis in AXES):
        return True
    try:
        return claims(read_table(lines).names)
    except InputError:
        return False
