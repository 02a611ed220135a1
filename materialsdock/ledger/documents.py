"""Event-model documents as the ledger keeps them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from materialsdock.protocols import Reading


class DocumentSource(Protocol):
    """The parts of a ledger that the catalog needs."""

    def documents(
        self, after_seq: int = 0, limit: int = 1000
    ) -> list[tuple[int, str, str, dict[str, Any]]]: ...

    def last_document(self) -> int: ...

    def torn_runs(self) -> list[tuple[str, str]]: ...

    def add_documents(self, job_id: str, documents: list[tuple[str, dict[str, Any]]]) -> None: ...


def events(name: str, document: Mapping[str, Any]) -> Iterator[tuple[int, Reading]]:
    """(seq_num, data) of an event or of each row of an event page; nothing for other documents."""
    if name == "event":
        yield document["seq_num"], document["data"]
    elif name == "event_page":
        data = document["data"]
        for row, seq_num in enumerate(document["seq_num"]):
            yield seq_num, {key: values[row] for key, values in data.items()}


def close_torn_runs(ledger: DocumentSource, of_job: str | None = None) -> int:
    """Give runs (of one job) that a dead process left open a stop document; how many."""
    torn = [run for run in ledger.torn_runs() if of_job in (None, run[0])]
    for job_id, run_uid in torn:
        stop = {
            "uid": str(uuid.uuid4()),
            "run_start": run_uid,
            "time": time.time(),
            "exit_status": "abort",
            "reason": "interrupted",
        }
        ledger.add_documents(job_id, [("stop", stop)])
    return len(torn)
