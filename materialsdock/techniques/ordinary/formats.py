"""Files: two columns, position and counts, or three with the standard deviation of the counts.

A comment line above them may say whose they are: `# technique: NAME`.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from materialsdock.formats.columns import FileColumns, measured, read_columns
from materialsdock.formats.lines import COMMENT, Lines
from materialsdock.model import Measured

SAID = re.compile(rf"[{re.escape(COMMENT)}\s]+technique:\s*(\S+)\s*$")


def read(lines: Lines) -> FileColumns | None:
    """The columns of a file that says of which technique it is, or None."""
    for _, line in lines.numbered():
        if line[0] not in COMMENT:
            return None
        if said := SAID.match(line):
            return replace(read_columns(lines), technique=said[1])
    return None


def is_mine(columns: FileColumns) -> bool:
    """Return False: bare columns are those of a technique that knows them, unless stated."""
    return False


def checked(columns: FileColumns, lines: Lines) -> Measured:
    """Counts over increasing positions; InputError, with the line, where they are not."""
    before = -math.inf
    found = measured(columns, lines, columns.technique)
    for number, x, y in zip(columns.line, found.x.tolist(), found.y.tolist(), strict=True):
        if x <= before:
            lines.refuse(number, f"{x:g} is not above {before:g}", "sort the rows by position")
        if y < 0:
            lines.refuse(number, f"{y:g} counts", "the second column holds counts, 0 or more")
        before = x
    return found
