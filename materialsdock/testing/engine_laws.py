"""Laws that every Rietveld engine must keep, those behind rietveld.engine.RefinementEngine.

Needs neither pytest nor hypothesis.  The patterns are planted by `planted_powder`, independent of
any engine; an engine is put to the laws on an `EngineBench`, which refines what several laws look
at once:

    bench = EngineBench(MyEngine())
    for law in LAWS:
        law(bench)
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Parameter, Structure
from materialsdock.techniques.xrd.model import Diffractometer, Fit
from materialsdock.techniques.xrd.rietveld import rfactors
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.rietveld.recipe import default_recipe
from materialsdock.testing.checks import near, refused
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, ZINCITE
from materialsdock.testing.planted_powder import PlantedProfile, PlantedScene, crystal_of, planted

CU = Diffractometer()
GRID = np.arange(20.0, 90.0, 0.05)
# no axial divergence, as the planted patterns have none
PLAIN: dict[str, Any] = {"axial": "off", "background_terms": 4}
SHIFTED = PlantedProfile(u=2e-3, v=-1e-3, w=3e-3, x=0.03, displacement_mm=0.04)
MIXTURE = PlantedScene(((LAB6, 30.0), (FLUORITE, 70.0)), SHIFTED)
SINGLE = PlantedScene(((CORUNDUM, 1.0),), SHIFTED)
PLATY = replace(CORUNDUM, preferred_orientation=(0, 0, 1))


@dataclass(frozen=True)
class EngineBench:
    """An engine with the patterns that the laws refine."""

    engine: RefinementEngine

    def refined(self, pattern: Pattern, structures: Sequence[Structure], **recipe: Any) -> Fit:
        """One refinement, without axial divergence."""
        return self.engine.refine(pattern, structures, CU, PLAIN | recipe)

    @cached_property
    def mixture(self) -> tuple[Pattern, Fit]:
        """30 wt% LaB6 and 70 wt% fluorite, and the fit of it."""
        pattern = planted(MIXTURE, two_theta=GRID)
        return pattern, self.refined(pattern, (LAB6, FLUORITE))

    @cached_property
    def single(self) -> tuple[Pattern, Fit]:
        """Corundum, and the fit of it."""
        pattern = planted(SINGLE, two_theta=GRID)
        return pattern, self.refined(pattern, (CORUNDUM,))


def parameters(fit: Fit) -> dict[str, Parameter]:
    """Name -> refined or kept number."""
    return {p.name: p for p in fit.parameters}


def free(fit: Fit) -> set[str]:
    """Names of what was refined."""
    return {p.name for p in fit.parameters if p.esd is not None}


def esd(parameter: Parameter) -> float:
    """The standard deviation of what must have been refined."""
    assert parameter.esd is not None, f"{parameter.name} is not refined"
    return parameter.esd


def everything(fit: Fit) -> bytes:
    """A fit as one comparable value, without the time that it took."""
    return pickle.dumps(replace(fit, seconds=0.0))


# -- what was planted ----------------------------------------------------------------------------


def it_has_a_name_and_travels_to_workers(bench: EngineBench) -> None:
    """Send the engine across a process border, and get the same one."""
    assert bench.engine.name
    assert pickle.loads(pickle.dumps(bench.engine)).name == bench.engine.name


def the_planted_cell_lies_within_three_esd(bench: EngineBench) -> None:
    """Refine two draws of the counts; displacement and coordinate come back, too."""
    truth = crystal_of(CORUNDUM).cell
    for seed in (1, 2):
        pattern = planted(SINGLE, two_theta=GRID, seed=seed)
        fit = bench.refined(pattern, (CORUNDUM,))
        assert near(fit.gof, 1.0, abs=0.1)
        for key in ("a", "c"):
            cell = fit.phases[0].cell[key]
            assert 0 < esd(cell) < 1e-3
            assert abs(cell.value - getattr(truth, key)) < 3 * esd(cell), f"{key}, seed {seed}"
        found = parameters(fit)
        assert near(found["sample_displacement"].value, 0.04, abs=0.01)
        assert near(found["corundum.O1.x"].value, 0.3063, abs=0.003)


def a_wrong_start_comes_back(bench: EngineBench) -> None:
    """A cell that is off by 0.3 % finds its lines."""
    pattern, _ = bench.single
    wrong = CORUNDUM.cif.replace("4.7592", "4.7730").replace("12.992", "12.960")
    fit = bench.refined(pattern, (Structure("corundum", wrong),))
    for key, truth in (("a", 4.7592), ("c", 12.992)):
        cell = fit.phases[0].cell[key]
        assert abs(cell.value - truth) < 4 * esd(cell)


def the_scale_follows_the_unit_and_nothing_else_does(bench: EngineBench) -> None:
    """Counts in another unit change the scale alone."""
    pattern, fit = bench.single
    tripled = replace(pattern, intensity=3 * pattern.intensity, sigma=3 * pattern.sigma)
    again = bench.refined(tripled, (CORUNDUM,))
    scale = parameters(again)["corundum.scale"].value / parameters(fit)["corundum.scale"].value
    assert near(scale, 3.0, rel=2e-3)
    assert near(again.rwp, fit.rwp, abs=0.01)
    a, same = again.phases[0].cell["a"], fit.phases[0].cell["a"]
    assert abs(a.value - same.value) < 0.3 * esd(same)


def weights_of_a_mixture(bench: EngineBench) -> None:
    """Weight fractions add up to 100 and lie within four esd."""
    _, fit = bench.mixture
    assert [phase.name for phase in fit.phases] == ["LaB6", "fluorite"]
    assert near(sum(_weight(phase) for phase in fit.phases), 100, abs=1e-6)
    for phase, weight in zip(fit.phases, (30.0, 70.0), strict=True):
        assert phase.weight_fraction_esd is not None
        assert 0 < phase.weight_fraction_esd < 1
        assert near(_weight(phase), weight, abs=4 * phase.weight_fraction_esd)
    assert set(fit.ticks) == {"LaB6", "fluorite"}


def _weight(phase: Any) -> float:
    return float(phase.weight_fraction)


def three_phases_in_any_order(bench: EngineBench) -> None:
    """The order in which structures are named does not matter."""
    scene = PlantedScene(((CORUNDUM, 20.0), (ZINCITE, 30.0), (FLUORITE, 50.0)), SHIFTED)
    pattern = planted(scene, two_theta=GRID)
    truth = {s.name: weight for s, weight in scene.mixture}
    for order in ((CORUNDUM, ZINCITE, FLUORITE), (FLUORITE, CORUNDUM, ZINCITE)):
        found = {p.name: _weight(p) for p in bench.refined(pattern, order).phases}
        assert near(sum(found.values()), 100, abs=1e-6)
        assert set(found) == set(truth)
        for name, weight in truth.items():
            assert near(found[name], weight, abs=0.8), name


# -- the answer ----------------------------------------------------------------------------------


def r_factors_are_those_of_the_curve(bench: EngineBench) -> None:
    """Rwp, Rexp and their ratio follow from what is drawn."""
    pattern, fit = bench.mixture
    rwp = rfactors.weighted_profile(pattern.intensity, fit.y_calc, pattern.sigma)
    r_exp = rfactors.expected(pattern.intensity, pattern.sigma, fit.n_free)
    assert near(fit.rwp, rwp)
    assert near(fit.r_exp, r_exp)
    assert near(fit.gof, rwp / r_exp)
    assert fit.n_points == pattern.two_theta.size


def curves_have_the_shape_of_the_pattern(bench: EngineBench) -> None:
    """Calculated curve and background, finite, the first nowhere below the second."""
    pattern, fit = bench.mixture
    assert fit.y_calc.shape == fit.y_background.shape == pattern.two_theta.shape
    assert np.isfinite(fit.y_calc).all()
    assert np.isfinite(fit.y_background).all()
    assert (fit.y_calc - fit.y_background).min() > -1e-6 * fit.y_calc.max()
    for ticks in fit.ticks.values():
        assert (np.diff(ticks) > 0).all()


def ticks_stand_on_peaks(bench: EngineBench) -> None:
    """Look where the ticks are: one marks the highest point."""
    pattern, fit = bench.single
    top = pattern.two_theta[np.argmax(fit.y_calc)]
    assert np.abs(fit.ticks["corundum"] - top).min() < 0.05


def every_refined_number_has_a_finite_esd(bench: EngineBench) -> None:
    """No number without its uncertainty, and no more free ones than shown."""
    _, fit = bench.mixture
    cells = [p for phase in fit.phases for p in phase.cell.values()]
    refined_ones = [p for p in (*fit.parameters, *cells) if p.esd is not None]
    assert all(np.isfinite([p.value, esd(p)]).all() and esd(p) > 0 for p in refined_ones)
    assert all(np.isfinite(p.value) for p in fit.parameters)
    # ties and cubic cells make several numbers of one free parameter
    assert fit.n_free <= len(refined_ones)
    assert fit.violations == ()


def nothing_that_was_given_changes(bench: EngineBench) -> None:
    """Arrays that cannot be written and a recipe as it was, with the same answer."""
    pattern, fit = bench.single
    frozen = {}
    for name in ("two_theta", "intensity", "sigma", "count_time_s"):
        frozen[name] = getattr(pattern, name).copy()
        frozen[name].setflags(write=False)
    recipe = PLAIN | {"warmup_deg": [20.0, 60.0]}
    before = json.dumps(recipe)
    bench.engine.refine(Pattern(**frozen), (CORUNDUM,), CU, recipe)
    assert json.dumps(recipe) == before
    again = bench.refined(Pattern(**frozen), (CORUNDUM,))
    assert everything(again) == everything(fit)


def the_same_question_has_the_same_answer(bench: EngineBench) -> None:
    """Refine twice, and compare to the last digit."""
    pattern, fit = bench.mixture
    assert everything(bench.refined(pattern, (LAB6, FLUORITE))) == everything(fit)


def a_fit_can_be_stored_and_sent(bench: EngineBench) -> None:
    """Store and send a fit with the whole recipe, the time it took and the engine's version."""
    pattern, fit = bench.mixture
    assert everything(pickle.loads(pickle.dumps(fit))) == everything(fit)
    assert json.loads(json.dumps(dict(fit.recipe))) == fit.recipe
    full = default_recipe(pattern, (LAB6, FLUORITE)) | PLAIN
    assert fit.recipe == full  # what was left out is written down
    assert fit.seconds > 0
    assert any(character.isdigit() for character in fit.engine)  # its version


