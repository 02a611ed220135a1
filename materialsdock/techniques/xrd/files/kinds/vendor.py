"""Formats of the makers of diffractometers, read by rietx behind checks of our own.

rietx guesses neither positions nor units here; what it says while it reads becomes a note, and
attenuators, counting times and wavelengths are taken from the file again where it leaves them out.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.formats.text import decoded
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files import attenuators, containers, headings, intensities
from materialsdock.techniques.xrd.files.found import FoundScan, Stated
from materialsdock.techniques.xrd.files.kinds import brml, raw_v3
from materialsdock.techniques.xrd.files.scans import chosen

MAGIC = (b"RAW1.01", b"RAW4.00", b"RAW2", b"RAW ", b"V3RD", b"V5RD")
PROFILE = re.compile(r"^Data(\d+)/Profile\d+\.txt$")
XRDML = re.compile(r"<(\w+:)?xrdMeasurements\b")
UDF_KEYS = ("DataAngleRange", "ScanStepSize")
UDF = re.compile(rf"({'|'.join(UDF_KEYS)})\s*,")
BRML_MEMBER = re.compile(r"(^|/)(DataContainer|RawData\d+)\.xml$")
OWN_NAME = re.compile(r"\bfile\.\w+(: )?")  # the name under which rietx sees a file
RAS_UNIT = re.compile(r'\*MEAS_SCAN_UNIT_Y\s+"([^"]*)"')
LISTS = (".dif", ".pks", ".udi")  # of peaks, refused by rietx where their content is that
HEAD_LINES = 60
TURNED = "PATTERN_SCAN_REVERSED"
SAID_BY_US = (
    TURNED,
    "PATTERN_MULTISCAN_DEFAULTED",
    "PATTERN_INTENSITY_SCALED",
    "RAS_ATTENUATOR_PRESENT",
    "PATTERN_SIGMA_CONSTANT",
)
KINDS = {
    "xrdml": "PANalytical XRDML",
    "brml": "Bruker BRML",
    "bruker_raw": "Bruker RAW",
    "ras": "Rigaku RAS",
    "rasx": "Rigaku RASX",
    "udf": "Philips UDF",
    "philips_rd": "Philips RD",
}


def read_vendor(lines: Lines) -> FoundScan | None:
    """The scan of a file of Bruker, PANalytical, Philips or Rigaku; None for any other.

    Raises InputError for one that is damaged, or holds no pattern.
    """
    try:
        return _binary(lines) if lines.binary else _text(lines)
    except (*containers.BROKEN, AttributeError, TypeError) as error:
        raise InputError(_plain(str(error)), where=lines.name, remedy=containers.EXPORT) from error


def _text(lines: Lines) -> FoundScan | None:
    first = next((text for _, text in lines.numbered()), "")
    head = "\n".join(lines.text[:HEAD_LINES])
    whole = "\n".join(lines.text)
    if XRDML.search(head):
        text = containers.plain_xml(whole, lines)
        return _xrdml(_read(text, ".xrdml", lines), text)
    if first.startswith("*RAS_DATA_START"):
        return _ras(_read(whole, ".ras", lines), whole)
    if len(set(UDF.findall(head))) == len(UDF_KEYS):
        return _scan(_read(whole, ".udf", lines))
    if _suffix(lines) in LISTS:
        _refuse_peaks(lines)
    return None


def _binary(lines: Lines) -> FoundScan | None:
    if lines.raw.startswith(MAGIC):
        return _scan(_read(raw_v3.with_record_lengths(lines.raw), ".raw", lines))
    known = containers.names(lines)
    if any(brml.RAW_DATA.search(name) for name in known):
        return _brml(containers.members(lines), lines)
    if any(PROFILE.match(name) for name in known):
        return _rasx(containers.members(lines), lines)
    return None


@dataclass(frozen=True)
class _Read:
    """A pattern of rietx, the number of its scan from 0, and words about it."""

    pattern: Any
    place: int
    scan: str
    notes: tuple[str, ...]

    def said(self, key: str) -> str:
        """A word of the pattern's metadata, "" without it."""
        return str(self.pattern.metadata.get(key, ""))

    def number(self, key: str) -> float | None:
        """A number of the pattern's metadata; None without it."""
        found = row(self.said(key)) if self.said(key) else None
        return found[0] if found else None


def _suffix(lines: Lines) -> str:
    return Path(lines.name.lower().removesuffix(".gz")).suffix


def _read(content: bytes | str, suffix: str, lines: Lines) -> _Read:
    """Let rietx read the content of a file."""
    from rietx.io.readers import identify_format, list_scans, read_pattern  # slow to import

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        several = identify_format(path).scans is not None
        labels = [each.label for each in list_scans(path)] if several else ["the only one"]
        place, said, notes = chosen(labels, lines)
        found: list[Any] = []
        option = {"scan": place} if several else {}
        try:
            pattern = read_pattern(path, diagnostics=found, **option)
        except ValueError as error:
            remedy = "; ".join(notes) or containers.EXPORT
            raise InputError(_plain(str(error)), where=lines.name, remedy=remedy) from error
    words = [_plain(each.message) for each in found if each.code not in SAID_BY_US]
    if any(each.code == TURNED for each in found):
        words.append("2θ descends in the file, the points were reversed")
    return _Read(pattern, place, said, (*notes, *words))


def _plain(message: str) -> str:
    """A sentence of rietx without the name under which it saw the file."""
    return OWN_NAME.sub(lambda match: "" if match[1] else "the file", message).strip()


