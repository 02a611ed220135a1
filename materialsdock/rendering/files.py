"""Files that are there whole or not at all, named after a job and nowhere but in one folder."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path

from materialsdock.errors import InputError, MaterialsDockError

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ExportFault(MaterialsDockError):
    """A result could not be written; the ledger still has everything, and no other file changed."""

    code, exit_code = "export_fault", 5


def place(folder: Path, job_id: str, suffix: str) -> Path:
    """Return the path of a file of a job; InputError for an id that is no plain file name."""
    if not SAFE.fullmatch(job_id):
        raise InputError(
            f"the job id {job_id!r} cannot be a file name",
            where="export",
            remedy="letters, digits, dot, dash and underscore make a job id",
        )
    return folder / f"{job_id}{suffix}"


def replace_whole(path: Path, content: bytes) -> Path:
    """Put `content` at `path`, durable, in place of what was there; nothing else changes.

    Raises ExportFault when the disk or its permissions refuse; the old file stays then.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(unfinished, content)
        unfinished.replace(path)
        _settle(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):  # what cannot be written may not be removable either
            unfinished.unlink(missing_ok=True)
        raise ExportFault(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            remedy=_remedy(error),
        ) from error
    return path


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """Make the new name survive power loss."""
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)


def _remedy(error: OSError) -> str:
    if error.errno in FULL:
        return "free disk space, then export again; the ledger has everything"
    return "name a folder that may be written to with --to, then export again"
