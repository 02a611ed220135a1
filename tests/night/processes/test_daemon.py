"""The daemon without processes: what its worker says and does not say, and what follows."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from materialsdock.ledger.facts import fact
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.processes.daemon import NightDaemon
from materialsdock.night.queue import queue
from materialsdock.night.system import heartbeats
from materialsdock.night.system import process as processes
from materialsdock.profile import config, siteroot


class Child:
    """A worker that says what a test has it say."""

    def __init__(self, pid=1):
        self.pid, self.sent, self.says, self.status = pid, [], [], None

    def send(self, message):
        self.sent.append(message)

    def received(self):
        said, self.says = self.says, []
        return said

    def ended(self):
        return self.status

    def kill(self):
        self.status = -9


@pytest.fixture
def night(tmp_path, monkeypatch):
    data, root = DataDirectory(tmp_path), siteroot.activate()
    with Ledger(data.ledger) as ledger:
        queue.submit(ledger, [("S1", 0, {}), ("S2", 0, {})])
        made = NightDaemon(config.load("sim", root), root, data, ledger, SimpleNamespace())
        monkeypatch.setattr(made, "_spawn", lambda name: Child())
        monkeypatch.setattr(made._watch, "_free", lambda: 100.0)
        made.turn()
        made.worker.says.append({"said": "ready"})
        made.turn()
        assert made.measuring == "S1"
        yield made


def say(night, **message):
    night.worker.says.append(message)
    night.turn()


def notes(night, kind):
    return [(n.severity, n.body) for n in queue.log(night.ledger) if n.kind == kind]


def test_people_hear_of_a_shutter_that_is_stuck_and_of_what_a_sentinel_holds(night):
    for kind in ("hold", "alarm", "critical"):
        say(night, said="condition", kind=kind, words="these")
    assert [severity for severity, _ in notes(night, "condition")] == ["info", "warn", "critical"]


def test_people_hear_once_why_no_worker_gets_ready(night):
    for words in ("no answer", "no answer", "another night", "no answer"):
        say(night, said="unready", words=words)
    said = [(severity, body["words"]) for severity, body in notes(night, "unready")]
    assert said == [("critical", w) for w in ("no answer", "another night", "no answer")]


def test_a_worker_that_ends_is_sent_nothing_more(night):
    fault = {"class": "sample", "message": "m", "where": ""}
    say(night, said="fault", sample="S1", fault=fault, ends=True)
    assert queue.sample(night.ledger, "S1").state == "held"
    assert night.measuring is None
    assert [m["do"] for m in night.worker.sent] == ["measure"]


def test_a_pause_that_came_too_late_holds_the_queue(night):
    night.worker.says += [{"said": "unpaused"}, {"said": "measured", "sample": "S1"}]
    night.turn()
    assert queue.sample(night.ledger, "S1").state == "measured"
    assert "S1 was over before it could pause" in fact(night.ledger, "hold")
    assert night.measuring is None


def test_a_worker_that_does_not_take_its_sample_up_is_ended(night, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "DEAF_S", 0.05)
    with heartbeats.Heart(tmp_path / "run" / "worker.beat") as heart:
        worker = night.worker
        worker.pid = heartbeats.read(tmp_path / "run" / "worker.beat").pid
        heart.phase("busy")
        time.sleep(0.1)
        night.turn()
        assert worker.status is None, "it is at work"
        heart.phase("idle")
        time.sleep(0.1)
        night.turn()
    assert worker.status == -9
    assert queue.sample(night.ledger, "S1").state in ("queued", "measuring")
    assert queue.sample(night.ledger, "S1").failures == 1
