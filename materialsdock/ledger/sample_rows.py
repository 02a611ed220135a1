"""The rows of the queue: one for each sample; what they mean is the night's business."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from materialsdock.ledger.ledger import Ledger, text

COLUMNS = "sample_id, rank, priority, state, attempt, failures, job_id, reason, body"
# of each sample in a part of the log: the instrument time that its last decision says, or the page
# that has it; by its key, since json_extract before SQLite 3.42 knows no Infinity, as a forced
# point scores
COUNTED = """
SELECT sample_id, body, COALESCE(
    (SELECT CAST(substr(decisions.body, instr(decisions.body, '"seconds_measured": ') + 20) AS REAL)
     FROM decisions WHERE decisions.job_id = samples.job_id ORDER BY step DESC LIMIT 1),
    (SELECT seconds_measured FROM pages WHERE pages.job_id = samples.job_id AND decisions > 0
     ORDER BY page DESC LIMIT 1), 0.0)
FROM samples
WHERE sample_id IN (SELECT sample_id FROM events WHERE seq > ? AND kind = 'sample')"""


class SampleRow(NamedTuple):
    """One sample of the queue; `body` is the entry of the sample sheet, plain JSON."""

    sample_id: str
    rank: float
    priority: int
    state: str
    attempt: int
    failures: int
    job_id: str | None
    reason: str
    body: Mapping[str, Any]


class CountedSample(NamedTuple):
    """A sample's entry, and the instrument time [s] that its decisions have counted so far."""

    sample_id: str
    body: Mapping[str, Any]
    counted_s: float


def sample_ids(ledger: Ledger) -> set[str]:
    """The ids of all samples."""
    return {sample_id for (sample_id,) in ledger.rows("SELECT sample_id FROM samples")}


def last_rank(ledger: Ledger) -> float:
    """The highest rank of all samples, 0 when there is none."""
    return float(ledger.rows("SELECT COALESCE(MAX(rank), 0) FROM samples")[0][0])


def add_sample(ledger: Ledger, row: SampleRow) -> None:
    """Add one sample."""
    with ledger.transaction():
        ledger.insert("samples", {**row._asdict(), "body": text(row.body)})


def change_sample(ledger: Ledger, sample_id: str, **columns: Any) -> None:
    """Set these columns of one sample."""
    names = ", ".join(f"{name} = ?" for name in columns)
    with ledger.transaction() as db:
        db.execute(
            f"UPDATE samples SET {names} WHERE sample_id = ?", (*columns.values(), sample_id)
        )


def samples_in(ledger: Ledger, *states: str) -> list[SampleRow]:
    """The samples in these states (all without any) in the order they are measured."""
    where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
    query = f"SELECT {COLUMNS} FROM samples {where} ORDER BY priority DESC, rank"
    return _rows(ledger.rows(query, *states))


def sample_of_id(ledger: Ledger, sample_id: str) -> SampleRow | None:
    """The sample of this id; None when there is none."""
    query = f"SELECT {COLUMNS} FROM samples WHERE sample_id = ?"
    return next(iter(_rows(ledger.rows(query, sample_id))), None)


def samples_of_job(ledger: Ledger, job_id: str) -> list[SampleRow]:
    """The samples measured under this job: one, or none where no night has measured it."""
    return _rows(ledger.rows(f"SELECT {COLUMNS} FROM samples WHERE job_id = ?", job_id))


def number_by_state(ledger: Ledger) -> dict[str, int]:
    """Count the samples in each state."""
    return dict(ledger.rows("SELECT state, COUNT(*) FROM samples GROUP BY state"))


def counted_samples(ledger: Ledger, after_seq: int = 0) -> list[CountedSample]:
    """Each sample in the log after line `after_seq`, with the time of its last decision."""
    rows = ledger.rows(COUNTED, after_seq)
    bodies = _parsed([body for _, body, _ in rows])
    return [
        CountedSample(sample_id, body, counted_s)
        for (sample_id, _, counted_s), body in zip(rows, bodies, strict=True)
    ]


def _rows(found: Sequence[Any]) -> list[SampleRow]:
    bodies = _parsed([row[-1] for row in found])
    return [SampleRow._make((*row[:-1], body)) for row, body in zip(found, bodies, strict=True)]


def _parsed(bodies: Sequence[str]) -> list[Mapping[str, Any]]:
    """The values of JSON texts, in one go: a long queue is listed in half the time."""
    values: list[Mapping[str, Any]] = json.loads(f"[{','.join(bodies)}]")
    return values
