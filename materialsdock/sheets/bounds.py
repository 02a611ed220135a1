"""Checks of a sample sheet before it is parsed, and the bounded process that parses it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from materialsdock.errors import InputError
from materialsdock.sheets import parser_child
from materialsdock.sheets.entry import shown

LARGEST_BYTES = 5_000_000
LARGEST_UNPACKED_BYTES = 50_000_000
LARGEST_RATIO = 100
MOST_MEMBERS = 200
TIME_LIMIT_S = 8.0
ARCHIVES = (".zip", ".xlsx", ".xlsm", ".docx", ".gz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".jar")
SIMPLER = "write it again with plain values only, as CSV or XLSX"


def content(path: Path) -> bytes:
    """The bytes of a bounded regular file; InputError for anything else."""
    try:
        with open(path, "rb", opener=_no_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError("is not a regular file", where=str(path))
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InputError(
            error.strerror or str(error), where=str(path), remedy="name a readable sheet"
        ) from error
    if len(raw) > LARGEST_BYTES:
        raise InputError(f"is larger than {LARGEST_BYTES // 10**6} MB", where=str(path))
    if not raw.strip():
        raise InputError("is empty", where=str(path), remedy="fill in a row for each sample")
    return raw


def _no_waiting(path: str, flags: int) -> int:
    """Open without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def check_archive(raw: bytes, path: Path) -> None:
    """Refuse, before anything is unpacked, an XLSX that is no workbook or a bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise InputError(
            f"is not a complete XLSX file: {error}", where=str(path), remedy="save it again as XLSX"
        ) from error
    wrong = [words for member in members for words in _member_faults(member)]
    if len(members) > MOST_MEMBERS:
        wrong.insert(0, f"{len(members)} members are more than {MOST_MEMBERS}")
    if (total := sum(member.file_size for member in members)) > LARGEST_UNPACKED_BYTES:
        wrong.insert(0, f"{total / 1e6:.0f} MB unpacked are more than 50")
    if len({member.filename for member in members}) < len(members):
        wrong.insert(0, "two members share a name")
    if wrong:
        raise InputError(
            "; ".join(wrong[:5]), where=str(path), remedy="save it from a spreadsheet program"
        )


def _member_faults(member: zipfile.ZipInfo) -> Iterator[str]:
    name = member.filename
    if member.file_size > LARGEST_RATIO * max(member.compress_size, 1):
        yield f"{shown(name)} unpacks to more than {LARGEST_RATIO} times its size"
    if PurePosixPath(name).is_absolute() or ".." in re.split(r"[/\\]", name) or ":" in name:
        yield f"{shown(name)} leaves the archive"
    if name.casefold().endswith(ARCHIVES):
        yield f"{shown(name)} is an archive in the archive"
    if member.flag_bits & 1:
        yield f"{shown(name)} is encrypted"


def parsed(kind: str, raw: bytes, path: Path) -> Mapping[str, Any]:
    """Parse the file in the bounded process; InputError where it is refused or takes too long."""
    command = [sys.executable, "-P", str(parser_child.__file__), kind]
    try:
        done = subprocess.run(command, input=raw, capture_output=True, timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"takes longer than {TIME_LIMIT_S:g} s to be read", where=str(path), remedy=SIMPLER
        ) from error
    if done.returncode:
        raise InputError(
            f"cannot be read, its reader stopped: {_end(done)}", where=str(path), remedy=SIMPLER
        )
    answer: Mapping[str, Any] = json.loads(done.stdout)
    if "refused" in answer:
        raise InputError(answer["refused"], where=str(path), remedy=SIMPLER)
    return answer


def _end(done: subprocess.CompletedProcess[bytes]) -> str:
    """Say how a process died: by which signal (SIGABRT: out of memory), or its last words."""
    if done.returncode < 0:
        return signal.Signals(-done.returncode).name
    return done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
