"""What every learner must obey.

A new learner joins the laws as one more `Case` in learner_cases.CASES.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from support.learner_cases import CASES, state

from materialsdock.errors import ModelFault
from materialsdock.protocols import Learner


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


# -- laws of every learner ----------------------------------------------------------------------


def test_it_is_a_learner(case):
    assert isinstance(case.make(), Learner)


def test_asking_changes_nothing(case):
    learner, _, told = case.run()
    quiet = case.make()
    for step in told:
        quiet.tell(step)
    assert [learner.ask() for _ in range(3)] == [learner.ask()] * 3
    assert state(learner, case.axis) == state(quiet, case.axis)


def test_equal_data_give_equal_proposals(case):
    assert case.run_anew()[1] == case.run()[1]


def test_other_data_give_other_proposals(case):
    assert case.run(seed=0)[1] != case.run(seed=1)[1]


def test_proposals_lie_inside_the_axis_and_take_time(case):
    _, proposals, _ = case.run()
    lo, hi = case.axis.grid[[0, -1]]
    for proposal in proposals:
        assert (proposal.x >= lo).all()
        assert (proposal.x <= hi).all()
        assert proposal.count_time_s > 0
        assert proposal.points >= 1
    sweeps = [p.sweep for p in proposals]
    assert sweeps[0] == 0
    assert sweeps[-1] > 1
    assert all(b - a in (0, 1) for a, b in pairwise(sweeps))


def test_telling_twice_is_telling_once(case):
    learner, _, told = case.run()
    before = state(learner, case.axis)
    for step in told[::-1]:
        learner.tell(step)
    learner.tell([])
    assert state(learner, case.axis) == before


def test_telling_in_parts_is_telling_at_once(case):
    learner, _, told = case.run(steps=case.steps // 2)
    piecemeal = case.make()
    for step in told:
        half = len(step) // 2
        piecemeal.tell(step[:half])
        piecemeal.tell(step[half:])
    assert state(piecemeal, case.axis) == state(learner, case.axis)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_telling_does_not_matter(case, seed):
    learner, _, told = case.run()
    order = np.random.default_rng(seed).permutation(len(told))
    shuffled = case.make()
    for i in order:
        shuffled.tell(told[i])
    assert state(shuffled, case.axis) == state(learner, case.axis)


def test_a_rebuilt_learner_goes_on_as_before(case):
    """At every step: told all at once, in any order, the next proposal is the same."""
    learner, told = case.make(), []
    for step in range(case.steps):
        proposal = learner.ask()
        if proposal is None:
            break
        rebuilt = case.make()
        rebuilt.tell(o for each in told for o in each)
        assert rebuilt.ask() == proposal, f"step {step}"
        told.append(case.measure(proposal, step))
        learner.tell(told[-1])
    rebuilt = case.make()
    rebuilt.tell(o for each in told for o in each)
    assert state(rebuilt, case.axis) == state(learner, case.axis)


@pytest.mark.parametrize("field", ["x", "y"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_by_name(case, field, value):
    learner, _, told = case.run(steps=3)
    before = state(learner, case.axis)
    bad = replace(told[0][0], uid="bad-run/7", **{field: value})
    following = case.measure(learner.ask(), step=3)
    with pytest.raises(ModelFault, match="bad-run/7"):
        learner.tell([*following, bad])
    assert state(learner, case.axis) == before


def test_evidence_has_what_rules_look_at(case):
    learner, _, told = case.run()
    evidence = learner.evidence()
    n = sum(map(len, told))
    assert evidence.s.shape == evidence.z2.shape == evidence.group.shape == (n,)
    assert (evidence.s > 0).all()
    assert (evidence.z2 >= 0).all()
    assert evidence.group[0] == 0
    assert (np.diff(evidence.group) >= 0).all()
    assert evidence.quantities["points"] == n
    wanted = {"seconds", "max_sd", "noise_sd", "largest_gap", "resolution"}
    assert wanted <= set(evidence.quantities)
