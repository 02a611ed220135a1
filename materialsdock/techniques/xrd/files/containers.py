"""Packed and marked-up files, within bounds: nothing is unpacked before its size is known."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from xml.etree import ElementTree

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.formats.measured import LARGEST_BYTES
from materialsdock.formats.text import decoded

ZIP = b"PK\x03\x04"
MOST_MEMBERS = 10_000
LARGEST_RATIO = 200  # text of numbers packs to a tenth
SMALL_BYTES = 1_000_000
ENTITIES = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    LookupError,
    ArithmeticError,
)
EXPORT = "export the scan again, or as columns of text"


def members(lines: Lines) -> dict[str, bytes]:
    """The members of a zip archive by name, unpacked.

    Raises InputError for an archive that is damaged, or whose members are too large or too many.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(lines.raw)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            _check_size(infos, lines)
            return {info.filename: archive.read(info) for info in infos}
    except BROKEN as error:
        raise damaged("is a damaged archive", error, lines) from error


def names(lines: Lines) -> list[str]:
    """The names of the members of a zip archive; [] for what is none."""
    if not lines.raw.startswith(ZIP):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(lines.raw)) as archive:
            return archive.namelist()
    except BROKEN:
        return []


def _check_size(infos: list[zipfile.ZipInfo], lines: Lines) -> None:
    """Members are read up to the size they state, so what they state is what can come of them."""
    size = sum(info.file_size for info in infos)
    ratio = size / max(len(lines.raw), 1)
    if len(infos) > MOST_MEMBERS or size > 4 * LARGEST_BYTES:
        what = f"unpacks to {size / 1e6:.0f} MB in {len(infos)} members"
    elif size > SMALL_BYTES and ratio > LARGEST_RATIO:
        what = f"unpacks to {ratio:.0f} times its size"
    else:
        return
    raise InputError(what, where=lines.name, remedy="no measured pattern does: " + EXPORT)


def damaged(what: str, error: BaseException, lines: Lines) -> InputError:
    """The refusal of a file that a reader of its format could not follow."""
    return InputError(f"{what}: {error}", where=lines.name, remedy=EXPORT)


def plain_xml(text: str, lines: Lines) -> str:
    """XML text without its declaration, as it is decoded already.

    Raises InputError where it defines entities, with which a short text can grow without end.
    """
    if ENTITIES.search(text):
        raise InputError(
            "defines its own XML entities",
            where=lines.name,
            remedy="no measured pattern needs them: " + EXPORT,
        )
    return DECLARATION.sub("", text.lstrip("\ufeff"), count=1)


def xml_of(raw: bytes, name: str, lines: Lines) -> ElementTree.Element:
    """The root of an XML member; InputError where it is none, or defines entities."""
    text = decoded(raw)
    if text is None:
        raise InputError(f"{name} is binary, not XML", where=lines.name, remedy=EXPORT)
    try:
        return ElementTree.fromstring(plain_xml(text, lines))
    except (ElementTree.ParseError, ValueError) as error:
        raise damaged(f"{name} is not readable as XML", error, lines) from error


def local(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def packed(found: dict[str, bytes]) -> bytes:
    """Members as a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, raw in found.items():
            archive.writestr(name, raw)
    return buffer.getvalue()
