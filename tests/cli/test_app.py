"""The command line as a user meets it: real processes, one JSON object, exit codes, clean ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from support.nursery import MEASURING, Nursery

from materialsdock.cli import app

COMMAND = (sys.executable, "-m", "materialsdock")


@pytest.fixture
def nursery():
    with Nursery((*MEASURING, "materialsdock.cli.measure_command")) as process:
        yield process


def surroundings():
    """The environment without an IOC of these tests, so that the command starts its own."""
    return {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """The same in this process, which has all imported: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def main(*words):
        monkeypatch.setattr(sys, "argv", ["materialsdock", *words])
        try:
            app.main()
        except SystemExit as end:
            return end.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    return main


def simulators(folder):
    """Process ids of simulated beamlines that replay a scene below `folder`."""
    found = subprocess.run(
        ["pgrep", "-f", f"sim_devices --prefix.*{folder.resolve()}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return set(found.stdout.split())


def interrupted(folder, child, end):
    """The error of a command that gets the signal `end` while it measures."""
    heard = []
    for line in child.stderr:
        heard.append(line)
        if "step" in line:
            break
    assert simulators(folder), "".join(heard)
    child.send_signal(end)
    out, err = child.communicate()
    assert child.returncode == 130, err
    assert "Traceback" not in err
    deadline = time.monotonic() + 5
    while simulators(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not simulators(folder)
    error = json.loads(out)["error"]
    assert error["code"] == "interrupted"
    assert "--resume" in error["remedy"]
    return error


@pytest.mark.parametrize(
    ("ends", "points"),
    [
        ((signal.SIGINT,), 24),
        pytest.param((signal.SIGINT, signal.SIGTERM), 60, marks=pytest.mark.slow),
    ],
    ids=["once", "twice"],
)
def test_interrupted_it_cleans_up_and_ends_in_one_json_object_and_a_report(
    tmp_path, said, nursery, ends, points
):
    how = ("--json", "--speed", "5")
    demo = ("demo", "--technique", "xas", "--stop", f"maximum_points={points}")
    first = nursery.command(*demo, *how, cwd=tmp_path, env=surroundings())
    job_id = interrupted(tmp_path, first, ends[0])["where"]
    resume = ("measure", "--resume", job_id, "--out", "materialsdock-demo")
    for end in ends[1:]:
        again = nursery.command(*resume, *how, cwd=tmp_path, env=surroundings())
        assert interrupted(tmp_path, again, end)["where"] == job_id
    fast = (*resume, "--json", "--speed", "500")
    done = nursery.command(*fast, cwd=tmp_path, env=surroundings())
    out, err = done.communicate()
    assert done.returncode == 0, err
    found = json.loads(out)
    assert (found["job_id"], found["technique"]) == (job_id, "xas")
    assert 2 * points / 3 < found["points_measured"] <= points < found["points_full_scan"]
    assert found["e0_ev"] == pytest.approx(7119.65, abs=5 * max(found["e0_sd_ev"], 0.05))
    assert found["decision_ms_p50"] < found["decision_ms_p95"]
    assert "<svg" in (tmp_path / found["report"]).read_text()
    _, listed, _ = said("jobs", "--out", "materialsdock-demo", "--json")
    (job,) = json.loads(listed)
    assert (job["job_id"], job["state"]) == (job_id, "done")
    if len(ends) > 1:  # nothing is left to measure
        code, again, _ = said(*resume, "--json")
        assert code == 0
        assert json.loads(again)["e0_ev"] == found["e0_ev"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("measure",), 2, "--replay FILE or --resume ID"),
        (("measure", "--replay", "gone.xy"), 2, "gone.xy"),
        (("measure", "--resume", "nobody"), 2, "no ledger"),
        (("measure", "--replay", "words.xy"), 2, "words.xy, line 1"),
        (("measure", "--frobnicate"), 2, "frobnicate"),
        (("measure", "--replay", "flat.xy", "--stop", "foo=1", "--stop", "bar"), 2, "'bar'"),
        (("demo", "--technique", "nmr"), 2, "no technique 'nmr' (available: xrd, xas)"),
        (("demo", "--site", "."), 2, "not a site"),
        (("jobs", "--out", "nowhere"), 2, "no ledger"),
        (("sim", "up", "--port", "99999"), 2, "less than or equal to 65535"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_and_in_json(tmp_path, said, words, code, says):
    (tmp_path / "words.xy").write_text("these are\nonly words\n")
    (tmp_path / "flat.xy").write_text(
        "".join(f"{20 + i * 0.02:.2f} {100 + i}\n" for i in range(99))
    )
    ended, _, plain = said(*words)
    assert ended == code
    assert says in plain
    assert "Traceback" not in plain
    ended, as_json, _ = said(*words, "--json")
    assert ended == code
    assert set(json.loads(as_json)["error"]) >= {"code", "message"}


def test_a_process_that_is_told_what_is_wrong_ends_with_the_code(tmp_path):
    done = subprocess.run(
        [*COMMAND, "measure", "--replay", "gone.xy", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=surroundings(),
        check=False,
    )
    assert done.returncode == 2
    assert "gone.xy" in json.loads(done.stdout)["error"]["message"] + done.stderr
    assert "Traceback" not in done.stderr


def test_the_simulated_beamline_runs_alone(tmp_path):
    child = subprocess.Popen(
        [*COMMAND, "sim", "up", "--port", "0", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    facts = json.loads(child.stdout.readline())
    assert facts["prefix"] == "SIM:"
    os.kill(facts["pid"], 0)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(facts["pid"], 0)
