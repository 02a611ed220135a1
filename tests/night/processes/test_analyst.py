"""Files that the analyst leaves of an analysed job, on a disk with room and on one without."""

from types import SimpleNamespace

import pytest
from support.outcomes import absorption_outcome, kept_in

from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.processes import analyst
from materialsdock.night.queue import queue
from materialsdock.rendering.files import ExportFault


@pytest.fixture
def analysed(tmp_path, monkeypatch):
    """Analyse a job whose analysis is known; the data folder and its ledger."""
    outcome = absorption_outcome()
    monkeypatch.setattr(analyst.Campaign, "resume", lambda *_: SimpleNamespace(job=outcome.job))
    monkeypatch.setattr(analyst.analysis, "analyse", lambda *_: outcome)
    monkeypatch.setattr(analyst, "keep_outcome", lambda ledger, found: kept_in(ledger, found))
    data = DataDirectory(tmp_path)
    heart = SimpleNamespace(progress=lambda limit_s: None)
    with Ledger(data.ledger) as ledger:
        yield lambda: analyst.analysed(outcome.job.job_id, ledger, data, heart, 60.0), data, ledger


def test_the_report_is_the_exported_page_drawn_once(analysed, monkeypatch):
    analyse, data, _ = analysed
    monkeypatch.setattr(analyst, "write_report", None)  # it is not drawn again
    job_id = analyse().job.job_id
    page = (data.path / "exports" / f"{job_id}.html").read_bytes()
    assert (data.reports / f"{job_id}.html").read_bytes() == page
    assert b"<svg" in page


def test_without_exports_there_is_a_report_and_a_line_in_the_log(analysed, monkeypatch):
    analyse, data, ledger = analysed

    def full(*_):
        raise ExportFault("cannot be written", where="exports", remedy="free disk space")

    monkeypatch.setattr(analyst, "export_all", full)
    job_id = analyse().job.job_id
    assert b"<svg" in (data.reports / f"{job_id}.html").read_bytes()
    assert [line.severity for line in queue.log(ledger) if line.kind == "export"] == ["warn"]
