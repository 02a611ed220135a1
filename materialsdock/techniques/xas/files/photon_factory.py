"""9809: the format of Photon Factory, SPring-8, Aichi and SAGA, over the angle of the crystal."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.formats.table import Table, read_table
from materialsdock.techniques.xas.files.beamlines import first_line
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.energy import d_spacing_of
from materialsdock.techniques.xas.files.names import NOTHING, Meaning
from materialsdock.techniques.xas.files.signal import FLUORESCENCE, TRANSMISSION

D_SPACING = re.compile(r"\bD\s*=\s*(\d+\.\d+)\s*A", re.IGNORECASE)
SIGNAL = re.compile(r"\b(Transmission|Fluorescence|[A-Za-z]\w*)\s*\(\s*(\d+)\s*\)\s+Repetition")
POINTS = re.compile(r"\bPoints\s*=\s*(\d+)")
BLOCK = re.compile(r"\bNDCH\s*=\s*(\d+)")
# number of the block, first and last energy [eV], step, time, points
ENERGIES = re.compile(r"^\s*\d+\s+(\d+\.\d+)\s+(\d+\.\d+)\s+\S+\s+\S+\s+\d+\s*$", re.MULTILINE)
HC_EV_ANGSTROM = 12398.419843320026
SPACING_WITHIN = 0.1  # of an energy: other reflections differ by more
LEAST_COLUMNS = 5  # two angles, time, I0, a signal
FIELD = 10  # characters of a number, which may touch the next
MODES = {1: "i0", 2: "it", 3: "channel"}
SIGNALS = {2: TRANSMISSION, 3: FLUORESCENCE}


def photon_factory(lines: Lines) -> Content | None:
    """The scan of a 9809 file: angles, time, and channels that the line `Mode` gives a meaning.

    Mode 1 is I0, 2 the transmitted beam, 3 fluorescence; offsets are in the counts already.
    Raises InputError where the head names another signal than its channels.
    """
    if not re.match(r"\s*9809\b", first_line(lines)):
        return None
    marks = {}
    for number, text in lines.numbered():
        for key in ("Mode", "Offset"):
            if text.startswith(key):
                marks[key] = number
    if "Mode" not in marks:
        lines.refuse(1, "a 9809 file without a line 'Mode'", "name the file as it was written")
    start = max(marks.values())
    head = "\n".join(lines.text[:start])
    modes = _modes(lines, marks["Mode"])
    table = _table(lines, start, len(modes))
    _check_spacing(lines, head, table)
    names = ["Angle(c)", "Angle(o)", "time"]
    names += [f"channel {i}" for i in range(2, table.width - 1)]
    content = Content.of(
        "9809",
        lines.name,
        table,
        names,
        ("deg", "deg"),
        promised=_number(POINTS, head),
        d_spacing_angstrom=_d_spacing(head),
        says=_signal(lines, head, modes),
    )
    meanings = [Meaning("angle"), Meaning("angle", "achieved"), NOTHING]
    for i, mode in enumerate(modes[3:], 3):
        what = MODES.get(mode, "")
        meanings.append(Meaning(what, "", "if", i) if what == "channel" else Meaning(what))
    return replace(content, meanings=tuple(meanings))


def _check_spacing(lines: Lines, head: str, table: Table) -> None:
    """Refuse a D that makes other energies of the angles than the blocks of the head name."""
    planned = [float(end) for pair in ENERGIES.findall(head) for end in pair]
    spacing = _d_spacing(head)
    angles = table.values[:, 0]
    if not planned or spacing is None or not ((angles > 0) & (angles < 90)).all():
        return
    first = HC_EV_ANGSTROM / (2 * spacing * np.sin(np.radians(angles.max())))
    if abs(first - min(planned)) > SPACING_WITHIN * first:
        lines.refuse(
            1,
            f"D = {spacing:g} Å makes {first:.1f} eV of the first angle, the blocks of the head "
            f"begin at {min(planned):.1f} eV",
            "correct D in the head, or name the columns with --columns and --unit",
        )


def _table(lines: Lines, start: int, width: int) -> Table:
    """The rows below the head, cut at every tenth character where numbers touch."""
    text = list(lines.text)
    for i in range(start, len(text)):
        line = text[i].rstrip()
        if len(line) > (width - 1) * FIELD and len(row(line) or ()) != width:
            text[i] = " ".join(line[j : j + FIELD] for j in range(0, len(line), FIELD))
    table = read_table(replace(lines, text=text), start + 1)
    if table.width != width:
        lines.refuse(table.line[0], f"{table.width} values under {width} modes", "mend the file")
    return table


def _modes(lines: Lines, number: int) -> list[int]:
    """The mode of each column: angles and time have 0, the word Mode stands over the first."""
    words = ["0", *lines.text[number - 1].split()[1:]]
    if len(words) < LEAST_COLUMNS or not all(word.isdigit() for word in words):
        lines.refuse(number, f"no modes: {lines.text[number - 1].strip()[:60]!r}", "mend the head")
    return [int(word) for word in words]


def _signal(lines: Lines, head: str, modes: list[int]) -> str:
    """The signal that the head names, checked against the modes of its channels."""
    match = SIGNAL.search(head)
    declared = int(match[2]) if match else 0
    if declared not in SIGNALS or lines.options.signal or lines.options.columns:
        return ""
    have = [SIGNALS[mode] for mode in SIGNALS if mode in modes]
    if SIGNALS[declared] not in have:
        raise InputError(
            f"the head says {SIGNALS[declared]} ({declared}), the channels are "
            f"{' and '.join(have) or 'of no known mode'}",
            where=f"{lines.name}, line Mode",
            remedy=f"say --signal {have[0]}" if have else "say --columns angle=1,i0=4,it=5",
        )
    return SIGNALS[declared]


def _d_spacing(head: str) -> float | None:
    match = D_SPACING.search(head)
    found = float(match[1]) if match else d_spacing_of(head)
    return found if found and np.isfinite(found) and 0.1 < found < 100 else None


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(match[1]) if match else None
