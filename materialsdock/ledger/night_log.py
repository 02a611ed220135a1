"""The night's log: one line for each event, in the order of writing, never changed afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from materialsdock.ledger.ledger import Ledger, text

Severity = Literal["info", "warn", "critical"]
LINES = "SELECT seq, at, kind, severity, sample_id, body FROM events"
TURNS = """
SELECT at, COALESCE(sample_id, ''),
    CASE kind WHEN 'sample' THEN json_extract(body, '$.to') ELSE '' END,
    CASE kind WHEN 'clock_jump' THEN json_extract(body, '$.seconds') ELSE 0.0 END
FROM events WHERE seq > ? AND kind IN ('sample', 'clock_jump') ORDER BY seq"""


@dataclass(frozen=True)
class Noted:
    """One line of the night's log; `at` is wall clock [s since 1970], a label only."""

    seq: int
    at: float
    kind: str
    severity: Severity
    sample_id: str | None
    body: Mapping[str, Any]


class Turn(NamedTuple):
    """A sample's new state, or a jump of the wall clock [s]; `at` is the clock then [s]."""

    at: float
    sample_id: str
    to: str
    jump_s: float


def add_line(
    ledger: Ledger,
    at: float,
    kind: str,
    severity: Severity,
    sample_id: str | None,
    body: Mapping[str, Any],
) -> int:
    """Write one line; its number."""
    row = {"at": at, "kind": kind, "severity": severity, "sample_id": sample_id}
    with ledger.transaction():
        return ledger.insert("events", {**row, "body": text(body)})


def lines_after(ledger: Ledger, seq: int, limit: int) -> list[Noted]:
    """Up to `limit` lines after line `seq`."""
    return _noted(ledger.rows(f"{LINES} WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit))


def lines_of_kinds(ledger: Ledger, kinds: Sequence[str], after_seq: int = 0) -> list[Noted]:
    """The lines of these kinds after line `after_seq`."""
    query = f"{LINES} WHERE seq > ? AND kind IN ({_marks(kinds)}) ORDER BY seq"
    return _noted(ledger.rows(query, after_seq, *kinds))


def turns(ledger: Ledger, after_seq: int) -> list[Turn]:
    """Every change of a sample's state and every jump of the clock after line `after_seq`."""
    return [Turn._make(row) for row in ledger.rows(TURNS, after_seq)]


def lines_of_severities(
    ledger: Ledger, severities: Sequence[Severity], after_seq: int = 0
) -> list[Noted]:
    """The lines of these severities after line `after_seq`."""
    query = f"{LINES} WHERE seq > ? AND severity IN ({_marks(severities)}) ORDER BY seq"
    return _noted(ledger.rows(query, after_seq, *severities))


def last_line_of_kinds(ledger: Ledger, kinds: Sequence[str]) -> Noted | None:
    """The last line of these kinds, without reading those before it."""
    query = f"{LINES} WHERE kind IN ({_marks(kinds)}) ORDER BY seq DESC LIMIT 1"
    return next(iter(_noted(ledger.rows(query, *kinds))), None)


def last_seq(ledger: Ledger) -> int:
    """The number of the last line, 0 when there is none."""
    return int(ledger.rows("SELECT COALESCE(MAX(seq), 0) FROM events")[0][0])


def first_time_after(ledger: Ledger, seq: int) -> float | None:
    """Return when the first line after line `seq` was written [s since 1970]; None: none is."""
    first = ledger.rows("SELECT MIN(at) FROM events WHERE seq > ?", seq)[0][0]
    return None if first is None else float(first)


def any_sample_changed_after(ledger: Ledger, seq: int) -> bool:
    """Tell if any sample has changed its state after line `seq`."""
    query = "SELECT 1 FROM events WHERE kind = 'sample' AND seq > ? LIMIT 1"
    return bool(ledger.rows(query, seq))


def last_claimed_at(ledger: Ledger, sample_id: str) -> float:
    """Return when a sample was last claimed for measuring [s since 1970]; 0 if it never was."""
    claimed = ledger.rows(
        "SELECT MAX(at) FROM events WHERE sample_id = ? AND kind = 'sample' "
        "AND body LIKE '%\"claim\"%'",
        sample_id,
    )[0][0]
    return float(claimed or 0.0)


def last_hold(ledger: Ledger) -> str:
    """Say what the last hold of an exposure waited for; "" before any."""
    rows = ledger.rows(
        "SELECT json_extract(body, '$.words') FROM events WHERE kind = 'condition' "
        "AND json_extract(body, '$.kind') = 'hold' ORDER BY seq DESC LIMIT 1"
    )
    return str(rows[0][0]) if rows else ""


def conditions_of_sample(ledger: Ledger, sample_id: str) -> list[dict[str, Any]]:
    """Return what was said of the conditions while a sample was measured, in that order."""
    rows = ledger.rows(
        "SELECT body FROM events WHERE kind = 'condition' AND sample_id = ? ORDER BY seq", sample_id
    )
    return [json.loads(body) for (body,) in rows]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _noted(rows: Sequence[Any]) -> list[Noted]:
    return [
        Noted(seq, at, kind, severity, sample_id, json.loads(body))
        for seq, at, kind, severity, sample_id, body in rows
    ]
