"""Lines of a file that know their number, and refuse with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from materialsdock.errors import InputError
from materialsdock.formats.options import NOTHING_ASKED, FileOptions

COMMENT = "#;!'\"%_*/"
SEPARATOR = re.compile(r"[,;\t ]+")
BEHIND = re.compile(r"\s[#!].*$")  # a remark behind the numbers of a row
BROKEN = re.compile(r"[-+]?\.?\d")  # text that begins like a row
FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[-+]?\d+\b)")  # exponent of double precision


@dataclass(frozen=True)
class Lines:
    """The content of one file: its lines, with decimal points, and its bytes where it is binary.

    raw : unpacked, b"" for lines that came from no file; binary : there are no lines
    options : what a user says about it; notes : what was decided to make lines of it
    """

    name: str
    text: Sequence[str]
    raw: bytes = b""
    binary: bool = False
    options: FileOptions = NOTHING_ASKED
    notes: tuple[str, ...] = ()

    def refuse(self, number: int, what: str, remedy: str) -> NoReturn:
        """Raise InputError at line `number`, counted from 1."""
        raise InputError(what, where=f"{self.name}, line {number}", remedy=remedy)

    def numbered(self) -> Iterator[tuple[int, str]]:
        """(number, stripped line), counted from 1, empty ones left out."""
        for number, line in enumerate(self.text, 1):
            if stripped := line.strip():
                yield number, stripped

    def numbers(self, first: int = 1) -> Iterator[tuple[int, list[float]]]:
        """(number, values) of every row of numbers from line `first` on.

        Text before the first row is a header, text behind the last one is left out.  Text between
        rows is a fault, and so is what begins like a row and is none.
        """
        began, between = False, None
        for number, line in self.numbered():
            if number < first:
                continue
            values = row(line.replace('"', "")) if line[0] == '"' else None
            if values is None and line[0] in COMMENT:
                continue
            values = values or row(line)
            if values is not None:
                if between is not None:
                    self._refuse_row(*between)
                began = True
                yield number, values
            elif began:
                if BROKEN.match(line):
                    self._refuse_row(number, line)
                between = between or (number, line)

    def _refuse_row(self, number: int, line: str) -> NoReturn:
        self.refuse(
            number,
            f"{line[:60]!r} is not a row of numbers",
            "use a decimal point, and one row per point",
        )


def row(line: str) -> list[float] | None:
    """The numbers of a line, a remark behind them left out, or None when it holds anything else."""
    line = FORTRAN.sub("e", BEHIND.sub("", line))
    words = [word for word in SEPARATOR.split(line.strip()) if word]
    try:
        return [float(word) for word in words] or None
    except ValueError:
        return None
