"""The bytes of a CIF as a document: encodings, signs of word processors, quotes left out."""

from __future__ import annotations

import codecs
import re

import gemmi

from materialsdock.errors import InputError

MOST_BLOCKS = 2000
MEND = "mend the file, or export the structure anew"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UNPRINTABLE = re.compile(r"[^\t\n -~]")
SIGNS = {"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-"}
SPACES = dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000", " ")
QUOTES = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
PLAIN = {ord(odd): plain for odd, plain in (SIGNS | SPACES | QUOTES).items()}
NUMBER_AFTER = re.compile(f"[{''.join(SIGNS)}](?=[.0-9])")
ONE_ITEM = re.compile(r"\s*(_\S+)[ \t]+(\S.*?)\s*$")
# CIF of the newer dictionaries writes _cell.length_a for _cell_length_a
DOTTED = re.compile(
    r"(?im)^(\s*_(?:cell|atom_site|atom_site_aniso|atom_sites|symmetry|space_group|"
    r"space_group_symop|chemical_formula|chemical_name|exptl_crystal))\.(?=\w)"
)


def text_of(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a CIF in ASCII with plain line ends, and notes on what had to be decided.

    Letters beyond ASCII stand in names and comments only: they become underscores, typographic
    quotes and signs their plain ones.
    """
    notes = []
    try:
        text = raw.decode("utf-16" if raw.startswith(UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
        notes.append("not UTF-8: read as Latin-1")
    if NUMBER_AFTER.search(text):
        notes.append("a typographic minus sign is read as -")
    text = text.translate(PLAIN)
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a\n") + "\n"
    return DOTTED.sub(r"\1_", UNPRINTABLE.sub("_", text)), tuple(notes)


def document_of(text: str) -> tuple[gemmi.cif.Document, tuple[str, ...]]:
    """The blocks of a CIF, and a note on quotes that were left out.

    Raises InputError, with the line, for what is no CIF.
    """
    try:
        document = gemmi.cif.read_string(text)
        notes: tuple[str, ...] = ()
    except (ValueError, RuntimeError) as error:
        mended, notes = _quoted(text)
        try:
            document = gemmi.cif.read_string(mended)
        except (ValueError, RuntimeError):
            raise InputError(f"is not a CIF: {_place(error)}", remedy=MEND) from error
    if not len(document):
        raise InputError("is not a CIF: it has no data block", remedy=MEND)
    if len(document) > MOST_BLOCKS:
        raise InputError(f"{len(document)} blocks are more than {MOST_BLOCKS}", remedy="split it")
    return document, notes


def _place(error: Exception) -> str:
    """Put the complaint of the parser into words, with its line."""
    said = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
    found = re.match(r"string:(\d+):\d+\(\d+\): *(.*)", said)
    return f"line {found[1]}: {found[2]}"[:200] if found else said.removeprefix("string:")[:200]


def _quoted(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with quotes round values of several words, which many people leave out."""
    lines, tags, inside = [], [], False
    for line in text.splitlines():
        inside ^= line.startswith(";")
        found = None if inside or line.startswith(";") else ONE_ITEM.match(line)
        value = found[2].split(" #")[0].strip() if found else ""
        bare = value.strip("'\"")
        whole = len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]
        if found and not whole and (" " in bare or bare != value) and "'" not in bare:
            tags.append(f"{found[1]} (read as '{bare[:40]}')")
            line = f"{found[1]} '{bare}'"
        lines.append(line)
    note = f"quotes were missing at {', '.join(tags[:3])}{_more(tags)}"
    return "\n".join(lines) + "\n", (note,) if tags else ()


def _more(tags: list[str]) -> str:
    return f" and {len(tags) - 3} more" if len(tags) > 3 else ""
