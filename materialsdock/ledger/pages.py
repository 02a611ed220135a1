"""Rows of closed runs as pages: what was written row by row is read from both, as if never packed.

A page takes the place of the oldest rows of one job in `documents`, `observations` and `decisions`.
So the rows of a job are those of its pages, in their order, and then those of the tables; each
comes back to the letter, with its number.  All that reads these tables reads them here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from materialsdock.errors import LedgerFault
from materialsdock.ledger import columns
from materialsdock.ledger.database import Database

Table = Literal["documents", "observations", "decisions"]
KEPT: dict[Table, str] = {  # what a page has of a row, the body last
    "documents": "seq, run_uid, name, body",
    "observations": "seq, uid, body",
    "decisions": "step, body",
}
ORDER: dict[Table, str] = {"documents": "seq", "observations": "seq", "decisions": "step"}
Row = Sequence[Any]  # as KEPT says; the body parsed where its JSON gives the same text again


@dataclass(frozen=True)
class Page:
    """A page as it lies in the file; `file` is its path."""

    page: int
    job_id: str
    body: bytes
    file: str

    def rows(self, table: Table) -> list[Row]:
        """The rows of one table; LedgerFault where they cannot be read."""
        try:
            return unpacked(self.body, table)
        except columns.UNREADABLE as error:
            raise LedgerFault(
                f"page {self.page} of job {self.job_id} cannot be read: {error!r}",
                where=self.file,
                remedy="restore the ledger from a copy",
            ) from error


def packed(rows: dict[Table, list[Row]]) -> bytes:
    """Pack rows, the body of each as it was kept."""
    as_values = {
        table: [[*row[:-1], columns.parsed(row[-1]) or row[-1]] for row in of_table]
        for table, of_table in rows.items()
    }
    try:
        return columns.packed(as_values)
    except RecursionError:  # a document that is nested hundreds deep stays text
        return columns.packed({table: [list(row) for row in rows[table]] for table in rows})


def unpacked(body: bytes, table: Table) -> list[Row]:
    """The rows of one table in a page."""
    rows: list[Row] = columns.unpacked(body, table)
    return rows


def as_text(body: Any) -> str:
    """The body of a row as it was kept."""
    return body if isinstance(body, str) else json.dumps(body)


def as_value(body: Any) -> dict[str, Any]:
    """The body of a row as the mapping that it is the JSON of."""
    return dict(json.loads(body)) if isinstance(body, str) else body


def bodies(db: Database, table: Table, job_id: str) -> list[str]:
    """The texts of all rows of a job, in the order they were made."""
    query = f"SELECT body FROM {table} WHERE job_id = ? ORDER BY {ORDER[table]}"
    with db.snapshot():
        old, rows = _pages_of(db, table, job_id), db.rows(query, job_id)
    packed = (as_text(row[-1]) for page in old for row in page.rows(table))
    return [*packed, *(body for (body,) in rows)]


def last_body(db: Database, table: Table, job_id: str | None) -> str | None:
    """The text of the latest row of a job; None before there is one."""
    query = f"SELECT body FROM {table} WHERE job_id = ? ORDER BY {ORDER[table]} DESC LIMIT 1"
    with db.snapshot():
        if rows := db.rows(query, job_id):
            return str(rows[0][0])
        old = _pages_of(db, table, job_id)
    return as_text(old[-1].rows(table)[-1][-1]) if old else None


def documents_of_job(
    db: Database, job_id: str, names: Sequence[str]
) -> list[tuple[str, dict[str, Any]]]:
    """(name, document) of a job, only those of these names where any are given."""
    only = f"AND name IN ({', '.join('?' * len(names))}) " if names else ""
    query = f"SELECT name, body FROM documents WHERE job_id = ? {only}ORDER BY seq"
    with db.snapshot():
        old, rows = _pages_of(db, "documents", job_id), db.rows(query, job_id, *names)
    packed = [(name, body) for page in old for _, _, name, body in page.rows("documents")]
    wanted = [(name, body) for name, body in packed if not names or name in names]
    return [(name, as_value(body)) for name, body in (*wanted, *rows)]


def documents_after(
    db: Database, after_seq: int, limit: int
) -> list[tuple[int, str, str, dict[str, Any]]]:
    """(seq, job id, name, document) of up to `limit` documents after `after_seq`, of all jobs."""
    query = "SELECT seq, job_id, name, body FROM documents WHERE seq > ? ORDER BY seq LIMIT ?"
    with db.snapshot():
        found: list[tuple[int, str, str, Any]] = db.rows(query, after_seq, limit)
        last = found[-1][0] if len(found) == limit else None
        old = _pages_after(db, after_seq, limit, last)
    for page in old:
        rows = page.rows("documents")
        found += [(seq, page.job_id, name, body) for seq, _, name, body in rows if seq > after_seq]
    found.sort(key=lambda row: row[0])
    return [(seq, job_id, name, as_value(body)) for seq, job_id, name, body in found[:limit]]


def _pages_after(db: Database, after_seq: int, limit: int, last: int | None) -> list[Page]:
    """The pages that the next `limit` documents may be in; none of them is after `last`."""
    query = (
        "SELECT page, documents, first_document, last_document FROM pages "
        "WHERE last_document > ? ORDER BY first_document"
    )
    found: list[Page] = []
    documents, reach = 0, 0
    for page, number, begin, end in db.rows(query, after_seq):
        if (last is not None and begin > last) or (documents >= limit and begin > reach):
            break
        found += _read(db, "page = ?", page)
        documents += number if begin > after_seq else 0
        reach = max(reach, end)
    return found


def every_page(db: Database) -> Iterator[Page]:
    """Every page, oldest first, one at a time."""
    for (page,) in db.rows("SELECT page FROM pages ORDER BY page"):
        yield from _read(db, "page = ?", page)


def last_document(db: Database) -> int:
    """The number of the latest document of all jobs, 0 when there is none."""
    query = (
        "SELECT MAX((SELECT COALESCE(MAX(seq), 0) FROM documents), "
        "(SELECT COALESCE(MAX(last_document), 0) FROM pages))"
    )
    return int(db.rows(query)[0][0])


def number(db: Database, table: Table, job_id: str | None) -> int:
    """Count the rows of a job."""
    query = (
        f"SELECT (SELECT COUNT(*) FROM {table} WHERE job_id = ?) "
        f"+ (SELECT COALESCE(SUM({table}), 0) FROM pages WHERE job_id = ?)"
    )
    return int(db.rows(query, job_id, job_id)[0][0])


def number_of_all(db: Database, table: Table) -> int:
    """Count the rows of all jobs together."""
    query = f"SELECT (SELECT COUNT(*) FROM {table}) + (SELECT COALESCE(SUM({table}), 0) FROM pages)"
    return int(db.rows(query)[0][0])


def observation(db: Database, uid: str) -> str | None:
    """The text of the packed observation of this uid; None when no page has it."""
    where = "page IN (SELECT page FROM packed_runs WHERE run = ?)"
    for page in _read(db, where, run_of(uid)):
        for _, other, body in page.rows("observations"):
            if other == uid:
                return as_text(body)
    return None


def decision(db: Database, job_id: str, step: int) -> str | None:
    """The text of the packed decision of this step; None when no page has it."""
    for page in _read(db, "job_id = ? AND ? BETWEEN first_step AND last_step", job_id, step):
        for other, body in page.rows("decisions"):
            if other == step:
                return as_text(body)
    return None


def run_of(uid: str) -> str:
    """The part of an observation's uid that many of a run have in common."""
    return uid.rpartition("/")[0]


def _pages_of(db: Database, table: Table, job_id: str | None) -> list[Page]:
    return _read(db, f"job_id = ? AND {table} > 0 ORDER BY page", job_id)


def _read(db: Database, where: str, *values: Any) -> list[Page]:
    rows = db.rows(f"SELECT page, job_id, body FROM pages WHERE {where}", *values)
    return [Page(page, job_id, body, str(db.path)) for page, job_id, body in rows]
