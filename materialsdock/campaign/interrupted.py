"""An operator ended a measurement."""

from __future__ import annotations

import shlex
from pathlib import Path

from materialsdock.errors import MaterialsDockError


class Interrupted(MaterialsDockError):
    """The operator ended the measurement; what was measured is in the ledger."""

    code, exit_code = "interrupted", 130


def interrupted(job_id: str, out: Path | None = None) -> Interrupted:
    """The error that tells an operator how to go on; out : the data folder, where it is known."""
    folder = "" if out is None else f" --out {shlex.quote(str(out))}"
    return Interrupted(
        "stopped by Ctrl-C or SIGTERM, all that was measured is kept",
        where=job_id,
        remedy=f"go on with `materialsdock measure --resume {job_id}{folder}`",
    )
