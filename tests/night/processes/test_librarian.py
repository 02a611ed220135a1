"""The librarian packs what is closed while it waits, and goes on where that cannot be done."""

from __future__ import annotations

import queue
from types import SimpleNamespace

import pytest

from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Observation, Sample
from materialsdock.night.processes import librarian


@pytest.fixture
def ledger(tmp_path):
    """A ledger with a closed run and one that goes on."""
    with Ledger(tmp_path / "ledger.sqlite") as found:
        for job_id in ("closed", "open"):
            found.add_job(Job(job_id, Sample(job_id, "xas")))
            found.add_documents(job_id, [("start", {"uid": job_id})])
            point = Observation(f"{job_id}/1", 0, 1.0, 2.0, 0.1, 1.0, job_id)
            found.add_documents(job_id, [("event", {"uid": "e"})], [point])
        found.add_documents("closed", [("stop", {"uid": "s", "run_start": "closed"})])
        yield found


def waited(ledger, turns):
    """Let the librarian wait so many turns, then tell it to end."""
    line = SimpleNamespace(inbox=queue.Queue())
    beats = []

    def beat():
        beats.append(1)
        if len(beats) > turns:
            line.inbox.put({"do": "end"})

    librarian.wait_for_end(ledger, line, SimpleNamespace(beat=beat))
    return len(beats)


def test_what_is_closed_is_packed_while_it_waits(ledger, monkeypatch):
    monkeypatch.setattr(librarian, "TURN_S", 0.0)
    assert waited(ledger, 2) == 3
    assert ledger.rows("SELECT job_id FROM pages") == [("closed",)]
    assert ledger.rows("SELECT job_id FROM observations") == [("open",)]
    assert [o.uid for o in ledger.observations("closed")] == ["closed/1"]


def test_what_cannot_be_packed_ends_nothing(ledger, monkeypatch, caplog):
    monkeypatch.setattr(librarian, "TURN_S", 0.0)
    ledger._db.execute("PRAGMA query_only=ON")  # as a disk that refuses
    assert waited(ledger, 3) == 4
    assert "closed runs are not packed" in caplog.text
    assert [o.uid for o in ledger.observations("closed")] == ["closed/1"]
