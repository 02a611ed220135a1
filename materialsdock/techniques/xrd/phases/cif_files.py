"""CIF files of any origin into entries of the store; a fault is a sentence, never a crash.

Sizes are bounded before a parser sees them; the parser runs in a process that can be killed
(`store`), so that a file which defeats the bounds costs itself only.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import stat
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gemmi
import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray, Structure
from materialsdock.techniques.xrd.crystals.contents import Description
from materialsdock.techniques.xrd.crystals.plain import plain_cif
from materialsdock.techniques.xrd.crystals.reading import GIVE_ATOMS, read_crystal
from materialsdock.techniques.xrd.crystals.sites import has_atoms
from materialsdock.techniques.xrd.crystals.text import UTF16, document_of, text_of
from materialsdock.techniques.xrd.crystals.values import some, value
from materialsdock.techniques.xrd.phases.powder_lines import powder_lines

LARGEST_BYTES = 20_000_000
MOST_FAULTS = 20
ONE_ATOM_ANGSTROM = 0.01  # sites are exactly on their special positions; split ones are not
ENDINGS = (".cif", ".cif.gz")
ARCHIVES = (b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")
LONGEST_NAME = 60
NO_NAME = "unnamed"
HASH = re.compile(r"-[0-9a-f]{8}$")  # what the store adds to the names of files
COLLECTIONS = (
    ("ICSD", "_database_code_ICSD"),
    ("COD", "_cod_database_code"),
    ("COD", "_database_code_COD"),
    ("AMCSD", "_database_code_amcsd"),
    ("CSD", "_database_code_CSD"),
)
NAMES = (
    "_chemical_name_mineral",
    "_chemical_name_common",
    "_pd_phase_name",
    "_chemical_name_structure_type",
    "_chemical_name_systematic",
)


@dataclass(frozen=True, eq=False)
class StoreEntry:
    """One structure of the store.

    entry_id : hash of its source and crystal; source : "file" or "file: block" in the store
    collection : the code a database gave it, e.g. "ICSD 12345", or empty
    d : (k,) [Å], longest first; intensity : (k,) m·|F|²/(ZM·V) [e²/(u·Å³)]
    cif : plain text that holds nothing but this crystal
    same_as : entry_id of the entry that stands for it, when another CIF has the same structure
    """

    entry_id: str
    name: str
    collection: str
    source: str
    described: Description
    d: FloatArray
    intensity: FloatArray
    cif: str
    same_as: str | None = None

    @property
    def family(self) -> str:
        """entry_id of the entry that stands for this one and its likes."""
        return self.same_as or self.entry_id

    def structure(self, name: str | None = None) -> Structure:
        """The structure as a candidate phase for refinement."""
        return Structure(name or self.name, self.cif, notes=self.described.notes)


@dataclass(frozen=True, eq=False)
class FileRead:
    """The content of one file: entries, and a sentence for each block that was refused."""

    path: str
    content_hash: str
    entries: tuple[StoreEntry, ...] = ()
    refused: tuple[str, ...] = ()


def find_files(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The CIF files of files and folder trees, sorted, and a sentence for each path that is none.

    Links to folders are not followed.
    """
    found: list[Path] = []
    refused: list[str] = []
    for path in paths:
        if path.is_dir():
            inside = [
                Path(root) / name
                for root, _, names in os.walk(path)
                for name in names
                if name.lower().endswith(ENDINGS)
            ]
            found += sorted(p for p in inside if _speakable(p))
            refused += [f"{shown(p)}: its name is not UTF-8" for p in inside if not _speakable(p)]
            refused += [] if inside else [f"{shown(path)}: no file ends in .cif or .cif.gz"]
        elif path.exists():
            found.append(path)
        else:
            refused.append(f"{shown(path)}: no such file or folder")
    return list(dict.fromkeys(found)), refused


def shown(path: Path) -> str:
    """A path for a sentence: whatever cannot be printed, or steers a terminal, is escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(path)
    )


def _speakable(path: Path) -> bool:
    """Return True if the index can hold the name: all its bytes are UTF-8."""
    return not any("\ud800" <= c <= "\udfff" for c in str(path))


def content(path: Path) -> bytes:
    """The bytes of a CIF, unpacked if gzip; InputError for what is no bounded regular text file."""
    try:
        with open(path, "rb", opener=_no_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError("is not a regular file", where=str(path))
            raw = file.read(LARGEST_BYTES + 1)
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(path) as unpacked:
                raw = unpacked.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        remedy = "name a CIF file that can be read"
        raise InputError(f"cannot be read: {why}", where=str(path), remedy=remedy) from error
    if len(raw) > LARGEST_BYTES:
        raise InputError(f"is larger than {LARGEST_BYTES // 10**6} MB", where=str(path))
    if raw.startswith(ARCHIVES):
        raise InputError("is an archive", where=str(path), remedy="unpack it first")
    if not raw.strip():
        raise InputError("is empty", where=str(path))
    if b"\0" in raw and not raw.startswith(UTF16):
        raise InputError("is binary, not a CIF", where=str(path))
    return raw


def read_structure(path: Path, orientation: tuple[int, int, int] | None = None) -> Structure:
    """The first crystal of a CIF file as a candidate phase, as the store reads it.

    Its `notes` say what had to be decided.  Raises InputError for what the store refuses.
    """
    blocks, notes = _crystals(content(path), str(path))
    first, *others = blocks
    try:
        entry = _entry(first, path.name, many=bool(others))
    except InputError as fault:
        place = _place(blocks, 0, str(path))
        raise InputError(fault.what, where=place, remedy=fault.remedy) from fault
    if others:
        left = some(block.name for block in others)
        notes = (*notes, f"{first.name} is the first of {len(blocks)} crystals; not read: {left}")
    return replace(
        entry.structure(stem(path.name)),
        preferred_orientation=orientation,
        notes=(*notes, *entry.described.notes),
    )


def _no_waiting(path: str, flags: int) -> int:
    """Open without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def content_hash(path: Path) -> str:
    """SHA-256 of what `content` gives."""
    return hashlib.sha256(content(path)).hexdigest()


