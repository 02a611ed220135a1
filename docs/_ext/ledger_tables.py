"""The tables of a ledger, read from a new one."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from materialsdock.ledger.ledger import Ledger


def tables() -> str:
    """Every table with its columns and indices, and the number of the schema."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        Ledger(path).close()
        with closing(sqlite3.connect(path)) as database:
            (schema,) = database.execute("PRAGMA user_version").fetchone()
            names = [row[0] for row in database.execute(NAMES)]
            parts = [_table(database, name) for name in names]
    return "\n\n".join([f"This is schema {schema} (`PRAGMA user_version`).", *parts])


NAMES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
    "ORDER BY rowid"
)


def _table(database: sqlite3.Connection, name: str) -> str:
    rows = ["| column | type | |", "|---|---|---|"]
    references = {row[3]: row[2] for row in database.execute(f"PRAGMA foreign_key_list({name})")}
    for _, column, kind, needed, _, key in database.execute(f"PRAGMA table_info({name})"):
        about = ["primary key"] if key else ["never empty"] if needed else []
        about += [f"of `{references[column]}`"] if column in references else []
        rows.append(f"| `{column}` | {kind} | {', '.join(about)} |")
    indices = [row[1] for row in database.execute(f"PRAGMA index_list({name})") if row[3] == "c"]
    found = f"\n\nIndices: {', '.join(f'`{index}`' for index in indices)}." if indices else ""
    return f"### `{name}`\n\n" + "\n".join(rows) + found
