"""Recipes by name: those that are shipped, what they change, and what is said of bad ones."""

from __future__ import annotations

import pytest
from support.recipes import FOLDER, PROFILE, written

from materialsdock.errors import InputError
from materialsdock.profile import recipes

SOUND = '[measure]\ntechnique = "xrd"\n'


def refused(folder, name="r"):
    with pytest.raises(InputError) as caught:
        recipes.load_recipe(name, folder)
    return str(caught.value)


def test_the_simulated_profile_ships_recipes_of_both_techniques():
    assert recipes.names(FOLDER) == ["exafs", "phase-fractions", "quick-phase-check", "xanes"]
    found = [recipes.load_recipe(name, FOLDER) for name in recipes.names(FOLDER)]
    assert {each.measure.technique for each in found} == {"xrd", "xas"}
    assert all(each.description for each in found)


def test_an_unknown_recipe_is_answered_with_those_there_are():
    said = refused(FOLDER, "quick-phase-chek")
    assert "did you mean 'quick-phase-check'?" in said
    assert "exafs, phase-fractions" in said
    assert "no recipe '../profile'" in refused(FOLDER, "../profile")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SOUND + "[stop]\ntreshold = 0.1\nthreshold = 2\n", ["treshold", "threshold = 2"]),
        (SOUND + "below_ev = 5\nabove_ev = 5\n", ["below_ev is not of xrd", "above_ev"]),
        (SOUND + "two_theta_start = 9\n", ["two_theta_start and two_theta_stop come together"]),
        (SOUND + "two_theta_start = 9\ntwo_theta_stop = 9\n", ["is not above"]),
        ('[measure]\ntechnique = "xas"\nobjective = "peaks"\n', ["objective is not of xas"]),
        (SOUND + "[analysis]\ntrials = 0\nengine = 'x'\n", ["trials = 0", "engine = 'x'"]),
        ("[measure]\n", ["technique"]),
        (
            '[measure]\ntechnique = "nmr"\ncount_time_s = 0\n',
            ["no technique 'nmr' (available: xrd, xas)", "count_time_s = 0"],
        ),
        ("measure", ["recipes/r.toml"]),
    ],
)
def test_all_faults_of_a_recipe_come_at_once(tmp_path, text, said):
    found = refused(written(tmp_path, text))
    assert all(part in found for part in (*said, "r.toml"))


def test_a_recipe_changes_what_it_names_and_nothing_else(tmp_path):
    text = SOUND + 'objective = "fractions"\nwanted_esd = 0.5\n[analysis]\nstore = "cifs"\n'
    recipe = recipes.load_recipe("r", written(tmp_path, text))
    changed = recipes.applied(recipe, PROFILE, tmp_path)
    assert changed.section("xrd").objective == "fractions"
    assert changed.section("xrd").wanted_esd == 0.5
    assert changed.analysis.store == str(tmp_path.resolve() / "cifs")
    assert changed.analysis.trials == PROFILE.analysis.trials
    assert changed.section("xrd").motion == PROFILE.section("xrd").motion
    assert recipes.stop_changes(recipe) == {}


def test_another_objective_forgets_what_the_profile_wanted(tmp_path):
    own = {"objective": "parameter", "wanted": ("a.a",), "wanted_esd": 1e-4}
    profile = PROFILE.model_copy(update={"xrd": PROFILE.section("xrd").model_copy(update=own)})
    recipe = recipes.load_recipe("r", written(tmp_path, SOUND + 'objective = "peaks"\n'))
    changed = recipes.applied(recipe, profile, tmp_path)
    assert (changed.section("xrd").wanted, changed.section("xrd").wanted_esd) == ((), None)
    assert recipes.applied(recipes.load_recipe("xanes", FOLDER), profile, FOLDER).section(
        "xrd"
    ) == profile.section("xrd")
