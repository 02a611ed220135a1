"""The only truth: one SQLite file, written before anything is done about what it says.

WAL with synchronous=FULL: what a call has committed survives SIGKILL and power loss.  Everything
else (catalog, report, JSON) is a view that can be rebuilt from here.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from pydantic import TypeAdapter

from materialsdock.errors import InputError, LedgerFault, ModelFault, Refused
from materialsdock.model import Decision, Job, Observation

SCHEMA = 1
BUSY_S = 10.0
TABLES = """
CREATE TABLE jobs (job_id TEXT PRIMARY KEY, created REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL REFERENCES jobs,
    run_uid TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX documents_by_job ON documents (job_id, seq);
CREATE INDEX ends_of_runs ON documents (name, run_uid) WHERE name IN ('start', 'stop');
CREATE TABLE observations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE NOT NULL,
    job_id TEXT NOT NULL REFERENCES jobs, body TEXT NOT NULL);
CREATE INDEX observations_by_job ON observations (job_id, seq);
CREATE TABLE decisions (
    job_id TEXT NOT NULL REFERENCES jobs, step INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (job_id, step));
CREATE TABLE outcomes (
    job_id TEXT PRIMARY KEY REFERENCES jobs, created REAL NOT NULL, body TEXT NOT NULL);
"""
_job = TypeAdapter(Job)
_observation = TypeAdapter(Observation)
_decision = TypeAdapter(Decision)


def plain(value: Any) -> Any:
    """What json cannot write by itself, as it should be written: numpy arrays and scalars."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be kept in the ledger")


def _text(value: Any) -> str:
    """JSON with floats that read back exactly; NaN and infinities as Python's json writes them.

    Raises LedgerFault for what JSON has no form for.
    """
    try:
        return json.dumps(value, default=plain)
    except (TypeError, ValueError) as error:
        raise LedgerFault(
            f"{error}: {value!r:.200}", remedy="use numbers, text, lists and mappings only"
        ) from error


def _remedy(error: sqlite3.Error) -> str:
    if "FOREIGN KEY" in str(error):
        return "add the job before what belongs to it"
    if "locked" in str(error):
        return "another process is writing; try again"
    if "not a database" in str(error) or "malformed" in str(error):
        return "restore it from a copy, or name another data folder"
    if "unable to open" in str(error):
        return "name a data folder that can be written"
    return "free disk space or mend the disk; what was acknowledged is kept"


