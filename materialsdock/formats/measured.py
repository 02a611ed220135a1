"""One measured scan, whatever file it came in."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns, read_columns
from materialsdock.formats.hdf5 import MAGIC, is_harmless
from materialsdock.formats.lines import Lines
from materialsdock.formats.options import NOTHING_ASKED, WRITTEN, FileOptions
from materialsdock.formats.text import decoded, with_points
from materialsdock.model import Measured
from materialsdock.technique import known, named

LARGEST_BYTES = 50_000_000


class FormatsPart(Protocol):
    """The part of a technique that reads its files.

    It may have OPTIONS, fields of FileOptions that speak of its files alone, and QUANTITIES, which
    `--columns` may name.
    """

    def read(self, lines: Lines) -> FileColumns | None:
        """The columns of a file in a format that announces itself, or None.

        `lines.options` hold what a user says of the file; a binary one has `lines.raw` alone.
        """

    def is_mine(self, columns: FileColumns) -> bool:
        """True where bare columns can be a scan of this technique."""

    def checked(self, columns: FileColumns, lines: Lines) -> Measured:
        """The scan, or InputError."""


def read_measured(
    path: Path, technique: str | None = None, options: FileOptions = NOTHING_ASKED
) -> Measured:
    """Read a measured scan of `technique`; None: of the one that knows it by its content.

    options : what a user says about the file.  The one reader of all commands: what one of them
    reads or refuses, the others read or refuse.
    Raises InputError naming file, line, the offending text and a remedy.
    """
    every = {name: named(name).formats() for name in ((technique,) if technique else known())}
    formats = _with_quantities(every, options)
    lines = content(path, options)
    found = _announced(formats, lines)
    if not found and lines.binary:
        raise InputError(
            "is binary, in no format that is known",
            where=lines.name,
            remedy="export it as text (.xye, .xy, .uxd, .xdi)",
        )
    if not found:
        columns = read_columns(lines)
        found = {n: columns for n, each in formats.items() if technique or each.is_mine(columns)}
        if len(found) != 1:
            raise _undecided(f"x runs from {columns.x.min():g} to {columns.x.max():g}", lines)
    ((name, columns),) = found.items()
    checked: Measured = formats[name].checked(replace(columns, technique=name), lines)
    _refuse_foreign(checked, options, lines.name, asked=technique is not None)
    return checked


def _with_quantities(
    formats: Mapping[str, FormatsPart], options: FileOptions
) -> Mapping[str, FormatsPart]:
    """The techniques that know every quantity that the user names a column for; or all of them."""
    asked = set(options.columns)
    fits = {n: p for n, p in formats.items() if asked <= set(getattr(p, "QUANTITIES", asked))}
    return fits or formats


def _refuse_foreign(found: Measured, options: FileOptions, where: str, asked: bool) -> None:
    """Raise InputError for an option that speaks of files of other techniques alone.

    asked : the technique was, by the user or the command
    """
    own = set(getattr(named(found.technique).formats(), "OPTIONS", ()))
    others = {name: getattr(named(name).formats(), "OPTIONS", ()) for name in known()}
    for option in options.named():
        of = [name for name, theirs in others.items() if option in theirs and option not in own]
        if of:
            word = WRITTEN.get(option, option)
            raise InputError(
                f"--{word} speaks of files of {named(of[0]).title}, and this is one of "
                f"{named(found.technique).title} ({found.kind})",
                where=where,
                remedy=f"leave {word} out" + ("" if asked else f", or say --technique {of[0]}"),
            )


def _announced(formats: Mapping[str, FormatsPart], lines: Lines) -> dict[str, FileColumns]:
    """The columns of a file in a format of one technique alone, by its name; {} without one.

    Raises InputError where several recognise it, be it to refuse it, and where the only one that
    does refuses it.
    """
    found: dict[str, FileColumns] = {}
    faults = {}
    for name, each in formats.items():
        try:
            columns = each.read(lines)
        except InputError as fault:
            faults[name] = fault
            continue
        if columns is not None and columns.technique in ("", name):
            found[name] = columns
    if len(claims := {**found, **faults}) > 1:
        why = "".join(f"; {name}: {fault.what}" for name, fault in sorted(faults.items()))
        raise _undecided(f"is a file of {' and '.join(sorted(claims))}{why}", lines)
    if faults:
        raise next(iter(faults.values()))
    return found


def _undecided(what: str, lines: Lines) -> InputError:
    words = " or ".join(f"--technique {name}" for name in sorted(known()))
    return InputError(what, where=lines.name, remedy=f"say {words}")


def content(path: Path, options: FileOptions = NOTHING_ASKED) -> Lines:
    """The content of a file, unpacked; InputError for one that cannot be read, or is too large."""
    raw = _unpacked(path)
    if raw.startswith(MAGIC) and not is_harmless(raw):
        raise InputError("is a damaged HDF5 file", where=str(path), remedy="write it anew")
    text = decoded(raw)
    if text is None:
        return Lines(str(path), (), raw, binary=True, options=options)
    lines, commas = with_points(text.splitlines())
    notes = ("decimal commas were read as points",) if commas else ()
    return Lines(str(path), lines, raw, options=options, notes=notes)


def _unpacked(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"larger than {LARGEST_BYTES // 10**6} MB", where=str(path))
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(path) as unpacked:
                raw = unpacked.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"cannot be read: {getattr(error, 'strerror', None) or error}",
            where=str(path),
            remedy="name a readable file",
        ) from error
    if len(raw) > LARGEST_BYTES:
        raise InputError(f"larger than {LARGEST_BYTES // 10**6} MB unpacked", where=str(path))
    if not raw.strip():
        raise InputError("is empty", where=str(path), remedy="name a measured file")
    return raw
