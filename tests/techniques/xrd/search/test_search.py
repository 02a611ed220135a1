"""The search: reproducible, undisturbed by trials that fail, better than its first guess."""

from __future__ import annotations

import socket
from dataclasses import replace

import optuna
import pytest
from support.refining import Dice, Here
from support.structures import Pretender, simulated

from materialsdock.errors import InputError, ModelFault
from materialsdock.optimisation.storage import opened
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import (
    BACKGROUND_TERMS,
    SearchSpace,
    completed,
    default_recipe,
    stages,
)
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search.objective import objective
from materialsdock.techniques.xrd.search.search import search
from materialsdock.testing.crystals import FLUORITE, LAB6

CU = Diffractometer()


@pytest.fixture(scope="module")
def pattern():
    return simulated(((FLUORITE, 1.0),))


def searched(pattern, engine, **options):
    return search(pattern, (FLUORITE,), CU, engine=engine, **options)


def searched_here(pattern, engine, *, workers=2, **options):
    """The same search, in this process."""
    return searched(pattern, engine, workers=workers, executor=Here(workers=workers), **options)


def facts(result):
    return [(t.seed, t.number, t.state, t.rwp, t.recipe, t.reason) for t in result.trials]


def test_equal_seeds_give_equal_trials(pattern):
    first = searched(pattern, Pretender(), trials=9, seeds=(1, 2))
    again = searched(pattern, Pretender(), trials=9, seeds=(1, 2))
    here = searched_here(pattern, Pretender(), trials=9, seeds=(1, 2))
    other = searched_here(pattern, Pretender(), trials=9, seeds=(1, 3))
    assert facts(first) == facts(again) == facts(here)
    assert facts(first) != facts(other)
    assert [t.number for t in first.trials if t.seed == 2] == list(range(9))


def test_the_default_recipe_comes_first_and_the_best_is_repeated_in_full(pattern):
    told = []
    result = searched_here(pattern, Pretender(), trials=6, on_trial=told.append)
    assert tuple(told) == result.trials
    assert result.trials[0].recipe == default_recipe(pattern, (FLUORITE,))
    assert {t.recipe["effort"] for t in result.trials} == {"search"}
    assert result.fit.recipe["effort"] == "final"
    assert result.fit is result.solutions[0].fit


def test_an_acceptable_fit_is_preferred_to_a_lower_rwp(pattern):
    result = searched_here(pattern, Pretender(), trials=12)
    broken = [t for t in result.trials if t.reason]
    assert broken
    assert min(t.rwp for t in broken) < result.fit.rwp
    assert result.fit.violations == ()


def test_the_range_is_cut_once_for_all(pattern):
    result = searched_here(pattern, Pretender(), trials=2, range=(25.0, 70.0))
    assert result.pattern.two_theta[[0, -1]] == pytest.approx([25, 70], abs=0.03)
    assert result.fit.y_calc.shape == result.pattern.two_theta.shape
    low, high = result.trials[0].recipe["warmup_deg"]
    assert (low, high) == pytest.approx((25, 70), abs=0.03)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("hang", "took longer than 1 s"),
        ("crash", "SIGSEGV"),
        ("hog", "GiB of memory"),
        (ModelFault("rietx failed: singular"), "singular"),
    ],
    ids=["hang", "crash", "hog", "raise"],
)
def test_trials_that_fail_do_not_stop_the_search(pattern, fault, words):
    engine = Pretender(**{"envelope": fault, "envelope+chebyshev": fault})
    result = searched(pattern, engine, trials=4, time_limit_s=1.0)
    failed = [t for t in result.trials if t.state == "fail"]
    assert 0 < len(failed) < 4
    assert all(words in t.reason and t.rwp is None for t in failed)
    assert result.fit.recipe["background"] == "chebyshev"


def test_all_trials_failing_is_a_fault_with_the_common_reason(pattern):
    fault = ModelFault("rietx failed: singular")
    engine = Pretender(**dict.fromkeys(("chebyshev", "envelope", "envelope+chebyshev"), fault))
    with pytest.raises(ModelFault, match="all 3 trials failed; 3 of them: rietx failed: singular"):
        searched(pattern, engine, trials=3)


def test_bad_data_stop_at_once(pattern):
    with pytest.raises(InputError, match="negative"):
        searched_here(replace(pattern, intensity=-pattern.intensity), Pretender(), trials=3)
    with pytest.raises(InputError, match="no such phase"):
        searched_here(pattern, Pretender(chebyshev=InputError("no such phase")), trials=3)


def stored(tmp_path, kind):
    return f"{kind}://{tmp_path / 'search.log'}" if kind == "journal" else f"sqlite:///{tmp_path}/s"


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_stored_search_goes_on_where_it_was_cut_off(pattern, tmp_path, kind):
    def part(trials, storage):
        return searched_here(pattern, Pretender(), trials=trials, storage=storage, workers=1)

    whole = part(6, None)
    part(2, stored(tmp_path, kind))
    rest = part(6, stored(tmp_path, kind))
    again = part(6, stored(tmp_path, kind))
    assert [t.number for t in rest.trials] == list(range(6))
    # with one worker two recipes are out at any time, so a cut search may differ in what it knew
    assert facts(rest)[:2] == facts(whole)[:2]
    assert facts(again) == facts(rest)  # nothing was left to do


