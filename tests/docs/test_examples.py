"""Every example runs as it stands and prints what it promises."""

from __future__ import annotations

import re
import runpy
import sys

import pytest
from support.catalog_runs import measure
from support.kept_jobs import absorption
from support.places import ROOT

from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Sample

EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture
def run(monkeypatch, capsys):
    """Run an example in this process, as `python NAME ARGUMENTS` would; what it prints."""

    def example(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return example


def test_every_example_is_shown_and_tested():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    page = (EXAMPLES / "index.md").read_text()
    assert set(re.findall(r"\{literalinclude\} (\S+)", page)) == names
    here = (ROOT / "tests" / "docs" / "test_examples.py").read_text()
    assert all(f'"{name}"' in here for name in names)


def test_the_library_stops_by_itself(run):
    points, reason = run("library_spectrum.py").split(maxsplit=1)
    assert int(points) < 120
    assert "λ" in reason


def test_an_own_rule_stops_before_its_budget(run):
    points, reason = run("own_stopping_rule.py").split(maxsplit=1)
    assert int(points) < 150
    assert "≤ 0.01" in reason


def test_a_ledger_is_read(run, tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        job = absorption(ledger).job
        counts = len(ledger.observations(job.job_id))
    said = run("read_a_ledger.py", tmp_path)
    assert job.job_id in said
    assert f"{counts} counts from " in said
    assert "60 points" in said  # why it stopped
    assert "analysed: yes" in said


@pytest.mark.slow
def test_runs_are_read_by_databroker(run, tmp_path, RE):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_job(Job("job", Sample("quartz", "xrd")))
        measure(RE, ledger, points=3)
    said = run("read_by_databroker.py", tmp_path)
    assert "quartz success" in said
    assert "primary" in said
    assert "motor" in said


@pytest.mark.slow
def test_a_pattern_is_refined(run):
    said = run("refine_a_pattern.py")
    rwp, a = (float(re.search(rf"{key} (?:= )?([\d.]+)", said)[1]) for key in ("Rwp", "a"))
    assert rwp < 15.0
    assert a == pytest.approx(9.37, abs=0.01)
    assert "verdict: " in said
