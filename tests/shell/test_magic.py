"""`%load_ext materialsdock` in a real IPython shell: md shows, asks and finds results."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from materialsdock.errors import InputError, Refused, Unreachable
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import keep_outcome
from materialsdock.model import Job, Outcome, Sample
from materialsdock.night.control import audit, intents
from materialsdock.night.queue import queue
from materialsdock.night.system.heartbeats import Heart
from materialsdock.shell import magic
from materialsdock.techniques.xas.analysis import Found
from materialsdock.techniques.xas.model import EdgeFit

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A shell of IPython without a history of its own on disk."""
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.ipython_dir = str(tmp_path_factory.mktemp("ipython"))
    made = InteractiveShell.instance(config=settings)
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture
def night(tmp_path):
    data = DataDirectory(tmp_path)
    with Ledger(data.ledger) as ledger:
        queue.submit(ledger, [("S1", 0, {"name": EVIL}), ("S2", 0, {"name": "zinc"})])
        yield data, ledger


@pytest.fixture
def md(shell, night):
    """md, as the extension makes it, of that folder."""
    shell.user_ns["session"] = SimpleNamespace(data=night[0], profile=SimpleNamespace(name="sim"))
    shell.run_line_magic("load_ext", "materialsdock")
    yield shell.user_ns["md"]
    shell.run_line_magic("unload_ext", "materialsdock")
    del shell.user_ns["session"]


@pytest.fixture
def desk(night):
    """A daemon that agrees to everything."""
    data, ledger = night
    ended = threading.Event()

    def serve():
        while not ended.wait(0.01):
            for intent in intents.pending(ledger):
                intents.answer(ledger, intent, "done", "so it is")
                if intent.verb == "abort":
                    queue.advance(ledger, "S1", "aborted")

    thread = threading.Thread(target=serve)
    with Heart(data.path / "run" / "daemon.beat") as heart:
        heart.phase("busy")
        thread.start()
        yield
        ended.set()
        thread.join()


def finished(data, ledger):
    """S1 with an outcome."""
    job = Job("job-1", Sample("zinc", "xas"))
    queue.claim(ledger)
    queue.assign(ledger, "S1", job)
    for event in ("measured", "analyse", "finish"):
        queue.advance(ledger, "S1", event)
    energy = np.linspace(7100.0, 7120.0, 5)
    measured = Spectrum(energy, np.ones(5), np.full(5, 0.01))
    edge = EdgeFit(7112.0, 0.1, 1.0, 0.01, energy, np.ones(5), np.zeros(5), np.ones(5))
    keep_outcome(ledger, Outcome(job, (), {"reason": "enough"}, measured, Found(edge)))


def test_the_extension_loads_and_unloads_in_a_shell(shell, night):
    shell.run_line_magic("load_ext", "materialsdock")
    assert shell.user_ns["md"].data == magic.DATA
    assert "status()" in repr(shell.user_ns["md"])
    shell.run_line_magic("unload_ext", "materialsdock")
    assert "md" not in shell.user_ns
    assert isinstance(shell, InteractiveShell)


def test_it_is_the_night_of_the_session_that_runs(md, night):
    assert md.data == night[0].path


def test_a_refusal_is_a_sentence_and_no_traceback(shell, md, capsys):
    result = shell.run_cell("md.queue.hold('S404')")
    assert isinstance(result.error_in_exec, InputError)
    said = capsys.readouterr()
    assert "InputError: queue: no sample 'S404'" in said.err
    assert "Traceback" not in said.out + said.err
    shell.run_cell("1 / 0")
    assert "Traceback" in capsys.readouterr().out


def test_a_cell_shows_status_and_queue_as_text_and_as_cards(shell, md):
    shell.user_ns["md"] = md
    for cell, word in (("md.status()", "offline"), ("md.queue", "zinc")):
        result = shell.run_cell(cell)
        assert result.success
        shown, _ = shell.display_formatter.format(result.result)
        assert word in shown["text/plain"]
        assert word in shown["text/html"]
        assert EVIL not in shown["text/html"]
        assert "&lt;img" in shown["text/html"]


def test_the_queue_is_changed(md, night):
    assert repr(md.queue.move("S2", 1)) == "S2 queued"
    assert [row.sample_id for row in md.queue.rows] == ["S2", "S1"]
    md.queue.hold("S1", "S2", reason="lunch")
    assert md.queue.retry("S1").body["samples"] == {"S1": "queued"}
    md.queue.rm("S2")
    assert audit.actions(night[1])[-1].verb == "queue rm"
    with pytest.raises(Refused):
        md.queue.approve("S2")


def test_a_running_night_is_asked(md, night, desk):
    queue.claim(night[1])
    asked = [
        md.resume(),
        md.hold("beam study"),
        md.release(),
        md.veto(7112.0),
        md.veto(7112.0, 7113.0),
        md.force(7115.0),
        md.change(maximum_points=80),
        md.approve(),
    ]
    assert all("so it is" in repr(said) for said in asked)
    assert "so it is" in asked[0]._repr_html_()
    with pytest.raises(Refused, match="S2 is no longer in the beam"):
        md.abort("S2")
    assert "S1): held" in md.abort("S1", reason="smoke").words
    details = {a.verb: a.details for a in audit.actions(night[1])}
    assert details["change"]["changes"] == {"maximum_points": 80}
    assert details["abort"] == {"reason": "smoke"}


def test_without_a_daemon_a_halt_is_recorded_and_said(md, night):
    with pytest.raises(Unreachable, match="is recorded"):
        md.pause()
    with pytest.raises(Unreachable, match="is recorded"):
        md.stop()
    assert [i.verb for i in intents.pending(night[1])] == ["pause", "stop"]


def test_results_are_outcome_and_report(md, night):
    with pytest.raises(InputError, match="not been measured"):
        md.results("S1")
    finished(*night)
    found = md.results("S1")
    assert found.outcome.found.edge.e0_ev == 7112.0
    assert found.report == (night[0].reports / "job-1.html").resolve()
    assert "7112" in repr(found)
    assert "job-1.html" in found._repr_html_()
    with pytest.raises(InputError, match="no sample 'S7'"):
        md.results("S7")


def test_a_sheet_is_submitted_to_another_folder(md, tmp_path):
    energy = np.arange(7060.0, 7200.0, 0.5)
    np.savetxt(tmp_path / "e.dat", np.column_stack([energy, energy > 7112.0]), header="energy mu")
    sheet = tmp_path / "sheet.csv"
    words = f"A1,1,xas,{tmp_path / 'e.dat'}"
    sheet.write_text(f"sample_id,position,technique,replay\n{words}\n")
    other = md.at(tmp_path / "other")
    assert "1 sample queued; 1 in the queue" in repr(other.submit(sheet))
    assert [row.sample_id for row in other.queue.rows] == ["A1"]
