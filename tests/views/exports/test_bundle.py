"""Every file that is handed out of the ledger: valid, readable again, the same each time."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import gemmi
import h5py
import numpy as np
import pytest
from nexusformat.nexus.validate import validate_application, validate_file
from support.kept_jobs import ENERGY, I0, PROFILE, absorption, diffraction
from support.places import ROOT

from materialsdock.campaign import prepare
from materialsdock.campaign.campaign import Campaign
from materialsdock.errors import InputError, Refused
from materialsdock.formats import read_measured
from materialsdock.ledger.finished import source_of
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import outcome_of
from materialsdock.model import Measured, Sample
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.views.exports.bundle import FORMATS, export, export_all
from materialsdock.views.report import summary_json
from materialsdock.views.report.page import render_report
from plans.adaptive import run_md


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A ledger with a spectrum and a refined pattern, and the live outcomes of both."""
    with Ledger(tmp_path_factory.mktemp("night") / "ledger.sqlite") as ledger:
        yield ledger, {"xas": absorption(ledger), "xrd": diffraction(ledger)}


@pytest.fixture(scope="module", params=["xas", "xrd"])
def done(night, request, tmp_path_factory):
    """(ledger, live outcome, folder with everything that was exported of it)."""
    ledger, outcomes = night
    outcome = outcomes[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    paths = export_all(ledger, outcome.job.job_id, folder)
    return ledger, outcome, {path.suffix: path for path in paths}


def test_what_there_is_of_each_technique(done):
    _, outcome, files = done
    own = {"xas": {".xdi"}, "xrd": {".xye", ".xy", ".cif"}}[outcome.job.sample.technique]
    assert set(files) == {".nxs", ".html", ".json"} | own
    assert {path.stem for path in files.values()} == {outcome.job.job_id}


@pytest.mark.parametrize("check", [validate_application, validate_file])
def test_nexus_is_valid(done, check):
    _, _, files = done
    assert check(str(files[".nxs"])) == (0, 0)  # warnings, errors; what they are it prints


def test_the_validator_would_see_what_is_missing(done, tmp_path):
    _, _, files = done
    maimed = tmp_path / "maimed.nxs"
    maimed.write_bytes(files[".nxs"].read_bytes())
    with h5py.File(maimed, "a") as file:
        del file["entry/instrument/source"]
        del file["entry/data"]
    assert validate_application(str(maimed))[1] >= 2


def test_what_a_pattern_is_exported_to_is_read_again(night, tmp_path):
    ledger, outcomes = night
    measured = outcomes["xrd"].measured
    seconds = outcomes["xrd"].job.settings["full_scan"]["full_time_s"]
    for path in export(ledger, outcomes["xrd"].job.job_id, ["nexus", "xye", "cif"], tmp_path):
        again = read_measured(path, "xrd")
        np.testing.assert_allclose(again.x, measured.two_theta, atol=1e-4)
        scale = {".nxs": again.count_time_s, ".xye": seconds, ".cif": 1.0}[path.suffix]
        np.testing.assert_allclose(again.y, measured.intensity * scale, rtol=1e-3, atol=1e-3)
        if path.suffix != ".nxs":  # which holds the counts, not what a model makes of them
            np.testing.assert_allclose(again.sigma, measured.sigma * scale, rtol=1e-2)


def test_nexus_holds_every_exposure_and_every_decision(done):
    ledger, outcome, files = done
    observations = ledger.observations(outcome.job.job_id)
    with h5py.File(files[".nxs"]) as file:
        entry = file["entry"]
        assert [uid.decode() for uid in entry["exposures/uid"]] == [o.uid for o in observations]
        assert list(entry["exposures/value"]) == [o.y for o in observations]
        assert list(entry["decisions/position"]) == [d.proposal.start for d in outcome.decisions]
        assert list(entry["decisions/count_time"]) == [
            d.proposal.count_time_s for d in outcome.decisions
        ]
        said = [np.nan if d.lambda_t is None else d.lambda_t for d in outcome.decisions]
        assert np.array_equal(entry["decisions/lambda_t"], said, equal_nan=True)
        assert entry["sample/name"][()].decode() == outcome.job.sample.name
        signal = entry["merged/measured"].attrs["signal"].decode()
        y = outcome.measured.intensity if signal == "intensity" else outcome.measured.mu
        assert np.array_equal(entry["merged/measured"][signal], y)
        assert json.loads(entry["summary/json"][()]) == summary_json(outcome)


def test_a_job_of_before_d_spacings_were_kept_can_be_exported(tmp_path):
    """And what is known now stands in both files, and in the start document."""
    old = PROFILE.model_copy(update={"devices": {}})
    for name, profile in (("old", old), ("new", PROFILE)):
        (tmp_path / name).mkdir()
        with Ledger(tmp_path / name / "ledger.sqlite") as ledger:
            job = absorption(ledger, profile).job
            settings = {k: v for k, v in job.settings.items() if k != "d_spacing_angstrom"}
            if name == "old":
                with ledger.transaction() as db:
                    query = (
                        "UPDATE jobs SET body = json_remove(body, '$.settings.d_spacing_angstrom')"
                    )
                    db.execute(query)
                assert ledger.job(job.job_id).settings == settings
            said = run_md(Campaign.resume(job.job_id, ledger)).get("d_spacing_angstrom")
            files = export(ledger, job.job_id, ["nexus", "xdi"], tmp_path / name)
            with h5py.File(files[0]) as file:
                mono = file["entry/instrument/monochromator"]
                kept = mono["crystal/d_spacing"][()] if "crystal" in mono else None
            text = files[1].read_text(encoding="ascii")
            assert ("# Mono.d_spacing: 3.1356\n" in text) == (name == "new")
            assert said == kept == (None if name == "old" else 3.1356)


def test_a_d_spacing_that_is_none_is_refused():
    mono = PROFILE.devices["mono"].model_copy(update={"options": {"d_spacing": "Si 111"}})
    profile = PROFILE.model_copy(update={"devices": {"mono": mono}})
    spectrum = Measured(technique="xas", x=ENERGY, y=simulate_xanes(ENERGY))
    with pytest.raises(InputError, match="Si 111"):
        prepare.job_for(spectrum, Sample("foil", "xas"), profile)


def test_the_readings_are_those_of_the_detectors(night, tmp_path):
    ledger, outcomes = night
    (path,) = export(ledger, outcomes["xas"].job.job_id, ["nexus"], tmp_path)
    observations = ledger.observations(outcomes["xas"].job.job_id)
    with h5py.File(path) as file:
        i0 = file["entry/instrument/incoming_beam/data"][()]
        it = file["entry/data/absorbed_beam"][()]
    assert np.log(i0 / it) == pytest.approx([o.y for o in observations], rel=1e-12)
    (path,) = export(ledger, outcomes["xrd"].job.job_id, ["nexus"], tmp_path)
    with h5py.File(path) as file:
        raw = file["entry/instrument/detector"]
        assert raw["data"].dtype.kind == "i"
        total, seconds = raw["data"][()].sum(), raw["count_time"][()].sum()
    pattern = outcomes["xrd"].measured
    assert total == pytest.approx((pattern.intensity * pattern.count_time_s).sum(), abs=1e-6)
    assert seconds == pytest.approx(pattern.count_time_s.sum())


def test_a_second_build_is_the_same_to_the_byte(done, tmp_path):
    ledger, outcome, files = done
    with Ledger(ledger.path) as other:
        again = export_all(other, outcome.job.job_id, tmp_path / "new" / "folder")
    for path in again:
        assert path.read_bytes() == files[path.suffix].read_bytes(), path.suffix
    assert not list(tmp_path.rglob("*.part"))


ELSEWHERE = """
import shutil, sys, time
wall = time.time
time.time = lambda: wall() + 40 * 86400.0
from materialsdock.cli.app import main
out, *job_ids = sys.argv[1:]
for build in ("first", "second"):
    for job_id in job_ids:
        sys.argv = ["materialsdock", "export", job_id, "--out", out]
        try:
            main()
        except SystemExit as end:
            assert not end.code
    shutil.move(f"{out}/exports", f"{out}/{build}")
"""


@pytest.fixture(scope="module")
def rebuilt(night, tmp_path_factory):
    """Folders of all files, built twice from a copy of the ledger alone.

    In another process, place, language and time zone, forty days later; when the second is built,
    the first is gone from its place.
    """
    ledger, outcomes = night
    copied = tmp_path_factory.mktemp("restored")
    with (
        closing(sqlite3.connect(ledger.path)) as source,
        closing(sqlite3.connect(copied / "ledger.sqlite")) as target,
    ):
        source.backup(target)
    strange = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "77", "COLUMNS": "40"}
    built = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(copied), *(o.job.job_id for o in outcomes.values())],
        cwd=copied,
        capture_output=True,
        text=True,
        env={**os.environ, **strange, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return copied / "first", copied / "second"


@pytest.mark.slow
def test_all_of_it_is_rebuilt_from_a_copy_of_the_ledger_alone(done, rebuilt):
    _, outcome, files = done
    for folder in rebuilt:
        again = {path.suffix: path for path in folder.glob(f"{outcome.job.job_id}.*")}
        assert again.keys() == files.keys()
        for suffix, path in again.items():
            assert path.read_bytes() == files[suffix].read_bytes(), suffix


def test_the_page_is_that_of_the_live_outcome(done):
    ledger, outcome, files = done
    page = render_report(outcome)
    assert render_report(outcome_of(ledger, outcome.job.job_id)) == page
    exported = files[".html"].read_text(encoding="utf-8")
    assert exported.startswith(page)
    assert exported.removeprefix(page).startswith("<!-- {")


def test_every_file_says_where_it_comes_from(done):
    ledger, outcome, files = done
    job_id = outcome.job.job_id
    digest = hashlib.sha256()
    for table, order in (("observations", "seq"), ("decisions", "step")):
        query = f"SELECT body FROM {table} WHERE job_id = ? ORDER BY {order}"
        for (body,) in ledger.rows(query, job_id):
            digest.update(body.encode() + b"\n")
    said = source_of(ledger, job_id).provenance
    assert said.ledger_sha256 == digest.hexdigest()
    for path in files.values():
        raw = path.read_bytes()
        for fact in (said.job_id, said.ledger_sha256, said.settings_sha256):
            assert fact.encode() in raw, (path.suffix, fact)
        for version in (said.software["materialsdock"], said.software["numpy"]):
            assert version.encode() in raw, path.suffix
    assert json.loads(files[".json"].read_text())["provenance"] == said.as_dict()


def test_a_pattern_can_be_measured_again(night, tmp_path):
    ledger, outcomes = night
    outcome = outcomes["xrd"]
    for path in export(ledger, outcome.job.job_id, ["xye", "xy"], tmp_path):
        again = read_measured(path)
        assert again.technique == "xrd"
        assert again.x == pytest.approx(outcome.measured.two_theta, abs=1e-6)
        assert again.y == pytest.approx(2.0 * outcome.measured.intensity, rel=1e-8)
        job = prepare.job_for(again, outcome.job.sample, PROFILE, count_time_s=2.0)
        assert prepare.scene(again, job, PROFILE)["counts"].size == again.x.size
    assert read_measured(tmp_path / f"{outcome.job.job_id}.xye").sigma == pytest.approx(
        2.0 * outcome.measured.sigma, rel=1e-8
    )


def test_a_spectrum_can_be_measured_again(night, tmp_path):
    ledger, outcomes = night
    outcome = outcomes["xas"]
    (path,) = export(ledger, outcome.job.job_id, ["xdi"], tmp_path)
    again = read_measured(path)
    assert (again.technique, again.kind) == ("xas", "XDI")
    assert again.x == pytest.approx(outcome.measured.energy_ev, abs=1e-6)
    assert again.y == pytest.approx(outcome.measured.mu, rel=1e-8)
    assert prepare.job_for(again, outcome.job.sample, PROFILE).settings["edge"] == "Fe K"


def test_xdi_follows_its_specification(night, tmp_path):
    ledger, outcomes = night
    (path,) = export(ledger, outcomes["xas"].job.job_id, ["xdi"], tmp_path)
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[0].startswith("# XDI/1.0 materialsdock/")
    end = lines.index("# ///")
    tags = dict(line[2:].split(": ", 1) for line in lines[1:end])
    assert (tags["Element.symbol"], tags["Element.edge"]) == ("Fe", "K")
    assert tags["Column.1"] == "energy eV"
    assert float(tags["Mono.d_spacing"]) == PROFILE.devices["mono"].options["d_spacing"]
    assert tags["Scan.start_time"] == "2026-09-21T14:13:20+00:00"
    assert tags["Sample.name"].isascii()
    rule = next(i for i, line in enumerate(lines) if line.startswith("#---"))
    labels = lines[rule + 1][2:].split()
    assert labels == [tags[f"Column.{i}"].split()[0] for i in range(1, len(labels) + 1)]
    table = np.array([line.split() for line in lines[rule + 2 :]], dtype=float)
    column = dict(zip(labels, table.T, strict=True))
    # repeat visits: summed counts and precision-weighted µ differ within their noise
    assert np.log(column["i0"] / column["itrans"]) == pytest.approx(column["mutrans"], abs=0.03)
    assert column["i0"] / column["count_time"] == pytest.approx(I0, rel=0.1)


class XDIFile(ctypes.Structure):
    """The reading of a file by libxdifile, the library that defines XDI (its xdifile.h)."""

    _fields_ = (
        *(
            (name, ctypes.c_long)
            for name in ("nmetadata", "narrays", "npts", "narray_labels", "nouter", "error_lineno")
        ),
        ("dspacing", ctypes.c_double),
        *(
            (name, ctypes.c_char_p)
            for name in (
                "xdi_libversion",
                "xdi_version",
                "extra_version",
                "filename",
                "element",
                "edge",
                "comments",
                "error_line",
                "error_message",
            )
        ),
        ("array_labels", ctypes.c_void_p),
        ("outer_label", ctypes.c_char_p),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "array_units",
                "meta_families",
                "meta_keywords",
                "meta_values",
                "array",
                "outer_array",
                "outer_breakpts",
            )
        ),
    )


