"""A folder of the user's CIFs with an index of what they hold; the only SQLite of this room.

The CIFs are the truth.  The index is a view: it follows the folder before every use, is made anew
when its schema is an older one, and the same folder always gives the same index.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError, MaterialsDockError, Refused
from materialsdock.optimisation.processes import Executor
from materialsdock.techniques.xrd.crystals.contents import Description
from materialsdock.techniques.xrd.phases import cif_files, same
from materialsdock.techniques.xrd.phases.cif_files import FileRead, StoreEntry

INDEX = "index.sqlite"
CIFS = "cifs"
SCHEMA = 2
BUSY_S = 30.0
FILE_LIMIT_S = 60.0  # enough for 2000 usual structures in one file
TABLES = """
CREATE TABLE files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL, refused TEXT NOT NULL);
CREATE TABLE entries (
    entry_id TEXT PRIMARY KEY, path TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
    name TEXT NOT NULL, collection TEXT NOT NULL, source TEXT NOT NULL, formula TEXT NOT NULL,
    elements TEXT NOT NULL, space_group TEXT NOT NULL, number INTEGER NOT NULL,
    cell TEXT NOT NULL, density REAL NOT NULL, weight_u REAL NOT NULL, notes TEXT NOT NULL,
    d BLOB NOT NULL, intensity BLOB NOT NULL, cif TEXT NOT NULL, same_as TEXT);
