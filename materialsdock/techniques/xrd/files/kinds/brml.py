"""Bruker .brml whose scans do not describe their columns, as older DIFFRAC programs wrote them.

A row holds two numbers that are no positions, the positions of the drives in the order of the scan
axes, and the counts last.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files import containers
from materialsdock.techniques.xrd.files.containers import local
from materialsdock.techniques.xrd.files.found import FoundScan, Stated
from materialsdock.techniques.xrd.files.scans import chosen

RAW_DATA = re.compile(r"(^|/)RawData(\d+)\.xml$")
DESCRIBED = b"RecordedRawDataView"
FIRST_AXIS = 2
LINES = ("WaveLengthAlpha1", "WaveLengthAlpha2")


def scans(members: dict[str, bytes]) -> list[str]:
    """The names of the scans of an archive, in the order of their numbers."""
    found = [(RAW_DATA.search(name), name) for name in members]
    return [name for _, name in sorted((int(m[2]), name) for m, name in found if m)]


def read_undescribed(members: dict[str, bytes], lines: Lines) -> FoundScan | None:
    """The scan of an archive whose scans do not describe their columns; None where they do."""
    names = scans(members)
    if not names or any(DESCRIBED in members[name] for name in names):
        return None
    place, said, notes = chosen([name.rpartition("/")[2] for name in names], lines)
    root = containers.xml_of(members[names[place]], names[place], lines)
    rows = [row(each.text or "") for each in root.iter() if local(each) == "Datum"]
    width = min((len(values or ()) for values in rows), default=0)
    if not rows or width < 3:
        raise InputError(
            f"{names[place]} holds {len(rows)} rows of {width} numbers",
            where=lines.name,
            remedy=containers.EXPORT,
        )
    table = np.array([values[:width] for values in rows if values])
    column, why = _two_theta(table, root)
    if column is None:
        raise InputError(
            f"{names[place]} does not say which of its {width} columns is 2θ",
            where=lines.name,
            remedy=containers.EXPORT,
        )
    return FoundScan(
        table[:, column],
        table[:, -1],
        list(range(1, len(table) + 1)),
        "Bruker BRML",
        unit="deg",
        stated=stated(root),
        scan=said,
        columns=(f"{column + 1} as 2θ", f"{width} as counts"),
        notes=(*notes, f"the file does not describe its columns: {column + 1} is 2θ, {why}"),
    )


def _two_theta(table: FloatArray, root: Element) -> tuple[int | None, str]:
    """The column of 2θ: that of its scan axis, or the one that is twice its neighbour."""
    axes = [e.get("AxisId", "") for e in root.iter() if local(e) == "ScanAxisInfo"]
    width = table.shape[1]
    if "TwoTheta" in axes and FIRST_AXIS + len(axes) < width:
        return FIRST_AXIS + axes.index("TwoTheta"), "as the order of its scan axes says"
    for i in range(width - 2):
        two, one = table[:, i], table[:, i + 1]
        if (np.diff(two) > 0).all() and np.allclose(np.diff(two), 2 * np.diff(one), atol=2e-4):
            return i, f"as column {i + 2} moves half as far"
    return None, ""


def stated(root: Element) -> Stated:
    """The radiation that the description of the instrument names."""
    values = {local(e): row(e.get("Value", "")) for e in root.iter() if local(e) in LINES}
    anode = next((e.text or "" for e in root.iter() if local(e) == "TubeMaterial"), "")
    found = [values[name] for name in LINES if values.get(name)]
    return Stated(tuple(each[0] for each in found if each), "the file", anode=anode.strip())
