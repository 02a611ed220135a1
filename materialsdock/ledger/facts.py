"""Facts of a night: one value under each name, the latest in place of the one before."""

from __future__ import annotations

import json
from typing import Any

from materialsdock.ledger.ledger import Ledger, text


def fact(ledger: Ledger, name: str) -> Any:
    """The value under `name`; None when nothing was set."""
    rows = ledger.rows("SELECT body FROM facts WHERE name = ?", name)
    return json.loads(rows[0][0]) if rows else None


def set_fact(ledger: Ledger, name: str, value: Any) -> None:
    """Keep one value under `name`, in place of the one before."""
    with ledger.transaction() as db:
        db.execute("INSERT OR REPLACE INTO facts (name, body) VALUES (?, ?)", (name, text(value)))


def forget_facts(ledger: Ledger, *names: str) -> None:
    """Remove the values under these names, where there are any."""
    marks = ", ".join("?" * len(names))
    with ledger.transaction() as db:
        db.execute(f"DELETE FROM facts WHERE name IN ({marks})", names)
