"""One SQLite file, durable at every commit; the schema grows by migrations and never shrinks.

WAL with synchronous=FULL: what a call has committed survives SIGKILL and power loss.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from materialsdock.errors import LedgerFault, Refused

BUSY_S = 10.0
Connection = sqlite3.Connection
Migration = str | Callable[[Connection], None]


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


def run_script(db: Connection, script: str) -> None:
    """Run statements that end with `;` and a new line, within the present transaction."""
    for statement in script.split(";\n"):
        db.execute(statement)


class Database:
    """Transactions and queries on one file; safe for threads, other processes and readers.

    migrations : SQL scripts, or functions of the connection; number k brings schema k to k + 1.
    A file of an older schema is copied beside itself before it is changed; Refused for one of a
    newer schema.
    """

    def __init__(self, path: Path, migrations: Sequence[Migration]) -> None:
        self.path = path
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.faults("opened"):
            self._db = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
        try:
            self._prepare(migrations)
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

    def _prepare(self, migrations: Sequence[Migration]) -> None:
        self._db.isolation_level = None  # transactions are ours to begin
        with self.faults("opened"):
            self._use_wal()
            for pragma in ("synchronous=FULL", "foreign_keys=ON"):
                self._db.execute(f"PRAGMA {pragma}")
        newest = len(migrations)
        found = self._version()
        if found > newest:
            raise Refused(
                f"the ledger has schema {found}, this materialsdock reads {newest}",
                where=str(self.path),
                remedy="use the version of materialsdock that wrote it",
            )
        if found < newest:
            self._migrate(migrations)

    def _version(self) -> int:
        with self.faults("opened"):
            return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        with self.transaction() as db:
            # read again: another process may have done it meanwhile
            (found,) = db.execute("PRAGMA user_version").fetchone()
            if 0 < found < len(migrations):
                self._keep_as_it_was(found)
            for migration in migrations[found:]:
                if callable(migration):
                    migration(db)
                else:
                    run_script(db, migration)
            db.execute(f"PRAGMA user_version={len(migrations)}")

    def _keep_as_it_was(self, found: int) -> None:
        """Copy the file beside itself, whole or not at all, while nobody else can write."""
        self.backup(self.path.with_name(f"{self.path.name}.schema{found}"))

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
    def faults(self, done: str) -> Iterator[None]:
        """Turn SQLite's errors into LedgerFault."""
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerFault(
                f"cannot be {done}: {error}", where=str(self.path), remedy=_remedy(error)
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit all of it or nothing; durable when the context ends."""
        with self._lock, self.faults("written"):
            if self._db.in_transaction:  # of this thread: the lock is ours; one commit for both
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have rolled back already
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything that is read in the context is of one moment, whatever others write."""
        with self._lock, self.faults("read"):
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("COMMIT")

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return the rows that a query finds."""
        with self._lock, self.faults("read"):
            return self._db.execute(query, values).fetchall()

    def keep(
        self, table: str, key: Mapping[str, Any], body: str, packed: str | None = None, **more: Any
    ) -> None:
        """Insert a row, or check that the one with this key says the same; in a transaction.

        packed : the body of the one with this key in a page, None where no page has it
        """
        where = " AND ".join(f"{name} = ?" for name in key)
        found = self._db.execute(
            f"SELECT body FROM {table} WHERE {where}", tuple(key.values())
        ).fetchone()
        there = packed if found is None else found[0]
        if there is None:
            self.insert(table, {**key, **more, "body": body})
        elif there != body:
            raise LedgerFault(
                f"{dict(key)} is in {table} with different content",
                where=str(self.path),
                remedy="one job must not run in two processes at once",
            )

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Insert one row; its number.  In a transaction."""
        marks = ", ".join("?" * len(row))
        done = self._db.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
        )
        return int(done.lastrowid or 0)

    def vacuum(self) -> bool:
        """Give what is free in the file to the disk; False while another has the file open."""
        with self._lock, self.faults("compacted"):
            try:
                self._db.execute("PRAGMA journal_mode=DELETE")  # only who is alone may do that
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                return False
            try:
                self._db.execute("VACUUM")
            finally:
                self._use_wal()
            return True

    def backup(self, to: Path) -> None:
        """Copy the file as it is at one moment, whole or not at all, while others write."""
        new = to.with_name(f"{to.name}.new")
        new.unlink(missing_ok=True)
        with (
            self.faults("copied"),
            closing(sqlite3.connect(self.path, timeout=BUSY_S)) as reader,
            closing(sqlite3.connect(new)) as copy,
        ):
            reader.backup(copy)  # in one step: in steps it begins anew with each commit of others
        new.replace(to)
