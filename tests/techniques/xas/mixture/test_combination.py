"""Fractions of standards: right, bounded, with esds that hold noise and normalisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from support.places import SHARED
from support.xas_samples import mixture, oxides

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.techniques.xas.mixture.choice import explain
from materialsdock.techniques.xas.mixture.combination import XasCurve, combine
from materialsdock.techniques.xas.mixture.linear import independent
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

STANDARDS = oxides(step=1.6)
LIBRARY = SHARED / "xas" / "xasdatalibrary"
NAMES = ("low", "middle", "high")


def values(found, names=NAMES):
    return [found.fractions[name].value for name in names]


@settings(max_examples=6)
@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).filter(lambda f: sum(f) > 0.1))
def test_fractions_of_any_mixture_are_found_within_a_percent(parts):
    parts = np.array(parts) / sum(parts)
    found = combine(mixture(STANDARDS, parts, noise=1e-3), STANDARDS)
    assert values(found) == pytest.approx(parts, abs=0.012)
    assert sum(values(found)) == pytest.approx(1.0)
    assert all(0.0 <= value <= 1.0 for value in values(found))


def test_esds_hold_noise_and_normalisation():
    pulls = []
    for seed in range(12):
        sample = mixture(STANDARDS, (0.2, 0.3, 0.5), noise=4e-3, seed=seed)
        found = combine(sample, STANDARDS)
        for name, true in zip(NAMES, (0.2, 0.3, 0.5), strict=True):
            fraction = found.fractions[name]
            both = np.hypot(found.esd_noise[name], found.esd_normalisation[name])
            assert fraction.esd == pytest.approx(both)
            pulls.append((fraction.value - true) / fraction.esd)
    assert 0.4 < np.sqrt(np.mean(np.square(pulls))) < 1.6


@pytest.mark.parametrize("shift", [-0.4, 0.3])
def test_a_small_shift_is_fitted_and_reported(shift):
    sample = mixture(STANDARDS, (0.3, 0.3, 0.4), noise=5e-4, shift=shift)
    found = combine(sample, STANDARDS, chosen=SpectrumSettings(shift=1.0))
    assert found.shift_ev == pytest.approx(shift, abs=0.05)
    assert values(found) == pytest.approx((0.3, 0.3, 0.4), abs=0.015)
    assert any("shifted by" in warning for warning in found.warnings)


@pytest.mark.parametrize("fit", [combine, explain])
def test_no_shift_is_made_that_nobody_asked_for_and_its_effect_is_in_the_esd(fit):
    sample = mixture(STANDARDS, (0.3, 0.3, 0.4), noise=5e-4, shift=0.4)
    found = fit(sample, STANDARDS)
    assert found.shift_ev == 0.0
    assert any("shifted by +0.4" in each and "--shift 1" in each for each in found.warnings)
    for name, share in found.fractions.items():
        noise, norm = found.esd_noise[name], found.esd_normalisation[name]
        assert share.esd == pytest.approx(np.sqrt(noise**2 + norm**2 + found.esd_shift[name] ** 2))
    assert max(found.esd_shift.values()) > 0.02


def test_the_parts_add_up_to_the_model_in_the_range_of_the_fit():
    found = combine(mixture(STANDARDS, (0.3, 0.3, 0.4), noise=5e-4), STANDARDS)
    assert sum(found.parts.values()) == pytest.approx(found.model)
    assert not found.esd_shift
    assert not any("shift" in each for each in found.warnings)
    assert found.energy_ev[-1] - found.energy_ev[0] == pytest.approx(100.0, abs=2.0)
    assert set(found.normalisation) == {"pre1", "pre2", "norm1", "norm2", "order"}


def test_the_reference_is_the_normalisation_that_was_chosen():
    sample = mixture(STANDARDS, (0.3, 0.3, 0.4), noise=5e-4)
    chosen = SpectrumSettings(pre=(-140.0, -40.0), norm=(100.0, 500.0), order=1)
    found = combine(sample, STANDARDS, chosen=chosen)
    assert [*found.normalisation.values()] == [-140.0, -40.0, 100.0, 500.0, 1]
    assert found.normalisations > 20


def test_a_large_shift_is_told_to_be_calibrated():
    sample = mixture(STANDARDS, (0.5, 0.2, 0.3), shift=3.0)
    found = combine(sample, STANDARDS, chosen=SpectrumSettings(shift=1.0))
    assert any("at its limit" in warning for warning in found.warnings)


def test_without_the_sum_the_total_tells_what_is_missing():
    sample = mixture(STANDARDS, (0.3, 0.3, 0.4), noise=1e-4)
    free = combine(sample, STANDARDS, sum_to_one=False)
    assert free.total == pytest.approx(1.0, abs=0.01)
    assert all(0.0 <= value <= 1.0 for value in values(free))
    one_missing = combine(sample, STANDARDS[:2], sum_to_one=False)
    assert one_missing.r_factor > 10 * free.r_factor


def test_a_standard_that_is_not_there_gets_none():
    found = combine(mixture(STANDARDS, (0.0, 0.4, 0.6), noise=5e-4), STANDARDS)
    low = found.fractions["low"]
    assert low.value < 3 * max(low.esd, 1e-3)
    assert low.esd > 0


def cut(curve, low, high):
    inside = (curve.energy_ev >= low) & (curve.energy_ev <= high)
    return XasCurve(curve.name, curve.energy_ev[inside], curve.mu[inside])


@pytest.mark.parametrize(
    ("sample", "standards", "match"),
    [
        (STANDARDS[0], STANDARDS[:1], "two or more"),
        (STANDARDS[0], [STANDARDS[0], STANDARDS[0]], "two or more"),
        (STANDARDS[2], [STANDARDS[0], replace(STANDARDS[0], name="twin")], "alike"),
        (STANDARDS[0], [cut(s, 7000, 7180) for s in STANDARDS], "all curves together"),
        (
            STANDARDS[0],
            [STANDARDS[1], replace(STANDARDS[2], energy_ev=STANDARDS[2].energy_ev + 1867)],
            "Fe K",
        ),
        (XasCurve("empty", np.array([]), np.array([])), STANDARDS, "empty"),
        (replace(STANDARDS[0], mu=np.full_like(STANDARDS[0].mu, np.nan)), STANDARDS, "finite"),
        (replace(STANDARDS[0], mu=np.ones_like(STANDARDS[0].mu)), STANDARDS, "low"),
        (replace(STANDARDS[0], energy_ev=STANDARDS[0].energy_ev[::-1]), STANDARDS, "goes from"),
    ],
    ids=["one", "same name", "alike", "apart", "element", "empty", "nan", "flat", "backwards"],
)
def test_bad_input_is_one_error(sample, standards, match):
    with pytest.raises(InputError, match=match):
        combine(sample, standards)


@pytest.mark.skipif(not LIBRARY.is_dir(), reason="no measured data beside the checkout")
def test_mixtures_of_measured_standards_within_a_percent():
    standards = []
    for name in ("Fe_metal_rt_01", "FeO_rt_01", "Fe2O3_rt_01"):
        measured = read_measured(LIBRARY / "Fe" / f"{name}.xdi")
        standards.append(XasCurve(name, measured.x, measured.y))
    energy = np.arange(6970.0, 7900.0, 1.3)
    true = (0.2, 0.3, 0.5)
    mu = sum(
        f * PchipInterpolator(s.energy_ev, s.mu)(energy) / locate(s.energy_ev, s.mu).edge_step
        for f, s in zip(true, standards, strict=True)
    )
    noise = 1e-3 * np.random.default_rng(1).standard_normal(energy.size)
    found = combine(XasCurve("mixture", energy, mu + noise), standards, edge="Fe K")
    assert values(found, [s.name for s in standards]) == pytest.approx(true, abs=0.01)


@pytest.fixture(scope="module")
def candidates():
    """Four different standards, and one that is nearly another."""
    return [*STANDARDS, *_others()]


def _others():
    low = STANDARDS[0]
    twin = 1e-3 * np.sin(low.energy_ev / 3.0)
    metal = simulate_xanes(low.energy_ev, e0_ev=7106.0, white_line=0.1, distance_angstrom=2.48)
    return [XasCurve("twin", low.energy_ev, low.mu + twin), XasCurve("metal", low.energy_ev, metal)]


@pytest.mark.parametrize("seed", range(3))
def test_only_what_is_there_is_chosen(seed, candidates):
    several = [each for each in candidates if each.name != "twin"]
    sample = mixture(STANDARDS[:2], (0.3, 0.7), noise=2e-3, seed=seed)
    found = explain(sample, several, edge="Fe K")
    assert set(found.fractions) == {"low", "middle"}
    assert found.fractions["low"].value == pytest.approx(0.3, abs=0.03)
    assert set(found.left_out) == {"high", "metal"}
    for share in found.left_out.values():
        assert share.value <= 3 * share.esd
    assert not found.rivals


def test_a_pure_sample_is_one_standard(candidates):
    sample = mixture(STANDARDS[:2], (0.0, 1.0), noise=2e-3)
    found = explain(sample, [each for each in candidates if each.name != "twin"], edge="Fe K")
    assert {name: each.value for name, each in found.fractions.items()} == {"middle": 1.0}


def test_a_standard_that_could_stand_in_is_named_as_a_rival(candidates):
    sample = mixture(STANDARDS[:2], (0.3, 0.7), noise=5e-3)
    found = explain(sample, candidates, edge="Fe K")
    named = " ".join([*found.fractions, *found.rivals])
    assert "low" in named
    assert "twin" in named
    assert any("fits nearly as well: rms" in each for each in found.rivals)


def test_correlated_residuals_count_less():
    rng = np.random.default_rng(0)
    white = rng.standard_normal(4000)
    slow = np.convolve(white, np.ones(10) / 10, mode="same")
    assert independent(white) == pytest.approx(4000, rel=0.1)
    assert independent(slow) == pytest.approx(4000 * 0.1 / 1.9, rel=0.2)


def test_too_many_or_one_candidate_are_refused(candidates):
    sample = mixture(STANDARDS[:2], (0.3, 0.7))
    with pytest.raises(InputError, match="1 standard is too few"):
        explain(sample, candidates[:1])
    for wrong in (candidates[:1], [replace(candidates[0], name=str(i)) for i in range(13)]):
        with pytest.raises(InputError, match="give 2 to 12"):
            explain(sample, wrong, edge="Fe K")


@pytest.mark.parametrize("fit", [combine, explain])
def test_what_the_standards_do_not_explain_is_said(fit):
    sample = mixture(STANDARDS, (0.2, 0.3, 0.5), noise=5e-4)
    found = fit(sample, [STANDARDS[0], STANDARDS[2]])
    assert any("the standards do not explain the sample" in each for each in found.warnings)
    whole = fit(sample, STANDARDS)
    assert not any("explain" in each for each in whole.warnings)
    noisy = fit(mixture(STANDARDS, (0.2, 0.3, 0.5), noise=2e-2), STANDARDS)
    assert not any("explain" in each for each in noisy.warnings)


@pytest.mark.parametrize("fit", [combine, explain])
def test_a_share_that_would_be_negative_is_said(fit):
    found = fit(mixture(STANDARDS, (-0.2, 0.5, 0.7), noise=5e-4), STANDARDS)
    assert any("best fit has low -0.2" in each for each in found.warnings)
    none = fit(mixture(STANDARDS, (0.0, 0.4, 0.6), noise=2e-3), STANDARDS)
    assert not any("without the bound" in each for each in none.warnings)


def test_a_standard_itself_is_explained_without_a_warning_of_the_machine():
    found = explain(replace(STANDARDS[0], name="again"), STANDARDS, edge="Fe K")
    assert found.fractions["low"].value == pytest.approx(1.0)


def test_the_fractions_are_those_of_the_chosen_normalisation():
    sample = mixture(STANDARDS, (0.3, 0.3, 0.4), noise=1e-4)
    asked = SpectrumSettings(pre=(-140.0, -40.0), norm=(20.0, 90.0), order=0)
    usual, chosen = (combine(sample, STANDARDS, chosen=c) for c in (SpectrumSettings(), asked))
    assert values(usual) != pytest.approx(values(chosen), abs=1e-5)
    for found in (usual, chosen):
        parts = {n: each.max() / found.fractions[n].value for n, each in found.parts.items()}
        assert sum(found.parts.values()) == pytest.approx(found.model)
        assert all(1.0 < each < 2.5 for each in parts.values())
