"""`materialsdock export`: what it does, and how it says it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError, Refused
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.queries import listed_jobs
from materialsdock.views.exports.bundle import export, export_all, export_many


def run(
    out: Path, job_id: str | None, every: bool, formats: str | None, to: Path | None
) -> dict[str, Any]:
    """Write files of one job, or of every finished one, to `to`, else to OUT/exports.

    formats : names with commas between, None for all that a job has.  Raises InputError unless
    exactly one of `job_id` and `every` is given, and what `views.exports.bundle` raises.
    """
    if (job_id is not None) == every:
        given = "both a job and --all are given" if every else "neither a job nor --all is given"
        raise InputError(given, where="export", remedy="name the job, or use --all")
    names = _names(formats)
    folder = to or out / "exports"
    path = out / "ledger.sqlite"
    if not path.is_file():
        raise InputError(
            f"no ledger in {out}", where="--out", remedy="name the data folder of a measurement"
        )
    left_out: list[str] = []
    with Ledger(path) as ledger:
        if job_id is not None and names is None:
            written = export_all(ledger, job_id, folder)
        elif job_id is not None:
            written = export(ledger, job_id, names or (), folder)
        else:
            ids = [job.job_id for job in listed_jobs(ledger)]
            written, left_out = export_many(ledger, ids, names, folder)
    if not written:
        raise Refused(
            "; ".join(left_out) or "the data folder has no jobs",
            where="export --all",
            remedy="measure a sample first",
        )
    return {"files": [str(path) for path in written], "left_out": left_out}


def overview(said: dict[str, Any]) -> str:
    """The answer for a person: one file a line, then what was left out."""
    return "\n".join([*said["files"], *(f"not written: {why}" for why in said["left_out"])])


def _names(formats: str | None) -> Sequence[str] | None:
    """The formats, each once, in the order given."""
    if formats is None:
        return None
    names = [name.strip().lower() for name in formats.split(",") if name.strip()]
    if not names:
        raise InputError("no format is given", where="--format", remedy="e.g. --format nexus,xye")
    return list(dict.fromkeys(names))
