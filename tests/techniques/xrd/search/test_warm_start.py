"""Lessons of past searches: recipes of one instrument, translated, diverse, reproducible."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
from support.refining import Dice
from support.structures import simulated

from materialsdock.campaign.analysis import with_analysis
from materialsdock.knowledge.past_searches import searches
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Outcome, Sample, Trial
from materialsdock.techniques.xrd import analysis
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace
from materialsdock.techniques.xrd.search.warm_start import (
    PastSearch,
    PastTrial,
    first_parameters,
    parameters_of,
    recalled,
    remembered,
    same_instrument,
)
from materialsdock.testing.crystals import FLUORITE

CU = Diffractometer()
SPACE = SearchSpace((15.0, 110.0), 0.1)


def formula(recipe):
    """An objective with an optimum that the default recipe misses by 3 choices and 4 terms."""
    return (
        10.0
        + (recipe["order"] != "widths_first")
        + 0.5 * (recipe["displacements"] != "off")
        + 0.5 * ("y" in recipe["widths"])
        + 0.05 * abs(recipe["background_terms"] - 14)
        + 0.2 * (recipe["background"] != "chebyshev")
    )


def past(seed, *, space=SPACE, instrument=CU, offset=0.0, trials=40):
    """A search of random recipes; each offset is another sample, with its own level."""
    recipes = [space.suggest(Dice(1000 * seed + n)) for n in range(trials)]
    tried = tuple(PastTrial(r, formula(r) * (1 + offset), True) for r in recipes)
    return PastSearch(instrument, space.limits_deg, space.fwhm_deg, tried)


def best_of(parameters, space=SPACE):
    return min(formula(space.suggest(Told(p))) for p in parameters)


class Told:
    """A trial that says exactly what it is told, and fails for what the space does not allow."""

    def __init__(self, parameters):
        self.parameters = dict(parameters)

    def suggest_categorical(self, name, choices):
        value = self.parameters.pop(name)
        assert value in choices
        return value

    def suggest_float(self, name, low, high):
        value = self.parameters.pop(name)
        assert low <= value <= high
        return value

    suggest_int = suggest_float


@pytest.mark.parametrize("seed", range(10))
def test_parameters_of_is_the_inverse_of_suggest(seed):
    recipe = SPACE.suggest(Dice(seed))
    again = SPACE.suggest(Told(parameters_of(recipe, SPACE.limits_deg)))
    assert again.pop("warmup_deg") == pytest.approx(recipe.pop("warmup_deg"), abs=2e-3)
    assert again == recipe


def test_what_is_remembered_survives_json():
    pattern = simulated(((FLUORITE, 1.0),))
    recipe = SearchSpace.of(pattern, (FLUORITE,), CU).default()
    trials = [
        Trial(0, 0, 8.0, recipe, "complete", objective=9.0),
        Trial(1, 0, 7.0, recipe, "complete", objective=8.0, violations=("B.biso = 0",)),
        Trial(2, 0, None, recipe, "fail", "took longer than 60 s"),
    ]
    kept = json.loads(json.dumps(remembered(pattern, CU, trials)))
    found = recalled(kept)
    assert found.diffractometer == CU
    assert found.limits_deg == (pattern.two_theta[0], pattern.two_theta[-1])
    assert [(t.objective, t.acceptable) for t in found.trials] == [(9.0, True), (8.0, False)]
    assert found.trials[0].recipe["warmup_deg"] == recipe["warmup_deg"]


def test_the_past_finds_a_better_recipe_than_the_default():
    learned = first_parameters([past(1), past(2, offset=0.4)], SPACE, CU)
    assert len(learned) == 8
    assert best_of(learned) <= 10.2
    assert formula(SPACE.default()) > 11.5
    assert formula(SPACE.suggest(Told(learned[0]))) < 10.5


def test_more_searches_teach_more():
    def excess(searches, seeds=range(5)):
        first = [first_parameters(searches, SPACE, CU, seed=s, count=1) for s in seeds]
        return np.median([best_of(f) for f in first])

    few, many = [past(1, trials=10)], [past(n, offset=n / 10, trials=40) for n in range(1, 6)]
    assert excess(many) < excess(few)


def test_equal_seeds_give_equal_recipes_and_the_levels_of_samples_do_not_matter():
    searches = [past(1), past(2)]
    first = first_parameters(searches, SPACE, CU, seed=3)
    assert first == first_parameters(searches, SPACE, CU, seed=3)
    louder = [past(1, offset=1.0), past(2, offset=3.0)]
    assert first == first_parameters(louder, SPACE, CU, seed=3)


def test_recipes_differ_from_each_other():
    learned = first_parameters([past(1)], SPACE, CU, count=12)
    assert len({json.dumps(p, sort_keys=True) for p in learned}) == len(learned)


def test_only_searches_of_the_same_instrument_count():
    search = past(1)
    assert same_instrument(search, CU, 0.12)
    assert not same_instrument(search, CU, 0.2)  # peaks twice as wide
    assert not same_instrument(search, replace(CU, geometry="debye_scherrer"), 0.1)
    molybdenum = replace(CU, wavelengths_angstrom=(0.7093, 0.7136))
    assert not same_instrument(search, molybdenum, 0.1)
    assert not same_instrument(search, Diffractometer((1.540593,), (1.0,)), 0.1)
    assert first_parameters([search], SPACE, molybdenum) == []
    assert first_parameters([], SPACE, CU) == []


def test_a_narrower_space_gets_recipes_that_it_allows():
    narrow = SearchSpace((30.0, 70.0), 0.1, positions=("zero",), doublet=False)
    learned = first_parameters([past(1)], narrow, CU)
    assert learned
    for parameters in learned:
        assert set(parameters) == set(narrow.default_parameters())
        low, high = narrow.suggest(Told(parameters))["warmup_deg"]
        assert 30.0 <= low <= high - 19.99
        assert high <= 70.0
    short = SearchSpace((30.0, 45.0), 0.1)
    assert "warmup_low" not in first_parameters([past(1)], short, CU)[0]


def test_recipes_that_broke_physics_are_not_recommended():
    search = past(1, trials=60)
    spoiled = tuple(
        replace(t, acceptable=t.recipe["order"] != "widths_first", objective=0.9 * t.objective)
        for t in search.trials
    )
    learned = first_parameters([replace(search, trials=spoiled)], SPACE, CU, count=4)
    assert all(p["order"] != "widths_first" for p in learned)
    nothing = tuple(replace(t, acceptable=False) for t in search.trials)
    assert first_parameters([replace(search, trials=nothing)], SPACE, CU) == []


def test_what_a_ledger_keeps_of_earlier_jobs_starts_the_next_search(tmp_path):
    pattern = simulated([(FLUORITE, 1.0)])
    space = SearchSpace.of(pattern, [FLUORITE], CU)
    trials = [
        Trial(n, 0, formula(recipe), recipe, "complete", objective=formula(recipe))
        for n, recipe in enumerate(space.suggest(Dice(n)) for n in range(40))
    ]
    settings = {"diffractometer": dataclasses.asdict(CU)}
    job = Job("a", Sample("fluorite", "xrd", structures=(FLUORITE,)), settings)
    outcome = Outcome(job, (), {}, pattern, analysis.Found(trials=tuple(trials)))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_job(job)
        ledger.add_job(replace(job, job_id="b"))
        ledger.add_outcome("a", {"rwp": 5.0, "search": analysis.remembered(outcome)})
        known = searches(ledger, "xrd")
    job = with_analysis(replace(job, job_id="c"), {"trials": 16, "seeds": [0]})
    first, origins = analysis.learned(known, pattern, job)
    assert origins == ("a",)
    assert 1 <= len(first) <= 8
    assert best_of(first, space) < formula(space.default())
    assert analysis.learned((), pattern, job) == ([], ())
    cold = with_analysis(job, {"warm_start": False})
    assert analysis.learned(known, pattern, cold) == ([], ())
