"""check, compact, backup: what is wrong is said in words, and nothing running is disturbed."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing

import pytest
from typer.testing import CliRunner

from materialsdock.cli.app import app
from materialsdock.errors import LedgerFault, Refused
from materialsdock.ledger import packing, queries, upkeep
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Decision, Job, Observation, Proposal, Sample, Verdict
from materialsdock.night.control import audit
from materialsdock.night.queue import queue


@pytest.fixture
def ledger(tmp_path):
    """Two measured jobs, one of them packed, and a queue."""
    with Ledger(tmp_path / "ledger.sqlite") as made:
        for job_id in "ab":
            measured(made, job_id)
        packing.pack_job(made, "a")
        queue.submit(made, [("s", 0, {"name": "s"})])
        audit.record(made, audit.me(), "pause", {})
        yield made


def measured(ledger, job_id, points=30):
    ledger.add_job(Job(job_id, Sample("x", "xas")))
    ledger.add_documents(job_id, [("start", {"uid": f"r{job_id}", "time": 1.0})])
    for n in range(points):
        o = Observation(f"r{job_id}/{n}", n, 1.0 + n, n / 7, 0.1, 1.0, f"r{job_id}")
        ledger.add_documents(job_id, [("event", {"time": 2.0 + n, "x": "y" * 500})], [o])
        numbers = (None, 0.5, n / 3, None, 1.0)
        proposal, verdict = Proposal(1.0, 1.0, 0.5), Verdict(False, "")
        ledger.add_decision(
            job_id, Decision(n, proposal, (o.uid,), verdict, *numbers, {}, 1.5 * n, 0.1)
        )
    ledger.add_documents(job_id, [("stop", {"uid": f"s{job_id}", "run_start": f"r{job_id}"})])


def change(ledger, statement):
    ledger._db.execute("PRAGMA foreign_keys=OFF")
    with ledger.transaction() as db:
        db.execute(statement)
    ledger._db.execute("PRAGMA foreign_keys=ON")


def run(ledger, *words, code=0):
    done = CliRunner().invoke(app, ["ledger", *words, "--out", str(ledger.path.parent)])
    if code:
        assert isinstance(done.exception, LedgerFault | Refused)
        assert done.exception.exit_code == code
        return str(done.exception)
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_a_whole_ledger_is_whole(ledger):
    assert upkeep.faults(ledger) == []
    assert run(ledger, "check").startswith("whole: 2 jobs, 60 observations (30 of them packed)")
    said = json.loads(run(ledger, "check", "--json"))
    assert (said["documents"], said["decisions"], said["pages"]) == (64, 60, 1)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM observations WHERE seq BETWEEN 40 AND 42", "observations: 40 to 42 missing"),
        ("DELETE FROM observations WHERE seq = 60", "observations: 60 missing"),
        ("DELETE FROM documents WHERE seq = 40", "documents: 40 missing"),
        ("UPDATE documents SET seq = 3 WHERE seq = 40", "documents: 3 to 3 twice"),
        ("DELETE FROM decisions WHERE step = 7", "decisions of job b: 7 missing"),
        ("DELETE FROM pages", "observations: 1 to 30 missing"),
        ("UPDATE pages SET observations = 29", "page 1 of job a has other rows than are listed"),
        ("DELETE FROM packed_runs", "page 1 of job a has other runs than are listed"),
        ("UPDATE pages SET body = substr(body, 1, 500)", "page 1 of job a cannot be read"),
        ("DELETE FROM events", "events: 1 missing"),
        ("DELETE FROM listed WHERE job_id = 'b'", "job b is in no listing"),
        ("UPDATE audit SET body = '{}'", "the audit does not hold from row 1 on"),
    ],
)
def test_what_is_missing_or_wrong_is_named(ledger, statement, words):
    change(ledger, statement)
    assert words in run(ledger, "check", code=5)


def test_rows_of_no_job_are_named(ledger):
    change(ledger, "DELETE FROM jobs WHERE job_id = 'b'")
    assert "row 31 of observations belongs to nothing in jobs" in run(ledger, "check", code=5)


def test_a_damaged_file_is_named(ledger):
    path = ledger.path
    ledger.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    body = bytearray(path.read_bytes())
    size = 4096
    for page in range(20, len(body) // size):
        body[page * size : page * size + 64] = b"\xff" * 64
    copied = path.with_name("copy") / "ledger.sqlite"
    copied.parent.mkdir()
    copied.write_bytes(bytes(body))
    done = CliRunner().invoke(app, ["ledger", "check", "--out", str(copied.parent)])
    assert done.exception.exit_code == 5
    assert "damaged" in str(done.exception) or "cannot be read" in str(done.exception)


def test_compact_packs_and_gives_the_room_to_the_disk(ledger):
    before = [list(queries.rows_as_kept(ledger, j, "observations", "decisions")) for j in "ab"]
    path = ledger.path
    ledger.close()
    size = path.stat().st_size
    with Ledger(path) as again:
        assert upkeep.compact(again)
        assert again.rows("SELECT COUNT(*) FROM observations") == [(0,)]
        assert upkeep.faults(again) == []
        assert [
            list(queries.rows_as_kept(again, j, "observations", "decisions")) for j in "ab"
        ] == (before)
        assert again.rows("PRAGMA journal_mode") == [("wal",)]
        assert again.rows("PRAGMA freelist_count") == [(0,)]
        assert [job.job_id for job in again.jobs()] == ["a", "b"]
    assert path.stat().st_size < size


def test_compact_lets_the_file_be_while_another_has_it_open(ledger):
    said = run(ledger, "compact")
    assert said.startswith("1 pages packed")
    assert "another process has the ledger open" in said
    assert ledger.rows("SELECT COUNT(*) FROM observations") == [(0,)]
    assert ledger.rows("PRAGMA journal_mode") == [("wal",)]
    measured(ledger, "c")  # who had it open goes on
    assert upkeep.faults(ledger) == []


def test_a_backup_is_of_one_moment_while_a_night_runs(ledger, tmp_path):
    done = threading.Event()

    def write():
        with Ledger(ledger.path) as other:
            n = 0
            while not done.is_set():
                measured(other, f"more{n}", points=3)
                n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(3):
            run(ledger, "backup", str(tmp_path / f"copy{n}.sqlite"))
    finally:
        done.set()
        writer.join()
    for n in range(3):
        with Ledger(tmp_path / f"copy{n}.sqlite") as copy:
            assert upkeep.faults(copy) == []
            assert queries.number_of_observations_of_job(copy, "a") == 30


def test_a_backup_takes_the_place_of_nothing(ledger, tmp_path):
    (tmp_path / "copy").write_text("mine")
    assert "there is a file already" in run(ledger, "backup", str(tmp_path / "copy"), code=3)
    assert "there is a file already" in run(ledger, "backup", str(ledger.path), code=3)
    assert (tmp_path / "copy").read_text() == "mine"


def test_a_backup_that_cannot_be_written_leaves_nothing(ledger, tmp_path):
    assert "cannot be copied" in run(ledger, "backup", str(tmp_path / "no" / "copy"), code=5)
    with closing(sqlite3.connect(ledger.path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
