"""The rows of one job besides its typed ones: documents, counts, rows as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from materialsdock.ledger import pages
from materialsdock.ledger.ledger import Ledger

KeptIn = Literal["observations", "decisions", "outcomes"]
# of each job: the number of its decisions, which are counted from 0, and whether it has an outcome
LISTED = """
SELECT job_id, body, 1 + COALESCE(
    (SELECT MAX(step) FROM decisions WHERE decisions.job_id = listed.job_id),
    (SELECT MAX(last_step) FROM pages WHERE pages.job_id = listed.job_id), -1),
    EXISTS (SELECT 1 FROM outcomes WHERE outcomes.job_id = listed.job_id)
FROM listed ORDER BY number"""


class ListedJob(NamedTuple):
    """A job in a listing; `steps` is how many decisions it has."""

    job_id: str
    name: str
    technique: str
    steps: int
    finished: bool


class NamedDocument(NamedTuple):
    """One document of the event model, e.g. name "descriptor"."""

    name: str
    document: dict[str, Any]


def documents_of_job(ledger: Ledger, job_id: str, *names: str) -> Iterator[NamedDocument]:
    """The documents of a job (only those of these names, where any are given) as recorded."""
    for name, document in pages.documents_of_job(ledger, job_id, names):
        yield NamedDocument(name, document)


def last_document_of_job(ledger: Ledger, job_id: str | None) -> dict[str, Any] | None:
    """The latest document of a job; None before there is one."""
    return _parsed(pages.last_body(ledger, "documents", job_id))


def last_decision(ledger: Ledger, job_id: str | None) -> dict[str, Any] | None:
    """The latest decision of a job as it was kept; None before there is one."""
    return _parsed(pages.last_body(ledger, "decisions", job_id))


def number_of_observations(ledger: Ledger) -> int:
    """Count the observations of all jobs in the ledger."""
    return pages.number_of_all(ledger, "observations")


def number_of_observations_of_job(ledger: Ledger, job_id: str | None) -> int:
    """Count the observations of a job; none without a job."""
    return pages.number(ledger, "observations", job_id)


def listed_jobs(ledger: Ledger) -> list[ListedJob]:
    """All jobs, oldest first, as a listing shows them; what they are made of is not read."""
    return [
        ListedJob(job_id, **json.loads(body), steps=steps, finished=bool(finished))
        for job_id, body, steps, finished in ledger.rows(LISTED)
    ]


def job_created(ledger: Ledger, job_id: str) -> float:
    """Return when a job was added, wall clock [s since 1970]."""
    return float(ledger.rows("SELECT created FROM jobs WHERE job_id = ?", job_id)[0][0])


def rows_as_kept(ledger: Ledger, job_id: str, *tables: KeptIn) -> Iterator[str]:
    """The text of each row of a job in these tables, one table after the other, as it is kept.

    Observations in the order they were made, decisions by step.
    """
    for table in tables:
        if table == "outcomes":
            rows = ledger.rows("SELECT body FROM outcomes WHERE job_id = ?", job_id)
            yield from (body for (body,) in rows)
        else:
            yield from pages.bodies(ledger, table, job_id)


def _parsed(body: str | None) -> dict[str, Any] | None:
    return None if body is None else dict(json.loads(body))