def stem(file_name: str) -> str:
    """The name of a CIF file without folder and endings, which is the name of its phase."""
    return Path(re.sub(r"(?i)\.gz$", "", Path(file_name).name)).stem


def read_file(path: str, called: str) -> FileRead:
    """Every crystal of a CIF file; `called` is its name in the store.

    Raises InputError when the file as a whole cannot be read.  Made for a killable process.
    """
    raw = content(Path(path))
    blocks, notes = _crystals(raw, called)
    entries: list[StoreEntry] = []
    refused: list[str] = []
    for number, block in enumerate(blocks):
        try:
            entry = _entry(block, called, many=len(blocks) > 1)
        except InputError as fault:
            place = _place(blocks, number, called)
            refused.append(str(InputError(fault.what, where=place, remedy=fault.remedy)))
            continue
        read = replace(entry.described, notes=(*notes, *entry.described.notes))
        entries.append(replace(entry, described=read))
    if len(refused) > MOST_FAULTS:
        rest = len(refused) - MOST_FAULTS
        refused = [*refused[:MOST_FAULTS], f"{called}: {rest} more blocks refused"]
    return FileRead(called, hashlib.sha256(raw).hexdigest(), tuple(entries), tuple(refused))


def _crystals(raw: bytes, place: str) -> tuple[list[gemmi.cif.Block], tuple[str, ...]]:
    """The blocks that list atoms, journal and pattern blocks left aside, and notes on the file.

    Raises InputError for a file that is no CIF, or has no atoms.
    """
    try:
        text, notes = text_of(raw)
        document, more = document_of(text)
    except InputError as fault:
        raise InputError(fault.what, where=place, remedy=fault.remedy) from fault
    blocks = [block for block in document if has_atoms(block)]
    if not blocks:
        many = f" in any of its {len(document)} blocks" if len(document) > 1 else ""
        raise InputError(f"has no atoms{many}", where=place, remedy=GIVE_ATOMS)
    return blocks, (*notes, *more)


def _place(blocks: Sequence[gemmi.cif.Block], number: int, file: str) -> str:
    return f"{file}: {safe_name(blocks[number].name)}" if len(blocks) > 1 else file


def _entry(block: gemmi.cif.Block, called: str, many: bool) -> StoreEntry:
    read = read_crystal(block)
    crystal, described = read.structure, read.described
    label = safe_name(_named(block) or HASH.sub("", stem(called)))
    cif = plain_cif(crystal, "structure")
    crystal.change_occupancies_to_crystallographic(ONE_ATOM_ANGSTROM)
    d, intensity = powder_lines(crystal, described.weight_u)
    if not d.size or not np.isfinite(intensity).all():
        raise InputError(
            "scatters no line that can be calculated", remedy="look at its cell and its atoms"
        )
    source = f"{called}: {safe_name(block.name)}" if many else called
    return StoreEntry(
        entry_id=hashlib.sha256(f"{source}\n{cif}".encode()).hexdigest()[:12],
        name=label,
        collection=_collection(block),
        source=source,
        described=described,
        d=d,
        intensity=intensity,
        cif=cif,
    )


def _named(block: gemmi.cif.Block) -> str:
    """The first name that has letters: others than Latin ones are not kept."""
    names = (value(block, tag) for tag in NAMES)
    return next((name for name in names if safe_name(name) != NO_NAME), "")


def _collection(block: gemmi.cif.Block) -> str:
    for collection, tag in COLLECTIONS:
        if (code := safe_name(value(block, tag))) != NO_NAME:
            return f"{collection} {code.removeprefix(collection).lstrip('_-')}"
    return ""


def safe_name(text: str) -> str:
    """A name that is harmless in files, terminals and parameter paths."""
    plain = re.sub(r"[^A-Za-z0-9+-]+", "_", text).strip("_-")[:LONGEST_NAME]
    return plain or NO_NAME
