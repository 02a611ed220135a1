"""Text files of beamlines that name their columns in ways of their own."""

from __future__ import annotations

import re
from dataclasses import replace

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.formats.table import Table, names_in, read_table
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.head import said
from materialsdock.techniques.xas.files.names import Meaning

RULE = re.compile(r"^[#\s]*-{8,}\s*$")
LISTED = re.compile(r"(\d+)\)\s+(.+?)(?=\s+\d+\)\s|\s*$)")  # `  4) Preslit   5) I0`
FIELD = 21  # characters of a name of a LabVIEW scan
GAP = re.compile(r"\S\s{2,}\S|\t")  # within a field: names of another width
POINTS = re.compile(r"\b(\d+)\s+points\b|\bPTS:\s*(\d+)")
EPICS_NAME = re.compile(r"^;\s*[PD]\d+\s*=\s*\{(.*?)\}")
CLS_PV = re.compile(r'"([^"]*)"')
# of HXMA at CLS, whose macros number the detectors only: as its users' programs name them
HXMA = {
    "mcs03": Meaning("channel", "", "lytle"),
    "mcs04": Meaning("i0"),
    "mcs05": Meaning("it"),
    "mcs06": Meaning("ir"),
}
SRS_COLUMNS = ("angle", "time", "i0", "it", "if", "monitor")


def first_line(lines: Lines) -> str:
    """The first line that is not empty."""
    return next((text for _, text in lines.numbered()), "")


def xdac(lines: Lines) -> Content | None:
    """MRCAT (APS 10-ID, 10-BM) and XDAC (NSLS): a rule, a line of names, rows."""
    first = first_line(lines).lstrip("# ")
    kind = next((kind for kind in ("MRCAT_XAFS", "XDAC") if first.startswith(kind)), None)
    if kind is None:
        return None
    rule = next((number for number, text in lines.numbered() if RULE.match(text)), 0)
    if not rule:
        lines.refuse(1, f"a {kind} file without a line of dashes above its names", "mend the file")
    table = read_table(lines, rule + 1)
    above = [t for n, t in lines.numbered() if rule < n < table.line[0] and row(t) is None]
    names = next((found for t in above if (found := names_in(t, table.width))), ())
    facts = said(lines, rule)
    return Content.of(kind, lines.name, table, names, **facts)


def labview(lines: Lines) -> Content | None:
    """Scans of the LabVIEW control panel (APS 9-BM, 20-BM, 20-ID): names in a readable list."""
    if "LabVIEW Control Panel" not in first_line(lines):
        return None
    table = read_table(lines)
    listed: dict[int, str] = {}
    in_list = False
    for number, text in lines.numbered():
        if number >= table.line[0]:
            break
        if in_list:
            listed |= {int(n): name for n, name in LISTED.findall(text.lstrip("#"))}
        in_list = in_list or "list of column headings" in text
    if set(listed) == set(range(1, table.width + 1)):
        names = tuple(listed[i].strip(" *") for i in range(1, table.width + 1))
    else:  # before there was a list: fields of a fixed width
        line = [text for number, text in lines.numbered() if number < table.line[0]][-1]
        names = tuple(line[i : i + FIELD].strip(" *#") for i in range(1, len(line), FIELD))
        if len([name for name in names if name]) != table.width or any(map(GAP.search, names)):
            names = names_in(line, table.width) or ()
    return Content.of(
        "LabVIEW scan",
        lines.name,
        table,
        names,
        promised=_promised(lines, table),
        **said(lines, table.line[0]),
    )


def ssrl(lines: Lines) -> Content | None:
    """SSRL data collectors: one name a line below `Data:`, then rows."""
    if lines.binary and lines.raw.startswith(b"SSRL"):
        raise InputError(
            "is a binary file of SSRL", where=lines.name, remedy="write it anew as ASCII"
        )
    first = first_line(lines)
    if not (first.startswith("SSRL") and "Data Collector" in first):
        return None
    start = next((n for n, text in lines.numbered() if text.lower() == "data:"), None)
    if start is None:
        lines.refuse(1, "an SSRL file without a line 'Data:'", "name the file as it was written")
    names = []
    for text in lines.text[start:]:
        if not text.strip() or row(text) is not None:
            break
        names.append(text.strip())
    table = read_table(lines, start + len(names) + 1)
    if table.width != len(names):
        lines.refuse(
            table.line[0], f"{table.width} values under {len(names)} names", "mend the file"
        )
    promised = _promised(lines, table)
    return Content.of("SSRL", lines.name, table, names, promised=promised, **said(lines, start))


