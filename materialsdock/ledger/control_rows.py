"""The rows of what people asked for: intents, and the audit as a chain of hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from materialsdock.ledger.ledger import Ledger, text

INTENTS = "SELECT seq, verb, state, answer, body FROM intents"


class IntentRow(NamedTuple):
    """One request: its state, and the answer that it got."""

    seq: int
    verb: str
    state: str
    answer: str
    body: Mapping[str, Any]


class AskedVerb(NamedTuple):
    """A verb that was asked for, with all that was said with it."""

    verb: str
    body: Mapping[str, Any]


class AuditRow(NamedTuple):
    """One link of the audit: `body` is the text that its hash covers."""

    seq: int
    hash: str
    body: str


def add_intent(ledger: Ledger, at: float, verb: str, body: Mapping[str, Any]) -> int:
    """Add a pending intent, asked `at` wall clock [s since 1970]; its number."""
    row = {"at": at, "verb": verb, "state": "pending", "answer": "", "body": text(body)}
    with ledger.transaction():
        return ledger.insert("intents", row)


def intent_of_seq(ledger: Ledger, seq: int) -> IntentRow:
    """The intent of this number."""
    return _intents(ledger.rows(f"{INTENTS} WHERE seq = ?", seq))[0]


def intents_in(ledger: Ledger, *states: str) -> list[IntentRow]:
    """The intents in these states, oldest first."""
    marks = ", ".join("?" * len(states))
    return _intents(ledger.rows(f"{INTENTS} WHERE state IN ({marks}) ORDER BY seq", *states))


def settle_intent(ledger: Ledger, seq: int, state: str, answer: str) -> bool:
    """Set the state and answer of an intent that is not settled yet; False when it was."""
    with ledger.transaction() as db:
        done = db.execute(
            "UPDATE intents SET state = ?, answer = ? "
            "WHERE seq = ? AND state IN ('pending', 'taken')",
            (state, answer, seq),
        )
    return bool(done.rowcount)


def last_asked(ledger: Ledger, verbs: Sequence[str], after: float) -> AskedVerb | None:
    """The first of these verbs by name, and its latest intent, asked after wall clock `after` [s].

    Refused intents do not count; None when nothing was asked.
    """
    marks = ", ".join("?" * len(verbs))
    rows = ledger.rows(
        f"SELECT verb, body FROM intents WHERE verb IN ({marks}) AND state != 'refused' "
        "AND at > ? ORDER BY verb, seq DESC LIMIT 1",
        *verbs,
        after,
    )
    return AskedVerb(rows[0][0], json.loads(rows[0][1])) if rows else None


def add_audit_row(ledger: Ledger, digest: str, body: str) -> None:
    """Append one link to the audit."""
    with ledger.transaction():
        ledger.insert("audit", {"hash": digest, "body": body})


def last_audit_hash(ledger: Ledger) -> str | None:
    """The hash of the last link; None before the first."""
    rows = ledger.rows("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1")
    return str(rows[0][0]) if rows else None


def audit_rows(ledger: Ledger) -> list[AuditRow]:
    """The whole audit, oldest first."""
    return [AuditRow(*row) for row in ledger.rows("SELECT seq, hash, body FROM audit ORDER BY seq")]


def latest_audit_rows(ledger: Ledger, limit: int) -> list[AuditRow]:
    """The last `limit` rows of the audit, oldest first."""
    rows = ledger.rows("SELECT seq, hash, body FROM audit ORDER BY seq DESC LIMIT ?", limit)
    return [AuditRow(*row) for row in reversed(rows)]


def _intents(rows: Sequence[Any]) -> list[IntentRow]:
    return [IntentRow._make((*row[:-1], json.loads(row[-1]))) for row in rows]
