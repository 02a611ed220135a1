"""The ledger: exact, idempotent, and durable under SIGKILL."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.errors import InputError, LedgerFault, ModelFault, Refused
from materialsdock.ledger import Ledger
from materialsdock.model import Decision, Job, Observation, Proposal, Sample, Structure, Verdict

JOB = Job("job", Sample("s", "xrd", 3, (Structure("a", "data_", (0, 0, 1)),)), {"x": [1.5]}, 7)
finite = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | finite
proposals = st.builds(Proposal, finite, finite, finite, st.integers(1, 99), finite)
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
    st.dictionaries(st.text(), finite, max_size=3),
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


@settings(max_examples=40, deadline=None)
@given(made=st.lists(observations, max_size=4, unique_by=lambda o: o.uid), decision=decisions)
def test_everything_comes_back_exactly(made, decision):
    import tempfile

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
    with pytest.raises(LedgerFault, match="another content"):
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
    assert ledger.torn_runs() == ["b"]


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
    with pytest.raises(LedgerFault, match="full"):
        for n in range(1000):
            ledger.add_documents("job", [("event", {"uid": "e", "x": "y" * 4000})])
    assert ledger.observations("job") == (an_observation(0),)
    assert ledger._db.execute("PRAGMA quick_check").fetchone() == ("ok",)




def test_sigkill_loses_nothing_that_was_acknowledged(tmp_path):
    """20 kills at random moments: every printed number is in the ledger, without a gap."""
    path = tmp_path / "ledger.sqlite"
    program = (
        "import sys\nfrom pathlib import Path\nfrom materialsdock.ledger import Ledger\n"
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
    for _ in range(20):
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