def _scan(found: _Read) -> FoundScan:
    """The scan as rietx has it; σ it derived is left to the rules that all formats share."""
    pattern = found.pattern
    if pattern.axis != "two_theta":
        raise ValueError("its axis is a time of flight")
    y = np.asarray(pattern.y(), dtype=float)
    seconds = found.number("count_time_s")
    rate = seconds is not None and not intensities.whole(y) and intensities.whole(y * seconds)
    lines = [found.number(key) for key in ("wavelength", "wavelength_alpha2")]
    kind = found.said("format")
    return FoundScan(
        np.asarray(pattern.tt(), dtype=float),
        y,
        [1] * y.size,
        KINDS.get(kind, kind),
        unit="deg",
        intensity="cps" if rate else "",
        seconds=seconds,
        stated=Stated(
            tuple(each for each in lines if each),
            "the file",
            alone=lines[1] == 0 and bool(lines[0]),
            anode=found.said("anode"),
        ),
        scan=found.scan,
        columns=("2θ and counts as the format says",),
        notes=found.notes,
    )


def _with_sigma(scan: FoundScan, found: _Read) -> FoundScan:
    """The scan with the σ that rietx derived through factors that it applied."""
    sigma = found.pattern.sigma
    if sigma is None:
        return scan
    said = "√counted, through attenuator factors and counting times of the file"
    return replace(scan, sigma=np.asarray(sigma, dtype=float), sigma_from=said)


def _xrdml(found: _Read, text: str) -> FoundScan:
    """An XRDML scan; a file of counting times that differ has them for each point."""
    scan = _with_sigma(_scan(found), found)
    if found.said("intensity_unit") == "cps":
        scan = replace(scan, intensity="cps")
    blocks = re.findall(r"<(?:\w+:)?dataPoints\b.*?</(?:\w+:)?dataPoints>", text, re.DOTALL)
    times = re.search(r"<(?:\w+:)?countingTimes[^>]*>([^<]*)<", blocks[found.place])
    if times and (values := row(times[1])) and len(values) == scan.x.size:
        scan = replace(scan, seconds=np.array(values))
    elif times:
        raise ValueError("counting times that are not one for each point")
    optics = found.said("beam_optics")
    if "monochromator" in optics:
        note = f"the beam passes {optics}: where that leaves Kα1 alone, say --wavelength"
        scan = replace(scan, notes=(*scan.notes, note))
    return scan


def _checked(members: dict[str, bytes], lines: Lines) -> dict[str, bytes]:
    """The members with their XML as it was checked, so that nothing else is parsed."""
    return {
        name: containers.plain_xml(decoded(raw) or "", lines).encode()
        if name.endswith(".xml")
        else raw
        for name, raw in members.items()
    }


def _brml(members: dict[str, bytes], lines: Lines) -> FoundScan:
    needed = {name: raw for name, raw in members.items() if BRML_MEMBER.search(name)}
    needed = _checked(needed, lines)
    if (undescribed := brml.read_undescribed(needed, lines)) is not None:
        return undescribed
    found = _read(containers.packed(needed), ".brml", lines)
    scan, name = _with_sigma(_scan(found), found), brml.scans(needed)[found.place]
    stated = brml.stated(containers.xml_of(needed[name], name, lines))
    return replace(scan, stated=stated) if stated.wavelengths_angstrom else scan


def _rasx(members: dict[str, bytes], lines: Lines) -> FoundScan:
    """A RASX scan; its manifest is made where somebody packed the file without it."""
    members = _checked(members, lines)
    profiles = [
        name for _, name in sorted((int(m[1]), m[0]) for m in map(PROFILE.match, members) if m)
    ]
    if "root.xml" not in members:
        members = {**members, "root.xml": _manifest(members, profiles)}
    found = _read(containers.packed(members), ".rasx", lines)
    text = decoded(members[profiles[found.place]]) or ""
    return _attenuated(_scan(found), [values for t in text.splitlines() if (values := row(t))])


def _manifest(members: dict[str, bytes], profiles: Sequence[str]) -> bytes:
    groups = []
    for profile in profiles:
        group, _, name = profile.partition("/")
        others = [m.partition("/")[2] for m in members if m.startswith(f"{group}/")]
        listed = "".join(f'<ContentHashList Name="{o}"/>' for o in dict.fromkeys((name, *others)))
        groups.append(f"<{group}>{listed}</{group}>")
    return f"<Root>{''.join(groups)}</Root>".encode()


def _ras(found: _Read, text: str) -> FoundScan:
    blocks = re.findall(r"\*RAS_INT_START(.*?)\*RAS_INT_END", text, re.DOTALL)
    rows = [values for line in blocks[found.place].splitlines() if (values := row(line))]
    scan = _scan(found)
    unit = RAS_UNIT.search(text)
    if unit and headings.RATE.search(unit[1]):
        scan = replace(scan, intensity="cps")
    return _attenuated(scan, rows)


def _attenuated(scan: FoundScan, rows: Sequence[Sequence[float]]) -> FoundScan:
    """The scan with the attenuator factors in the third column of its rows."""
    if min((len(values) for values in rows), default=0) < 3:
        return scan
    table: FloatArray = np.array([values[:3] for values in rows])
    if len(table) > 1 and table[0, 0] > table[-1, 0]:
        table = table[::-1]
    if len(table) != scan.x.size or not np.allclose(table[:, 0], scan.x):
        raise ValueError("its attenuator factors are not one for each point")
    return attenuators.applied(scan, table[:, 2])


def _refuse_peaks(lines: Lines) -> None:
    """Refuse a list of peaks, which is no pattern; a pattern of that name is read as it is."""
    from rietx.io.readers import identify_format  # slow to import

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{_suffix(lines)}"
        path.write_text("\n".join(lines.text))
        refuses = identify_format(path).refuses
    if refuses:
        raise InputError(
            "is a list of peaks, not a measured pattern",
            where=lines.name,
            remedy="export the measured scan",
        )