def cls(lines: Lines) -> Content | None:
    """CLS Data Acquisition: rows of event 1, named by their macros, else by their signals."""
    if "CLS Data Acquisition" not in first_line(lines):
        return None
    head = [text for _, text in lines.numbered() if text.startswith("#(1)")]
    signals = next((CLS_PV.findall(text) for text in head if "$(" not in text), [])
    macros = next((_macros(text) for text in head if "$(" in text), signals)
    events = [
        text if text.lstrip().startswith(("#", "1,", "1\t", "1 ")) else "" for text in lines.text
    ]
    table = read_table(replace(lines, text=events))
    names = macros if len(macros) == table.width else signals
    content = Content.of("CLS", lines.name, table, names, **said(lines, table.line[0]))
    return _hxma(content, signals) if len(signals) == table.width else content


def _macros(text: str) -> list[str]:
    """The names in a line of macros: "Event-ID" "$(Detector1)" """
    return [macro or plain for macro, plain in re.findall(r'"(?:\$\((.*?)\)|([^"$]*))[^"]*"', text)]


def _hxma(content: Content, signals: list[str]) -> Content:
    """The content with the detectors of HXMA, where these are its signals."""
    if not any("BL1606-ID" in each for each in signals):
        return content
    meanings = list(content.meanings)
    taken = []
    for i, signal in enumerate(signals):
        for counter, meant in HXMA.items():
            if f":{counter}:" in signal and not meanings[i].what:
                meanings[i] = meant
                taken.append(f"{content.label(i)} ({counter}) is {meant.line or meant.what}")
    note = (f"as is usual at HXMA: {', '.join(taken)}",) if taken else ()
    return replace(content, meanings=tuple(meanings), notes=(*content.notes, *note))


def epics_scan(lines: Lines) -> Content | None:
    """Epics Scan 1 dimensional scan (APS 13-ID, 13-BM before XDI): names in braces."""
    if not first_line(lines).startswith("; Epics Scan 1 dim"):
        return None
    table = read_table(lines)
    names = [match[1] for _, text in lines.numbered() if (match := EPICS_NAME.match(text))]
    if len(names) != table.width:
        lines.refuse(
            table.line[0], f"{table.width} values under {len(names)} names", "mend the file"
        )
    return Content.of("Epics scan", lines.name, table, names, **said(lines, table.line[0]))


def srs(lines: Lines) -> Content | None:
    """SRS Daresbury, DUBBLE and Diamond: a head from &SRS to &END, then columns.

    Under a line of names they are a table; else angle [mdeg], time, I0, It, If, monitor, and the
    channels of a many-element detector on the lines below, four each.
    """
    if not first_line(lines).lstrip().startswith("&SRS"):
        return None
    end = next((n for n, text in lines.numbered() if text.upper().startswith("&END")), None)
    if end is None:
        lines.refuse(1, "a head that begins with &SRS does not end with &END", "mend the file")
    facts = said(lines, end)
    below = next((text for n, text in lines.numbered() if n > end and text[0] != "C"), "")
    if row(below) is None:
        table = read_table(lines, end + 1)
        return Content.of("SRS", lines.name, table, names_in(below, table.width) or (), **facts)
    table = _folded(lines, end)
    names = (*SRS_COLUMNS, *(f"if{i}" for i in range(1, table.width - len(SRS_COLUMNS) + 1)))
    falls = table.values[0, 0] > table.values[-1, 0]
    units = ("mdeg" if falls else "",)
    content = Content.of("SRS", lines.name, table, names, units, **facts)
    if falls:
        return content
    return replace(content, meanings=(Meaning("energy"), *content.meanings[1:]))


def _folded(lines: Lines, end: int) -> Table:
    """The rows below the head, those of one point joined: the first has six numbers."""
    points: list[list[float]] = []
    where: list[int] = []
    for number, text in lines.numbered():
        if number <= end or text[0] == "C":
            continue
        if text.upper().startswith(("END", "DATA ABORTED")):
            break
        values = row(text)
        if values is None:
            lines.refuse(number, f"{text[:60]!r} is not a row of numbers", "mend the file")
        if len(values) == len(SRS_COLUMNS):
            points.append(values)
            where.append(number)
        elif points:
            points[-1] = points[-1] + values
        else:
            lines.refuse(number, f"{len(values)} numbers, six begin a point", "mend the file")
    joined = ["" for _ in lines.text]
    for number, point in zip(where, points, strict=True):
        joined[number - 1] = " ".join(map(repr, point))
    return read_table(replace(lines, text=joined))


def _promised(lines: Lines, table: Table) -> int | None:
    """The number of points that the head announces, or None."""
    for number, text in lines.numbered():
        if number >= table.line[0]:
            break
        if match := POINTS.search(text):
            return int(match[1] or match[2])
    return None
