"""What every refinement engine must obey; a new engine joins by its name in engines.ENGINES.

An engine that is not installed is skipped with the reason.  GSAS2_PYTHON names an interpreter
that has GSAS-II, where it is not the one that runs the tests.
"""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.forward_model import Profile, Scene, crystal_of, planted
from support.structures import CORUNDUM, FLUORITE, LAB6, ZINCITE

from materialsdock.errors import InputError
from materialsdock.model import Structure
from materialsdock.protocols import RefinementEngine
from materialsdock.techniques.xrd.model import Diffractometer, Pattern
from materialsdock.techniques.xrd.rietveld import engines, rfactors
from materialsdock.techniques.xrd.rietveld.recipe import default_recipe

CU = Diffractometer()
PYTHON = Path(os.environ["GSAS2_PYTHON"]) if "GSAS2_PYTHON" in os.environ else None
GRID = np.arange(20.0, 90.0, 0.05)
# no axial divergence, as the planted patterns have none
PLAIN = {"axial": "off", "background_terms": 4}
SHIFTED = Profile(u=2e-3, v=-1e-3, w=3e-3, x=0.03, displacement_mm=0.04)
MIXTURE = Scene(((LAB6, 30.0), (FLUORITE, 70.0)), SHIFTED)
SINGLE = Scene(((CORUNDUM, 1.0),), SHIFTED)
PLATY = replace(CORUNDUM, preferred_orientation=(0, 0, 1))


@pytest.fixture(scope="module", params=engines.ENGINES)
def engine(request):
    if reason := engines.unusable(request.param, PYTHON):
        pytest.skip(reason)
    return engines.engine(request.param, python=PYTHON)


def structures_of(scene):
    return tuple(structure for structure, _ in scene.mixture)


def refined(engine, pattern, structures, **recipe):
    return engine.refine(pattern, structures, CU, PLAIN | recipe)


def parameters(fit):
    return {p.name: p for p in fit.parameters}


def free(fit):
    """Names of what was refined."""
    return {p.name for p in fit.parameters if p.esd is not None}


def everything(fit):
    """A fit as one comparable value, without the time that it took."""
    return pickle.dumps(replace(fit, seconds=0.0))


@pytest.fixture(scope="module")
def mixture(engine):
    """30 wt% LaB6 and 70 wt% fluorite, and the fit of it."""
    pattern = planted(MIXTURE, two_theta=GRID)
    return pattern, refined(engine, pattern, (LAB6, FLUORITE))


@pytest.fixture(scope="module")
def single(engine):
    """Corundum, and the fit of it."""
    pattern = planted(SINGLE, two_theta=GRID)
    return pattern, refined(engine, pattern, (CORUNDUM,))


# names


def test_it_is_an_engine(engine):
    found: RefinementEngine = engine
    assert found.name in engines.ENGINES
    assert found.name in engines.available(PYTHON)
    assert pickle.loads(pickle.dumps(engine)).name == engine.name  # it travels to workers


# what was planted


@pytest.mark.parametrize("seed", [1, 2])
def test_the_planted_cell_lies_within_three_esd(engine, seed):
    pattern = planted(SINGLE, two_theta=GRID, seed=seed)
    fit = refined(engine, pattern, (CORUNDUM,))
    truth = crystal_of(CORUNDUM).cell
    assert fit.gof == pytest.approx(1.0, abs=0.1)
    for key in ("a", "c"):
        cell = fit.phases[0].cell[key]
        assert 0 < cell.esd < 1e-3
        assert abs(cell.value - getattr(truth, key)) < 3 * cell.esd
    found = parameters(fit)
    assert found["sample_displacement"].value == pytest.approx(0.04, abs=0.01)
    assert found["corundum.O1.x"].value == pytest.approx(0.3063, abs=0.003)


