"""`materialsdock export`: what it writes, what it refuses, and what a full disk does to it."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from dataclasses import replace

import h5py
import pytest
import typer
from nexusformat.nexus.validate import validate_application, validate_file
from support.outcomes import absorption_outcome, diffraction_outcome, kept_in
from typer.testing import CliRunner

from materialsdock.cli import export_command
from materialsdock.cli.export import export as export_verb
from materialsdock.errors import InputError, Refused
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import packed
from materialsdock.night.queue import queue
from materialsdock.rendering import files
from materialsdock.rendering.files import ExportFault, place, replace_whole

SETTINGS = {
    "profile": "sim",
    "diffractometer": {"wavelengths_angstrom": [1.540593, 1.544427], "weights": [1.0, 0.5]},
    "full_scan": {"points": 1500, "seconds": 1500.0, "full_time_s": 1.0},
}


def file_refined():
    """Make what `materialsdock refine` leaves: an outcome, but neither exposures nor decisions."""
    outcome = diffraction_outcome(1500)
    job = replace(outcome.job, job_id="refined", settings=SETTINGS)
    return replace(outcome, job=job, decisions=(), curve=None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder: a spectrum, a refined file, a job unfinished, and one kept long ago."""
    folder = tmp_path_factory.mktemp("data")
    with Ledger(folder / "ledger.sqlite") as ledger:
        kept_in(ledger, replace(absorption_outcome(), job=spectrum("spectrum")))
        ledger.add_job(spectrum("unfinished"))
        ledger.add_job(spectrum("old"))
        ledger.add_outcome("old", {"e0_ev": 7112.0})
        ledger.add_job(file_refined().job)
        ledger.add_outcome("refined", packed(file_refined()))
    return folder


def spectrum(job_id):
    return replace(absorption_outcome().job, job_id=job_id)


def run(*words):
    app = typer.Typer()
    app.command()(export_verb)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_one_job_in_all_formats_that_it_has(data, tmp_path):
    done = run("spectrum", "--out", data, "--to", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["left_out"] == []
    assert [name.rsplit(".")[-1] for name in said["files"]] == ["xdi", "html", "json"]
    assert sorted(str(path) for path in tmp_path.iterdir()) == sorted(said["files"])


def test_the_default_folder_is_in_the_data_folder(data):
    done = run("spectrum", "--format", "json, XDI,json", "--out", data)
    assert done.output.split() == [
        str(data / "exports" / "spectrum.json"),
        str(data / "exports" / "spectrum.xdi"),
    ]


def test_a_file_that_was_refined_is_nexus_too(data, tmp_path):
    said = export_command.run(data, "refined", False, "nexus,xye", tmp_path)
    assert [validate_application(said["files"][0]), validate_file(said["files"][0])] == [(0, 0)] * 2
    with h5py.File(said["files"][0]) as file:
        entry = file["entry"]
        assert entry["data/data"].shape == (1500,)
        assert entry["data/data"].dtype.kind == "i"
        assert "decisions" not in entry
        assert entry["refined/parameters/phase_1_a"].attrs["esd"] == 0.00021


def test_all_jobs_say_what_was_left_out(data, tmp_path):
    said = export_command.run(data, None, True, "xdi,xye", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["refined.xye", "spectrum.xdi"]
    text = export_command.overview(said)
    assert "not written: unfinished: the job is not finished" in text
    assert "not written: old: its outcome was kept without curves by an earlier version" in text
    assert "not written: refined: xdi: the job is xrd, the format of xas" in text
    assert "not written: spectrum: xye: the job is xas, the format of xrd" in text


def test_what_is_left_out_is_named_by_its_job(data, tmp_path, monkeypatch):
    def lost(ledger, job_id):
        raise InputError("no technique 'rocking'", where="technique")

    monkeypatch.setattr("materialsdock.views.exports.bundle.source_of", lost)
    with pytest.raises(Refused, match="refined: technique: no technique 'rocking'"):
        export_command.run(data, None, True, None, tmp_path)


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (("gone", False, None), InputError, "no job 'gone'"),
        ((None, False, None), InputError, "export: neither a job nor --all is given (name"),
        (("spectrum", True, None), InputError, "export: both a job and --all are given (name"),
        (("spectrum", False, "docx,json,pdf"), InputError, "no format docx, pdf"),
        ((None, True, "docx"), InputError, "available: nexus, xye, xy, cif, xdi"),
        (("spectrum", False, " , "), InputError, "no format is given"),
        (("spectrum", False, "cif"), Refused, "it has: xdi, html, json"),
        (("spectrum", False, "nexus"), Refused, "no readings of I0 and It"),
        (("unfinished", False, None), Refused, "measure --resume unfinished"),
        (("old", False, "json"), Refused, "analyse it again"),
    ],
)
def test_refusals_name_the_way_out_and_write_nothing(data, tmp_path, words, kind, said):
    with pytest.raises(kind) as refused:
        export_command.run(data, *words, tmp_path)
    assert said in str(refused.value)
    assert refused.value.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("event", "remedy"),
    [
        (None, "its sample S1 is measuring"),
        ("fault", "its sample is held: `materialsdock queue retry S1` goes on"),
    ],
)
def test_a_job_of_the_queue_is_not_to_be_resumed_beside_it(tmp_path, event, remedy):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        queue.submit(ledger, [("S1", 0, {})])
        queue.claim(ledger)
        queue.assign(ledger, "S1", spectrum("one"))
        if event is not None:
            queue.advance(ledger, "S1", event)
    with pytest.raises(Refused) as refused:
        export_command.run(tmp_path, "one", False, None, None)
    assert refused.value.remedy == remedy


