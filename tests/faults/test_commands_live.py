"""The commands of a night against the real processes: what they say has happened has happened."""

from __future__ import annotations

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import typer
from support.faults.rig import rig, until
from typer.testing import CliRunner

from materialsdock.cli import night as cli_night
from materialsdock.errors import Refused
from materialsdock.night.control import audit
from materialsdock.night.queue import queue
from materialsdock.profile.simulation import free_port

APP = typer.Typer()
cli_night.mount(APP)


class Box(BaseHTTPRequestHandler):
    """Takes what Apprise posts."""

    got: list[dict] = []  # noqa: RUF012 - of this test module only

    def do_POST(self):
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        return


@pytest.fixture(scope="module")
def box():
    server = HTTPServer(("127.0.0.1", 0), Box)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def night(tmp_path_factory, box, port):
    folder = tmp_path_factory.mktemp("commands")
    notify = folder / "notify"
    notify.write_text(f"json://127.0.0.1:{box}/a-canary\n")
    notify.chmod(0o600)
    section = f'notify_file = "{notify}"\nmetrics_port = {port}'
    with rig(folder, changes={"[night]": section}) as made:
        sheet = str(made.sheet(made.edges(4, points=400, threshold=1e-6)))
        done = made.command("submit", sheet, "--out", str(made.data), "--site", str(made.site))
        assert done.returncode == 0, done.stderr
        made.measuring(2, 60)
        yield made


@pytest.fixture
def run(night):
    def call(*words, answer=None, code=0):
        done = CliRunner().invoke(APP, [*words, "--out", str(night.data)], input=answer)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.output

    return call


def word(run):
    return json.loads(run("status", "--json"))["daemon"]


def test_pause_and_resume_are_true_when_they_say_so(night, run):
    assert word(run) == "running"
    assert "): paused" in run("pause")
    assert word(run) == "paused"
    assert night.shutter_closed()
    before = night.points()
    assert "goes on" in run("resume")
    until(lambda: night.points() > before, 20)


def test_steering_is_recorded_and_refused_with_the_reason(night, run):
    assert "recorded" in run("veto", "7190", "7195", "--reason", "glitch")
    with pytest.raises(Refused, match="was vetoed"):
        run("force", "7192")
    assert "recorded" in run("change", "maximum_points=390")
    steered = night.ledger.rows("SELECT body FROM steering")
    assert any("glitch" in body for (body,) in steered)


def test_stop_analyses_the_sample_and_abort_holds_it(night, run):
    first = next(s for s in queue.samples(night.ledger, "measuring"))
    assert first.sample_id in run("stop")
    assert night.sample(first.sample_id).state not in ("measuring", "held")
    night.measuring(2, 60)
    second = next(s for s in queue.samples(night.ledger, "measuring"))
    said = run("abort", answer="y\n")
    assert f"Abort {second.body['name']} ({second.sample_id})?" in said
    assert night.sample(second.sample_id).state == "held"
    run("queue", "rm", second.sample_id)


def test_a_held_queue_begins_nothing_until_released(night, run):
    night.measuring(1, 60)
    run("hold")
    run("stop")
    until(lambda: word(run) == "holding", 30)
    with pytest.raises(Refused, match="nothing is being measured"):
        run("pause")
    run("release")
    night.measuring(1, 60)


def test_metrics_notices_and_logs_are_there(night, run, port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    counted = float(text.split("\nmd_points_total ")[1].split()[0])
    assert 0 < counted <= night.points()
    assert 'md_samples_total{state="cancelled"} 1.0' in text
    until(lambda: any("holding" in post["title"] for post in Box.got), 20)
    kept = (night.data / "logs" / "daemon.jsonl").read_text().splitlines()
    assert all(json.loads(line)["role"] == "daemon" for line in kept)
    for path in (*night.data.glob("logs/*"), *night.data.glob("run/*.log")):
        assert "a-canary" not in path.read_text(errors="replace")


def test_everything_asked_is_in_the_audit(night, run):
    run("audit", "verify")
    verbs = [action.verb for action in audit.actions(night.ledger)]
    assert {"pause", "resume", "veto", "change", "stop", "abort", "hold_queue"} <= set(verbs)