def test_a_wrong_start_comes_back(engine, single):
    pattern, _ = single
    wrong = CORUNDUM.cif.replace("4.7592", "4.7730").replace("12.992", "12.960")
    fit = refined(engine, pattern, (Structure("corundum", wrong),))
    for key, truth in (("a", 4.7592), ("c", 12.992)):
        cell = fit.phases[0].cell[key]
        assert abs(cell.value - truth) < 4 * cell.esd


def test_the_scale_follows_the_unit_and_nothing_else_does(engine, single):
    pattern, fit = single
    tripled = replace(pattern, intensity=3 * pattern.intensity, sigma=3 * pattern.sigma)
    again = refined(engine, tripled, (CORUNDUM,))
    scale = parameters(again)["corundum.scale"].value / parameters(fit)["corundum.scale"].value
    assert scale == pytest.approx(3.0, rel=2e-3)
    assert again.rwp == pytest.approx(fit.rwp, abs=0.01)
    a, same = again.phases[0].cell["a"], fit.phases[0].cell["a"]
    assert abs(a.value - same.value) < 0.3 * same.esd


def test_weights_of_a_mixture(engine, mixture):
    _, fit = mixture
    assert [phase.name for phase in fit.phases] == ["LaB6", "fluorite"]
    assert sum(phase.weight_fraction for phase in fit.phases) == pytest.approx(100, abs=1e-6)
    for phase, weight in zip(fit.phases, (30.0, 70.0), strict=True):
        assert 0 < phase.weight_fraction_esd < 1
        assert phase.weight_fraction == pytest.approx(weight, abs=4 * phase.weight_fraction_esd)
    assert set(fit.ticks) == {"LaB6", "fluorite"}


def test_three_phases_in_any_order(engine):
    scene = Scene(((CORUNDUM, 20.0), (ZINCITE, 30.0), (FLUORITE, 50.0)), SHIFTED)
    pattern = planted(scene, two_theta=GRID)
    for order in ((CORUNDUM, ZINCITE, FLUORITE), (FLUORITE, CORUNDUM, ZINCITE)):
        found = {p.name: p.weight_fraction for p in refined(engine, pattern, order).phases}
        assert sum(found.values()) == pytest.approx(100, abs=1e-6)
        truth = {s.name: weight for s, weight in scene.mixture}
        assert found == pytest.approx(truth, abs=0.8)


# the answer


def test_r_factors_are_those_of_the_curve(engine, mixture):
    pattern, fit = mixture
    rwp = rfactors.weighted_profile(pattern.intensity, fit.y_calc, pattern.sigma)
    r_exp = rfactors.expected(pattern.intensity, pattern.sigma, fit.n_free)
    assert fit.rwp == pytest.approx(rwp)
    assert fit.r_exp == pytest.approx(r_exp)
    assert fit.gof == pytest.approx(rwp / r_exp)
    assert fit.n_points == pattern.two_theta.size


def test_curves_have_the_shape_of_the_pattern(engine, mixture):
    pattern, fit = mixture
    assert fit.y_calc.shape == fit.y_background.shape == pattern.two_theta.shape
    assert np.isfinite(fit.y_calc).all()
    assert np.isfinite(fit.y_background).all()
    assert (fit.y_calc - fit.y_background).min() > -1e-6 * fit.y_calc.max()
    for ticks in fit.ticks.values():
        assert (np.diff(ticks) > 0).all()


def test_ticks_stand_on_peaks(engine, single):
    pattern, fit = single
    top = pattern.two_theta[np.argmax(fit.y_calc)]
    assert np.abs(fit.ticks["corundum"] - top).min() < 0.05


def test_every_refined_number_has_a_finite_esd(engine, mixture):
    _, fit = mixture
    cells = [p for phase in fit.phases for p in phase.cell.values()]
    refined_ones = [p for p in (*fit.parameters, *cells) if p.esd is not None]
    assert all(np.isfinite([p.value, p.esd]).all() and p.esd > 0 for p in refined_ones)
    assert all(np.isfinite(p.value) for p in fit.parameters)
    # ties and cubic cells make several numbers of one free parameter
    assert fit.n_free <= len(refined_ones)
    assert fit.violations == ()


