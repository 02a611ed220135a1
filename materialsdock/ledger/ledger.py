"""The only truth: one SQLite file, written before anything is done about what it says.

WAL with synchronous=FULL: what a call has committed survives SIGKILL and power loss.  Everything
else (catalog, report, JSON) is a view that can be rebuilt from here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from materialsdock.errors import InputError, LedgerFault, ModelFault
from materialsdock.ledger import packing, pages
from materialsdock.ledger.database import Database
from materialsdock.ledger.documents import events
from materialsdock.ledger.schema import MIGRATIONS, heading
from materialsdock.model import Decision, Job, Observation
from materialsdock.protocols import Reading

_job = TypeAdapter(Job)
_observation = TypeAdapter(Observation)
_decision = TypeAdapter(Decision)


def plain(value: Any) -> Any:
    """Turn what json cannot write by itself, numpy arrays and scalars, into what it can."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be kept in the ledger")


def text(value: Any) -> str:
    """JSON with floats that read back exactly; NaN and infinities as Python's json writes them.

    Raises LedgerFault for what JSON has no form for.
    """
    try:
        return json.dumps(value, default=plain)
    except (TypeError, ValueError) as error:
        raise LedgerFault(
            f"{error}: {value!r:.200}", remedy="use numbers, text, lists and mappings only"
        ) from error


class Ledger(Database):
    """Jobs, documents, observations, decisions and outcomes; safe for threads and readers.

    Every `add_...` is durable when it returns.  A job, observation or decision may be added again
    with the same content; LedgerFault is raised when it contradicts what is there, and when the
    disk refuses.  Documents are a log: they are kept as often as they are added.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, MIGRATIONS)

    def add_job(self, job: Job) -> None:
        """Keep a job under its id."""
        body = text(asdict(job))
        with self.transaction() as db:
            self.keep("jobs", {"job_id": job.job_id}, body, created=time.time())
            row = (job.job_id, heading(body))
            db.execute("INSERT OR IGNORE INTO listed (job_id, body) VALUES (?, ?)", row)

    def add_documents(
        self,
        job_id: str,
        documents: Sequence[tuple[str, dict[str, Any]]],
        observations: Sequence[Observation] = (),
    ) -> None:
        """Event-model documents and the observations read from them, in one transaction.

        Raises ModelFault for an observation that is not finite.
        """
        for o in observations:
            if not np.isfinite([o.x, o.y, o.sigma, o.count_time_s]).all():
                raise ModelFault(f"{o} is not finite", where=o.uid)
        with self.transaction() as db:
            for name, document in documents:
                run_uid = document["uid"] if name == "start" else document.get("run_start", "")
                db.execute(
                    "INSERT INTO documents (job_id, run_uid, name, body) VALUES (?, ?, ?, ?)",
                    (job_id, run_uid, name, text(document)),
                )
            for o in observations:
                body, packed = text(asdict(o)), pages.observation(self, o.uid)
                self.keep("observations", {"uid": o.uid}, body, packed, job_id=job_id)

    def add_decision(self, job_id: str, decision: Decision) -> None:
        """Keep the decision of one step."""
        words = asdict(decision)
        if not decision.steered:  # as it was before there was steering
            del words["steered"]
        with self.transaction():
            body, packed = text(words), pages.decision(self, job_id, decision.step)
            self.keep("decisions", {"job_id": job_id, "step": decision.step}, body, packed)

    def add_steering(self, job_id: str, step: int, body: Mapping[str, Any]) -> None:
        """Keep what a person asked of a running job, or what it came to, at a step: a log."""
        with self.transaction():
            self.insert("steering", {"job_id": job_id, "step": step, "body": text(body)})

    def add_outcome(self, job_id: str, outcome: Mapping[str, Any]) -> None:
        """Keep what the analysis found; a later analysis replaces an earlier one."""
        with self.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO outcomes (job_id, created, body) VALUES (?, ?, ?)",
                (job_id, time.time(), text(outcome)),
            )

    def job(self, job_id: str) -> Job:
        """The job of this id; InputError names the latest ones when there is none."""
        rows = self.rows("SELECT body FROM jobs WHERE job_id = ?", job_id)
        if not rows:
            known = self.rows("SELECT job_id FROM jobs ORDER BY rowid DESC LIMIT 5")
            raise InputError(
                f"no job {job_id!r}",
                where=str(self.path),
                remedy=f"latest: {', '.join(row[0] for row in known) or 'none'}",
            )
        return _job.validate_json(rows[0][0])

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        rows = self.rows("SELECT body FROM jobs ORDER BY rowid")
        return [_job.validate_json(body) for (body,) in rows]

    def observations(self, job_id: str) -> tuple[Observation, ...]:
        """All observations of a job in the order they were made."""
        rows = pages.bodies(self, "observations", job_id)
        return tuple(_observation.validate_json(body) for body in rows)

    def decisions(self, job_id: str) -> tuple[Decision, ...]:
        """All decisions of a job by step."""
        rows = pages.bodies(self, "decisions", job_id)
        return tuple(_decision.validate_json(body) for body in rows)

    def steering(self, job_id: str) -> tuple[tuple[int, dict[str, Any]], ...]:
        """(step, body) of all steering of a job in the order it was recorded."""
        rows = self.rows("SELECT step, body FROM steering WHERE job_id = ? ORDER BY seq", job_id)
        return tuple((step, json.loads(body)) for step, body in rows)

    def outcome(self, job_id: str) -> dict[str, Any] | None:
        """Return what the analysis found; None before it has."""
        rows = self.rows("SELECT body FROM outcomes WHERE job_id = ?", job_id)
        return dict(json.loads(rows[0][0])) if rows else None

    def documents(
        self, after_seq: int = 0, limit: int = 1000
    ) -> list[tuple[int, str, str, dict[str, Any]]]:
        """(seq, job id, name, document) of up to `limit` documents after `after_seq`."""
        return pages.documents_after(self, after_seq, limit)

    def readings(self, job_id: str) -> Iterator[tuple[str, Reading]]:
        """(uid of the observation, data) of each event of stream `primary`, the first of each."""
        runs: dict[str, str] = {}
        given: set[str] = set()
        for name, document in pages.documents_of_job(self, job_id, ()):
            if name == "descriptor" and document["name"] == "primary":
                runs[document["uid"]] = document["run_start"]
            elif document.get("descriptor") in runs:
                for seq_num, data in events(name, document):
                    uid = f"{runs[document['descriptor']]}/{seq_num}"
                    if uid not in given:
                        given.add(uid)
                        yield uid, data

    def last_document(self) -> int:
        """The seq of the latest document, 0 when there is none."""
        return pages.last_document(self)

    def torn_runs(self) -> list[tuple[str, str]]:
        """(job id, run uid) with a start but no stop document: a process died, or they go on."""
        return packing.torn_runs(self)
