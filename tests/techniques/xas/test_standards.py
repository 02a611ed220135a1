"""Shares of standards as what a measurement of a mixture is for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.places import ROOT

from materialsdock.campaign import analysis, build, option_words, prepare
from materialsdock.campaign.campaign import Campaign
from materialsdock.cli.request import MeasureRequest
from materialsdock.errors import InputError
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Measured, Observation, Sample
from materialsdock.profile import config
from materialsdock.techniques.xas.spectrum import wanted_quantities
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

PROFILE = config.load("sim", ROOT)
ENERGY = np.arange(7000.0, 7300.0, 0.5)
KINDS = {
    "low": {"e0_ev": 7110.0, "white_line": 0.3, "pre_edge_peak": 0.02},
    "high": {"e0_ev": 7114.0, "white_line": 0.8, "pre_edge_peak": 0.1},
}
MIXTURE = 0.3 * simulate_xanes(ENERGY, **KINDS["low"])
MIXTURE += 0.7 * simulate_xanes(ENERGY, **KINDS["high"])


@pytest.fixture
def files(tmp_path):
    found = []
    for name, kind in KINDS.items():
        path = tmp_path / f"{name}.xdi"
        rows = zip(ENERGY, simulate_xanes(ENERGY, **kind), strict=True)
        text = "\n".join(f"{e:.2f} {y:.6f}" for e, y in rows)
        path.write_text(f"# XDI/1.0\n# Column.1: energy eV\n# Column.2: mutrans\n#---\n{text}\n")
        found.append(path)
    return tuple(found)


def job(files, stop, seed=1):
    profile = PROFILE.model_copy(
        update={"xas": PROFILE.section("xas").model_copy(update={"standards": files})}
    )
    measured = Measured(technique="xas", x=ENERGY, y=MIXTURE)
    settings = option_words.stop_options(stop)
    return prepare.job_for(measured, Sample("mix", "xas"), profile, stop=settings, seed=seed)


def test_a_measurement_stops_when_the_share_is_known(files, tmp_path):
    of = job(files, ["mode=target", "fraction:low_sd=0.02", "maximum_points=400"])
    rng, noise = np.random.default_rng(0), 0.01
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_job(of)
        campaign = Campaign(ledger.job(of.job_id), ledger)
        proposal = campaign.ask()
        while proposal is not None:
            step, x = len(campaign.decisions), proposal.start
            y = float(np.interp(x, ENERGY, MIXTURE) + noise * rng.standard_normal())
            campaign._waiting = [Observation(f"r/{step}", step, x, y, noise, 1.0, "r")]
            proposal = campaign.judge(proposal).next
        assert "standard deviation of fraction:low" in campaign.decisions[-1].verdict.reason
        assert len(campaign.decisions) < 300
        outcome = analysis.analyse(campaign, lambda stage: None, lambda trial: None)
    known = {s["name"]: s for s in outcome.summary["certificate"]["statements"]}["fraction:low"]
    assert known["value"] == pytest.approx(0.3, abs=0.05)
    assert abs(known["value"] - 0.3) <= known["bound"]


def test_shares_of_a_curve_without_noise_are_exact(files):
    settings = job(files, []).settings["learner"]["standards"]
    grid = np.asarray(job(files, []).settings["axis"]["grid"])
    low, high = wanted_quantities.quantities(["fraction:low", "fraction:high"], grid, settings)
    mu = np.interp(grid, ENERGY, MIXTURE)
    assert low.analyse(grid, mu) == pytest.approx(0.3, abs=0.02)
    assert low.analyse(grid, mu) + high.analyse(grid, mu) == pytest.approx(1.0)


def test_what_is_no_standard_is_refused_with_the_reason(files, tmp_path):
    with pytest.raises(InputError, match="1 standards named low"):
        job(files[:1], [])
    with pytest.raises(InputError, match="fraction:NAME with --standards FILE"):
        build.check(job((), ["mode=target", "fraction:low_sd=0.02"]))
    with pytest.raises(InputError, match=r"no quantity 'fraction:iron'.*fraction:high"):
        build.check(job(files, ["mode=target", "fraction:iron_sd=0.02"]))
    apart = tmp_path / "apart.xdi"
    kept = files[0].read_text().splitlines()
    apart.write_text("\n".join([*kept[:4], *kept[120:282]]))  # ends 28 eV behind the edge
    late = tmp_path / "late.xdi"
    late.write_text("\n".join([*kept[:4], *kept[209:]]))  # begins 8 eV before it
    with pytest.raises(InputError, match=r"standards and scan share \d+ eV"):
        job((apart, late), [])


def test_the_command_line_passes_them_on(files):
    request = MeasureRequest.of(standards=files)
    assert "--standards" in request.given
    assert request.applied(PROFILE).section("xas").standards == files
    with pytest.raises(InputError, match="--standards given for a measurement of xrd"):
        option_words.fitting("xrd", replace(request).of_techniques)