def test_nothing_that_was_given_changes(engine, single):
    pattern, fit = single
    frozen = {}
    for name in ("two_theta", "intensity", "sigma", "count_time_s"):
        frozen[name] = getattr(pattern, name).copy()
        frozen[name].setflags(write=False)
    recipe = PLAIN | {"warmup_deg": [20.0, 60.0]}
    before = json.dumps(recipe)
    engine.refine(Pattern(**frozen), (CORUNDUM,), CU, recipe)
    assert json.dumps(recipe) == before
    again = refined(engine, Pattern(**frozen), (CORUNDUM,))
    assert everything(again) == everything(fit)


def test_the_same_question_has_the_same_answer(engine, mixture):
    pattern, fit = mixture
    assert everything(refined(engine, pattern, (LAB6, FLUORITE))) == everything(fit)


def test_a_fit_can_be_stored_and_sent(engine, mixture):
    pattern, fit = mixture
    assert everything(pickle.loads(pickle.dumps(fit))) == everything(fit)
    assert json.loads(json.dumps(dict(fit.recipe))) == fit.recipe
    full = default_recipe(pattern, (LAB6, FLUORITE)) | PLAIN
    assert fit.recipe == full  # what was left out is written down
    assert fit.seconds > 0
    assert any(character.isdigit() for character in fit.engine)  # its version


def test_irregular_steps_and_rates(engine):
    pattern = planted(SINGLE, two_theta=GRID)
    kept = np.sort(np.random.default_rng(1).permutation(GRID.size)[:1000])
    thinned = Pattern(
        pattern.two_theta[kept],
        pattern.intensity[kept] / 4,
        pattern.sigma[kept] / 4,
        np.full(kept.size, 4.0),
    )
    fit = refined(engine, thinned, (CORUNDUM,))
    cell = fit.phases[0].cell["a"]
    assert abs(cell.value - 4.7592) < 4 * cell.esd
    assert fit.y_calc.shape == kept.shape
    assert fit.gof < 1.1


# the recipe


@pytest.mark.parametrize("terms", [3, 7])
def test_as_many_background_terms_as_wanted(engine, single, terms):
    pattern, _ = single
    fit = refined(engine, pattern, (CORUNDUM,), background_terms=terms)
    assert len([name for name in free(fit) if name.startswith("background.")]) == terms


def test_a_fixed_envelope_frees_no_background(engine, single):
    pattern, _ = single
    fit = refined(engine, pattern, (CORUNDUM,), background="envelope")
    assert not [name for name in free(fit) if name.startswith("background.")]
    assert np.median(fit.y_background) > 40


@pytest.mark.parametrize(
    ("position", "wanted"),
    [("displacement", "sample_displacement"), ("zero", "zero"), ("none", None)],
)
def test_positions_are_corrected_as_wanted(engine, single, position, wanted):
    pattern, _ = single
    found = parameters(refined(engine, pattern, (CORUNDUM,), position=position))
    for name in ("sample_displacement", "zero"):
        if name == wanted:
            assert found[name].esd > 0
        else:
            assert name not in found or found[name].esd is None
            assert name not in found or found[name].value == 0


def test_coordinates_switched_off_stay(engine, single):
    pattern, fit = single
    off = refined(engine, pattern, (CORUNDUM,), coordinates=False)
    sites = [p for p in off.parameters if p.name in ("corundum.O1.x", "corundum.Al1.z")]
    assert all(p.esd is None for p in sites)
    assert {p.name: p.value for p in sites}.get("corundum.O1.x", 0.3063) == 0.3063
    assert parameters(fit)["corundum.O1.x"].esd > 0
    assert off.n_free == fit.n_free - 2