def test_trials_of_a_dead_search_are_failed_and_made_again(pattern, tmp_path):
    storage = stored(tmp_path, "journal")
    searched_here(pattern, Pretender(), trials=2, storage=storage)
    with opened(storage) as kept:
        (name,) = optuna.get_all_study_names(kept)
        dead = optuna.load_study(study_name=name, storage=kept).ask()
        dead.set_user_attr("searcher", [f"{socket.gethostname()}:{2**30}", 0.0])
    result = searched_here(pattern, Pretender(), trials=4, storage=storage)
    assert len(result.trials) == 4
    assert dead.number not in [t.number for t in result.trials]


def test_other_data_have_a_search_of_their_own_and_an_old_one_can_be_thrown_away(pattern, tmp_path):
    storage = stored(tmp_path, "journal")
    searched_here(pattern, Pretender(), trials=3, storage=storage)
    other = searched_here(pattern, Pretender(), trials=1, storage=storage, range=(20.0, 80.0))
    anew = searched_here(pattern, Pretender(), trials=2, storage=storage, resume=False)
    assert len(other.trials) == 1
    assert len(anew.trials) == 2


def test_the_search_ends_when_no_seed_improves(pattern):
    result = searched_here(pattern, Pretender(), trials=60, seeds=(1, 2), patience=6)
    assert len(result.trials) < 120
    assert result.ended == "no seed improved in 6 trials"
    for seed in (1, 2):
        course = [t for t in result.trials if t.seed == seed]
        best = min(t.objective for t in course if not t.violations)
        last = next(i for i, t in enumerate(course) if t.objective <= best * 1.002)
        assert len(course) - last >= 6
    longer = searched_here(pattern, Pretender(), trials=12, patience=None)
    assert longer.ended == "12 trials per seed were made, seeds: 1"


def test_recipes_of_the_past_are_tried_after_the_default(pattern):
    space = SearchSpace.of(pattern, (FLUORITE,), CU)
    past = {**space.default_parameters(), "order": "widths_first", "background_terms": 12}
    result = searched_here(pattern, Pretender(), trials=5, first=(past,))
    tried = [t.recipe["background_terms"] for t in result.trials]
    default, *expert = space.first_parameters()
    assert tried == [p["background_terms"] for p in (default, past, *expert)]
    assert result.trials[1].rwp == min(t.rwp for t in result.trials if not t.violations)


def test_an_empty_range_is_refused(pattern):
    cases = ((200.0, 210.0, "no points between"), (60.0, 30.0, "lower limit first: 30 60"))
    for low, high, says in cases:
        with pytest.raises(InputError, match=says):
            searched(pattern, Pretender(), range=(low, high))


def test_every_parameter_costs(pattern):
    fit = RietxEngine().refine(pattern, (FLUORITE,), CU, {"coordinates": False})
    assert objective(fit, 600) > fit.rwp
    assert objective(replace(fit, n_free=fit.n_free + 1), 600) > objective(fit, 600)


@pytest.mark.parametrize("seed", range(20))
def test_every_suggestion_is_a_recipe_within_its_space(pattern, seed):
    space = SearchSpace.of(pattern, (FLUORITE,), CU)
    trial = Dice(seed)
    recipe = space.suggest(trial)
    assert completed(recipe, space.default()) == recipe
    assert stages(recipe)[0][0] == "scale"
    low, high = recipe["warmup_deg"]
    assert space.limits_deg[0] - 1e-3 <= low <= high - 19.99
    assert high <= space.limits_deg[1] + 1e-3
    assert BACKGROUND_TERMS[0] <= recipe["background_terms"] <= BACKGROUND_TERMS[1]
    assert set(trial.drawn) == set(space.default_parameters())


def test_one_wavelength_and_a_capillary_narrow_the_space(pattern):
    synchrotron = Diffractometer((0.41,), (1.0,), geometry="debye_scherrer", polarization=0.99)
    space = SearchSpace.of(pattern, (FLUORITE,), synchrotron)
    recipe = space.default()
    assert recipe["position"] == "zero"
    assert recipe["kalpha2"] is False
    assert not {"kalpha2", "refine_kalpha2"} & set(space.default_parameters())


@pytest.mark.slow
def test_a_small_search_with_the_real_engine():
    pattern = simulated(((LAB6, 30), (FLUORITE, 70)))
    fine = tuple(replace(structure, particle_um=0.1) for structure in (LAB6, FLUORITE))
    result = search(pattern, fine, CU, trials=2, range=(20.0, 60.0), executor=Here())
    first, *others = result.trials
    assert first.state == "complete"
    assert others
    assert result.fit.violations == ()
    assert result.fit.gof < 1.1
    assert sum(phase.weight_fraction for phase in result.fit.phases) == pytest.approx(100)
    assert result.assessment.word == "accept"
    held_out = result.solutions[0].held_out
    assert held_out.failed == 0
    assert 0.9 < held_out.chi2 < 1.3
    assert held_out.rwp >= 0.97 * held_out.rwp_inside


class Shifted(Pretender):
    """An engine that fits better with a zero than with a sample out of place; what it refined."""

    def __init__(self):
        super().__init__()
        self.finals = []

    def refine(self, pattern, structures, diffractometer, recipe):
        fit = super().refine(pattern, structures, diffractometer, recipe)
        if recipe["effort"] == "final":
            self.finals.append(repr(sorted(recipe.items())))
        return replace(fit, rwp=fit.rwp + 2 * (recipe["position"] != "zero"))


def test_no_trial_is_refined_to_the_end_twice():
    engine, pattern = Shifted(), simulated(((FLUORITE, 1.0),))
    asked = {"engine": engine, "trials": 1, "executor": Here(), "hold_out": False, "doubt": False}
    found = search(pattern, (FLUORITE,), Diffractometer(), **asked)
    assert found.fit.recipe["position"] == "zero"
    assert len(engine.finals) == len(set(engine.finals)) == 2