CREATE INDEX entries_by_path ON entries (path);
CREATE INDEX entries_by_group ON entries (formula, number);
"""
COLUMNS = (
    "entry_id",
    "name",
    "collection",
    "source",
    "formula",
    "elements",
    "space_group",
    "number",
    "cell",
    "density",
    "weight_u",
    "notes",
    "d",
    "intensity",
    "cif",
    "same_as",
)


@dataclass(frozen=True)
class Added:
    """The result of `add`: names of new files in the store, of known ones, refusals in words.

    notes : what the reader had to decide about new ones
    """

    added: tuple[str, ...]
    known: tuple[str, ...]
    refused: tuple[str, ...]
    entries: int
    notes: tuple[str, ...] = ()


class StructureStore:
    """The structures in one folder.

    workers : processes that read CIFs, each file in a process that is killed when it hangs
    Raises InputError for a folder or an index that cannot be used.
    """

    def __init__(self, folder: Path, *, workers: int = 1) -> None:
        self.folder = folder
        self.workers = workers

    def add(self, paths: Sequence[Path]) -> Added:
        """Copy the CIFs of files and folder trees into the store; every refusal is reported."""
        files, refused = cif_files.find_files(paths)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.refresh()
        with closing(self._connect()) as db:
            known = dict(db.execute("SELECT sha256, path FROM files"))
        fresh: dict[str, Path] = {}
        there: list[str] = []
        for path in files:
            try:
                digest = cif_files.content_hash(path)
            except InputError as fault:
                refused.append(_sentence(path, fault))
                continue
            if digest in known:
                there.append(known[digest])
            else:
                known[digest] = _name_in_store(path, digest)
                fresh[known[digest]] = path
        accepted = self._accepted(fresh, refused)
        self._write(accepted, ())
        count = sum(len(outcome.entries) for outcome in accepted)
        names = tuple(outcome.path for outcome in accepted)
        notes = [
            f"{_given(entry.source, outcome.path, fresh)}: {note}"
            for outcome in accepted
            for entry in outcome.entries
            for note in entry.described.notes
        ]
        return Added(names, tuple(there), tuple(refused), count, tuple(notes))

    def _accepted(self, fresh: Mapping[str, Path], refused: list[str]) -> list[FileRead]:
        """Read and copy new files; those with no structure are left out, and say why."""
        accepted = []
        named = [(path, name) for name, path in fresh.items()]
        for (path, name), outcome in zip(named, self._read(named), strict=True):
            if isinstance(outcome, BaseException):
                refused.append(_sentence(path, outcome))
                continue
            refused += [
                f"{cif_files.shown(path)}{why.removeprefix(name)}" for why in outcome.refused
            ]
            if outcome.entries:
                self._copy(path, name)
                accepted.append(outcome)
        return accepted

    def refresh(self) -> tuple[str, ...]:
        """Let the index follow the folder; sentences on files in it that are refused."""
        if not self.folder.is_dir():
            return ()
        with closing(self._connect()) as db:
            rows = db.execute("SELECT path, size, mtime_ns FROM files")
            before = {row[0]: row[1:] for row in rows}
        present = {str(p.relative_to(self.folder)): p for p in self._files()}
        changed = [(p, name) for name, p in present.items() if _stat(p) != before.get(name)]
        gone = [name for name in before if name not in present]
        if changed or gone:
            outcomes = zip(changed, self._read(changed), strict=True)
            self._write([_as_read(name, o) for (_, name), o in outcomes], gone)
        with closing(self._connect()) as db:
            rows = db.execute("SELECT refused FROM files ORDER BY path")
            return tuple(why for (text,) in rows for why in json.loads(text))

    def entries(
        self, elements: Iterable[str] | None = None, *, aliases: bool = False
    ) -> list[StoreEntry]:
        """The entries, by formula and name; only those made of some of `elements`, if given.

        aliases : also those that another entry stands for
        """
        if not (self.folder / INDEX).is_file():
            return []
        allowed = None if elements is None else frozenset(elements)
        where = "" if aliases else " WHERE same_as IS NULL"
        order = " ORDER BY formula, name, entry_id"
        with closing(self._connect()) as db:
            rows = db.execute(f"SELECT {', '.join(COLUMNS)} FROM entries{where}{order}")
            found = [_entry(row) for row in rows]
        return [e for e in found if allowed is None or allowed.issuperset(e.described.elements)]

    def exists(self) -> bool:
        """Return True if the folder holds an index, or a CIF to make one from."""
        return (self.folder / INDEX).is_file() or (self.folder.is_dir() and bool(self._files()))

    def _files(self) -> list[Path]:
        return [path for path in cif_files.find_files([self.folder])[0] if path.is_file()]

    def _read(self, named: Sequence[tuple[Path, str]]) -> Iterator[Any]:
        """One FileRead or exception per file, in order."""
        if not named:
            return
        with Executor(workers=min(self.workers, len(named)), time_limit_s=FILE_LIMIT_S) as executor:
            calls = ((str(path), name) for path, name in named)
            for _, outcome in executor.run(cif_files.read_file, calls, ahead=2):
                yield outcome

    def _copy(self, path: Path, name: str) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_suffix(".new")
        new.write_bytes(cif_files.content(path))
        new.replace(target)

    def _write(self, outcomes: Iterable[FileRead], gone: Iterable[str]) -> None:
        with closing(self._connect()) as db, _changing(db, self.folder):
            touched = {
                group
                for name in gone
                for group in db.execute("SELECT formula, number FROM entries WHERE path=?", (name,))
            }
            db.executemany("DELETE FROM files WHERE path=?", [(name,) for name in gone])
            for outcome in outcomes:
                touched |= _replace(db, outcome, self.folder)
            for formula, number in sorted(touched):
                _regroup(db, formula, number)

    def _connect(self) -> sqlite3.Connection:
        path = self.folder / INDEX
        try:
            db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
            try:
                db.execute("PRAGMA foreign_keys=ON")
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version != SCHEMA:
                    self._create(db)
            except BaseException:
                db.close()
                raise
        except sqlite3.Error as error:
            raise InputError(
                f"the index cannot be used: {error}",
                where=str(path),
                remedy="delete it, it is made again from the CIFs; or name a folder to write in",
            ) from error
        return db

    def _create(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode=WAL")
        with _changing(db, self.folder):
            if db.execute("PRAGMA user_version").fetchone() == (SCHEMA,):
                return  # another process was first
            for table in ("entries", "files"):
                db.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={SCHEMA}")


def _name_in_store(path: Path, digest: str) -> str:
    """Unique and harmless: the file's stem, and the beginning of the hash of its content."""
    return f"{CIFS}/{cif_files.safe_name(cif_files.stem(path.name))}-{digest[:8]}.cif"


