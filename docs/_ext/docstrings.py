"""Docstrings as reStructuredText: plain paragraphs, and lists of "name : meaning"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

NAMED = re.compile(r"^([\w][\w., *]*?) : (.*)$")
UNDERLINE = re.compile(r"^-{3,}$")
CODE = re.compile(r"`+([^`]+)`+")


def restructured(lines: Sequence[str]) -> list[str]:
    """The lines of a docstring with nothing in them that reStructuredText would misread.

    A line "name : meaning" begins an item of a list; lines that follow it, indented or not, belong
    to it until one is empty.
    """
    found: list[str] = []
    inside = False  # an item of a list
    for line, following in pairwise([*lines, ""]):
        words = line.strip()
        named = NAMED.match(words)
        if not words:
            found.append("")
            inside = False
        elif UNDERLINE.match(words):
            found.append("")
        elif UNDERLINE.match(following.strip()):
            found += [f"**{_escaped(words)}**"]
        elif named:
            found += [] if inside else [""]
            found.append(f"- **{_escaped(named[1])}**: {_escaped(named[2])}")
            inside = True
        else:
            found.append(("  " if inside else "") + _escaped(words))
    return found


def _escaped(text: str) -> str:
    """The text with code in double backticks and every other mark as a plain character."""
    parts, last = [], 0
    for code in CODE.finditer(text):
        joined = "\\ " if text[code.end() : code.end() + 1].isalnum() else ""  # as in `Part`s
        parts += [_plain(text[last : code.start()]), f"``{code[1]}``{joined}"]
        last = code.end()
    return "".join([*parts, _plain(text[last:])])


def _plain(text: str) -> str:
    return re.sub(r"([\\*|`]|_(?!\w))", r"\\\1", text)
