"""An absorption measurement is analysed beyond its edge, and says what it could not have."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.outcomes import absorption_outcome, with_found
from support.xas_samples import E0, exafs, mixture, oxides

from materialsdock.errors import InputError, ModelFault
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.ledger.outcomes import packed, unpacked
from materialsdock.techniques.xas import analysis
from materialsdock.techniques.xas.analysis import beyond_edge
from materialsdock.techniques.xas.exafs.oscillations import strongest_peak
from materialsdock.techniques.xas.model import EdgeFit
from materialsdock.techniques.xas.report import analysis_figures
from materialsdock.techniques.xas.spectrum.edge_fit import fit_edge
from materialsdock.views.report import overview, summary_json
from materialsdock.views.report.page import render_report

NOISE = 1e-3
TRUTH = {"amplitude": 5.0, "distance": 2.13, "sigma2": 0.006, "e0_shift_ev": 1.5}


def measured(energy, mu, noise=NOISE, count=40) -> tuple[Spectrum, np.ndarray, EdgeFit]:
    """A spectrum with samples as white noise about it, and its edge."""
    rng = np.random.default_rng(0)
    samples = mu + noise * rng.standard_normal((count, energy.size))
    return Spectrum(energy, mu, np.full(energy.size, noise)), samples, fit_edge(energy, mu, samples)


def standards():
    return {
        "curves": {},
        "window_ev": [7092.0, 7172.0],
        "measured": {
            each.name: {"energy_ev": each.energy_ev.tolist(), "mu": each.mu.tolist()}
            for each in oxides(step=1.6)
        },
    }


@pytest.fixture(scope="module")
def waves():
    spectrum, samples, edge = measured(*exafs(TRUTH))
    return beyond_edge(spectrum, samples, spectrum, edge, None)


@pytest.fixture(scope="module")
def mixed():
    of = mixture(oxides(step=1.6), (0.3, 0.7, 0.0), noise=NOISE)
    spectrum, samples, edge = measured(of.energy_ev, of.mu)
    return beyond_edge(spectrum, samples, spectrum, edge, standards())


def with_it(found):
    return with_found(absorption_outcome(), absorption=found)


def test_a_long_spectrum_has_oscillations_with_samples(waves):
    assert waves.combination is None
    assert waves.missing == ()
    data = waves.oscillations
    assert data.k[-1] > 12
    sd = data.samples.std(axis=0, ddof=1)
    assert np.median(sd[data.k > 3]) == pytest.approx(NOISE / 1.3, rel=0.5)
    r, r_sd = strongest_peak(data)
    assert 1.5 < r < 2.13
    assert 0 <= r_sd < 0.1


def test_fractions_of_a_measured_mixture(mixed):
    found = mixed.combination
    assert set(found.fractions) == {"low", "middle"}
    low = found.fractions["low"]
    assert abs(low.value - 0.3) < 3 * low.esd
    assert low.esd == pytest.approx(
        np.hypot(found.esd_noise["low"], found.esd_normalisation["low"])
    )
    assert set(found.left_out) == {"high"}


def test_the_report_shows_both(waves, mixed):
    both = with_it(replace(mixed, oscillations=waves.oscillations))
    page, plain = render_report(both), render_report(absorption_outcome())
    assert page.count("<svg") == plain.count("<svg") + 2
    assert "Oscillations beyond the edge" in page
    assert "Fractions of standards" in page
    assert "sd of normalisation" in page
    said = summary_json(both)
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert set(said["combination"]["fractions"]) == {"low", "middle"}
    assert said["oscillations"]["k_max"] > 12
    assert said["absorption_missing"] == []
    assert "highest peak of |χ(R)|" in overview(both)
    assert "not needed (fraction if it were added): high" in overview(both)


def test_it_is_kept_to_the_last_bit(waves, mixed):
    both = with_it(replace(mixed, oscillations=waves.oscillations))
    again = unpacked(packed(both), "job")
    assert render_report(replace(again, decisions=both.decisions)) == render_report(both)
    assert summary_json(replace(again, decisions=both.decisions)) == summary_json(both)


def test_an_esd_that_nobody_knows_is_none_in_json_and_a_dash_on_the_page(mixed):
    of = mixed.combination
    unknown = {name: replace(each, esd=np.inf) for name, each in of.fractions.items()}
    endless = dict.fromkeys(of.fractions, np.inf)
    found = replace(of, fractions=unknown, esd_normalisation=endless)
    outcome = with_it(replace(mixed, combination=found))
    said = json.loads(json.dumps(summary_json(outcome), allow_nan=False))
    low = said["combination"]["fractions"]["low"]
    assert (low["esd"], low["esd_normalisation"]) == (None, None)
    assert low["esd_noise"] > 0
    assert '<td class="n">—</td>' in render_report(outcome)


def test_a_short_spectrum_says_how_far_it_went():
    energy, mu = exafs(TRUTH, length=110.0)
    spectrum, samples, edge = measured(energy, mu)
    found = beyond_edge(spectrum, samples, spectrum, edge, None)
    assert found.oscillations is None
    assert "the energies end at k = 5." in found.missing[0]
    outcome = with_it(found)
    assert found.missing[0] in overview(outcome)
    assert summary_json(outcome)["absorption_missing"] == list(found.missing)
    assert "the energies end at k" in render_report(outcome)


def test_no_edge_and_standards_of_another_element_are_said():
    spectrum, samples, edge = measured(*exafs(TRUTH))
    none = beyond_edge(spectrum, samples, spectrum, None, standards())
    assert none.missing == ("no χ(k) and no fractions: no edge was found",)
    other = standards()
    for each in other["measured"].values():
        each["energy_ev"] = (np.array(each["energy_ev"]) + 597.0).tolist()
    found = beyond_edge(spectrum, samples, spectrum, edge, other)
    assert found.oscillations is not None
    assert "no fractions: low: its edge is at 77" in found.missing[0]


def test_a_job_of_an_earlier_version_says_so():
    spectrum, samples, edge = measured(*exafs(TRUTH))
    old = {key: value for key, value in standards().items() if key != "measured"}
    found = beyond_edge(spectrum, samples, spectrum, edge, old)
    assert "only normalised standards are kept" in found.missing[0]


@pytest.mark.parametrize(
    "fault",
    [
        InputError("no", where="χ(k)"),
        ModelFault("no"),
        np.linalg.LinAlgError("no"),
        ZeroDivisionError(),
    ],
)
def test_what_fails_is_named_and_the_rest_stays(monkeypatch, fault):
    def broken(*_, **__):
        raise fault

    monkeypatch.setattr(analysis, "measured_oscillations", broken)
    of = mixture(oxides(step=1.6), (0.3, 0.7, 0.0), noise=NOISE)
    spectrum, samples, edge = measured(of.energy_ev, of.mu)
    found = beyond_edge(spectrum, samples, spectrum, edge, standards())
    assert found.oscillations is None
    assert found.missing[0].startswith("no χ(k): ")
    assert found.missing[0].count("χ(k)") == 1
    assert len(found.missing[0]) > len("no χ(k): ")
    assert found.combination is not None


def test_the_edge_of_the_samples_is_the_spectrums(waves):
    assert waves.oscillations.e0_ev == pytest.approx(E0, abs=1.0)


def test_the_legend_of_parts_has_place_for_long_names():
    named = analysis_figures._named({"a": np.zeros(2), "x" * 90: np.ones(2)})
    assert [len(placeholder) for placeholder in named] == [len("standard0"), 40]
    assert analysis_figures._columns(["standard0"]) == analysis_figures._columns([]) == 4
    assert analysis_figures._columns(named) == 2
