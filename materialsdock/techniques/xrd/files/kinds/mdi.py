"""MDI (Jade) text: a title; start, step, time, anode, wavelength, end and points; counts."""

from __future__ import annotations

import re

import numpy as np

from materialsdock.formats.columns import values_of
from materialsdock.formats.lines import Lines, row
from materialsdock.techniques.xrd.files.found import FoundScan, Stated, stepped

HEAD = re.compile(
    r"(\S+)[\s,]+(\S+)[\s,]+(\S+)[\s,]+([A-Za-z]{1,2})[\s,]+(\S+)[\s,]+(\S+)[\s,]+(\d+)\s*$"
)


def read_mdi(lines: Lines) -> FoundScan | None:
    """The pattern of an MDI file; None where no second line says start, step, anode and end.

    Raises InputError where as many counts as it promises do not follow.
    """
    text = list(lines.numbered())[:2]
    match = HEAD.match(text[1][1]) if len(text) == 2 else None
    if match is None:
        return None
    numbers = [row(match[i]) for i in (1, 2, 5, 6)]
    start, step, wavelength, end = (each[0] if each else np.nan for each in numbers)
    if not (step > 0 and end > start and 0 < wavelength < 10):
        return None
    expected = int(match[7])
    counts, where = values_of(lines, text[1][0] + 1)
    if len(counts) < expected or abs((end - start) / step + 1 - expected) > 1:
        lines.refuse(
            where[-1] if where else text[1][0],
            f"{len(counts)} counts, but line {text[1][0]} says {start:g} to {end:g} by {step:g}, "
            f"{expected} points",
            "the file is damaged or cut short, export it again",
        )
    more = len(counts) - expected
    return FoundScan(
        stepped(start, step, expected),
        np.array(counts[:expected]),
        where[:expected],
        "MDI",
        unit="deg",
        stated=Stated((wavelength,), "the file", anode=match[4]),
        columns=("start and step of the second line as 2θ", "rows as counts"),
        dropped=(f"{more} numbers behind the last step",) if more else (),
        notes=(f"{match[3]} of the second line, a time or a speed, was not read",),
    )
