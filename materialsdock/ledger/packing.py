"""Packing: the rows of a job whose runs are closed become pages, a page at a time.

A page is made beside everything that goes on and read back before its rows go; one transaction
puts it in their place.  So a kill at any moment leaves either the rows or the page, and who reads
meanwhile sees either.
"""

from __future__ import annotations

from typing import Any

from materialsdock.errors import LedgerFault
from materialsdock.ledger import pages
from materialsdock.ledger.database import Database
from materialsdock.ledger.pages import KEPT, ORDER, Row, Table

FACTS = (
    *("documents", "observations", "decisions"),  # how many
    *("first_document", "last_document", "first_step", "last_step", "seconds_measured"),
)
ROWS = 4096  # of one table, at most, in one page
# `name IN ...` beside `name = ...`: SQLite uses a partial index only where its condition is said
ENDS = "name IN ('start', 'stop')"
TORN = (
    f"SELECT job_id, run_uid FROM documents WHERE name = 'start' AND {ENDS} AND run_uid NOT IN "
    f"(SELECT run_uid FROM documents WHERE name = 'stop' AND {ENDS})"
)
CLOSED = (
    f"SELECT DISTINCT job_id FROM documents WHERE name = 'stop' AND {ENDS} "
    f"AND job_id NOT IN (SELECT job_id FROM ({TORN}))"
)


def torn_runs(db: Database) -> list[tuple[str, str]]:
    """(job id, run uid) with a start but no stop document, in that order."""
    return db.rows(f"{TORN} ORDER BY seq")


def closed_jobs(db: Database, limit: int = -1) -> list[str]:
    """The jobs with rows to pack: a run of theirs was stopped and none is open."""
    return [job_id for (job_id,) in db.rows(f"{CLOSED} LIMIT ?", limit)]


def pack_next(db: Database) -> bool:
    """Pack one page of any closed job; False when there is nothing to pack."""
    return any(pack_page(db, job_id) for job_id in closed_jobs(db, 1))


def pack_job(db: Database, job_id: str) -> int:
    """Pack all rows of a job, if its runs are closed; how many pages that makes."""
    made = 0
    while job_id in closed_jobs(db) and pack_page(db, job_id):
        made += 1
    return made


def pack_page(db: Database, job_id: str) -> bool:
    """Pack the oldest rows of a closed job into one page.

    False when there are none, or when another process was quicker.
    """
    rows = _oldest(db, job_id)
    if not any(rows.values()):
        return False
    body = pages.packed(rows)
    for table, of_table in rows.items():
        again = [[*row[:-1], pages.as_text(row[-1])] for row in pages.unpacked(body, table)]
        if again != [list(row) for row in of_table]:
            raise LedgerFault(
                f"the {table} of job {job_id} do not come back from a page as they are; "
                "they stay as they are",
                where=str(db.path),
                remedy="nothing is lost; report this with a copy of the ledger",
            )
    return _replaced(db, job_id, rows, body)


def _oldest(db: Database, job_id: str) -> dict[Table, list[Row]]:
    """Rows for one page: of each table the same share, so that what belongs together stays so."""
    with db.snapshot():
        have = {
            table: db.rows(f"SELECT COUNT(*) FROM {table} WHERE job_id = ?", job_id)[0][0]
            for table in KEPT
        }
        parts = max(1, -(-max(have.values()) // ROWS))
        return {
            table: db.rows(
                f"SELECT {KEPT[table]} FROM {table} WHERE job_id = ? "
                f"ORDER BY {ORDER[table]} LIMIT ?",
                job_id,
                have[table] // parts,
            )
            for table in KEPT
        }


def _replaced(db: Database, job_id: str, rows: dict[Table, list[Row]], body: bytes) -> bool:
    """Put the page in the place of its rows; False when they are not all there any more."""
    with db.transaction() as connection:
        still = {
            table: connection.execute(
                f"SELECT COUNT(*) FROM {table} WHERE job_id = ? AND {ORDER[table]} BETWEEN ? AND ?",
                (job_id, of_table[0][0], of_table[-1][0]),
            ).fetchone()[0]
            for table, of_table in rows.items()
            if of_table
        }
        if any(still[table] != len(rows[table]) for table in still):
            return False
        page = db.insert("pages", {"job_id": job_id, **facts(rows), "body": body})
        for run in runs(rows):
            db.insert("packed_runs", {"run": run, "page": page})
        for table in still:
            connection.execute(
                f"DELETE FROM {table} WHERE job_id = ? AND {ORDER[table]} <= ?",
                (job_id, rows[table][-1][0]),
            )
        return True


def runs(rows: dict[Table, list[Row]]) -> list[str]:
    """The runs that the observations of a page are of."""
    return sorted({pages.run_of(uid) for _, uid, _ in rows["observations"]})


def facts(rows: dict[Table, list[Row]]) -> dict[str, Any]:
    """Return what is asked of a page without unpacking it, by the names of FACTS."""
    documents, decisions = rows["documents"], rows["decisions"]
    seqs = (documents[0][0], documents[-1][0]) if documents else (None, None)
    steps = (decisions[0][0], decisions[-1][0]) if decisions else (None, None)
    last = pages.as_value(decisions[-1][-1]) if decisions else {}
    counts = (len(documents), len(rows["observations"]), len(decisions))
    values = (*counts, *seqs, *steps, last.get("seconds_measured"))
    return dict(zip(FACTS, values, strict=True))
