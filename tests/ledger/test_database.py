"""The database: schemas grow and never shrink, transactions are all or nothing."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from materialsdock.errors import LedgerFault, Refused
from materialsdock.ledger.database import Database
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Decision, Job, Observation, Proposal, Sample, Verdict
from materialsdock.night.queue import queue

# as materialsdock wrote ledgers before the night
SCHEMA_1 = """
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
JOB = {
    "job_id": "job",
    "sample": {"name": "s", "technique": "xas", "position": 0, "structures": [], "metadata": {}},
    "settings": {"x": 1.5},
    "seed": 7,
}
OBSERVATION = {
    "uid": "r/1",
    "step": 0,
    "x": 1.0,
    "y": 2.0,
    "sigma": 0.1,
    "count_time_s": 1.0,
    "run_uid": "r",
}
PROPOSAL = {"start": 1.0, "stop": 1.0, "count_time_s": 1.0, "points": 1, "score": 0.0, "sweep": 0}
DECISION = {
    "step": 0,
    "proposal": PROPOSAL,
    "observations": ["r/1"],
    "verdict": {"stop": False, "reason": "r", "statistic": None, "threshold": 0.05},
    "lambda_t": None,
    "s": 1.0,
    "z2": 1.0,
    "mean": 0.0,
    "sd": 1.0,
    "hyperparameters": {},
    "seconds_measured": 1.0,
    "seconds_deciding": 0.1,
    "next": None,
}
OPENER = """
import sys
from pathlib import Path
from materialsdock.ledger.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
with Ledger(Path(sys.argv[1])) as ledger:
    print(len(ledger.jobs()), len(ledger.rows("SELECT * FROM facts")), flush=True)
"""


@pytest.fixture
def old(tmp_path):
    """A ledger of schema 1 with one job in it."""
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(SCHEMA_1)
        db.execute("INSERT INTO jobs VALUES ('job', 1.0, ?)", (json.dumps(JOB),))
        body = json.dumps(OBSERVATION)
        db.execute("INSERT INTO observations (uid, job_id, body) VALUES ('r/1', 'job', ?)", (body,))
        db.execute("INSERT INTO decisions VALUES ('job', 0, ?)", (json.dumps(DECISION),))
        db.execute("PRAGMA user_version=1")
        db.commit()
    return path


def version(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def tables(path):
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name for (name,) in found if not name.startswith("sqlite_")}


def test_an_old_ledger_is_carried_over_and_a_copy_kept(old):
    before = tables(old)
    with Ledger(old) as ledger:
        assert ledger.job("job") == Job("job", Sample("s", "xas"), {"x": 1.5}, 7)
        assert ledger.observations("job") == (Observation(**OBSERVATION),)
        expected = DECISION | {
            "proposal": Proposal(**PROPOSAL),
            "verdict": Verdict(**DECISION["verdict"]),
            "observations": ("r/1",),
        }
        (decision,) = ledger.decisions("job")
        assert decision == Decision(**expected)
        assert decision.steered == ""
        ledger.add_decision("job", decision)  # says the same as the old row
        queue.submit(ledger, [("a", 0, {})])
        assert queue.claim(ledger).sample_id == "a"
    copy = old.with_name("ledger.sqlite.schema1")
    assert version(old) > 1
    assert version(copy) == 1
    assert tables(copy) == before
    assert tables(old) > before
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT COUNT(*) FROM decisions").fetchone() == (1,)


def test_a_new_ledger_has_the_tables_of_a_carried_over_one(old, tmp_path):
    with Ledger(old), Ledger(tmp_path / "new.sqlite"):
        pass
    assert tables(old) == tables(tmp_path / "new.sqlite")
    assert version(old) == version(tmp_path / "new.sqlite")
    assert not list(tmp_path.glob("new.sqlite.schema*"))


def test_two_processes_may_carry_it_over_at_once(old):
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(old)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for each in openers:
        assert each.stdout.readline() == "ready\n"
    for each in openers:
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in openers:
        out, fault = each.communicate(timeout=60)
        assert (out, fault) == ("1 0\n", "")
    assert version(old.with_name("ledger.sqlite.schema1")) == 1