def irregular_steps_and_rates(bench: EngineBench) -> None:
    """A random part of the steps, counted four times as long, given as a rate."""
    pattern = planted(SINGLE, two_theta=GRID)
    kept = np.sort(np.random.default_rng(1).permutation(GRID.size)[:1000])
    thinned = Pattern(
        pattern.two_theta[kept],
        pattern.intensity[kept] / 4,
        pattern.sigma[kept] / 4,
        np.full(kept.size, 4.0),
    )
    fit = bench.refined(thinned, (CORUNDUM,))
    cell = fit.phases[0].cell["a"]
    assert abs(cell.value - 4.7592) < 4 * esd(cell)
    assert fit.y_calc.shape == kept.shape
    assert fit.gof < 1.1


# -- what is refused -----------------------------------------------------------------------------

BAD_PATTERNS: tuple[tuple[str, Any, float, str], ...] = (
    ("intensity", 7, np.nan, "not finite"),
    ("intensity", 7, -3.0, "negative"),
    ("sigma", 3, 0.0, "sigma"),
    ("two_theta", 3, 90.0, "strictly increasing"),
    ("intensity", slice(None), 9.0, "0 peaks"),
)
BAD_STRUCTURES: tuple[tuple[tuple[Structure, ...], str], ...] = (
    ((), "no structure"),
    ((FLUORITE, FLUORITE), "share the name"),
    ((Structure("empty", "data_x\n_cell_length_a 4\n"),), "has no atoms"),
    ((Structure("prose", "not a CIF at all"),), "cannot be read"),
    ((Structure("alien", FLUORITE.cif.replace("Ca1 Ca", "Qq1 Qq")),), "unknown element"),
)


