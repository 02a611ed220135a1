"""`materialsdock ledger`: what its commands do, and how they say it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from materialsdock.errors import LedgerFault, Refused
from materialsdock.ledger import upkeep
from materialsdock.night import people
from materialsdock.night.control import audit


def check(out: Path) -> dict[str, Any]:
    """Return how much the ledger holds; LedgerFault names all that is wrong with it."""
    with people.opened(out) as (data, ledger):
        found = upkeep.faults(ledger)
        if not found and (broken := audit.verify(ledger).broken_at) is not None:
            found.append(f"the audit does not hold from row {broken} on")
        if found:
            raise LedgerFault(
                "; ".join(found),
                where=str(data.ledger),
                remedy="keep this file as it is, and go on with the latest copy that is whole",
            )
        return asdict(upkeep.extent(ledger))


def checked(said: dict[str, Any]) -> str:
    """The same in words."""
    return (
        f"whole: {said['jobs']} jobs, {said['observations']} observations "
        f"({said['packed']} of them packed), {said['size_bytes'] / 1e6:.1f} MB"
    )


def compact(out: Path) -> dict[str, Any]:
    """Pack what is finished, give room back; sizes [bytes] before and after."""
    with people.opened(out) as (_, ledger):
        before = upkeep.extent(ledger)
        alone = upkeep.compact(ledger)
        after = upkeep.extent(ledger)
        return {
            "pages": after.pages - before.pages,
            "bytes_before": before.size_bytes,
            "bytes_after": after.size_bytes,
            "given_to_disk": alone,
        }


def compacted(said: dict[str, Any]) -> str:
    """The same in words."""
    before, after = (said[f"bytes_{when}"] / 1e6 for when in ("before", "after"))
    words = f"{said['pages']} pages packed; {before:.1f} MB before, {after:.1f} MB now"
    if not said["given_to_disk"]:
        words += (
            "; another process has the ledger open, so the file keeps its size and fills again: "
            "`materialsdock ledger compact` when nothing runs makes it smaller"
        )
    return words


def backup(out: Path, file: Path) -> dict[str, Any]:
    """Copy the ledger to a new file; Refused where there is one."""
    if file.exists():
        raise Refused("there is a file already", where=str(file), remedy="name a new one")
    with people.opened(out) as (_, ledger):
        ledger.backup(file)
    return {"file": str(file), "bytes": file.stat().st_size}
