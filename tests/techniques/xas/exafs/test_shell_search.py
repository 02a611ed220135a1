"""Searches over settings: deterministic, in one fixed window, honest about what they cannot do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.xas_samples import REFF, exafs, feff_text, made_path

from materialsdock.errors import InputError, ModelFault
from materialsdock.optimisation.blackbox import Between, OneOf, minimise
from materialsdock.techniques.xas.exafs.feff import parse_path
from materialsdock.techniques.xas.exafs.shell_problem import ShellProblem
from materialsdock.techniques.xas.exafs.shell_search import near_optimal, search_shell

TRUTH = {"amplitude": 5.0, "distance": 2.13, "sigma2": 0.006, "e0_shift_ev": 1.5}
SPACE = {"x": Between(-3.0, 3.0), "n": Between(1, 4, whole=True), "word": OneOf(("a", "b"))}


def bowl(settings):
    broken = ("x is negative",) if settings["x"] < 0 else ()
    cost = (settings["x"] - 1) ** 2 + (settings["n"] - 2) ** 2 + (settings["word"] == "b")
    return cost, broken, settings["x"]


@pytest.fixture(scope="module")
def answer():
    energy, mu = exafs(TRUTH, noise=1e-4)
    return search_shell(ShellProblem.of(energy, mu, made_path()), trials=15, seeds=(0, 1, 2))


def test_the_minimum_is_approached_and_the_start_comes_first():
    start = {"x": -2.0, "n": 4, "word": "b"}
    trials = minimise(SPACE, bowl, trials=60, seed=3, start=start)
    assert trials[0].settings == start
    best = min((t for t in trials if t.acceptable), key=lambda t: t.misfit)
    assert best.misfit < 0.2
    assert best.settings["word"] == "a"
    assert all(t.acceptable == (t.settings["x"] >= 0) for t in trials)


def test_equal_seeds_give_equal_trials():
    first, second, other = (minimise(SPACE, bowl, trials=25, seed=s) for s in (5, 5, 6))
    assert [t.settings for t in first] == [t.settings for t in second]
    assert [t.settings for t in first] != [t.settings for t in other]


def test_what_cannot_be_evaluated_is_a_failed_trial():
    def often(settings):
        if settings["x"] < 1:
            raise InputError("too small")
        return (math.nan if settings["x"] > 2 else settings["x"]), (), None

    def kept(settings):
        misfit, broken, _ = often(settings)
        return misfit, broken, "result"

    trials = minimise(SPACE, kept, trials=40, seed=0)
    for t in trials:
        assert (t.result is None) == (not 1 <= t.settings["x"] <= 2)
        assert math.isfinite(t.misfit) == (t.result is not None)
    assert {t.reason for t in trials} == {"", "too small", "misfit is not finite"}


def test_no_trials_and_no_seeds_are_refused(answer):
    with pytest.raises(InputError):
        minimise(SPACE, bowl, trials=0, seed=0)
    energy, mu = exafs(TRUTH)
    with pytest.raises(InputError):
        search_shell(ShellProblem.of(energy, mu, made_path()), seeds=())


def test_a_made_shell_is_accepted_with_its_truth_inside(answer):
    assert answer.verdict == "accept", answer.reasons
    distance = answer.known["distance"]
    assert abs(distance.median - 2.13) < 2 * distance.sd
    assert distance.median == pytest.approx(2.13, abs=0.01)
    assert len(distance.seeds) == 3
    assert distance.sd >= distance.spread


@pytest.mark.slow
def test_uneven_distances_are_noticed_and_even_ones_left_alone(answer):
    assert "third" not in answer.known
    energy, mu = exafs({**TRUTH, "third": 1.2e-3}, noise=1e-4)
    uneven = search_shell(ShellProblem.of(energy, mu, made_path()), trials=15)
    assert uneven.known["third"].median == pytest.approx(1.2e-3, rel=0.5)
    assert uneven.known["distance"].median == pytest.approx(2.13, abs=0.015)
    never = search_shell(
        ShellProblem.of(energy, mu, made_path(), third_cumulant=False), trials=15, seeds=(0,)
    )
    assert never.known["distance"].median < uneven.known["distance"].median - 0.01


def test_the_default_is_the_baseline_of_every_seed(answer):
    firsts = [t for t in answer.trials if t.number == 0]
    assert len(firsts) == 3
    assert len({t.misfit for t in firsts}) == 1
    assert answer.best.misfit <= answer.default.misfit


def test_near_optimal_trials_are_acceptable_and_fit_as_well(answer):
    spare = answer.fixed.independent_points - 4
    limit = answer.best.misfit * (1 + 1 / spare)
    assert all(t.acceptable and t.misfit <= limit for t in answer.near)
    left = [t for t in answer.trials if t.acceptable and t.misfit <= limit]
    assert {repr(t.settings) for t in left} == {repr(t.settings) for t in answer.near}
    assert near_optimal([], 10.0) == ()


def test_equal_seeds_give_equal_answers():
    energy, mu = exafs(TRUTH, noise=1e-4)
    problem = ShellProblem.of(energy, mu, made_path())
    one, other = (search_shell(problem, trials=4, seeds=(0, 1)) for _ in range(2))
    assert one.known == other.known


def test_the_path_of_another_distance_is_not_accepted():
    energy, mu = exafs(TRUTH, noise=1e-4)
    found = search_shell(ShellProblem.of(energy, mu, made_path(reff=REFF + 0.6)), trials=6)
    assert found.verdict == "no confident match"
    assert found.reasons


@pytest.mark.slow
def test_noise_alone_is_never_accepted():
    energy, mu = exafs({**TRUTH, "amplitude": 0.0}, noise=0.003)
    found = search_shell(ShellProblem.of(energy, mu, made_path()), trials=6)
    assert found.verdict == "no confident match"


def test_the_path_of_another_absorber_is_refused():
    energy, mu = exafs(TRUTH)
    lines = [line.replace("Z=26", "Z=29") for line in feff_text()]
    with pytest.raises(InputError, match="Cu K at 8979"):
        ShellProblem.of(energy, mu, parse_path(lines, "feff0001.dat"))


def test_a_short_spectrum_is_refused():
    energy, mu = exafs(TRUTH, length=150.0)
    with pytest.raises(InputError, match="measure further"):
        ShellProblem.of(energy, mu, made_path())


def test_when_every_trial_fails_the_reason_is_told(monkeypatch):
    energy, mu = exafs(TRUTH)
    problem = ShellProblem.of(energy, mu, made_path())

    def broken(self, settings):
        raise ModelFault("it broke")

    monkeypatch.setattr(ShellProblem, "evaluate", broken)
    with pytest.raises(ModelFault, match="it broke"):
        search_shell(problem, trials=2)


def test_the_window_stays_inside_the_data():
    energy, mu = exafs(TRUTH, length=500.0)
    problem = ShellProblem.of(energy, mu, made_path())
    assert problem.fixed.k[1] <= problem.reach
    assert np.isfinite(problem.evaluate(problem.default())[0])
