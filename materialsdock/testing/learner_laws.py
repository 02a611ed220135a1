"""Laws that every learner must keep, whatever it learns, those behind protocols.Learner.

Needs neither pytest nor hypothesis.  A learner is put to the laws as a `Case`:

    case = Case(make=lambda: MyLearner(axis), axis=axis, count=count, steps=40)
    for law in LAWS:
        law(case)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.model import Axis, FloatArray, Observation, Proposal
from materialsdock.protocols import Learner
from materialsdock.testing.checks import refused

Told = list[list[Observation]]  # the observations of each step
Count = Callable[[FloatArray, float, np.random.Generator], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Case:
    """A learner as the laws see it.

    make : gives the learner afresh, with the same seed
    count : (positions (n,), seconds, generator) -> y (n,) and sigma (n,): what an instrument shows
    steps : how many steps the laws watch; the learner begins its third sweep within them
    """

    make: Callable[[], Learner]
    axis: Axis
    count: Count
    steps: int

    def measure(self, proposal: Proposal, step: int, seed: int = 0) -> list[Observation]:
        """The observations of `proposal`: the same ones for the same step and seed."""
        x, seconds = proposal.x, proposal.count_time_s
        y, sigma = self.count(x, seconds, np.random.default_rng([seed, step]))
        rows = zip(x.tolist(), y.tolist(), sigma.tolist(), strict=True)
        return [
            Observation(f"run-{step:04d}/{i:05d}", step, *row, seconds, f"{step}")
            for i, row in enumerate(rows)
        ]

    def run(self, steps: int | None = None, seed: int = 0) -> tuple[Learner, list[Proposal], Told]:
        """A learner that received `steps` steps, its proposals, and what it received.

        Every law has a copy of its own, as a run costs more than most laws.
        """
        return copy.deepcopy(_run(self, steps, seed))

    def run_anew(
        self, steps: int | None = None, seed: int = 0
    ) -> tuple[Learner, list[Proposal], Told]:
        """The same, not a copy."""
        learner = self.make()
        proposals: list[Proposal] = []
        told: Told = []
        for step in range(self.steps if steps is None else steps):
            proposal = learner.ask()
            if proposal is None:
                break
            proposals.append(proposal)
            told.append(self.measure(proposal, step, seed))
            learner.tell(told[-1])
        return learner, proposals, told


_run = cache(Case.run_anew)


def state(learner: Learner, axis: Axis) -> dict[str, Any]:
    """All that a learner lets one see."""
    evidence = learner.evidence()
    mean, sd = learner.posterior(axis.grid)
    return {
        "next": learner.ask(),
        "mean": mean.tolist(),
        "sd": sd.tolist(),
        "s": evidence.s.tolist(),
        "z2": evidence.z2.tolist(),
        "group": evidence.group.tolist(),
        "quantities": dict(evidence.quantities),
        "hyperparameters": dict(learner.hyperparameters()),
    }


def told_again(case: Case, steps: Sequence[Sequence[Observation]]) -> Learner:
    """A fresh learner that receives `steps` one after the other."""
    learner = case.make()
    for step in steps:
        learner.tell(step)
    return learner


def it_is_a_learner(case: Case) -> None:
    """It has every method of protocols.Learner."""
    assert isinstance(case.make(), Learner)


def asking_changes_nothing(case: Case) -> None:
    """Ask three times: the answers are the same, and the learner is as if never asked."""
    learner, _, told = case.run()
    quiet = told_again(case, told)
    assert [learner.ask() for _ in range(3)] == [learner.ask()] * 3
    assert state(learner, case.axis) == state(quiet, case.axis)


def equal_data_give_equal_proposals(case: Case) -> None:
    """Two learners that see the same do the same."""
    assert case.run_anew()[1] == case.run()[1]


def other_data_give_other_proposals(case: Case) -> None:
    """It learns: what is counted has a say in what comes next."""
    assert case.run(seed=0)[1] != case.run(seed=1)[1]


def proposals_lie_inside_the_axis_and_take_time(case: Case) -> None:
    """Every position lies on the axis, every count takes time, sweeps follow one another."""
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


def telling_twice_is_telling_once(case: Case) -> None:
    """An observation whose uid it knows changes nothing, nor does giving it nothing."""
    learner, _, told = case.run()
    before = state(learner, case.axis)
    for step in told[::-1]:
        learner.tell(step)
    learner.tell([])
    assert state(learner, case.axis) == before


def telling_in_parts_is_telling_at_once(case: Case) -> None:
    """A step may arrive in pieces."""
    learner, _, told = case.run(steps=case.steps // 2)
    piecemeal = case.make()
    for step in told:
        half = len(step) // 2
        piecemeal.tell(step[:half])
        piecemeal.tell(step[half:])
    assert state(piecemeal, case.axis) == state(learner, case.axis)


def the_order_of_telling_does_not_matter(case: Case) -> None:
    """Steps received in any of three random orders teach the same."""
    learner, _, told = case.run()
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(told))
        shuffled = told_again(case, [told[i] for i in order])
        assert state(shuffled, case.axis) == state(learner, case.axis), f"seed {seed}"


def a_rebuilt_learner_goes_on_as_before(case: Case) -> None:
    """At every step: given all at once, in any order, the next proposal is the same."""
    learner = case.make()
    told: Told = []
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


def what_is_not_finite_is_refused_by_name(case: Case) -> None:
    """A value that is no number is a ModelFault with its uid, and nothing of that call is kept."""
    for key in ("x", "y"):
        for value in (np.nan, np.inf):
            learner, _, told = case.run(steps=3)
            before = state(learner, case.axis)
            changes: dict[str, Any] = {key: value}
            bad = replace(told[0][0], uid="bad-run/7", **changes)
            proposal = learner.ask()
            assert proposal is not None
            following = case.measure(proposal, step=3)
            with refused(ModelFault, "bad-run/7"):
                learner.tell([*following, bad])
            assert state(learner, case.axis) == before, f"{key} = {value}"


def evidence_has_what_rules_look_at(case: Case) -> None:
    """One s and z² for each observation, groups in order, and the quantities rules ask for."""
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


LAWS: tuple[Callable[[Case], None], ...] = (
    it_is_a_learner,
    asking_changes_nothing,
    equal_data_give_equal_proposals,
    other_data_give_other_proposals,
    proposals_lie_inside_the_axis_and_take_time,
    telling_twice_is_telling_once,
    telling_in_parts_is_telling_at_once,
    the_order_of_telling_does_not_matter,
    a_rebuilt_learner_goes_on_as_before,
    what_is_not_finite_is_refused_by_name,
    evidence_has_what_rules_look_at,
)
