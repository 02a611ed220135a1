"""Packing: what is read is the same before and after, whoever reads, and whatever ends it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.errors import LedgerFault
from materialsdock.ledger import night_log, packing, pages, queries, sample_rows
from materialsdock.ledger.documents import close_torn_runs
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.sample_rows import SampleRow
from materialsdock.model import Decision, Job, Observation, Proposal, Sample, Verdict

JOB = Job("job", Sample("λ", "xas"))
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
documents = st.dictionaries(st.text().filter(lambda key: key != "run_start"), odd, max_size=5)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        yield found


def an_observation(run, n):
    return Observation(f"{run}/{n}", n, 1.0 + n, n / 7, 0.1, 1.0, run)


def a_decision(n, uids=()):
    proposal = Proposal(1.0 + n, 1.0 + n, 0.5, score=float("inf"))
    numbers = (None, 0.5, n / 3, None, 1.0)
    verdict = Verdict(False, f"λ {n / 9:.3f}")
    return Decision(n, proposal, tuple(uids), verdict, *numbers, {"l": n / 11}, 1.5 * n, 0.1)


def begin(ledger, job_id="job", run="run"):
    ledger.add_job(replace(JOB, job_id=job_id))
    ledger.add_documents(job_id, [("start", {"uid": run, "time": 1.0})])


def step(ledger, n, job_id="job", run="run"):
    event = {"descriptor": "d", "time": 2.0 + n, "data": {"i0": float(n), "it": n / 3}}
    ledger.add_documents(job_id, [("event", event)], [an_observation(run, n)])
    ledger.add_decision(job_id, a_decision(n, [f"{run}/{n}"]))


def end(ledger, job_id="job", run="run"):
    ledger.add_documents(job_id, [("stop", {"uid": f"s{run}", "run_start": run})])


def a_run(ledger, points, job_id="job", run="run", first=0):
    begin(ledger, job_id, run)
    for n in range(first, first + points):
        step(ledger, n, job_id, run)
    end(ledger, job_id, run)


def all_that_is_read(ledger, job_id="job"):
    """The answer to every question about a job, and to those about all of them."""
    return json.dumps(
        [
            list(queries.rows_as_kept(ledger, job_id, "observations", "decisions")),
            [list(each) for each in queries.documents_of_job(ledger, job_id)],
            [list(each) for each in queries.documents_of_job(ledger, job_id, "start", "stop")],
            repr(ledger.observations(job_id)),
            repr(ledger.decisions(job_id)),
            ledger.documents(limit=10**6),
            ledger.last_document(),
            queries.last_document_of_job(ledger, job_id),
            queries.last_decision(ledger, job_id),
            queries.number_of_observations(ledger),
            queries.number_of_observations_of_job(ledger, job_id),
            queries.listed_jobs(ledger),
            ledger.torn_runs(),
        ]
    )


def tables(ledger):
    """How many rows there are yet, by table."""
    return [ledger.rows(f"SELECT COUNT(*) FROM {table}")[0][0] for table in pages.KEPT]


@settings(max_examples=40, deadline=None)
@given(made=st.lists(documents, max_size=6), points=st.integers(0, 5))
def test_packed_is_as_unpacked_whatever_the_documents(made, points):
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "l.sqlite") as ledger:
        begin(ledger)
        for n, document in enumerate(made):
            ledger.add_documents("job", [("event", document)], [an_observation("run", 50 + n)])
        for n in range(points):
            step(ledger, n)
        end(ledger)
        before = all_that_is_read(ledger)
        assert packing.pack_job(ledger, "job") == 1
        assert tables(ledger) == [0, 0, 0]
        assert all_that_is_read(ledger) == before


def test_what_was_not_written_by_this_json_stays_as_it_is(ledger):
    """Whoever mends a row by hand, and whatever is nested too deep, keeps each letter."""
    a_run(ledger, 3)
    deep = "[" * 400 + "]" * 400
    bodies = ['{"a":1}', '{"b": 1e400,  "b": 2}', '"text"', f'{{"c": {deep}}}']
    with ledger.transaction() as db:
        for seq, body in enumerate(bodies, 1):
            db.execute("UPDATE documents SET body = ? WHERE seq = ?", (body, seq))
        db.execute("UPDATE observations SET body = replace(body, ' ', '  ')")
    before = list(queries.rows_as_kept(ledger, "job", "observations"))
    packing.pack_page(ledger, "job")
    assert list(queries.rows_as_kept(ledger, "job", "observations")) == before
    assert pages.bodies(ledger, "documents", "job")[:4] == bodies


def test_only_closed_runs_are_packed(ledger):
    begin(ledger)
    step(ledger, 0)
    assert packing.closed_jobs(ledger) == []
    assert packing.pack_job(ledger, "job") == 0
    assert not packing.pack_next(ledger)
    end(ledger)
    begin(ledger, run="second")
    assert packing.closed_jobs(ledger) == []
    assert close_torn_runs(ledger, "job") == 1
    assert packing.closed_jobs(ledger) == ["job"]
    assert packing.pack_next(ledger)
    assert not packing.pack_next(ledger)
    assert tables(ledger) == [0, 0, 0]


def test_a_long_run_takes_several_pages_and_keeps_its_order(ledger, monkeypatch):
    monkeypatch.setattr(packing, "ROWS", 7)
    a_run(ledger, 40)
    before = all_that_is_read(ledger)
    made = 0
    while packing.pack_page(ledger, "job"):
        made += 1
        assert all_that_is_read(ledger) == before
        assert ledger.torn_runs() == []
    assert made > 5
    assert tables(ledger) == [0, 0, 0]


def test_a_packed_job_goes_on_in_rows(ledger):
    a_run(ledger, 4)
    packing.pack_job(ledger, "job")
    a_run(ledger, 3, run="second", first=4)
    assert [o.step for o in ledger.observations("job")] == list(range(7))
    assert [d.step for d in ledger.decisions("job")] == list(range(7))
    seqs = [seq for seq, *_ in ledger.documents()]
    assert seqs == list(range(1, 12))  # numbers go on where the packed ones end
    before = all_that_is_read(ledger)
    assert packing.pack_job(ledger, "job") == 1
    assert all_that_is_read(ledger) == before


def test_documents_of_many_jobs_come_in_the_order_they_were_made(ledger, monkeypatch):
    monkeypatch.setattr(packing, "ROWS", 5)
    for job_id in "abc":
        begin(ledger, job_id, f"r{job_id}")
    for n in range(12):
        step(ledger, n, "abc"[n % 3], f"r{'abc'[n % 3]}")
    for job_id in "ab":
        end(ledger, job_id, f"r{job_id}")
    everything = ledger.documents()
    packing.pack_job(ledger, "a")
    packing.pack_page(ledger, "b")
    for limit in (1, 2, 3, 7, 100):
        found, after = [], 0
        while some := ledger.documents(after, limit):
            assert len(some) <= limit
            found += some
            after = some[-1][0]
        assert found == everything


def test_what_is_packed_may_be_said_again_but_not_differently(ledger):
    a_run(ledger, 3)
    packing.pack_job(ledger, "job")
    ledger.add_documents("job", [], [an_observation("run", 1)])
    ledger.add_decision("job", a_decision(1, ["run/1"]))
    assert tables(ledger) == [0, 0, 0]
    with pytest.raises(LedgerFault, match="different content"):
        ledger.add_documents("job", [], [replace(an_observation("run", 1), y=9.0)])
    with pytest.raises(LedgerFault, match="different content"):
        ledger.add_decision("job", replace(a_decision(1), lambda_t=0.5))
    assert queries.number_of_observations(ledger) == 3


def test_the_time_of_a_sample_is_known_packed_or_not(ledger):
    """Also where a decision has an infinite score, which SQLite's JSON does not read."""
    a_run(ledger, 3)
    row = SampleRow("s", 1.0, 0, "done", 1, 0, "job", "", {"name": "s"})
    sample_rows.add_sample(ledger, row)
    night_log.add_line(ledger, 1.0, "sample", "info", "s", {})
    for _ in range(2):
        (found,) = sample_rows.counted_samples(ledger)
        assert found == ("s", {"name": "s"}, 3.0)
        packing.pack_job(ledger, "job")


