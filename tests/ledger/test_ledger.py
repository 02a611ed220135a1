"""The ledger: exact, idempotent, and durable under SIGKILL."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.errors import InputError, LedgerFault, ModelFault, Refused
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Decision, Job, Observation, Proposal, Sample, Structure, Verdict

JOB = Job("job", Sample("s", "xrd", 3, (Structure("a", "data_", (0, 0, 1)),)), {"x": [1.5]}, 7)
finite = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | finite
proposals = st.builds(
    Proposal, finite, finite, finite, st.integers(1, 99), st.floats(allow_nan=False)
)
observations = st.builds(
    Observation, st.uuids().map(str), st.integers(0, 9), finite, finite, finite, finite, st.text()
)
decisions = st.builds(
    Decision,
    st.integers(0, 10**6),
    proposals,
    st.lists(st.text(), max_size=3).map(tuple),
    st.builds(Verdict, st.booleans(), st.text(), maybe, maybe),
    *[maybe] * 5,
    st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3),
    finite,
    finite,
    st.none() | proposals,
)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        found.add_job(JOB)
        yield found


def an_observation(n):
    return Observation(f"run/{n}", n, 1.0 + n, 2.0, 0.1, 1.0, "run")


@settings(max_examples=40)
@given(made=st.lists(observations, max_size=4, unique_by=lambda o: o.uid), decision=decisions)
def test_everything_comes_back_exactly(made, decision):
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "l.sqlite") as ledger:
        ledger.add_job(JOB)
        ledger.add_documents("job", [("event", {"uid": "e"})], made)
        ledger.add_decision("job", decision)
        assert ledger.job("job") == JOB
        assert ledger.observations("job") == tuple(made)
        assert ledger.decisions("job") == (decision,)


def test_saying_it_twice_is_saying_it_once(ledger):
    ledger.add_job(JOB)
    for _ in range(2):
        ledger.add_documents("job", [], [an_observation(0)])
    assert ledger.observations("job") == (an_observation(0),)


def test_a_contradiction_is_refused_and_changes_nothing(ledger):
    ledger.add_documents("job", [], [an_observation(0)])
    other = replace(an_observation(0), y=3.0)
    with pytest.raises(LedgerFault, match="different content"):
        ledger.add_documents("job", [("event", {"uid": "e"})], [an_observation(1), other])
    assert ledger.observations("job") == (an_observation(0),)
    assert ledger.documents() == []


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_never_enters(ledger, bad):
    with pytest.raises(ModelFault, match="run/0"):
        ledger.add_documents("job", [], [replace(an_observation(0), y=bad)])
    assert ledger.observations("job") == ()


def test_numpy_in_documents_becomes_plain(ledger):
    document = {"uid": "e", "data": {"a": np.float64(1.5), "b": np.arange(3), "c": math.nan}}
    ledger.add_documents("job", [("event", document)])
    ((_, job_id, name, back),) = ledger.documents()
    assert (job_id, name) == ("job", "event")
    assert back["data"]["a"] == 1.5
    assert back["data"]["b"] == [0, 1, 2]
    assert math.isnan(back["data"]["c"])


def test_an_unknown_job_names_those_there_are(ledger):
    with pytest.raises(InputError, match="latest: job"):
        ledger.job("other")


def test_torn_runs_are_known(ledger):
    for uid in "ab":
        ledger.add_documents("job", [("start", {"uid": uid})])
    ledger.add_documents("job", [("stop", {"uid": "s", "run_start": "a"})])
    assert ledger.torn_runs() == [("job", "b")]


def test_a_ledger_of_another_schema_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger._db.execute("PRAGMA user_version=99")
    with pytest.raises(Refused, match="schema 99"):
        Ledger(path)


def test_a_full_disk_is_a_clean_fault(ledger):
    ledger.add_documents("job", [], [an_observation(0)])
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count={pages + 2}")
    page = ("event", {"uid": "e", "x": "y" * 4000})
    with pytest.raises(LedgerFault, match="full"):
        ledger.add_documents("job", [page] * 1000)
    assert ledger.documents() == []
    assert ledger.observations("job") == (an_observation(0),)
    assert ledger._db.execute("PRAGMA quick_check").fetchone() == ("ok",)


PROGRAM = """
import resource, sys
from pathlib import Path
from materialsdock.ledger.ledger import Ledger
path, limit = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with Ledger(path) as ledger:
    try:
        for n in range(1000):
            ledger.add_documents("job", [("event", {"uid": str(n), "x": "y" * 4000})])
            print(n, flush=True)
    except Exception as error:
        print(type(error).__name__, error)
