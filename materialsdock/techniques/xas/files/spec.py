"""SPEC files: several scans, each with its names; and what 12-BM and the ESRF make of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from materialsdock.errors import InputError
from materialsdock.formats.columns import FEWEST_POINTS
from materialsdock.formats.lines import Lines, row
from materialsdock.formats.table import names_in, read_table
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.head import said
from materialsdock.techniques.xas.files.names import meaning, parted

SCAN = re.compile(r"^#S\s+(?:Scan\s+)?(\d+)\s*;?\s*(.*)$", re.IGNORECASE)
NUMBERED = re.compile(r"(?<![\w.])(\d+)_(.+?)(?=\s+\d+_|\s*$)")  # `1_Energy (keV) 2_sec 3_i0`
BIG_STEP = re.compile(r"\t|\s{2,}")
LISTED = 12


@dataclass(frozen=True)
class SpecScan:
    """One scan: its number, its command, its first and last line, counted from 1."""

    number: int
    command: str
    first: int
    last: int


def spec(lines: Lines) -> Content | None:
    """The only scan over energy of a SPEC file, or the one that is asked for by its number.

    None for a file without scans, or none of them over energy.  Raises InputError, listing them,
    for several of which none is asked.
    """
    scans = _scans(lines)
    if not scans:
        return None
    wanted = lines.options.scan
    if wanted is not None:
        chosen = [scan for scan in scans if scan.number == wanted]
        if not chosen:
            raise InputError(
                f"there is no scan {wanted}; it holds {_listed(scans)}",
                where=lines.name,
                remedy=f"say e.g. --scan {scans[0].number}",
            )
        again = (f"the last of {len(chosen)} scans {wanted} was taken",) if chosen[1:] else ()
        return _content(lines, chosen[-1], scans, again)
    over_energy = [scan for scan in scans if _is_over_energy(lines, scan)]
    spectra = [scan for scan in over_energy if _rows(lines, scan) >= FEWEST_POINTS]
    if over_energy and not spectra:
        longest = max(_rows(lines, scan) for scan in over_energy)
        raise InputError(
            f"{longest} points are too few in the longest scan over energy: {_listed(over_energy)}",
            where=lines.name,
            remedy=f"name a scan of at least {FEWEST_POINTS} points",
        )
    if len(spectra) > 1:
        raise InputError(
            f"{len(spectra)} scans over energy: {_listed(spectra)}",
            where=lines.name,
            remedy=f"say which, e.g. --scan {spectra[0].number}",
        )
    if not spectra:
        return _content(lines, scans[0], scans) if lines.options.columns and not scans[1:] else None
    return _content(lines, spectra[0], scans)


def _scans(lines: Lines) -> list[SpecScan]:
    heads = [(n, match) for n, text in lines.numbered() if (match := SCAN.match(text))]
    ends = [*(n - 1 for n, _ in heads[1:]), len(lines.text)][: len(heads)]
    return [
        SpecScan(int(m[1]), m[2].strip(), n, end) for (n, m), end in zip(heads, ends, strict=True)
    ]


def _listed(scans: Sequence[SpecScan]) -> str:
    named = [f"{scan.number} ({scan.command[:40]})" for scan in scans[:LISTED]]
    more = f", and {len(scans) - LISTED} more" if len(scans) > LISTED else ""
    return ", ".join(named) + more


def _only(lines: Lines, scan: SpecScan) -> Lines:
    """The lines of one scan, the others empty: numbers stay.  Spectra of an MCA are left out."""
    text = [""] * len(lines.text)
    goes_on = False
    for i in range(scan.first - 1, scan.last):
        line = lines.text[i]
        of_mca = goes_on or line.startswith("@")
        goes_on = of_mca and line.rstrip().endswith("\\")
        text[i] = "" if of_mca else line
    return replace(lines, text=text)


def _names(lines: Lines, scan: SpecScan) -> list[str]:
    """The names that `#L` gives, or a line `1_Energy (keV) 2_sec`; [] where there is none."""
    labels = ""
    for text in lines.text[scan.first - 1 : scan.last]:
        if row(text) is not None:
            break
        if text.startswith("#L"):
            labels = text[2:].strip()
        found = NUMBERED.findall(text)
        if len(found) > 2 and [int(n) for n, _ in found] == list(range(1, len(found) + 1)):
            return [name for _, name in found]
    if not labels:
        return []
    apart = [name for name in BIG_STEP.split(labels) if name]
    return apart if len(apart) > 1 else labels.split()


def _rows(lines: Lines, scan: SpecScan) -> int:
    """Number of rows of numbers."""
    return sum(row(text) is not None for text in lines.text[scan.first - 1 : scan.last])


def _is_over_energy(lines: Lines, scan: SpecScan) -> bool:
    """True for a scan whose names hold an energy."""
    names = _names(lines, scan) or _heading(lines, scan)
    return any(meaning(name).what == "energy" and len(parted(name)[0]) > 1 for name in names)


def _heading(lines: Lines, scan: SpecScan) -> list[str]:
    """The names in the last comment above the first row, where it names an energy."""
    above = ""
    for text in lines.text[scan.first - 1 : scan.last]:
        if row(text) is not None:
            found = names_in(above, len(row(text) or ()))
            return list(found or ())
        above = text if text.startswith("#") else above
    return []


def _content(
    lines: Lines, scan: SpecScan, scans: Sequence[SpecScan], notes: tuple[str, ...] = ()
) -> Content:
    table = read_table(_only(lines, scan))
    names = _names(lines, scan)
    if len(names) != table.width:
        names = [word for name in names for word in name.split()]
    if len(names) != table.width:
        names = _heading(lines, scan)
    if names and len(names) != table.width:
        lines.refuse(
            table.line[0], f"{table.width} values under {len(names)} names", "mend this scan"
        )
    place = scans.index(scan) + 1
    return Content.of(
        "SPEC",
        lines.name,
        table,
        names,
        scan=f"{scan.number} ({place} of {len(scans)})",
        notes=notes,
        **said(lines, table.line[0]),
    )
