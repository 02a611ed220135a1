"""Files: two columns, 2θ and counts, below a line that says so."""

from __future__ import annotations

from materialsdock.formats.columns import FileColumns, measured, read_columns
from materialsdock.formats.lines import Lines
from materialsdock.model import Measured

TITLE = "# one reflection"


def read(lines: Lines) -> FileColumns | None:
    """The columns of a file that begins with TITLE, or None."""
    return read_columns(lines) if lines.text and lines.text[0].startswith(TITLE) else None


def is_mine(columns: FileColumns) -> bool:
    """Never: bare columns over 2θ are a powder pattern unless somebody says what they are."""
    return False


def checked(columns: FileColumns, lines: Lines) -> Measured:
    """Counts over increasing 2θ; InputError, with the line, where they are not."""
    for number, x, before, y in zip(
        columns.line, columns.x, [-360.0, *columns.x], columns.y, strict=False
    ):
        if not (x > before and y >= 0):
            lines.refuse(number, f"{x:g}, {y:g} is no next point", "counts ≥ 0, 2θ increasing")
    return measured(columns, lines, "reflection")
