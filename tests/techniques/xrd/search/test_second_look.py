"""The steps after a search: traces, texture and amorphous content in solutions and words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.refining import Here
from support.structures import simulated
from support.textured_powder import textured

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Job, Outcome, Sample
from materialsdock.techniques.xrd.analysis import Found
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.search.quantify import SpikedStandard
from materialsdock.techniques.xrd.search.search import search
from materialsdock.techniques.xrd.search.second_look import findings
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, ZINCITE
from materialsdock.views.report import overview, summary_json
from materialsdock.views.report.page import render_report

CU = Diffractometer()


def shortened(pattern, low=24.0, high=62.0):
    keep = (pattern.two_theta > low) & (pattern.two_theta < high)
    columns = (pattern.two_theta, pattern.intensity, pattern.sigma, pattern.count_time_s)
    return Pattern(*(column[keep] for column in columns))


@pytest.fixture(scope="module")
def spiked():
    """Fluorite with 40 wt% of no peaks and 20 wt% of corundum weighed in; zincite is absent."""
    pattern = shortened(simulated(((FLUORITE, 48), (CORUNDUM, 20)), seed=8))
    structures = (FLUORITE, CORUNDUM, ZINCITE)
    found = search(pattern, structures, CU, trials=1, hold_out=False, executor=Here())
    said = findings(found.solutions[0], found.texture, SpikedStandard("corundum", 20.0, 0.1))
    sample = Sample("spiked", "xrd", 0, structures)
    refined = Found(found.fit, found.trials, found.solutions, found.assessment)
    outcome = Outcome(Job("spiked", sample), (), said, pattern, refined)
    return found, outcome


@pytest.mark.slow
def test_an_absent_phase_harms_nothing(spiked):
    found, outcome = spiked
    assert found.fit.violations == ()
    assert found.fit.recipe["traces"] == ["zincite"]
    assert found.texture == ()
    assert found.assessment.word == "ambiguous"
    zincite = summary_json(outcome)["phases"][2]
    assert zincite["detected"] is False
    assert 0 < zincite["limit"] < 0.5
    assert f"zincite: not detected, < {zincite['limit']:.2g} wt%" in overview(outcome)


@pytest.mark.slow
def test_amorphous_content_is_said(spiked):
    _, outcome = spiked
    said = summary_json(outcome)["amorphous"]
    assert said["amorphous"]["percent"] == pytest.approx(40, abs=3 * said["amorphous"]["esd"])
    assert 0 < said["amorphous"]["esd"] < 2
    assert said["standard"] == {"name": "corundum", "percent": 20.0, "esd": 0.1}
    assert "in the original sample, without the 20.0(1) wt% of corundum" in overview(outcome)
    assert "amorphous" in render_report(outcome)
    assert "not detected" in render_report(outcome)
    assert json.loads(json.dumps(summary_json(outcome), allow_nan=False))


@pytest.mark.slow
def test_texture_is_accepted_in_every_solution():
    pattern = shortened(textured(ZINCITE, (0, 0, 1), 0.7, seed=3), 28.0, 80.0)
    found = search(pattern, (ZINCITE,), CU, trials=1, hold_out=False, executor=Here(), texture=True)
    best = found.texture[0]
    assert best.accepted
    assert best.axis == (0, 0, 1)
    for solution in found.solutions:
        assert solution.fit.recipe["preferred_orientation"] is True
    march = {p.name: p.value for p in found.fit.parameters}["zincite.preferred_orientation"]
    assert march == pytest.approx(0.7, abs=0.02)
    said = findings(found.solutions[0], (replace(best, esd=float("nan")), *found.texture[1:]))
    assert said["texture"][0]["esd"] is None
    assert said["amorphous"] is None
    assert json.dumps(said, allow_nan=False)
    assert np.isfinite(found.fit.rwp)