def test_displacements_together_apart_or_not_at_all(engine, single):
    pattern, fit = single
    apart = refined(engine, pattern, (CORUNDUM,), displacements="per_site")
    off = refined(engine, pattern, (CORUNDUM,), displacements="off")
    together = [parameters(fit)[f"corundum.{site}.biso"].value for site in ("Al1", "O1")]
    single_ones = [parameters(apart)[f"corundum.{site}.biso"].value for site in ("Al1", "O1")]
    assert together[0] == pytest.approx(together[1])
    assert single_ones[0] != single_ones[1]
    assert apart.n_free == fit.n_free + 1 == off.n_free + 2
    assert "corundum.O1.biso" in free(fit)
    assert "corundum.O1.biso" not in free(off)


@pytest.mark.parametrize("widths", ["w", "wx", "uvwxy"])
def test_only_the_wanted_widths_are_free(engine, single, widths):
    pattern, _ = single
    fit = refined(engine, pattern, (CORUNDUM,), widths=widths)
    assert free(fit) & set("uvwxy") == set(widths)


def test_the_second_line_is_refined_on_request(engine, single):
    pattern, _ = single
    off = refined(engine, pattern, (CORUNDUM,), kalpha2=False)
    on = refined(engine, pattern, (CORUNDUM,), kalpha2=True)
    assert "kalpha2_weight" not in free(off)
    assert parameters(on)["kalpha2_weight"].value == pytest.approx(0.5, abs=0.03)


def test_texture_is_refined_only_where_an_axis_is_given(engine, single):
    pattern, fit = single
    assert "corundum.preferred_orientation" not in parameters(fit)
    march = parameters(refined(engine, pattern, (PLATY,)))["corundum.preferred_orientation"]
    assert abs(march.value - 1) < 4 * march.esd


# what is refused


def changed(pattern, **changes):
    arrays = {name: getattr(pattern, name).copy() for name in ("two_theta", "intensity", "sigma")}
    for name, (at, number) in changes.items():
        arrays[name][at] = number
    return Pattern(count_time_s=pattern.count_time_s, **arrays)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"intensity": (7, np.nan)}, "not finite"),
        ({"intensity": (7, -3.0)}, "negative"),
        ({"sigma": (3, 0.0)}, "sigma"),
        ({"two_theta": (3, 90.0)}, "strictly increasing"),
        ({"intensity": (slice(None), 9.0)}, "0 peaks"),
    ],
    ids=["nan", "negative", "sigma", "order", "flat"],
)
def test_bad_patterns_are_one_clear_error(engine, single, changes, words):
    with pytest.raises(InputError, match=words):
        refined(engine, changed(single[0], **changes), (CORUNDUM,))


@pytest.mark.parametrize(
    ("structures", "words"),
    [
        ((), "no structure"),
        ((FLUORITE, FLUORITE), "share the name"),
        ((Structure("empty", "data_x\n_cell_length_a 4\n"),), "has no atoms"),
        ((Structure("prose", "not a CIF at all"),), "cannot be read"),
        ((Structure("alien", FLUORITE.cif.replace("Ca1 Ca", "Qq1 Qq")),), "unknown element"),
    ],
    ids=["none", "twice", "no atoms", "prose", "element"],
)
def test_bad_structures_are_one_clear_error(engine, single, structures, words):
    with pytest.raises(InputError, match=words):
        refined(engine, single[0], structures)


@pytest.mark.parametrize("recipe", [{"backgruond": 3}, {"axial": "maybe"}])
def test_unknown_words_in_a_recipe_are_refused(engine, single, recipe):
    with pytest.raises(InputError, match=next(iter(recipe))):
        refined(engine, single[0], (CORUNDUM,), **recipe)


# by name


def test_an_engine_is_chosen_by_its_name():
    assert engines.engine().name == "rietx"
    assert engines.available()[0] == "rietx"
    with pytest.raises(InputError, match="no refinement engine 'fullprof'"):
        engines.engine("fullprof")


def test_an_engine_that_is_not_installed_says_so(tmp_path):
    if "gsas2" in engines.available():
        pytest.skip("GSAS-II is installed")
    with pytest.raises(InputError, match="GSAS-II is not installed"):
        engines.engine("gsas2")
    with pytest.raises(InputError, match="cannot be run"):
        engines.engine("gsas2", python=tmp_path / "python")
