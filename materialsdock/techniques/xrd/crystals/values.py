"""Single values of a CIF, and words for sentences about them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import gemmi

NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d+\))?$")
FRACTION = re.compile(r"([+-]?\d+)/(\d*[1-9]\d*)$")
NULL = ("", "?", ".")


def value(block: gemmi.cif.Block, tag: str) -> str:
    """The value of a tag on one line; empty where there is none, or none is known."""
    found = block.find_value(tag)
    text = " ".join(gemmi.cif.as_string(found).split()) if found else ""
    return "" if text in NULL else text


def number(text: str) -> float:
    """A number of a CIF, its uncertainty in parentheses left out; 1/3 is one too; NaN for none."""
    if found := NUMBER.match(text):
        return float(found[1])
    if found := FRACTION.match(text):
        return int(found[1]) / int(found[2])
    return math.nan


def last_digit(text: str) -> float:
    """The unit of the last digit that a number is printed to; 0 for a fraction like 1/3."""
    found = NUMBER.match(text)
    if found is None:
        return 0.0
    mantissa, _, power = found[1].lower().partition("e")
    return float(10.0 ** (int(power or 0) - len(mantissa.partition(".")[2])))


def some(words: Iterable[str]) -> str:
    """The first three words, each cut short, for a sentence."""
    every = [word[:60] for word in words]
    more = f" and {len(every) - 3} more" if len(every) > 3 else ""
    return ", ".join(every[:3]) + more
