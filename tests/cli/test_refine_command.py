"""The command `refine`: what it prints and writes, and going on after an interruption."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Annotated

import gemmi
import numpy as np
import pytest
import typer
from support.outcomes import with_found
from support.structures import lab6_files
from typer.testing import CliRunner

from materialsdock import technique
from materialsdock.cli import measure_command, refine_command
from materialsdock.cli import refine as cli_refine
from materialsdock.cli.request import MeasureRequest
from materialsdock.errors import InputError
from materialsdock.model import Trial
from materialsdock.techniques.xas.options import Options as SpectrumOptions
from materialsdock.techniques.xrd.refine import Options
from materialsdock.techniques.xrd.report.cif import write_cif
from materialsdock.techniques.xrd.report.figures import search as search_figure

pytestmark = pytest.mark.usefixtures("in_this_process")

RANGE = (20.0, 50.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return lab6_files(tmp_path_factory.mktemp("measured"))


def refine(files, out, trials, *, resume=False):
    request = MeasureRequest.of(
        kinds={"xrd": Options},
        out=out,
        trials=trials,
        workers=1,
        cif=[files / "LaB6.cif"],
        seeds=1,
        range=RANGE,
        resume=resume,
    )
    measured, sample = measure_command.read_sample(files / "LaB6.xy", "xrd", request)
    shown, written = refine_command.refine(request, measured, sample, files / "LaB6.xy")
    return shown, written["cif"]


@pytest.fixture(scope="module")
def done(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return refine(files, out, 2), out


def test_it_prints_one_json_object_with_the_answer(done, capsys):
    (shown, cif), _ = done
    refine_command.show(shown, {"cif": cif}, True)
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "accept"
    assert said["rwp"] / said["r_exp"] == pytest.approx(said["gof"])
    assert said["engine"].startswith("rietx")
    assert (said["trials"], said["rivals"]) == (2, [])
    assert said["seconds"] > 0
    (phase,) = said["phases"]
    assert phase["a"] == pytest.approx(4.157, abs=5e-4)
    assert 0 < phase["a_esd"] < 1e-3
    assert phase["a_esd"] >= phase["a_esd_statistical"] > 0
    assert phase["a_systematic"] == phase["a_esd_systematic"] >= 0
    assert phase["weight_fraction"] == 100
    assert 0.8 < said["held_out"]["ratio"] < 1.5


def test_it_tells_a_person_the_verdict(done, capsys):
    (shown, cif), _ = done
    refine_command.show(shown, {"cif": cif}, False)
    said = capsys.readouterr().out
    assert "verdict: accept" in said
    assert "held-out 2θ blocks" in said


def test_the_report_has_the_verdict_and_the_course_of_the_search(done):
    (shown, _), _ = done
    page = shown.report.read_text()
    assert "Verdict: accept" in page
    assert "the lowest of a physical one so far" in page
    assert "Held-out 2θ blocks" in page


def test_the_cif_holds_structure_pattern_and_provenance(done):
    (shown, cif), _ = done
    document = gemmi.cif.read(str(cif))
    phase, pattern = document[0], document[-1]
    fit = shown.outcome.found.fit
    crystal = gemmi.make_small_structure_from_block(phase)
    assert crystal.spacegroup.number == 221
    assert crystal.cell.a == pytest.approx(fit.phases[0].cell["a"].value, abs=1e-4)
    assert len(crystal.get_all_unit_cell_sites()) == 7
    assert "(" in phase.find_value("_cell_length_a")
    two_theta = np.array([float(v) for v in pattern.find_values("_pd_meas_2theta_scan")])
    y_calc = np.array([float(v) for v in pattern.find_values("_pd_calc_intensity_total")])
    assert (two_theta[0], two_theta[-1]) == pytest.approx(RANGE, abs=0.03)
    assert y_calc == pytest.approx(fit.y_calc, rel=1e-5)
    assert float(pattern.find_value("_pd_proc_ls_prof_wR_factor")) == pytest.approx(
        fit.rwp / 100, abs=1e-5
    )
    details = gemmi.cif.as_string(pattern.find_value("_pd_proc_ls_special_details"))
    assert "verdict: accept" in details
    assert "background_terms" in details


def test_nothing_refined_nothing_written(done, tmp_path):
    (shown, _), _ = done
    with pytest.raises(InputError, match="nothing was refined"):
        write_cif(with_found(shown.outcome, fit=None), tmp_path / "x.cif")


@pytest.mark.slow
def test_an_interrupted_search_goes_on(files, done):
    (first, _), out = done
    more, _ = refine(files, out, 3, resume=True)
    assert more.outcome.found.trials[:2] == first.outcome.found.trials
    assert len(more.outcome.found.trials) == 3


def test_a_search_without_a_physical_trial_still_reports():
    trial = Trial(0, 0, 50.0, {}, "complete", violations=("O.biso = 0",), objective=55.0)
    assert "none physical" in search_figure((trial,)).svg


@dataclass(frozen=True)
class Shells(SpectrumOptions):
    """Options of a second technique that refines."""

    shells: Annotated[int, typer.Option()] = 1


@pytest.fixture
def refined(monkeypatch):
    """`refined(*words)` runs the command up to its search; the technique that it is for."""
    seen = []

    def described(options, sample, profile):
        seen.append((sample.technique, options))
        raise InputError("far enough")

    def call(*words):
        app = typer.Typer()
        cli_refine.mount(app)
        done = CliRunner().invoke(app, [str(word) for word in words])
        if "far enough" in str(done.exception):
            return seen.pop()
        raise done.exception

    both = {
        name: replace(technique.named(name), refine=lambda part=part: part)
        for name, part in (
            ("xrd", SimpleNamespace(Options=Options, described=described)),
            ("xas", SimpleNamespace(Options=Shells, described=described)),
        )
    }
    monkeypatch.setattr(technique, "known", lambda: both)
    return call


@pytest.fixture
def spectrum(tmp_path):
    energy = np.linspace(7000.0, 7300.0, 601)
    path = tmp_path / "foil.xy"
    np.savetxt(path, np.c_[energy, 1.0 / (1.0 + np.exp(7112.0 - energy))], fmt="%.5f")
    return path


def test_the_file_says_which_technique_refines_it(refined, files, spectrum):
    assert refined(files / "LaB6.xy", "--seeds", "2") == ("xrd", Options(seeds=2))
    assert refined(spectrum, "--shells", "2") == ("xas", Shells(shells=2))


def test_a_technique_that_is_named_reads_the_file(refined, files):
    with pytest.raises(InputError, match="energ"):
        refined(files / "LaB6.xy", "--technique", "xas")


def test_options_of_another_technique_that_refines_are_refused(refined, spectrum):
    with pytest.raises(InputError, match=r"--range given for a measurement of xas"):
        refined(spectrum, "--range", "20", "30")


def test_a_technique_that_refines_nothing_is_refused(spectrum):
    app = typer.Typer()
    cli_refine.mount(app)
    done = CliRunner().invoke(app, [str(spectrum), "--technique", "xas"])
    assert isinstance(done.exception, InputError)
    said = str(done.exception)
    assert "X-ray absorption cannot be refined (name a file of a technique that is refined:" in said
    assert "xrd" in said