def _given(source: str, name: str, fresh: Mapping[str, Path]) -> str:
    """A source in the store by the file that was added."""
    return f"{cif_files.shown(fresh[name])}{source.removeprefix(name)}"


def _sentence(path: Path, error: BaseException) -> str:
    if not isinstance(error, MaterialsDockError):
        return f"{cif_files.shown(path)}: cannot be read: {error!r}"
    return str(InputError(error.what, where=cif_files.shown(path), remedy=error.remedy))


def _as_read(name: str, outcome: Any) -> FileRead:
    """A file of the folder that cannot be read is kept in mind, so that it is not tried again."""
    if isinstance(outcome, BaseException):
        return FileRead(name, "", refused=(_sentence(Path(name), outcome),))
    assert isinstance(outcome, FileRead)
    return outcome


def _stat(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def _changing(db: sqlite3.Connection, folder: Path) -> Iterator[None]:
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise Refused(
            f"the store cannot be changed now: {error}", where=str(folder), remedy="try again"
        ) from error
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _replace(db: sqlite3.Connection, outcome: FileRead, folder: Path) -> set[same.Group]:
    """Write what a file gave in place of what it gave before; the groups that this touches."""
    of_file = "SELECT formula, number FROM entries WHERE path=?"
    touched = {(formula, number) for formula, number in db.execute(of_file, (outcome.path,))}
    db.execute("DELETE FROM files WHERE path=?", (outcome.path,))
    size, mtime_ns = _stat(folder / outcome.path)
    facts = (outcome.path, size, mtime_ns, outcome.content_hash, json.dumps(outcome.refused))
    db.execute("INSERT INTO files VALUES (?,?,?,?,?)", facts)
    marks = ",".join("?" * (len(COLUMNS) + 1))
    into = f"INSERT OR REPLACE INTO entries (path,{','.join(COLUMNS)}) VALUES ({marks})"
    db.executemany(into, [(outcome.path, *_row(entry)) for entry in outcome.entries])
    return touched | {same.group_of(entry) for entry in outcome.entries}


def _regroup(db: sqlite3.Connection, formula: str, number: int) -> None:
    """Find again which entries of a group stand for which."""
    where = "formula=? AND number=?"
    rows = db.execute(f"SELECT {','.join(COLUMNS)} FROM entries WHERE {where}", (formula, number))
    standing = same.representatives([_entry(row) for row in rows])
    db.execute(f"UPDATE entries SET same_as=NULL WHERE {where}", (formula, number))
    pairs = [(other, entry_id) for entry_id, other in standing.items()]
    db.executemany("UPDATE entries SET same_as=? WHERE entry_id=?", pairs)


def _row(entry: StoreEntry) -> tuple[Any, ...]:
    it = entry.described
    return (
        entry.entry_id,
        entry.name,
        entry.collection,
        entry.source,
        it.formula,
        " ".join(it.elements),
        it.space_group,
        it.number,
        json.dumps(it.cell),
        it.density,
        it.weight_u,
        json.dumps(it.notes),
        entry.d.tobytes(),
        entry.intensity.tobytes(),
        entry.cif,
        entry.same_as,
    )


def _entry(row: tuple[Any, ...]) -> StoreEntry:
    it = dict(zip(COLUMNS, row, strict=True))
    described = Description(
        it["formula"],
        tuple(it["elements"].split()),
        it["space_group"],
        it["number"],
        tuple(json.loads(it["cell"])),
        it["density"],
        it["weight_u"],
        tuple(json.loads(it["notes"])),
    )
    d, intensity = np.frombuffer(it["d"]), np.frombuffer(it["intensity"])
    return StoreEntry(
        it["entry_id"],
        it["name"],
        it["collection"],
        it["source"],
        described,
        d,
        intensity,
        it["cif"],
        it["same_as"],
    )