def test_the_library_that_defines_xdi_has_nothing_to_say(night, tmp_path):
    """It comes with xraylarch, which is not imported for it."""
    larch = importlib.util.find_spec("larch")
    if larch is None or larch.origin is None:
        pytest.skip("xraylarch is not installed")
    library = Path(larch.origin).parent / "bin" / "linux64" / "libxdifile.so"
    if not library.is_file() or sys.platform != "linux":
        pytest.skip("xraylarch has no libxdifile for this machine")
    ledger, outcomes = night
    (path,) = export(ledger, outcomes["xas"].job.job_id, ["xdi"], tmp_path)
    lib, said = ctypes.CDLL(str(library)), XDIFile()
    assert lib.XDI_readfile(str(path).encode(), ctypes.byref(said)) == 0
    assert lib.XDI_required_metadata(ctypes.byref(said)) == 0, said.error_message
    measured = outcomes["xas"].measured
    assert (said.element, said.edge, said.npts) == (b"Fe", b"K", measured.mu.size)
    assert said.dspacing == 3.1356
    texts = said.nmetadata * ctypes.c_char_p
    items = zip(
        *(
            texts.from_address(at)
            for at in (said.meta_families, said.meta_keywords, said.meta_values)
        ),
        strict=True,
    )
    for item in items:
        assert lib.XDI_validate_item(ctypes.byref(said), *item) == 0, (item, said.error_message)
    columns = (said.narrays * ctypes.POINTER(ctypes.c_double)).from_address(said.array)
    assert columns[0][: said.npts] == pytest.approx(measured.energy_ev, abs=1e-6)
    assert columns[1][: said.npts] == pytest.approx(measured.mu, rel=1e-8)


