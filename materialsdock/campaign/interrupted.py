"""An operator ended a measurement."""

from __future__ import annotations

from materialsdock.errors import MaterialsDockError


class Interrupted(MaterialsDockError):
    """The operator ended the measurement; what was measured is in the ledger."""

    code, exit_code = "interrupted", 130


def interrupted(job_id: str) -> Interrupted:
    """The error that says to an operator how to go on."""
    return Interrupted(
        "stopped by the operator",
        where=job_id,
        remedy=f"go on with `materialsdock measure --resume {job_id}`",
    )