def test_a_page_that_would_not_come_back_is_not_put_in_place_of_its_rows(ledger, monkeypatch):
    a_run(ledger, 3)
    before = all_that_is_read(ledger)
    monkeypatch.setattr(pages, "unpacked", lambda body, table: [[1, "other", "{}"]])
    with pytest.raises(LedgerFault, match="stay as they are"):
        packing.pack_page(ledger, "job")
    assert all_that_is_read(ledger) == before


def test_of_two_who_pack_at_once_one_is_late(ledger, monkeypatch):
    a_run(ledger, 3)
    made = pages.packed

    def packed(rows):
        monkeypatch.setattr(pages, "packed", made)
        assert packing.pack_page(ledger, "job")
        return made(rows)

    before = all_that_is_read(ledger)
    monkeypatch.setattr(pages, "packed", packed)
    assert not packing.pack_page(ledger, "job")
    assert ledger.rows("SELECT COUNT(*) FROM pages") == [(1,)]
    assert all_that_is_read(ledger) == before


def test_a_damaged_page_is_named(ledger):
    a_run(ledger, 3)
    packing.pack_job(ledger, "job")
    with ledger.transaction() as db:
        db.execute("UPDATE pages SET body = substr(body, 1, 60)")
    with pytest.raises(LedgerFault, match=r"page 1 of job job cannot be read.*from a copy"):
        ledger.observations("job")
    assert queries.number_of_observations(ledger) == 3


