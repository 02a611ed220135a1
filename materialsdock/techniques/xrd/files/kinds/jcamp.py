"""JCAMP-DX: labelled records, then a table of pairs, or of a position and the values that follow.

McDonald & Wilks (1988) Appl. Spectrosc. 42, 151.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files import headings
from materialsdock.techniques.xrd.files.axis import UNITS, unit_of
from materialsdock.techniques.xrd.files.found import FoundScan, Intensity, stepped
from materialsdock.techniques.xrd.files.header import header_of

RECORD = re.compile(r"##\s*([^=]*)=(.*)$")
DATA = ("XYDATA", "XYPOINTS", "PEAKTABLE")
ANGLE = re.compile(r"2\s*[-_]?\s*th|2θ|deg|angle", re.IGNORECASE)
NEAR = 0.6  # of a step: how far a line's own position may lie from the even grid
REMEDY = "export it as two columns of plain numbers"


def read_jcamp(lines: Lines) -> FoundScan | None:
    """The pattern of a JCAMP-DX file; None for any other file."""
    first = next(lines.numbered(), (1, ""))[1]
    if not re.match(r"##\s*(TITLE|JCAMP)", first, re.IGNORECASE):
        return None
    keys, begin = _records(lines)
    what = keys.get("DATATYPE", "")
    if begin is None or ("DIFFRACTION" not in what.upper() and "XRD" not in what.upper()):
        if begin is None or what:
            raise InputError(
                f"a JCAMP-DX file of {what or 'no data type'!r}, not of X-ray diffraction",
                where=lines.name,
                remedy="name a powder pattern",
            )
        return None
    body = [(n, text) for n, text in lines.numbered() if n > begin and not text.startswith("$$")]
    end = next((i for i, (_, text) in enumerate(body) if text.startswith("##")), len(body))
    form = next(keys[name] for name in DATA if name in keys).replace(" ", "").upper()
    read = {"(XY..XY)": _pairs, "(X++(Y..Y))": _stepped}.get(form)
    if read is None or not end:
        lines.refuse(begin, f"a table of the form {form!r} with {end} lines is not known", REMEDY)
    x, y, where = read(body[:end], keys, lines)
    shown = [text for _, text in lines.numbered()][:60]
    named = unit_of(keys.get("XUNITS", ""))
    if named is None and not lines.options.unit and not ANGLE.search(keys.get("XUNITS", "")):
        raise InputError(
            f"XUNITS is {keys['XUNITS']!r}, which is none of 2θ, Q or d",
            where=lines.name,
            remedy="say --unit (deg, rad, 1/A, 1/nm, A, nm)",
        )
    axis = next((axis for axis, units in UNITS.items() if named in units), "two_theta")
    return FoundScan(
        x * _number(keys, "XFACTOR", 1.0),
        y * _number(keys, "YFACTOR", 1.0),
        where,
        f"JCAMP-DX {form}",
        axis=axis,
        unit=named or "",
        intensity=_intensity(keys.get("YUNITS", "")),
        notes=_otherwise(keys, x * _number(keys, "XFACTOR", 1.0)),
        stated=header_of(shown).stated,
        columns=("x as " + ("2θ" if axis == "two_theta" else axis), "y as counts"),
    )


def _intensity(unit: str) -> Intensity:
    if headings.RATE.search(unit):
        return "cps"
    return "counts" if "COUNT" in unit.upper() else "arbitrary" if unit else ""


def _otherwise(keys: Mapping[str, str], x: FloatArray) -> tuple[str, ...]:
    """A note where FIRSTX and LASTX are not the ends of the table."""
    ends = tuple(_number(keys, key, at) for key, at in (("FIRSTX", x[0]), ("LASTX", x[-1])))
    if np.allclose(ends, (x[0], x[-1]), rtol=0, atol=abs(x[-1] - x[0]) / x.size):
        return ()
    return (
        f"FIRSTX and LASTX are {ends[0]:g} and {ends[1]:g}, the table runs from {x[0]:g} to "
        f"{x[-1]:g}, and was taken",
    )


def _records(lines: Lines) -> tuple[dict[str, str], int | None]:
    """Labelled records up to the table, and the line on which it is announced."""
    keys: dict[str, str] = {}
    for number, text in lines.numbered():
        if match := RECORD.match(text):
            name = re.sub(r"[\s_/-]", "", match[1]).upper()
            keys.setdefault(name, match[2].split("$$")[0].strip())
            if name in DATA:
                return keys, number
    return keys, None


def _number(keys: Mapping[str, str], key: str, otherwise: float) -> float:
    found = row(keys.get(key, ""))
    return found[0] if found and math.isfinite(found[0]) else otherwise


Body = Sequence[tuple[int, str]]
Points = tuple[FloatArray, FloatArray, list[int]]


def _numbers(number: int, text: str, lines: Lines) -> list[float]:
    found = row(text)
    if found is None:
        lines.refuse(number, f"{text[:60]!r} are not plain numbers (a packed table?)", REMEDY)
    return found


def _pairs(body: Body, keys: Mapping[str, str], lines: Lines) -> Points:
    found: list[list[float]] = []
    where: list[int] = []
    for number, text in body:
        values = _numbers(number, text, lines)
        if len(values) % 2:
            lines.refuse(number, f"{text[:60]!r} are not pairs", "the table is damaged")
        found += [values[i : i + 2] for i in range(0, len(values), 2)]
        where += [number] * (len(values) // 2)
    table = np.array(found)
    if len(table) != round(_number(keys, "NPOINTS", len(table))):
        what = f"{len(table)} points where NPOINTS is {keys['NPOINTS']}"
        lines.refuse(where[-1], what, "the table is damaged or cut short")
    return table[:, 0], table[:, 1], where


def _stepped(body: Body, keys: Mapping[str, str], lines: Lines) -> Points:
    """Each line is the position of its first value, and the values from there on."""
    values: list[float] = []
    where: list[int] = []
    begins: list[tuple[int, int, float]] = []
    for number, text in body:
        own = _numbers(number, text, lines)
        begins.append((number, len(values), own[0]))
        values += own[1:]
        where += [number] * (len(own) - 1)
    factor = _number(keys, "XFACTOR", 1.0) or 1.0
    first = _number(keys, "FIRSTX", begins[0][2] * factor) / factor
    n = len(values)
    if "LASTX" in keys and n > 1:
        step = (_number(keys, "LASTX", 0.0) / factor - first) / (n - 1)
    else:
        step = _number(keys, "DELTAX", 0.0) / factor
    if step == 0 or n != round(_number(keys, "NPOINTS", n)):
        lines.refuse(
            where[-1] if where else begins[0][0],
            f"{n} values by {step:g} where NPOINTS is {keys.get('NPOINTS', 'not there')}",
            "the table is damaged",
        )
    for number, place, x in begins:
        if abs(first + step * place - x) > NEAR * abs(step):
            lines.refuse(
                number,
                f"the line begins at {x:g}, its values at {first + step * place:g}",
                "the table is damaged",
            )
    return stepped(first, step, n), np.array(values), where