"""


def child(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def test_a_file_that_may_not_grow_is_a_clean_fault(ledger):
    """The operating system refuses to write: the fault is clean, what was printed is kept."""
    out, _ = child(PROGRAM, ledger.path, 300_000).communicate(timeout=60)
    *printed, fault = out.splitlines()
    assert fault.startswith("LedgerFault")
    assert "disk" in fault
    assert [d["uid"] for _, _, _, d in ledger.documents()] == printed
    assert len(printed) > 3
    assert ledger._db.execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_another_process_reads_while_this_one_writes(ledger):
    program = (
        "import sys\nfrom pathlib import Path\nfrom materialsdock.ledger.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1])) as ledger:\n"
        "    print('ready', flush=True)\n    seen = 0\n"
        "    while seen < 50:\n        seen = len(ledger.observations('job'))\n"
        "    print(ledger.observations('job')[49])\n"
    )
    reader = child(program, ledger.path)
    assert reader.stdout.readline() == "ready\n"
    for n in range(50):
        ledger.add_documents("job", [], [an_observation(n)])
    out, _ = reader.communicate(timeout=30)
    assert out == f"{an_observation(49)}\n"


def test_threads_share_a_ledger(ledger):
    """Four writers and a reader on one ledger: nothing lost, and never half a transaction."""
    done = threading.Event()
    uneven = []

    def write(worker):
        for n in range(25):
            o = replace(an_observation(n), uid=f"{worker}/{n}")
            ledger.add_documents("job", [("event", {"uid": o.uid})], [o])

    def read():
        while not done.is_set():
            with ledger._lock:
                counts = len(ledger.documents()), len(ledger.observations("job"))
            if counts[0] != counts[1]:
                uneven.append(counts)

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(read)
        for writer in [pool.submit(write, w) for w in range(4)]:
            writer.result()
        done.set()
        reader.result()
    assert not uneven
    assert {o.uid for o in ledger.observations("job")} == {
        f"{w}/{n}" for w in range(4) for n in range(25)
    }


def test_many_may_create_it_at_once(tmp_path):
    barrier = threading.Barrier(4)

    def create(n):
        barrier.wait()
        with Ledger(tmp_path / "new.sqlite") as ledger:
            ledger.add_job(replace(JOB, job_id=f"job {n}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(4)))
    with Ledger(tmp_path / "new.sqlite") as ledger:
        assert sorted(job.job_id for job in ledger.jobs()) == [f"job {n}" for n in range(4)]


def test_each_commit_reaches_the_disk(ledger, record_property, capsys):
    """Power-safe settings; the cost of a commit is reported, not judged."""
    assert ledger._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)
    spent_ms = []
    for n in range(200):
        began = time.perf_counter()
        ledger.add_documents("job", [("event", {"uid": str(n)})], [an_observation(n)])
        spent_ms.append(1e3 * (time.perf_counter() - began))
    p50, p99 = np.percentile(spent_ms, [50, 99])
    record_property("commit_p50_ms", float(p50))
    record_property("commit_p99_ms", float(p99))
    with capsys.disabled():
        print(f" [commit p50 {p50:.2f} ms, p99 {p99:.2f} ms] ", end="")


def test_a_decision_of_infinite_score_can_be_replayed(ledger):
    decision = Decision(
        0,
        Proposal(1.0, 1.0, 1.0, score=math.inf),
        ("run/0",),
        Verdict(False, "too early", math.inf),
        *(math.inf, None, None, np.float64(0.1), None),
        {"lengthscale": math.inf},
        *(1.0, 0.1),
    )
    ledger.add_decision("job", decision)
    ledger.add_decision("job", decision)
    assert ledger.decisions("job") == (decision,)


def test_decisions_may_not_be_revised(ledger):
    decision = Decision(
        *(0, Proposal(1.0, 1.0, 1.0), (), Verdict(False, "")), *[None] * 5, {}, 1.0, 0.1
    )
    ledger.add_decision("job", decision)
    with pytest.raises(LedgerFault, match="different content"):
        ledger.add_decision("job", replace(decision, lambda_t=0.5))
    assert ledger.decisions("job") == (decision,)


def test_faults_name_their_remedy(ledger, tmp_path):
    with pytest.raises(LedgerFault, match="add the job before"):
        ledger.add_documents("nobody", [("start", {"uid": "a"})])
    with pytest.raises(LedgerFault, match=r"PosixPath.*use numbers, text"):
        ledger.add_documents("job", [("start", {"uid": "a"}), ("event", {"path": tmp_path})])
    assert ledger.documents() == []
    (tmp_path / "other").write_bytes(b"not a database" * 100)
    with pytest.raises(LedgerFault, match=r"not a database.*another data folder"):
        Ledger(tmp_path / "other")
    with pytest.raises(LedgerFault, match="can be written"):
        Ledger(tmp_path)


def test_jobs_come_in_the_order_they_were_added_whatever_the_clock_says(ledger, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    ledger.add_job(replace(JOB, job_id="a later one"))
    assert [job.job_id for job in ledger.jobs()] == ["job", "a later one"]


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_sigkill_loses_nothing_that_was_acknowledged(tmp_path, kills):
    """Killed at random moments: every printed number is in the ledger, without a gap."""
    path = tmp_path / "ledger.sqlite"
    program = (
        "import sys\nfrom pathlib import Path\nfrom materialsdock.ledger.ledger import Ledger\n"
        "from materialsdock.model import *\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "ledger.add_job(Job('job', Sample('s', 'xas')))\n"
        "n = len(ledger.observations('job'))\n"
        "while True:\n"
        "    o = Observation(f'r/{n}', n, 1.0, 2.0, 0.1, 1.0, 'r')\n"
        "    ledger.add_documents('job', [('event', {'uid': str(n)})], [o])\n"
        "    print(n, flush=True)\n    n += 1\n"
    )
    rng = random.Random(3)
    acknowledged = 0
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.06))
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate()
        acknowledged += 1 + sum(1 for line in rest.splitlines() if line)
        with Ledger(path) as ledger:
            steps = [o.step for o in ledger.observations("job")]
            assert steps == list(range(len(steps)))
            assert len(steps) >= acknowledged
            acknowledged = len(steps)
            assert len(ledger.documents(limit=10**6)) == len(steps)
            assert ledger._db.execute("PRAGMA quick_check").fetchone() == ("ok",)