def test_who_reads_meanwhile_sees_all_of_it_once(ledger, monkeypatch):
    monkeypatch.setattr(packing, "ROWS", 20)
    a_run(ledger, 200)
    done, wrong = threading.Event(), []

    def read():
        with Ledger(ledger.path) as other:
            while not done.is_set():
                steps = [o.step for o in other.observations("job")]
                seqs = [seq for seq, *_ in other.documents()]
                if steps != list(range(200)) or seqs != list(range(1, 203)):
                    wrong.append((len(steps), len(seqs)))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert packing.pack_job(ledger, "job") > 5
    finally:
        done.set()
        reader.join()
    assert wrong == []


def test_listings_read_no_job(ledger, monkeypatch):
    a_run(ledger, 3)
    monkeypatch.setattr("materialsdock.ledger.ledger._job", None)
    asked = []
    ledger._db.set_trace_callback(asked.append)
    assert queries.listed_jobs(ledger) == [("job", "λ", "xas", 3, False)]
    ledger._db.set_trace_callback(None)
    assert not any("jobs" in query for query in asked)


def test_torn_runs_are_found_by_the_index(ledger):
    for query in (packing.TORN, packing.CLOSED):
        plan = [words for *_, words in ledger.rows(f"EXPLAIN QUERY PLAN {query}")]
        of_documents = [words for words in plan if "documents" in words]
        assert of_documents
        assert all("ends_of_runs" in words for words in of_documents), plan


PACKER = """
import sys
from pathlib import Path
from materialsdock.ledger import packing
from materialsdock.ledger.ledger import Ledger
packing.ROWS = 5
with Ledger(Path(sys.argv[1])) as ledger:
    print("ready", flush=True)
    while packing.pack_next(ledger):
        print("page", flush=True)
    print("done", flush=True)
"""
PAGES = 40  # at most, between two kills


def test_sigkill_amid_packing_loses_and_doubles_nothing(ledger):
    """Killed at random moments until all is packed: after each, everything is read as before.

    The moments are counted in pages, so that as many kills are made on a busy machine.
    """
    for job_id in "abcd":
        a_run(ledger, 120, job_id, f"r{job_id}")
    before = [all_that_is_read(ledger, job_id) for job_id in "abcd"]
    rng, kills, done = random.Random(2), 0, False
    while not done:
        packer = subprocess.Popen(
            [sys.executable, "-c", PACKER, str(ledger.path)], stdout=subprocess.PIPE, text=True
        )
        assert packer.stdout.readline() == "ready\n"
        heard = [packer.stdout.readline() for _ in range(rng.randrange(PAGES))]
        time.sleep(rng.uniform(0.0, 0.004))
        os.kill(packer.pid, signal.SIGKILL)
        said, _ = packer.communicate()
        done, kills = "done\n" in heard or "done" in said, kills + 1
        assert [all_that_is_read(ledger, job_id) for job_id in "abcd"] == before
        assert ledger.rows("PRAGMA quick_check") == [("ok",)]
    assert kills > 3
    assert tables(ledger) == [0, 0, 0]
