"""The state that a night reports: every word, stale heartbeats, and the numbers scraped."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from materialsdock.errors import Refused
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Observation, Sample
from materialsdock.night.control import audit, intents
from materialsdock.night.queue import queue
from materialsdock.night.status import metrics, snapshot, state
from materialsdock.night.system.heartbeats import Heart

ANNA = audit.Actor("anna", "hutch")


@pytest.fixture
def night(tmp_path):
    """A data folder with a ledger, and heartbeats that a test writes."""
    data = DataDirectory(tmp_path)
    with Ledger(data.ledger) as ledger:
        yield data, ledger


class Beats:
    """Heartbeats of daemon, worker and guard, all of this process, which lives."""

    def __init__(self, data, phases):
        self.hearts = {name: Heart(data.path / "run" / f"{name}.beat") for name in phases}
        for name, phase in phases.items():
            self.hearts[name].phase(phase)


def alive(data, worker="idle"):
    return Beats(data, {"daemon": "busy", "worker": worker, "guard": "busy"})


def measuring(ledger, name="S1"):
    queue.submit(ledger, [(name, 0, {"name": "rust", "recipe": "xanes", "position": 3})])
    queue.claim(ledger)
    job = Job(f"job-{name}", Sample("rust", "xas"))
    queue.assign(ledger, name, job)
    return job.job_id


def decided(ledger, job_id, step=4, lambda_t=0.02):
    body = {
        "step": step,
        "lambda_t": lambda_t,
        "seconds_measured": 12.0,
        "verdict": {"threshold": 0.01},
    }
    with ledger.transaction():
        ledger.insert("decisions", {"job_id": job_id, "step": step, "body": json.dumps(body)})


def test_without_a_daemon_it_is_offline(night):
    found = snapshot.snapshot(night[0])
    assert (found.daemon, found.current, found.finish, found.stale) == ("offline", None, None, ())


def test_ready_needs_a_worker_that_is_there(night):
    data, ledger = night
    beats = Beats(data, {"daemon": "busy"})
    assert snapshot.snapshot(data, ledger).daemon == "fault"
    beats = alive(data)
    assert snapshot.snapshot(data, ledger).daemon == "ready"
    beats.hearts["worker"].phase("ended")
    assert snapshot.snapshot(data, ledger).daemon == "fault"


def test_a_worker_may_take_its_time_to_start(night, monkeypatch):
    data, ledger = night
    queue.note(ledger, "daemon", {"started": True, "interrupted": []})
    beats = Beats(data, {"daemon": "busy"})
    found = snapshot.snapshot(data, ledger)
    assert (found.daemon, found.reason) == ("holding", "the worker is starting")
    later = time.time() + 60.0
    monkeypatch.setattr(state.time, "time", lambda: later)
    assert snapshot.snapshot(data, ledger).daemon == "fault"
    assert "worker.log" in snapshot.snapshot(data, ledger).reason
    queue.note(ledger, "unready", {"words": "no answer from SIM:tth"}, severity="critical")
    assert snapshot.snapshot(data, ledger).reason.endswith("cannot begin: no answer from SIM:tth")
    del beats


def test_a_pause_says_whose_it_is(night):
    data, ledger = night
    measuring(ledger)
    intents.ask(ledger, "pause", ANNA, {"reason": "sample change"})
    alive(data, "paused")
    found = snapshot.snapshot(data, ledger)
    assert (found.daemon, found.reason) == ("paused", f"asked by {ANNA}: sample change")


@pytest.mark.parametrize(
    ("phase", "word"), [("busy", "running"), ("paused", "paused"), ("holding", "holding")]
)
def test_the_word_while_measuring(night, phase, word):
    data, ledger = night
    measuring(ledger)
    queue.note(ledger, "condition", {"kind": "hold", "words": "ring at 12 mA"}, sample_id="S1")
    queue.note(ledger, "condition", {"kind": "void", "words": "one point"}, sample_id="S1")
    alive(data, phase)
    found = snapshot.snapshot(data, ledger)
    assert found.daemon == word
    assert found.reason == ("ring at 12 mA" if word == "holding" else "")


@pytest.mark.parametrize(("verb", "word"), [("stop", "stopping"), ("abort", "aborting")])
def test_a_halt_shows_until_the_sample_has_ended(night, verb, word):
    data, ledger = night
    measuring(ledger)
    alive(data, "busy")
    intents.ask(ledger, verb, ANNA)
    (intent,) = intents.pending(ledger)
    assert snapshot.snapshot(data, ledger).daemon == word
    intents.answer(ledger, intent, "done", "soon")
    assert snapshot.snapshot(data, ledger).daemon == word
    queue.advance(ledger, "S1", "aborted")
    assert snapshot.snapshot(data, ledger).daemon == "ready"
    queue.advance(ledger, "S1", "retry")
    queue.claim(ledger)
    assert snapshot.snapshot(data, ledger).daemon == "running"


def test_a_stop_that_has_to_wait_says_for_what(night):
    data, ledger = night
    measuring(ledger)
    intents.ask(ledger, "stop", ANNA)
    queue.note(ledger, "condition", {"kind": "hold", "words": "ring at 12 mA"}, sample_id="S1")
    alive(data, "holding")
    found = snapshot.snapshot(data, ledger)
    assert found.daemon == "stopping"
    assert f"asked by {ANNA}; but first: ring at 12 mA" in found.reason


def test_a_refused_halt_is_none(night):
    data, ledger = night
    measuring(ledger)
    alive(data, "busy")
    intents.ask(ledger, "stop", ANNA)
    intents.answer(ledger, intents.pending(ledger)[0], "refused", "no")
    assert snapshot.snapshot(data, ledger).daemon == "running"


def test_a_held_queue_goes_on_with_what_it_measures(night):
    data, ledger = night
    alive(data)
    queue.hold_all(ledger, "three failed")
    found = snapshot.snapshot(data, ledger)
    assert (found.daemon, found.reason, found.hold) == ("holding", "three failed", "three failed")
    queue.release_all(ledger)
    measuring(ledger)
    queue.hold_all(ledger, "asked by anna")
    alive(data, "busy")
    found = snapshot.snapshot(data, ledger)
    assert (found.daemon, found.hold) == ("running", "asked by anna")


def test_stale_beats_are_said_and_frozen_processes_are_faults(night, monkeypatch):
    data, ledger = night
    alive(data)
    later = time.monotonic() + 10.0
    monkeypatch.setattr(state.heartbeats.time, "monotonic", lambda: later)
    found = snapshot.snapshot(data, ledger)
    assert found.daemon == "fault"
    assert found.stale == tuple(f"{role} without heartbeat for 10 s" for role in state.ROLES)


def test_the_beat_of_a_dead_process_is_offline(night):
    data, ledger = night
    program = (
        "import sys; from pathlib import Path; "
        "from materialsdock.night.system.heartbeats import Heart; "
        "Heart(Path(sys.argv[1])).phase('busy')"
    )
    path = data.path / "run" / "daemon.beat"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    found = snapshot.snapshot(data, ledger)
    assert found.daemon == "offline"
    assert not found.pulses[0].alive
    assert not state.online(data)


def test_the_current_sample_and_the_queue_by_name(night):
    data, ledger = night
    job_id = measuring(ledger)
    decided(ledger, job_id, 3, 0.5)
    decided(ledger, job_id)
    point = Observation("r/1", 4, 7112.0, 1.0, 0.1, 1.0, "r")
    event = ("event", {"uid": "e", "time": time.time() - 2.0})
    ledger.add_documents(job_id, [event], [point])
    queue.submit(
        ledger, [("S2", 0, {"name": "zinc", "technique": "xrd", "owner": "li"}), ("S3", 5, {})]
    )
    alive(data, "busy")
    found = snapshot.snapshot(data, ledger)
    now = found.current
    assert (now.name, now.recipe, now.step, now.points) == ("rust", "xanes", 4, 1)
    assert (now.lambda_t, now.threshold, now.seconds_measured) == (0.02, 0.01, 12.0)
    assert now.last_event_age_s == pytest.approx(2.0, abs=0.5)
    assert found.points == 1
    waiting = [(row.place, row.name, row.recipe, row.owner) for row in found.rows if row.place]
    assert waiting == [(1, "S3", "", ""), (2, "zinc", "xrd", "li")]
    assert found.counts == {"measuring": 1, "queued": 2}
    assert found.finish.samples == 3
    assert found.finish.p50_s is None


def test_the_lease_and_the_alarms_of_this_night_only(night):
    data, ledger = night
    queue.note(ledger, "daemon", {"started": True})
    queue.note(ledger, "orphan", {}, severity="warn")
    queue.note(ledger, "daemon", {"started": False})
    queue.note(ledger, "daemon", {"started": True})
    queue.note(ledger, "disk_low", {}, severity="critical")
    intents.take_lease(ledger, ANNA)
    found = snapshot.snapshot(data, ledger)
    assert [a.kind for a in found.alarms] == ["disk_low"]
    assert found.lease["holder"] == "anna@hutch"
    assert found.lease["left_s"] == pytest.approx(intents.LEASE_S, abs=5)


def test_it_is_plain_json(night):
    data, ledger = night
    measuring(ledger)
    queue.note(ledger, "disk_low", {"free_gb": 1.0}, severity="critical")
    alive(data, "busy")
    plain = json.loads(json.dumps(snapshot.snapshot(data, ledger).as_dict(), allow_nan=False))
    assert plain["daemon"] == "running"
    assert plain["current"]["name"] == "rust"
    assert plain["alarms"][0]["body"] == {"free_gb": 1.0}


def test_reading_waits_for_nobody_who_writes(night):
    data, ledger = night
    measuring(ledger)
    program = (
        "import sys, time; from pathlib import Path\n"
        "from materialsdock.ledger.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1])) as ledger, ledger.transaction():\n"
        "    print('locked', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(data.ledger)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as writer:
        assert writer.stdout.readline() == b"locked\n"
        began = time.monotonic()
        assert snapshot.snapshot(data).current.name == "rust"
        assert time.monotonic() - began < 1.0
        writer.stdin.close()


def test_a_long_queue_is_read_in_time_for_a_live_view(night):
    data, ledger = night
    queue.submit(ledger, [(f"S{n}", 0, {"name": f"{n}", "recipe": "xanes"}) for n in range(500)])
    for n in range(200):
        for event in ("claim", "measured", "analyse", "finish"):
            queue.advance(ledger, f"S{n}", event)
    began = time.monotonic()
    found = snapshot.snapshot(data, ledger)
    assert found.finish.samples == 300
    assert time.monotonic() - began < 1.0


# metrics


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_gets_the_numbers_of_the_moment(night):
    data, ledger = night
    job_id = measuring(ledger)
    decided(ledger, job_id)
    queue.note(ledger, "disk_low", {}, severity="critical")
    alive(data, "busy")
    exporter = metrics.serve(data, 0)
    try:
        found = scraped(exporter.port)
        assert found[("md_lambda",)] == 0.02
        assert found[("md_points_total",)] == 0
        assert found[("md_samples_total", "measuring")] == 1
        assert found[("md_samples_total", "done")] == 0
        assert found[("md_alarms", "critical")] == 1
        assert found[("md_state", "running")] == 1
        assert found[("md_state", "offline")] == 0
        assert 0 <= found[("md_worker_heartbeat_age",)] < 5
        assert found[("md_disk_free_bytes",)] > 0
        assert ("md_last_event_age_seconds",) not in found  # no document yet
        queue.advance(ledger, "S1", "measured")
        after = scraped(exporter.port)
        assert after[("md_samples_total", "measured")] == 1
        assert ("md_lambda",) not in after
    finally:
        exporter.close()


def test_metrics_are_on_loopback_only_and_a_taken_port_is_refused(night):
    exporter = metrics.serve(night[0], 0)
    try:
        assert exporter.server.server_address[0] == "127.0.0.1"
        with pytest.raises(Refused, match="not free"):
            metrics.serve(night[0], exporter.port)
    finally:
        exporter.close()


def test_a_ledger_that_cannot_be_read_is_a_number(night):
    exporter = metrics.serve(night[0], 0)
    try:
        with exporter.ledger.transaction() as db:
            db.execute("DROP TABLE samples")
        assert scraped(exporter.port)[("md_ledger_readable",)] == 0
    finally:
        exporter.close()


def test_a_pulse_that_ended_in_order_is_not_stale():
    ended = state.Pulse("worker", False, "ended", 1000.0)
    assert not ended.stale
    assert replace(ended, phase="busy").stale
