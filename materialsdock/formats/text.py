"""Text of a measured file, whatever wrote it: its encoding, its end, its decimal sign."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence

END_OF_FILE = "\x1a"  # CP/M and DOS programs write it behind the last line
BINARY_HEAD = 4096
FIELDS = re.compile(r"[;\t ]+")
COMMA_NUMBER = re.compile(r"[-+]?\d*,\d+([eEdD][-+]?\d+)?")
POINT_NUMBER = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eEdD][-+]?\d+)?")
INTEGER = re.compile(r"[-+]?\d+([eEdD][-+]?\d+)?")


def decoded(raw: bytes) -> str | None:
    """The text of `raw` up to its end-of-file mark; None for a binary file.

    UTF-8, UTF-16 with its mark or without, or else Latin-1, which can hold any byte.
    """
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if raw.startswith(mark):
            return _ended(raw.decode(name, errors="replace"))
    head = raw[:BINARY_HEAD]
    if b"\0" in head:
        wide = _utf16(head)
        return None if wide is None else _ended(raw.decode(wide, errors="replace"))
    try:
        return _ended(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _ended(raw.decode("latin-1"))


def _utf16(head: bytes) -> str | None:
    """The byte order of plain text of two bytes a character, or None."""
    even, odd = head[::2], head[1::2]
    if not any(odd[: len(even)]) and 0 not in even:
        return "utf-16-le"
    if not any(even) and 0 not in odd:
        return "utf-16-be"
    return None


def _ended(text: str) -> str:
    return text.partition(END_OF_FILE)[0].lstrip("\ufeff")


def unaccented(name: str) -> str:
    """A name without its accents: `énergie` as `energie`."""
    apart = unicodedata.normalize("NFKD", name)
    return "".join(c for c in apart if not unicodedata.combining(c))


def with_points(text: Sequence[str]) -> tuple[list[str], bool]:
    """The lines with decimal points, and True where the file writes decimal commas.

    Decimal commas are those of a file whose rows of numbers all agree: their fields are set apart
    by blanks, tabs or semicolons, some hold one comma, and none a point.  A row never decides for
    itself.
    """
    rows = [number for number, line in enumerate(text) if _is_comma_row(line)]
    commas = any(COMMA_NUMBER.fullmatch(w) for n in rows for w in _fields(text[n]))
    if not commas or any(_is_point_row(line) for line in text):
        return list(text), False
    changed = list(text)
    for number in rows:
        changed[number] = text[number].replace(",", ".")
    return changed, True


def _fields(line: str) -> list[str]:
    return [word for word in FIELDS.split(line.strip()) if word]


def _is_comma_row(line: str) -> bool:
    words = _fields(line)
    return len(words) > 1 and all(
        COMMA_NUMBER.fullmatch(word) or INTEGER.fullmatch(word) for word in words
    )


def _is_point_row(line: str) -> bool:
    words = _fields(line.replace(",", " "))
    numbers = [bool(POINT_NUMBER.fullmatch(w) or INTEGER.fullmatch(w)) for w in words]
    return len(words) > 1 and all(numbers) and any(map(POINT_NUMBER.fullmatch, words))