def test_there_must_be_something_to_export(tmp_path):
    with pytest.raises(InputError, match="no ledger"):
        export_command.run(tmp_path, None, True, None, None)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_job(spectrum("unfinished"))
    with pytest.raises(Refused, match="unfinished: the job is not finished"):
        export_command.run(tmp_path, None, True, None, None)


@pytest.mark.parametrize("job_id", ["../evil", "a/b", ".hidden", "", "a\nb", "-x", "x" * 200])
def test_no_file_lies_outside_the_folder(job_id, tmp_path):
    with pytest.raises(InputError, match="cannot be a file name"):
        place(tmp_path, job_id, ".json")


def test_a_hostile_id_in_the_ledger_writes_nowhere(tmp_path):
    folder = tmp_path / "data"
    with Ledger(folder / "ledger.sqlite") as ledger:
        kept_in(ledger, replace(absorption_outcome(), job=spectrum("../evil")))
    with pytest.raises(InputError, match="cannot be a file name"):
        export_command.run(folder, "../evil", False, "json", folder / "exports")
    assert not list(tmp_path.rglob("*evil*"))


def test_what_was_there_stays_when_the_disk_refuses(tmp_path, monkeypatch):
    path = replace_whole(tmp_path / "new" / "a.json", b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ExportFault, match=r"a\.json: .*No space left.*free disk space"):
        replace_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportFault, match="--to"):
        replace_whole(tmp_path / "file" / "a.json", b"x")


LIMITED = """
import resource, sys
from pathlib import Path
from materialsdock.cli import export_command
from materialsdock.rendering.files import ExportFault
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
try:
    export_command.run(Path(sys.argv[1]), "spectrum", False, "xdi,html", Path(sys.argv[2]))
except ExportFault as fault:
    print(fault)
    sys.exit(fault.exit_code)
"""


def test_a_disk_without_room_harms_no_other_file(data, tmp_path):
    """A limit on the size of files is what a full disk looks like to a process that may not mount.

    The page is larger than the limit, the spectrum smaller.
    """
    (tmp_path / "spectrum.html").write_text("the page of yesterday")
    words = [sys.executable, "-c", LIMITED, str(data), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExportFault.exit_code, done.stderr
    assert "spectrum.html: cannot be written: File too large (free disk space" in done.stdout
    assert (tmp_path / "spectrum.html").read_text() == "the page of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spectrum.html", "spectrum.xdi"]
    with Ledger(data / "ledger.sqlite") as ledger:
        assert ledger.outcome("spectrum") is not None
