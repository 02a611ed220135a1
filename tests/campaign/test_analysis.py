"""From what was measured to an outcome, also where there is little to analyse."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.places import ROOT

from materialsdock.campaign import analysis, option_words, prepare
from materialsdock.campaign.campaign import Campaign
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Measured, Observation, Sample
from materialsdock.profile import config
from materialsdock.techniques.xas import analysis as absorption
from materialsdock.techniques.xas.spectrum import promises
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.views.report import overview, summary_json
from materialsdock.views.report.page import render_report

PROFILE = config.load("sim", ROOT)
ENERGY = np.linspace(6950.0, 7400.0, 901)
SPECTRUM = Measured(technique="xas", x=ENERGY, y=simulate_xanes(ENERGY))


def measured(folder, words, noise=0.005, truth=SPECTRUM):
    """A campaign that ran to its stop, without a beamline."""
    job = prepare.job_for(
        SPECTRUM, Sample("s", "xas"), PROFILE, stop=option_words.stop_options(words), seed=1
    )
    rng = np.random.default_rng(0)
    with Ledger(folder / "ledger.sqlite") as ledger:
        ledger.add_job(job)
        campaign = Campaign(job, ledger)
        proposal = campaign.ask()
        while proposal is not None:
            step, x = len(campaign.decisions), proposal.start
            y = float(np.interp(x, truth.x, truth.y) + noise * rng.standard_normal())
            campaign._waiting = [Observation(f"r/{step}", step, x, y, noise, 1.0, "r")]
            proposal = campaign.judge(proposal).next
    return analysis.analyse(campaign, lambda stage: None, lambda trial: None)


def test_a_measurement_too_short_for_an_edge_is_reported_with_the_reason(tmp_path):
    outcome = measured(tmp_path, ["maximum_points=5", "area:7100:7200_sd=0.001"])
    assert outcome.found.edge is None
    assert "no edge was found: " in overview(outcome)
    assert "budget of 5 points is used up" in overview(outcome)
    found = json.loads(json.dumps(summary_json(outcome), allow_nan=False))
    assert found["e0_ev"] is None
    assert found["certificate"]["missing"].startswith("5 points are measured, at least 20")
    assert not any("95 %" in line for line in found["certificate"]["sentences"])


def test_the_edge_of_an_early_stop_says_that_its_sd_is_widened_and_not_tested(tmp_path):
    outcome = measured(tmp_path, ["maximum_points=24"])
    assert outcome.found.edge is not None
    assert "stopped early" in outcome.found.edge.warnings[-1]
    assert "not calibrated" in overview(outcome)
    said = {each["name"]: each for each in outcome.summary["certificate"]["statements"]}
    e0 = outcome.found.edge.numbers["e0"]
    assert e0.statistical == pytest.approx(said["e0"]["bound"] / 1.96)
    assert outcome.found.edge.e0_sd_ev == np.hypot(e0.statistical, e0.systematic)
    assert outcome.found.edge.e0_sd_ev > said["e0"]["sd"]
    assert outcome.found.edge.edge_step_sd > said["edge_step"]["sd"]


def test_energies_that_are_not_calibrated_are_suspected(tmp_path):
    off = replace(SPECTRUM, y=simulate_xanes(ENERGY, e0_ev=7142.0))
    edge = measured(tmp_path, ["maximum_points=60"], truth=off).found.edge
    (said,) = [each for each in edge.warnings if "with a foil" in each]
    assert "above the tabulated Fe K, 7112 eV" in said


def test_an_edge_that_may_be_anywhere_has_no_sd_and_still_a_page(tmp_path):
    outcome = measured(tmp_path, ["maximum_points=24"])
    bounds = [SimpleNamespace(name=name, bound=float("inf")) for name in promises.CERTIFIED]
    missing = "24 of at least 30 points"
    promised = SimpleNamespace(statements=bounds, missing=missing, widened=1.0)
    edge = absorption._of_early_stop(outcome.found.edge, promised)
    assert "cannot be given" in edge.warnings[-1]
    unknown = replace(outcome, found=replace(outcome.found, edge=edge))
    assert json.loads(json.dumps(summary_json(unknown), allow_nan=False))["e0_sd_ev"] is None
    assert "cannot be given" in overview(unknown)
    assert "Edge and normalisation" in render_report(unknown)


def test_what_the_user_wanted_is_certified(tmp_path):
    outcome = measured(tmp_path, ["area:7100:7200_sd=0.2", "maximum_points=200"])
    names = [each["name"] for each in outcome.summary["certificate"]["statements"]]
    assert names == [*promises.CERTIFIED, "area:7100:7200"]
    assert outcome.summary["certificate"]["missing"] is None
    assert not any("stopped early" in warning for warning in outcome.found.edge.warnings)
    assert outcome.found.edge.e0_ev == pytest.approx(7112.0, abs=20.0)


def test_the_value_of_a_target_is_not_called_lambda(tmp_path):
    outcome = measured(tmp_path, ["mode=target", "rmse=0.05", "maximum_points=60"])
    assert all(each.lambda_t is None for each in outcome.decisions)
    found = summary_json(outcome)
    assert (found["lambda_final"], found["lambda_threshold"]) == (None, None)
    assert "budget of 60 points" in found["stop_reason"]
    assert "<svg" in render_report(outcome)
