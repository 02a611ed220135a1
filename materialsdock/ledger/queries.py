"""The rows of one job besides its typed ones: documents, counts, rows as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from materialsdock.ledger.ledger import Ledger

KeptIn = Literal["observations", "decisions", "outcomes"]
ORDER: Mapping[KeptIn, str] = {"observations": "seq", "decisions": "step", "outcomes": "created"}


class NamedDocument(NamedTuple):
    """One document of the event model, e.g. name "descriptor"."""

    name: str
    document: dict[str, Any]


def documents_of_job(ledger: Ledger, job_id: str, *names: str) -> Iterator[NamedDocument]:
    """The documents of a job (only those of these names, where any are given) as recorded."""
    only = f"AND name IN ({', '.join('?' * len(names))}) " if names else ""
    query = f"SELECT name, body FROM documents WHERE job_id = ? {only}ORDER BY seq"
    for name, body in ledger.rows(query, job_id, *names):
        yield NamedDocument(name, json.loads(body))


def last_document_of_job(ledger: Ledger, job_id: str | None) -> dict[str, Any] | None:
    """The latest document of a job; None before there is one."""
    query = "SELECT body FROM documents WHERE job_id = ? ORDER BY seq DESC LIMIT 1"
    return _first(ledger, query, job_id)


def last_decision(ledger: Ledger, job_id: str | None) -> dict[str, Any] | None:
    """The latest decision of a job as it was kept; None before there is one."""
    query = "SELECT body FROM decisions WHERE job_id = ? ORDER BY step DESC LIMIT 1"
    return _first(ledger, query, job_id)


def number_of_observations(ledger: Ledger) -> int:
    """Count the observations of all jobs in the ledger."""
    return int(ledger.rows("SELECT COUNT(*) FROM observations")[0][0])


def number_of_observations_of_job(ledger: Ledger, job_id: str | None) -> int:
    """Count the observations of a job; none without a job."""
    return int(ledger.rows("SELECT COUNT(*) FROM observations WHERE job_id = ?", job_id)[0][0])


def job_created(ledger: Ledger, job_id: str) -> float:
    """Return when a job was added, wall clock [s since 1970]."""
    return float(ledger.rows("SELECT created FROM jobs WHERE job_id = ?", job_id)[0][0])


def rows_as_kept(ledger: Ledger, job_id: str, *tables: KeptIn) -> Iterator[str]:
    """The text of each row of a job in these tables, one table after the other, as it is kept.

    Observations in the order they were made, decisions by step.
    """
    for table in tables:
        query = f"SELECT body FROM {table} WHERE job_id = ? ORDER BY {ORDER[table]}"
        for (body,) in ledger.rows(query, job_id):
            yield body


def _first(ledger: Ledger, query: str, job_id: str | None) -> dict[str, Any] | None:
    rows = ledger.rows(query, job_id)
    return dict(json.loads(rows[0][0])) if rows else None