def test_who_comes_second_does_not_copy_the_new_schema_over_the_old_one(old):
    """It had read the version before the first one migrated."""
    late = Database.__new__(Database)
    late.path, late._lock = old, threading.RLock()
    late._db = sqlite3.connect(old, isolation_level=None)
    with Ledger(old):
        pass
    with closing(late._db):
        late._migrate(("", ""))
    assert version(old.with_name("ledger.sqlite.schema1")) == 1


def test_a_migration_that_fails_leaves_the_old_schema(old):
    with pytest.raises(LedgerFault, match="syntax"):
        Database(old, ("", "CREATE TABLE fine (a);\nCREATE NONSENSE"))
    assert version(old) == 1
    assert "fine" not in tables(old)
    with Ledger(old) as ledger:
        assert len(ledger.jobs()) == 1


def test_a_newer_schema_is_refused_and_left_alone(old):
    with Ledger(old) as ledger:
        newest = ledger._version()
    with closing(sqlite3.connect(old)) as db:
        db.execute(f"PRAGMA user_version={newest + 1}")
    before = old.read_bytes()
    with pytest.raises(Refused, match=f"schema {newest + 1}.*reads {newest}.*version of material"):
        Ledger(old)
    assert old.read_bytes() == before


@pytest.fixture
def db(tmp_path):
    script = "CREATE TABLE t (name TEXT PRIMARY KEY, body TEXT NOT NULL)"
    with Database(tmp_path / "db.sqlite", (script,)) as found:
        yield found


def names(db):
    return [name for (name,) in db.rows("SELECT name FROM t ORDER BY name")]


def test_a_transaction_within_another_is_part_of_it(db):
    def write(fail):
        with db.transaction():
            db.insert("t", {"name": "outer", "body": ""})
            with db.transaction():
                db.insert("t", {"name": "inner", "body": ""})
            if fail:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(fail=True)
    assert names(db) == []
    write(fail=False)
    assert names(db) == ["inner", "outer"]


def test_a_fault_in_the_inner_one_undoes_both(db):
    def write():
        with db.transaction():
            db.insert("t", {"name": "outer", "body": ""})
            with db.transaction():
                db.insert("t", {"name": "outer", "body": "again"})

    with pytest.raises(LedgerFault, match="UNIQUE"):
        write()
    assert names(db) == []
    with db.transaction():  # and the next one begins afresh
        db.insert("t", {"name": "later", "body": ""})
    assert names(db) == ["later"]


def test_nobody_sees_half_of_it(db):
    with db.transaction(), closing(sqlite3.connect(db.path)) as other:
        db.insert("t", {"name": "a", "body": ""})
        assert other.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
    assert names(db) == ["a"]


def test_threads_take_turns(db):
    def write(n):
        for i in range(20):
            with db.transaction():
                db.insert("t", {"name": f"{n}.{i}.first", "body": ""})
                db.insert("t", {"name": f"{n}.{i}.second", "body": ""})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = [name for (name,) in db.rows("SELECT name FROM t ORDER BY rowid")]
    assert len(order) == 160
    for first, second in zip(order[::2], order[1::2], strict=True):
        assert first.replace("first", "second") == second


def test_kept_rows_may_be_said_again_but_not_differently(db):
    for _ in range(2):
        with db.transaction():
            db.keep("t", {"name": "a"}, "x")
    with pytest.raises(LedgerFault, match="different content"), db.transaction():
        db.keep("t", {"name": "a"}, "y")
    assert db.rows("SELECT * FROM t") == [("a", "x")]


def test_a_copy_is_whole_while_others_write(db, tmp_path):
    done = threading.Event()

    def write():
        i = 0
        while not done.is_set():
            with db.transaction():
                db.insert("t", {"name": f"{i:06d}.a", "body": "x" * 500})
                db.insert("t", {"name": f"{i:06d}.b", "body": "x" * 500})
            i += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(5):
            db.backup(tmp_path / f"copy{n}.sqlite")
    finally:
        done.set()
        writer.join()
    for n in range(5):
        with closing(sqlite3.connect(tmp_path / f"copy{n}.sqlite")) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert copy.execute("SELECT COUNT(*) FROM t").fetchone()[0] % 2 == 0
