"""The record of who asked for what, and what was answered: a chain of hashes in the ledger.

Each row's hash covers its own words and the hash before it, so a row that was changed, removed or
slipped in breaks the chain from there on.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from materialsdock.ledger.control_rows import (
    add_audit_row,
    audit_rows,
    last_audit_hash,
    latest_audit_rows,
)
from materialsdock.ledger.ledger import Ledger

FIRST = "0" * 64


@dataclass(frozen=True)
class Actor:
    """The person who acts: account and host."""

    user: str
    host: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}"


def me() -> Actor:
    """This process's account and host."""
    return Actor(getpass.getuser(), socket.gethostname())


@dataclass(frozen=True)
class AuditedAction:
    """One row: `at` is wall clock [s since 1970]."""

    seq: int
    hash: str
    at: float
    who: str
    verb: str
    details: Mapping[str, Any]
    answer: str


@dataclass(frozen=True)
class AuditChain:
    """The result of `verify`: how many rows hold, the head, and the first that does not."""

    rows: int
    head: str
    broken_at: int | None


def _hash(before: str, body: str) -> str:
    return hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()


def record(
    ledger: Ledger, who: Actor, verb: str, details: Mapping[str, Any], answer: str = "done"
) -> str:
    """Append one action; the new head of the chain."""
    body = json.dumps(
        {
            "at": time.time(),
            "who": str(who),
            "verb": verb,
            "details": dict(details),
            "answer": answer,
        },
        sort_keys=True,
        default=str,
    )
    with ledger.transaction():
        head = _hash(last_audit_hash(ledger) or FIRST, body)
        add_audit_row(ledger, head, body)
    return head


def actions(ledger: Ledger, limit: int = 100) -> list[AuditedAction]:
    """The latest actions, oldest first."""
    rows = latest_audit_rows(ledger, limit)
    return [AuditedAction(row.seq, row.hash, **json.loads(row.body)) for row in rows]


def verify(ledger: Ledger, head: str | None = None) -> AuditChain:
    """Follow the chain from its first row.

    head : one printed earlier (in a digest); when it is not in the chain, rows at the end were cut
    """
    before, count, seen = FIRST, 0, head in (None, FIRST)
    for seq, digest, body in audit_rows(ledger):
        # numbers without a gap: a removed first row would else begin a new chain
        if seq != count + 1 or digest != _hash(before, body):
            return AuditChain(count, before, seq)
        before, count = digest, count + 1
        seen = seen or digest == head
    return AuditChain(count, before, None if seen else count + 1)
