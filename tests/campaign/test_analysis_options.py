"""Settings of an analysis: engine, store, energies; and what a resumed job keeps of them."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
from support.places import ROOT
from support.structures import simulated
from typer.testing import CliRunner

from materialsdock.campaign import analysis, prepare, run
from materialsdock.cli import app, measure_command, refine_command
from materialsdock.cli.request import MeasureRequest
from materialsdock.errors import InputError, MaterialsDockError, Refused
from materialsdock.fusion.hybrid import after_refinement
from materialsdock.fusion.hybrid.pareto import hybrid_of
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Measured, Outcome, Sample, Trial
from materialsdock.profile import config
from materialsdock.protocols import RunWatch
from materialsdock.techniques.xrd import analysis as diffraction
from materialsdock.techniques.xrd.model import Assessment, Diffractometer, Solution
from materialsdock.techniques.xrd.phases import answer
from materialsdock.techniques.xrd.phases.store import StructureStore
from materialsdock.techniques.xrd.refine import Options
from materialsdock.techniques.xrd.rietveld.recipe import default_recipe
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search.search import SearchResult
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, ZINCITE, cif
from materialsdock.testing.planted_powder import PlantedScene, planted
from materialsdock.views.report import overview, summary_json
from materialsdock.views.report.page import render_report

pytestmark = pytest.mark.usefixtures("in_this_process")

PROFILE = config.load("sim", ROOT)
RANGE = (25.0, 60.0)
CUAU = cif(
    "CuAu",
    "P 4/n m m :1",
    129,
    (3.96, 3.96, 3.67),
    [("Cu1", "Cu", 0, 0, 0), ("Au1", "Au", 0, 0.5, 0.47)],
)
EMT = "ase.calculators.emt:EMT"


def saved(folder, name, pattern):
    path = folder / f"{name}.xye"
    np.savetxt(path, np.c_[pattern.two_theta, pattern.intensity, pattern.sigma], fmt="%.4f")
    return path


def job_of(pattern, *structures, name="s", **changes):
    measured = Measured("xrd", pattern.two_theta, pattern.intensity, sigma=pattern.sigma)
    sample = Sample(name, "xrd", 0, structures)
    job = prepare.job_for(measured, sample, PROFILE, stop={})
    return analysis.with_analysis(job, {"trials": 1, "workers": 1, "range": RANGE} | changes)


def refined(pattern, *structures, past=(), **changes):
    job = job_of(pattern, *structures, **changes)
    summary = {"points_measured": 9, "points_full_scan": 9, "stop_reason": "a full scan"}
    outcome = Outcome(job, (), summary, pattern, diffraction.Found())
    return diffraction.refined(outcome, pattern, RunWatch(), past)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifs")
    for structure in (CORUNDUM, ZINCITE, FLUORITE):
        (folder / f"{structure.name}.cif").write_text(structure.cif)
    kept = tmp_path_factory.mktemp("store")
    StructureStore(kept).add([folder])
    return kept


# what cannot be done is refused before anything is measured


def test_an_engine_that_is_not_installed_is_refused():
    pattern = simulated([(ZINCITE, 1.0)])
    analysis.check(job_of(pattern, ZINCITE))
    with pytest.raises(Refused, match=r"GSAS-II is not installed.*--engine rietx") as refused:
        analysis.check(job_of(pattern, ZINCITE, engine="gsas2"))
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"store": "/nowhere"}, "no structure store"),
        ({"energy": "ase.calculators.emt:Emt"}, "cannot load"),
    ],
)
def test_a_store_or_calculator_that_is_none_is_refused(changes, words):
    pytest.importorskip("ase")
    job = job_of(simulated([(ZINCITE, 1.0)]), **changes)
    with pytest.raises(InputError, match=words):
        analysis.check(job)


def test_a_store_without_the_elements_is_refused(store):
    pattern = simulated([(ZINCITE, 1.0)])
    with pytest.raises(InputError, match="holds no structure made of He"):
        analysis.check(job_of(pattern, store=str(store), elements=["He"]))
    analysis.check(job_of(pattern, ZINCITE, store="/nowhere"))  # not needed with structures
    asked = MeasureRequest.of(store=store)
    with pytest.raises(InputError, match="leave out --cif, or --store"):
        asked.check_resumed(Sample("s", "xrd", 0, (ZINCITE,)))
    with pytest.raises(InputError, match="name the store"):
        MeasureRequest.of(elements="Zn,O").check_resumed(Sample("s", "xrd"))


def test_allowed_elements_are_those_of_the_composition_where_none_are_named():
    sample = Sample("s", "xrd", metadata={"composition": "Zn0.9Al0.1O"})
    assert answer.allowed_elements({}, sample) == {"Zn", "Al", "O"}
    assert answer.allowed_elements({"elements": ("Ca",)}, sample) == {"Ca"}
    assert answer.allowed_elements({}, Sample("s", "xrd")) is None


# phases found in the store


def one_fit(job, pattern, on_trial, first):
    """Instead of a search: the default recipe, accepted."""
    diffractometer = Diffractometer.of(job.settings["diffractometer"])
    phases = job.sample.structures
    recipe = default_recipe(pattern, phases, diffractometer)
    fit = RietxEngine().refine(pattern, phases, diffractometer, recipe)
    trial = Trial(0, 0, fit.rwp, recipe, "complete", objective=fit.rwp)
    accepted = Assessment("accept", ("fits",), ())
    return SearchResult(fit, (trial,), (Solution(fit, fit.rwp, 1, (0,)),), accepted, pattern, "one")


def test_an_unknown_pattern_is_identified_refined_and_reported(store, tmp_path, monkeypatch):
    monkeypatch.setattr(diffraction, "_searched", one_fit)
    path = saved(tmp_path, "unknown", simulated([(ZINCITE, 1.0)]))
    request = MeasureRequest.of(
        kinds={"xrd": Options},
        out=tmp_path / "out",
        trials=1,
        workers=1,
        store=store,
        elements="Zn,Al,O",
        seeds=1,
        range=RANGE,
    )
    measured, sample = measure_command.read_sample(path, "xrd", request)
    shown, written = refine_command.refine(request, measured, sample, path)
    said = summary_json(shown.outcome)
    assert [phase["name"] for phase in said["phases"]] == ["zincite"]
    assert said["phases"][0]["a"] == pytest.approx(3.2498, abs=1e-3)
    assert said["identification"]["verdict"] == "confident"
    assert said["identification"]["compared"] == 2
    assert any("identified among 2" in note for note in said["notes"])
    page = shown.report.read_text()
    assert "Identification of phases" in page
    assert "made of Al, O, Zn only" in page
    assert written["cif"].is_file()


def test_no_confident_match_is_an_end_with_a_report(store, tmp_path, capsys):
    path = saved(tmp_path, "unknown", simulated([(LAB6, 1.0)]))
    request = MeasureRequest.of(
        kinds={"xrd": Options}, out=tmp_path / "out", trials=1, workers=1, store=store, seeds=1
    )
    measured, sample = measure_command.read_sample(path, "xrd", request)
    done = refine_command.refine(request, measured, sample, path)
    refine_command.show(*done, True)
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "no confident match"
    assert (said["rwp"], said["phases"], said["cif"]) == (None, [], None)
    assert "Verdict: no confident match" in done[0].report.read_text()
    assert "candidates for phase 1" in overview(done[0].outcome)


def test_a_store_that_went_away_costs_the_identification_not_the_measurement(tmp_path):
    outcome = refined(simulated([(ZINCITE, 1.0)]), store=str(tmp_path / "gone"))
    assert outcome.found.assessment.word == "no confident match"
    assert "no structure store" in outcome.found.assessment.reasons[0]
    assert "no structure store" in render_report(outcome)


def test_a_doubtful_identification_makes_the_verdict_doubtful():
    said = {
        "verdict": "ambiguous",
        "reasons": ["b refines as well"],
        "compared": 9,
        "store": "s",
        "rivals": [{"phases": ["b", "c"], "rwp": 9.0}],
    }
    accepted = Assessment("accept", ("fits",), ())
    doubt = answer.doubted(accepted, said)
    assert (doubt.word, doubt.reasons) == ("ambiguous", ("b refines as well",))
    assert doubt.rivals == ("b + c (Rwp 9.00 %)",)
    sure = answer.doubted(accepted, said | {"verdict": "confident"})
    assert (sure.word, sure.reasons) == ("accept", ("fits",))
    assert "among 9" in sure.notes[0]
    worse = answer.doubted(Assessment("no confident match", ("bad",), ()), said)
    assert (worse.word, worse.reasons) == ("no confident match", ("bad", "b refines as well"))


# energies


def unweighed(pattern, *structures, **changes):
    job = job_of(pattern, *structures, energy=EMT, **changes)
    return Outcome(job, (), {}, pattern, diffraction.Found())


def energies(pattern, *structures, **changes):
    return after_refinement.weighed(unweighed(pattern, *structures, **changes), lambda _: None)


@pytest.fixture(scope="module")
def weighed():
    pytest.importorskip("ase")
    pattern = planted(PlantedScene(((CUAU, 1.0),)), two_theta=np.arange(20.0, 70.0, 0.08))
    return energies(pattern, CUAU, energy_trials=3)


@pytest.mark.slow
def test_the_pareto_set_is_in_report_and_json(weighed):
    said = json.loads(json.dumps(summary_json(weighed), allow_nan=False))["hybrid"]
    assert said["calculator"] == EMT
    assert said["trials"] == 3
    rwp = [row["rwp"] for row in said["pareto"]]
    energy = [row["energy_ev_per_atom"] for row in said["pareto"]]
    assert rwp == sorted(rwp)
    assert energy == sorted(energy, reverse=True)
    page = render_report(weighed)
    assert "Fit and energy" in page
    assert page.count("Structures that no other beats in both fit and energy") >= 1
    assert "cannot overrule the pattern" in page


def test_off_by_default_nothing_is_weighed():
    outcome = unweighed(simulated([(ZINCITE, 1.0)]), ZINCITE)
    assert not outcome.fused
    assert summary_json(outcome)["hybrid"] is None
    assert "Fit and energy" not in render_report(outcome)
    assert PROFILE.analysis.energy is None


def test_no_energy_costs_the_energies_not_the_refinement():
    pytest.importorskip("ase")
    outcome = energies(simulated([(ZINCITE, 1.0)]), ZINCITE)
    assert hybrid_of(outcome) is None
    assert "EMT has no energy for zincite" in summary_json(outcome)["hybrid"]["missing"]
    assert "EMT has no energy for zincite" in render_report(outcome)


def test_structures_of_one_composition_compete_the_rest_is_there_besides():
    rival = replace(CUAU, name="rival")
    candidates, others = after_refinement.rivals_and_others((CUAU, ZINCITE, rival))
    assert [s.name for s in candidates] == ["CuAu", "rival"]
    assert [s.name for s in others] == ["zincite"]


# going on with a job


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--cif", "a.cif"], "--cif"),
        (["--preferred-orientation", "0,0,1"], "--preferred-orientation"),
        (["--seed", "3"], "--seed"),
        (["--technique", "xrd", "--profile", "sim"], "--profile, --technique"),
        (["--stop", "threshold=0.1"], "--stop"),
    ],
)
def test_what_a_resumed_job_measures_cannot_be_changed(words, named):
    done = CliRunner().invoke(app.app, ["measure", "--resume", "id", *words])
    assert isinstance(done.exception, MaterialsDockError)
    assert sorted(
        str(done.exception).split(" cannot")[0].removeprefix("--resume: ").split(", ")
    ) == sorted(named.split(", "))


def kept_job(folder, **changes):
    job = job_of(simulated([(ZINCITE, 1.0)]), ZINCITE, **changes)
    data = DataDirectory(folder)
    scene = data.scenes / "s.npz"
    np.savez(scene, two_theta=np.arange(3.0))
    job = replace(job, settings={**job.settings, "scene": str(scene)})
    with Ledger(data.ledger) as ledger:
        ledger.add_job(job)
    return job


def test_a_resumed_job_has_its_structures_and_the_trials_that_are_asked_for(tmp_path, monkeypatch):
    job = kept_job(tmp_path, trials=16)
    seen = {}
    monkeypatch.setattr(measure_command, "_carry_out", lambda *given: seen.update(job=given[0]))
    measure_command.resume(MeasureRequest(out=tmp_path), job.job_id)
    assert seen["job"].settings["analysis"]["trials"] == 16
    measure_command.resume(MeasureRequest(out=tmp_path, trials=7, workers=3), job.job_id)
    found = seen["job"].settings["analysis"]
    assert (found["trials"], found["workers"]) == (7, 3)
    assert seen["job"].sample.structures == (ZINCITE,)


def test_the_analysis_of_a_resumed_job_has_them_too(tmp_path, monkeypatch):
    job = kept_job(tmp_path, trials=16)
    monkeypatch.setattr(run.Campaign, "finished", True)
    monkeypatch.setattr(run, "_catalog_fed_from", lambda *_: contextlib.nullcontext(lambda: None))
    pattern = simulated([(ZINCITE, 1.0)])
    monkeypatch.setattr(
        analysis,
        "analyse",
        lambda campaign, *_: Outcome(campaign.job, (), {}, pattern, diffraction.Found()),
    )
    data = DataDirectory(tmp_path)
    again = run.measure(job.job_id, PROFILE, data, None, {"trials": 7})
    assert again.job.settings["analysis"]["trials"] == 7
    same = run.measure(job.job_id, PROFILE, data)
    assert same.job.settings["analysis"]["trials"] == 16


def test_a_refined_file_cannot_be_measured_on(tmp_path):
    job = job_of(simulated([(ZINCITE, 1.0)]), ZINCITE)
    with Ledger(DataDirectory(tmp_path).ledger) as ledger:
        ledger.add_job(job)
    with pytest.raises(InputError, match="this job refined a file"):
        measure_command.resume(MeasureRequest(out=tmp_path), job.job_id)
    with pytest.raises(InputError, match="no ledger"):
        measure_command.resume(MeasureRequest(out=tmp_path / "nowhere"), job.job_id)
