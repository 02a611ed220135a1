"""xmu.dat of FEFF: a calculated spectrum, whose columns its last heading names.

omega is the energy of the photons [eV], e that of the electron over the Fermi level, mu and mu0 are
absorption with and without fine structure, normalised to the step (Ankudinov et al. 1998, Phys.
Rev. B 58, 7565; FEFF documentation, "xmu.dat").
"""

from __future__ import annotations

import re
from dataclasses import replace

from materialsdock.formats.lines import Lines, row
from materialsdock.formats.table import read_table
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.names import NOTHING, Meaning

NAMES = ("omega", "e", "k", "mu", "mu0", "chi")
HEADING = re.compile(r"[#\s]*omega\s+e\s+k\s+mu\s+mu0\s+chi\b", re.IGNORECASE)
MEANINGS = (Meaning("energy"), NOTHING, NOTHING, Meaning("mu", "normalised"), NOTHING, NOTHING)


def feff(lines: Lines) -> Content | None:
    """The spectrum of an xmu.dat; None for other files."""
    for _, text in lines.numbered():
        if row(text) is not None:
            return None
        if HEADING.match(text):
            break
    else:
        return None
    table = read_table(lines)
    if table.width != len(NAMES):
        lines.refuse(table.line[0], f"{table.width} values, {len(NAMES)} names", "mend the file")
    units = ("eV", "eV", *("",) * 4)
    notes = ("it was calculated, not measured: by FEFF",)
    content = Content.of("FEFF xmu.dat", lines.name, table, NAMES, units, notes=notes)
    return replace(content, meanings=MEANINGS)
