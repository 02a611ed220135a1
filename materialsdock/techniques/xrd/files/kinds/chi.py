""".chi of FIT2D and pyFAI: a title, two labels, the number of points, and rows.

Hammersley (2016) J. Appl. Cryst. 49, 646.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from materialsdock.formats.lines import Lines, row
from materialsdock.techniques.xrd.files import axis, headings
from materialsdock.techniques.xrd.files.found import FoundScan
from materialsdock.techniques.xrd.files.header import header_of

ANGLE = re.compile(r"2\s*[-_]?\s*th(eta)?|2θ", re.IGNORECASE)
UNIT = re.compile(r"[(\[]([^)\]]*)[)\]]")


def read_chi(lines: Lines) -> FoundScan | None:
    """The pattern of a .chi file; None where the fourth line does not count the rows."""
    head = lines.text[:4]
    count = row(head[3]) if len(head) == 4 else None
    if not count or len(count) > 2 or any(row(text) for text in head[:3]):
        return None
    body = [(n, row(text)) for n, text in lines.numbered() if n > 4]
    if not body or set(lines.options.columns) & set(headings.AXES):
        return None
    if len(body) != count[0]:
        if not _names_axis(head[1]):
            return None
        lines.refuse(
            4,
            f"{len(body)} rows where {count[0]:g} are promised",
            "the file is cut short or was joined: integrate again, or say "
            "--columns two_theta=1,counts=2",
        )
    width = min(len(values) if values else 0 for _, values in body)
    if width < 2:
        bad = next(n for n, values in body if not values or len(values) < 2)
        lines.refuse(bad, "not a row of position and intensity", "the file is damaged")
    table = np.array([values[: min(width, 3)] for _, values in body if values])
    label = head[1].strip()
    found = FoundScan(
        table[:, 0],
        table[:, 1],
        [n for n, _ in body],
        "FIT2D chi",
        sigma=table[:, 2] if width > 2 else None,
        sigma_from="column 3 of a .chi file" if width > 2 else "",
        stated=header_of(head[:3]).stated,
        columns=("2 as counts", "3 as σ")[: min(width, 3) - 1],
    )
    return _with_axis(found, label, lines)


def _names_axis(label: str) -> bool:
    """True for the label of an axis of .chi files."""
    return bool(ANGLE.search(label) or re.match(r"\s*(Q|Radi|2-?th|d[- ]sp)", label, re.IGNORECASE))


def _with_axis(found: FoundScan, label: str, lines: Lines) -> FoundScan:
    """The scan with the axis that its label names; InputError where it names none of a pattern."""
    said = UNIT.search(label)
    unit = axis.unit_of(said[1]) if said else ""
    quantity, _ = headings.meaning(UNIT.sub("", label))
    name = "two_theta" if ANGLE.search(label) else quantity
    if name not in axis.UNITS:
        fits = [each for each, units in axis.UNITS.items() if unit and unit in units]
        if not fits or fits[0] == "two_theta":
            lines.refuse(
                2,
                f"{label[:60]!r} names no axis of a powder pattern",
                "integrate over 2θ or Q; where it is 2θ all the same, say "
                "--columns two_theta=1,counts=2",
            )
        name = fits[0]
    unit = unit if unit in axis.UNITS[name] else ""
    columns = (f"1 ({label}) as {axis.SHOWN[name]}", *found.columns)
    return replace(found, axis=name, unit=unit or "", columns=columns)