def bad_patterns_are_one_clear_error(bench: EngineBench) -> None:
    """Refuse counts that are none, sigma 0, steps backwards, nothing to see."""
    pattern, _ = bench.single
    for name, at, number, words in BAD_PATTERNS:
        array = getattr(pattern, name).copy()
        array[at] = number
        changes: dict[str, Any] = {name: array}
        with refused(InputError, words):
            bench.refined(replace(pattern, **changes), (CORUNDUM,))


def bad_structures_are_one_clear_error(bench: EngineBench) -> None:
    """Refuse no structure, the same twice, no atoms, no CIF, no element."""
    for structures, words in BAD_STRUCTURES:
        with refused(InputError, words):
            bench.refined(bench.single[0], structures)


def unknown_words_in_a_recipe_are_refused(bench: EngineBench) -> None:
    """Refuse a misspelt key, and a value that there is not."""
    for key, value in (("backgruond", 3), ("axial", "maybe")):
        recipe: dict[str, Any] = {key: value}
        with refused(InputError, key):
            bench.refined(bench.single[0], (CORUNDUM,), **recipe)


LAWS: tuple[Callable[[EngineBench], None], ...] = (
    it_has_a_name_and_travels_to_workers,
    the_planted_cell_lies_within_three_esd,
    a_wrong_start_comes_back,
    the_scale_follows_the_unit_and_nothing_else_does,
    weights_of_a_mixture,
    three_phases_in_any_order,
    r_factors_are_those_of_the_curve,
    curves_have_the_shape_of_the_pattern,
    ticks_stand_on_peaks,
    every_refined_number_has_a_finite_esd,
    nothing_that_was_given_changes,
    the_same_question_has_the_same_answer,
    a_fit_can_be_stored_and_sent,
    irregular_steps_and_rates,
    bad_patterns_are_one_clear_error,
    bad_structures_are_one_clear_error,
    unknown_words_in_a_recipe_are_refused,
)
