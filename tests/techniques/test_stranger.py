"""A technique that nobody here knows is measured, analysed and shown, without a change here."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from support.stranger import POSITION_DEG, installed

from materialsdock.ledger.ledger import Ledger
from materialsdock.rendering.numbers import with_esd

pytestmark = pytest.mark.slow  # an installation of its own

LIMIT_S = 90.0
KILLED_AFTER = 8  # points
ASKED = ("--technique", "reflection", "--seed", 4, "--resolution", 0.2)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return installed(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def measured(stranger, out):
    """Measure the file with `measure`, and return what it says."""
    return stranger.run("measure", *ASKED, "--replay", stranger.file, "--out", out)


def observed(out, job_id):
    """(x, y) of every observation of a job; none where there is no ledger yet."""
    if not (out / "ledger.sqlite").exists():
        return []
    with Ledger(out / "ledger.sqlite") as ledger:
        ids = [job.job_id for job in ledger.jobs()]
        return [(o.x, o.y) for o in ledger.observations(job_id)] if job_id in ids else []


def until(true, process):
    """Wait until `true()`; the process must not end before."""
    began = time.monotonic()
    while not true():
        assert process.poll() is None, "it ended"
        assert time.monotonic() - began < LIMIT_S
        time.sleep(0.05)


def test_it_keeps_all_laws(stranger):
    program = [stranger.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*program, "--import-mode=importlib", "check_laws.py"],
        cwd=stranger.package,
        env=stranger.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_is_measured(measured):
    assert measured["technique"] == "reflection"
    assert measured["points_measured"] < measured["points_full_scan"]
    away = abs(measured["position_deg"] - POSITION_DEG)
    assert away < 5 * measured["position_sd_deg"] < 0.05


def test_its_option_is_one_of_the_command(measured, out):
    with Ledger(out / "ledger.sqlite") as ledger:
        assert ledger.job(measured["job_id"]).settings["axis"]["resolution"] == 0.2


def test_its_report_has_its_block_and_its_figure(measured):
    with open(measured["report"], encoding="utf-8") as file:
        page = file.read()
    value = with_esd(measured["position_deg"], measured["position_sd_deg"])
    assert f"<dt>Position (°)</dt><dd>{value}</dd>" in page
    assert "The reflection" in page
    assert "Dashed: the maximum." in page
    assert "When the measurement stopped" in page
    assert "position of one reflection" in page


def test_its_files_are_exported(stranger, out, measured, tmp_path):
    said = stranger.run("export", measured["job_id"], "--out", out, "--to", tmp_path)
    kinds = {name.removeprefix(str(tmp_path / measured["job_id"])) for name in said["files"]}
    assert kinds == {".nxs", ".columns.txt", ".html", ".json"}
    (columns,) = tmp_path.glob("*.columns.txt")
    rows = [line for line in columns.read_text().splitlines() if not line.startswith("#")]
    assert len(rows) == measured["points_measured"]


def test_killed_and_resumed_it_is_as_if_never_killed(stranger, out, measured, tmp_path):
    where = ("--replay", stranger.file, "--out", tmp_path)
    words = ("measure", *ASKED, *where, "--speed", 20)
    how = {"stderr": subprocess.PIPE, "start_new_session": True}
    with stranger.start(*words, **how) as process:
        line = next(line for line in process.stderr if line.startswith("job "))
        job_id = line.split()[1]
        until(lambda: len(observed(tmp_path, job_id)) >= KILLED_AFTER, process)
        os.killpg(process.pid, signal.SIGKILL)
    before = observed(tmp_path, job_id)
    whole = observed(out, measured["job_id"])
    assert before == whole[: len(before)]
    assert len(before) < len(whole)
    said = stranger.run("measure", "--resume", job_id, "--out", tmp_path)
    assert observed(tmp_path, job_id) == whole
    assert said["position_deg"] == measured["position_deg"]


@pytest.fixture
def sheet(stranger, tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text(
        "sample_id,position,technique,scan_from,scan_to,replay\n"
        f"S1,3,reflection,42.8,43.8,{stranger.file}\n"
    )
    return path


def test_a_row_of_a_sheet_is_rehearsed(stranger, sheet, tmp_path):
    assert stranger.run("sheet", "check", sheet) == {"samples": ["S1"]}
    said = stranger.run("simulate", sheet, "--seeds", 1, "--out", tmp_path / "data")
    ((_, rehearsed),) = said["recipes"].items()
    assert rehearsed["analysis_faults"] == []
    assert rehearsed["steps"][0] > 0


def test_a_row_that_makes_no_sense_is_refused(stranger, sheet, tmp_path):
    sheet.write_text(sheet.read_text().replace("42.8,43.8", "43.8,42.8"))
    words = stranger.command("submit", sheet, "--out", tmp_path / "data")
    done = subprocess.run(words, env=stranger.environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "scan_to" in done.stderr


def test_a_row_of_a_sheet_is_measured_by_night(stranger, sheet, tmp_path):
    data = tmp_path / "data"
    assert stranger.run("submit", sheet, "--out", data)["submitted"] == ["S1"]
    with stranger.start("up", "--out", data, start_new_session=True) as process:

        def done():
            with Ledger(data / "ledger.sqlite") as ledger:
                return any(ledger.outcome(job.job_id) for job in ledger.jobs())

        try:
            until(done, process)
        finally:
            process.send_signal(signal.SIGTERM)
    (job,) = stranger.run("jobs", "--out", data)
    assert (job["technique"], job["state"]) == ("reflection", "done")
    (page,) = (data / "reports").glob("*.html")
    assert "<dt>Position (°)</dt>" in page.read_text()
