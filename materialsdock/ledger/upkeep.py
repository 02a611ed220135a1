"""Looking after a ledger for years: is all of it there, and is it as small as it can be?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

from materialsdock.errors import LedgerFault
from materialsdock.ledger import packing, pages
from materialsdock.ledger.database import Database
from materialsdock.ledger.pages import Table

Range = tuple[int, int]  # first and last of numbers without a gap
LOGS = ("events", "intents", "steering", "audit")  # numbered, and never packed


@dataclass(frozen=True)
class Extent:
    """The size of a ledger; `packed` observations lie in `pages`, `size_bytes` is the file's."""

    jobs: int
    observations: int
    documents: int
    decisions: int
    packed: int
    pages: int
    size_bytes: int


def extent(db: Database) -> Extent:
    """Count what the ledger has."""
    with db.snapshot():
        ((jobs,),) = db.rows("SELECT COUNT(*) FROM jobs")
        ((packed, made),) = db.rows("SELECT COALESCE(SUM(observations), 0), COUNT(*) FROM pages")
        counts = {table: pages.number_of_all(db, table) for table in get_args(Table)}
        ((size,),) = db.rows(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        )
        return Extent(jobs, packed=packed, pages=made, size_bytes=size, **counts)


def compact(db: Database) -> bool:
    """Pack all that is closed and give the room to the disk; False when only the first was done.

    The room stays in the file, for what is measured next, while another process has it open.
    """
    while packing.pack_next(db):
        pass
    return db.vacuum()


def faults(db: Database) -> list[str]:
    """All that is wrong with a ledger, in words; [] when it is whole."""
    try:
        with db.snapshot():
            if damage := [said for (said,) in db.rows("PRAGMA quick_check") if said != "ok"]:
                return [f"the file is damaged: {said}" for said in damage]
            return [*_orphans(db), *_unlisted(db), *_logs(db), *_packed(db)]
    except LedgerFault as fault:
        return [f"it {fault.what}" if fault.what.startswith("cannot") else fault.what]


def _orphans(db: Database) -> Iterator[str]:
    for table, row, parent, _ in db.rows("PRAGMA foreign_key_check"):
        which = "a row" if row is None else f"row {row}"
        yield f"{which} of {table} belongs to nothing in {parent}"


def _unlisted(db: Database) -> Iterator[str]:
    query = "SELECT job_id FROM jobs WHERE job_id NOT IN (SELECT job_id FROM listed)"
    for (job_id,) in db.rows(query):
        yield f"job {job_id} is in no listing"


def _logs(db: Database) -> Iterator[str]:
    for table in LOGS:
        yield from _gaps(table, _ranges_in(db, table))


def _packed(db: Database) -> Iterator[str]:
    """Every page can be read and is what is said of it; rows and pages have every number once."""
    ranges: dict[Table, list[Range]] = {
        table: _ranges_in(db, table) for table in ("documents", "observations")
    }
    steps: dict[str, list[Range]] = {}
    for page in pages.every_page(db):
        try:
            found = {table: page.rows(table) for table in get_args(Table)}
        except LedgerFault as fault:
            yield fault.what
            continue
        yield from _misdescribed(db, page, found)
        for table in ranges:
            ranges[table] += _ranges(row[0] for row in found[table])
        steps.setdefault(page.job_id, []).extend(_ranges(row[0] for row in found["decisions"]))
    for table, of_table in ranges.items():
        yield from _gaps(table, of_table)
    for job_id, first, last in db.rows(_ranges_query("decisions", "step", "job_id")):
        steps.setdefault(job_id, []).append((first, last))
    for job_id, of_job in steps.items():
        yield from _gaps(f"decisions of job {job_id}", of_job, begin=0)


def _misdescribed(db: Database, page: pages.Page, found: dict[Table, list[Any]]) -> Iterator[str]:
    """List what the columns beside a page say otherwise than the page."""
    said = db.rows(f"SELECT {', '.join(packing.FACTS)} FROM pages WHERE page = ?", page.page)[0]
    runs = db.rows("SELECT run FROM packed_runs WHERE page = ? ORDER BY run", page.page)
    if dict(zip(packing.FACTS, said, strict=True)) != packing.facts(found):
        yield f"page {page.page} of job {page.job_id} has other rows than are listed for it"
    if [run for (run,) in runs] != packing.runs(found):
        yield f"page {page.page} of job {page.job_id} has other runs than are listed for it"


def _ranges_in(db: Database, table: str) -> list[Range]:
    """The numbers in a table, and the one that the next row gets."""
    rows = db.rows(_ranges_query(table, "seq", "''"))
    given = db.rows("SELECT seq + 1, seq + 1 FROM sqlite_sequence WHERE name = ?", table)
    return [*((first, last) for _, first, last in rows), *given]  # after the last: nothing is cut


def _ranges_query(table: str, number: str, group: str) -> str:
    """(group, first, last) of the numbers without a gap in a table."""
    return (
        f"SELECT of, MIN(n), MAX(n) FROM (SELECT {group} AS of, {number} AS n, {number} - "
        f"ROW_NUMBER() OVER (PARTITION BY {group} ORDER BY {number}) AS shift FROM {table}) "
        "GROUP BY of, shift"
    )


def _ranges(numbers: Iterable[int]) -> list[Range]:
    """The numbers, which increase, as ranges."""
    found: list[Range] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _gaps(name: str, ranges: list[Range], begin: int = 1) -> Iterator[str]:
    """List what is missing between ranges, or there twice."""
    for (_, end), (first, last) in pairwise([(begin - 1, begin - 1), *sorted(ranges)]):
        if first > end + 1:
            missing = f"{end + 1}" if first == end + 2 else f"{end + 1} to {first - 1}"
            yield f"{name}: {missing} missing"
        elif first <= end:
            yield f"{name}: {first} to {min(end, last)} twice"
