"""Numbers as the field prints them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

MISSING = "—"
RATIO = 100.0  # of two standard deviations that stand in one number
NARROW_SPACE = "\u202f"  # the SI's digit-group separator, unbreakable


def with_esd(value: float | None, esd: float | None = None) -> str:
    """Value with its estimated standard deviation in crystallographic notation: `9.3724(2)`.

    The esd is rounded to one significant digit and counts units of the last printed digit of the
    value (International Tables C, 9.8; IUCr's "rule of 19", which keeps a second digit for esds
    that start with 1, is not applied).  An esd of ten or more keeps its zeros: `1230(20)`.
    Without a positive finite esd the value stands alone with six significant digits; numbers
    below 1e-4 or from 1e7 carry their exponent last, `1.235(2)e-9`, as CIF allows; no value is
    an em dash.  The sign is an ASCII hyphen, so that the text can be pasted into a CIF.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if esd is None or not math.isfinite(esd) or esd <= 0:
        return f"{value:z.6g}"
    magnitude = max(abs(value), esd)
    if not 1e-4 <= magnitude < 1e7:
        exponent = math.floor(math.log10(magnitude))
        scale = 10.0**-exponent
        return f"{with_esd(value * scale, esd * scale)}e{exponent}"
    digit, exponent_text = f"{esd:.0e}".split("e")
    decimals = -int(exponent_text)
    if decimals > 0:
        return f"{value:z.{decimals}f}({digit})"
    return f"{round(value, decimals):z.0f}({int(digit) * 10**-decimals})"


def with_esds(value: float | None, statistical: float | None, systematic: float | None) -> str:
    """Value with both its standard deviations: `9.3724(2)[11]`.

    statistical in parentheses, systematic in brackets, both in units of the last printed digit,
    which is the first of the smaller one.  One that is not known, zero, or more than RATIO times
    smaller than the other is left out.
    """
    known = [e for e in (statistical, systematic) if e is not None and math.isfinite(e) and e > 0]
    known = [e for e in known if e * RATIO >= max(known)]
    if value is None or not math.isfinite(value) or not known:
        return with_esd(value)
    if len(known) == 1 and known[0] == statistical:
        return with_esd(value, statistical)
    magnitude = max(abs(value), *known)
    if not 1e-4 <= magnitude < 1e7:
        exponent = math.floor(math.log10(magnitude))
        scaled = [None if e is None else e * 10.0**-exponent for e in (statistical, systematic)]
        return f"{with_esds(value * 10.0**-exponent, *scaled)}e{exponent}"
    decimals = -int(f"{min(known):.0e}".split("e")[1])
    kept = max(decimals, 0)
    said = f"{round(value, decimals):z.{kept}f}"
    for esd, (left, right) in ((statistical, "()"), (systematic, "[]")):
        if esd in known:
            said += f"{left}{round(round(esd, decimals) * 10**kept)}{right}"
    return said


def count(number: float | None) -> str:
    """A whole number with its digits in groups of three: `5 751`."""
    if number is None or not math.isfinite(number):
        return MISSING
    return f"{number:,.0f}".replace(",", NARROW_SPACE)


def many(number: int, what: str) -> str:
    """`1 sample`, `2 samples`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def fixed(number: float | None, digits: int = 3) -> str:
    """`digits` significant digits, trailing zeros kept: `0.0430`, `12.3`, `1234`."""
    if number is None or not math.isfinite(number):
        return MISSING
    if abs(number) >= 10**digits:
        return f"{number:.0f}"
    return f"{number:#.{digits}g}".rstrip(".")


def duration(seconds: float | None) -> str:
    """Seconds in the units a person plans with: `8.4 s`, `12 min 5 s`, `3 h 12 min`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def number(value: Any) -> float | int | None:
    """A finite plain Python number, or None."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)