def test_the_cif_can_be_read(night, tmp_path):
    ledger, outcomes = night
    outcome = outcomes["xrd"]
    (path,) = export(ledger, outcome.job.job_id, ["cif"], tmp_path)
    document = gemmi.cif.read(str(path))
    assert gemmi.make_small_structure_from_block(document[0]).spacegroup.number == 221
    said = document[-1].find_value("_materialsdock_ledger_sha256")
    assert (
        gemmi.cif.as_string(said) == source_of(ledger, outcome.job.job_id).provenance.ledger_sha256
    )


def test_what_a_technique_has_not_is_refused_all_at_once(night, tmp_path):
    ledger, outcomes = night
    with pytest.raises(Refused) as refused:
        export(ledger, outcomes["xas"].job.job_id, ["xye", "cif", "json"], tmp_path)
    assert "xye: the job is xas" in str(refused.value)
    assert "cif: the job is xas" in str(refused.value)
    assert refused.value.remedy == "it has: nexus, xdi, html, json"
    assert not list(tmp_path.iterdir())


def test_another_seed_of_settings_is_another_digest(night):
    ledger, outcomes = night
    found = {source_of(ledger, o.job.job_id).provenance.settings_sha256 for o in outcomes.values()}
    assert len(found) == len(outcomes)
    assert set(FORMATS) == {"nexus", "xdi", "xye", "xy", "cif", "html", "json"}


def test_nexus_is_read_again_with_its_exposures_in_order(done):
    _, outcome, files = done
    found = read_measured(files[".nxs"])
    measured = outcome.measured
    energies = getattr(measured, "energy_ev", None)
    x = measured.two_theta if energies is None else energies
    assert found.technique == outcome.job.sample.technique
    assert found.x == pytest.approx(np.sort(x), abs=1e-5)
    assert any("s together" in note or "repeated visits" in note for note in found.notes)
    if energies is not None:
        assert found.y == pytest.approx(measured.mu[np.argsort(x)], abs=0.05)