class Ledger:
    """Jobs, documents, observations, decisions and outcomes; safe for threads and readers.

    Every `add_...` is durable when it returns.  A job, observation or decision may be added again
    with the same content; LedgerFault is raised when it contradicts what is there, and when the
    disk refuses.  Documents are a log: they are kept as often as they are added.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._faults("opened"):
            self._db = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._db.close()

    def _prepare(self) -> None:
        self._db.isolation_level = None  # transactions are ours to begin
        with self._faults("opened"):
            self._use_wal()
            for pragma in ("synchronous=FULL", "foreign_keys=ON"):
                self._db.execute(f"PRAGMA {pragma}")
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in TABLES.split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={SCHEMA}")
            elif version != SCHEMA:
                raise Refused(
                    f"the ledger has schema {version}, this materialsdock reads {SCHEMA}",
                    where=str(self.path),
                    remedy="use the version of materialsdock that wrote it",
                )

    def _use_wal(self) -> None:
        """Switch a new file to WAL; SQLite does not wait by itself when two processes do."""
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    @contextmanager
    def _faults(self, done: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerFault(
                f"cannot be {done}: {error}", where=str(self.path), remedy=_remedy(error)
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._faults("written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have rolled back already
                    self._db.execute("ROLLBACK")
                raise

    def _keep(self, table: str, key: Mapping[str, Any], body: str, **more: Any) -> None:
        """Insert a row, or check that the one with this key says the same."""
        where = " AND ".join(f"{name} = ?" for name in key)
        found = self._db.execute(
            f"SELECT body FROM {table} WHERE {where}", tuple(key.values())
        ).fetchone()
        if found is not None:
            if found[0] != body:
                raise LedgerFault(
                    f"{dict(key)} is in {table} with another content",
                    where=str(self.path),
                    remedy="two processes must not drive one job",
                )
            return
        row = {**key, **more, "body": body}
        marks = ", ".join("?" * len(row))
        self._db.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
        )

    def add_job(self, job: Job) -> None:
        """Keep a job under its id."""
        with self._transaction():
            body = _text(asdict(job))
            self._keep("jobs", {"job_id": job.job_id}, body, created=time.time())

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
        with self._transaction() as db:
            for name, document in documents:
                run_uid = document["uid"] if name == "start" else document.get("run_start", "")
                db.execute(
                    "INSERT INTO documents (job_id, run_uid, name, body) VALUES (?, ?, ?, ?)",
                    (job_id, run_uid, name, _text(document)),
                )
            for o in observations:
                body = _text(asdict(o))
                self._keep("observations", {"uid": o.uid}, body, job_id=job_id)

    def add_decision(self, job_id: str, decision: Decision) -> None:
        """Keep the decision of one step."""
        with self._transaction():
            body = _text(asdict(decision))
            self._keep("decisions", {"job_id": job_id, "step": decision.step}, body)

    def add_outcome(self, job_id: str, outcome: Mapping[str, Any]) -> None:
        """Keep what the analysis found; a later analysis replaces an earlier one."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO outcomes (job_id, created, body) VALUES (?, ?, ?)",
                (job_id, time.time(), _text(outcome)),
            )

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock, self._faults("read"):
            return self._db.execute(query, values).fetchall()

    def job(self, job_id: str) -> Job:
        """The job of this id; InputError names the latest ones when there is none."""
        rows = self._rows("SELECT body FROM jobs WHERE job_id = ?", job_id)
        if not rows:
            known = self._rows("SELECT job_id FROM jobs ORDER BY rowid DESC LIMIT 5")
            raise InputError(
                f"no job {job_id!r}",
                where=str(self.path),
                remedy=f"latest: {', '.join(row[0] for row in known) or 'none'}",
            )
        return _job.validate_json(rows[0][0])

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        rows = self._rows("SELECT body FROM jobs ORDER BY rowid")
        return [_job.validate_json(body) for (body,) in rows]

    def observations(self, job_id: str) -> tuple[Observation, ...]:
        """All observations of a job in the order they were made."""
        rows = self._rows("SELECT body FROM observations WHERE job_id = ? ORDER BY seq", job_id)
        return tuple(_observation.validate_json(body) for (body,) in rows)

    def decisions(self, job_id: str) -> tuple[Decision, ...]:
        """All decisions of a job by step."""
        rows = self._rows("SELECT body FROM decisions WHERE job_id = ? ORDER BY step", job_id)
        return tuple(_decision.validate_json(body) for (body,) in rows)

    def outcome(self, job_id: str) -> dict[str, Any] | None:
        """What the analysis found, or None before it has."""
        rows = self._rows("SELECT body FROM outcomes WHERE job_id = ?", job_id)
        return dict(json.loads(rows[0][0])) if rows else None

    def documents(
        self, after_seq: int = 0, limit: int = 1000
    ) -> list[tuple[int, str, str, dict[str, Any]]]:
        """(seq, job id, name, document) of up to `limit` documents after `after_seq`."""
        rows = self._rows(
            "SELECT seq, job_id, name, body FROM documents WHERE seq > ? ORDER BY seq LIMIT ?",
            after_seq,
            limit,
        )
        return [(seq, job_id, name, json.loads(body)) for seq, job_id, name, body in rows]

    def last_document(self) -> int:
        """The seq of the latest document, 0 when there is none."""
        return int(self._rows("SELECT COALESCE(MAX(seq), 0) FROM documents")[0][0])

    def torn_runs(self) -> list[tuple[str, str]]:
        """(job id, run uid) with a start but no stop document: a process died, or they go on."""
        return self._rows(
            "SELECT job_id, run_uid FROM documents WHERE name = 'start' AND run_uid NOT IN "
            "(SELECT run_uid FROM documents WHERE name = 'stop') ORDER BY seq"
        )
