"""What every learner must obey, and what the spectrum learner promises besides.

A new learner joins the laws as one more `Case` in CASES.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import cholesky, solve_triangular

from materialsdock.errors import ModelFault
from materialsdock.learning import hyperparameters, sweeps
from materialsdock.learning.gates import GapGate
from materialsdock.learning.learner import SpectrumLearner
from materialsdock.learning.library import LibraryPrior
from materialsdock.learning.multipass import MultiPassLearner
from materialsdock.learning.quantities import area
from materialsdock.model import Axis, Observation
from materialsdock.protocols import Learner
from materialsdock.refinement.xas.simulate import simulate_xanes

ENERGY = Axis("energy", "eV", np.linspace(7080.0, 7180.0, 161), 1.5)
TWO_THETA = Axis("two_theta", "deg", 20.0 + 0.02 * np.arange(600), 0.1)
SIGMA = 0.01


def library_prior(shift=0.0):
    """A prior as three standards would teach it: the edge, and two ways in which they differ."""
    energy = np.arange(-40.0, 80.0, 0.5)
    line = np.exp(-0.5 * ((energy - 4.0) / 3.0) ** 2)
    mean = 0.5 + np.arctan((energy - shift) / 1.25) / np.pi + 0.5 * line
    factors = np.vstack([0.2 * line, 0.05 * np.exp(-0.5 * ((energy + 6.0) / 1.0) ** 2)])
    return LibraryPrior(
        "Fe-K",
        energy,
        mean,
        factors,
        np.full(energy.size, 0.05),
        np.cumsum(np.full(energy.size, 0.5)) / 5.0,
        np.array([7119.0, 7120.5, 7122.0]),
        ("a", "b", "c"),
    )


def absorption(x, rng):
    """µ and sigma at `x` (n,)."""
    return simulate_xanes(x) + SIGMA * rng.standard_normal(x.size), np.full(x.size, SIGMA)


def diffraction(x, rng, seconds):
    """Count rate [1/s] and sigma at 2θ `x` (n,)."""
    rate = 40.0 + sum(
        h * np.exp(-0.5 * ((x - c) / 0.042) ** 2) for c, h in ((22.0, 4e3), (26.3, 600.0))
    )
    counts = rng.poisson(rate * seconds)
    return counts / seconds, np.sqrt(counts + 1.0) / seconds


@dataclass(frozen=True)
class Case:
    """How to make a learner afresh, its axis, and how many steps the laws watch."""

    make: Callable[[], Learner]
    axis: Axis
    steps: int

    def measure(self, proposal, step, seed=0):
        """The observations of `proposal`: the same ones for the same step and seed."""
        rng = np.random.default_rng([seed, step])
        x = proposal.x
        if self.axis is ENERGY:
            y, sigma = absorption(x, rng)
        else:
            y, sigma = diffraction(x, rng, proposal.count_time_s)
        return [
            Observation(f"run-{step:04d}/{i:05d}", step, a, b, c, proposal.count_time_s, f"{step}")
            for i, (a, b, c) in enumerate(zip(x.tolist(), y.tolist(), sigma.tolist(), strict=True))
        ]

    def run(self, steps=None, seed=0):
        """A learner that has been told `steps` steps, its proposals, and what it was told.

        Every test has a copy of its own, as a run costs more than most tests.
        """
        return copy.deepcopy(_run(self, steps, seed))

    def run_anew(self, steps=None, seed=0):
        """The same, not a copy."""
        learner, proposals, told = self.make(), [], []
        for step in range(self.steps if steps is None else steps):
            proposal = learner.ask()
            if proposal is None:
                break
            proposals.append(proposal)
            told.append(self.measure(proposal, step, seed))
            learner.tell(told[-1])
        return learner, proposals, told


_run = cache(Case.run_anew)

CASES = {
    "warped": Case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0), ENERGY, 50),
    "stationary": Case(
        lambda: SpectrumLearner(
            ENERGY, count_time_s=0.5, model="stationary", initial=np.linspace(7085, 7170, 12)
        ),
        ENERGY,
        45,
    ),
    "multipass": Case(
        lambda: MultiPassLearner(TWO_THETA, full_time_s=5.0, fwhm_deg=0.1), TWO_THETA, 32
    ),
}
CASES["expert"] = Case(
    lambda: SpectrumLearner(
        ENERGY, count_time_s=0.05, velocity=5.0, expert=np.arange(7081.0, 7180.0, 3.0)
    ),
    ENERGY,
    60,
)
CASES["library"] = Case(
    lambda: SpectrumLearner(ENERGY, count_time_s=1.0, prior=library_prior()), ENERGY, 40
)
SPECTRUM = ("warped", "stationary")


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def state(learner, axis):
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


# -- the spectrum learner -----------------------------------------------------------------------


@pytest.fixture(params=SPECTRUM)
def spectrum_case(request):
    return CASES[request.param]


@pytest.mark.parametrize("steps", [5, 24, 25, 43])
def test_one_cholesky_replays_all_innovations(spectrum_case, steps):
    """s and z² of the sequence are those of L = chol(K + σ²) in acquisition order."""
    learner, _, told = spectrum_case.run(steps=steps)
    flat = [o for each in told for o in each]
    x, y, noise = np.array([(o.x, o.y, o.sigma**2) for o in flat]).T
    kernel, mean = learner.present.kernel, learner.present.prior_mean
    lower = cholesky(kernel(x, x) + np.diag(noise), lower=True)
    evidence = learner.evidence()
    np.testing.assert_allclose(evidence.s, (np.diag(lower) ** 2 - noise) / noise, atol=1e-8)
    z = solve_triangular(lower, y - mean, lower=True)
    np.testing.assert_allclose(evidence.z2, z**2, atol=1e-8)


def test_no_position_is_counted_twice_while_others_are_left():
    axis = Axis("energy", "eV", np.linspace(0.0, 10.0, 40), 0.5)
    learner, seen, sweeps = SpectrumLearner(axis, count_time_s=1.0), set(), {}
    for step in range(60):
        proposal = learner.ask()
        x = proposal.start
        sweeps.setdefault(proposal.sweep, []).append(int(axis.index(x)))
        learner.tell([Observation(f"r/{step}", step, x, np.tanh(x - 5), SIGMA, 1.0, "r")])
    for places in sweeps.values():
        repeats = len(places) - len(set(places) - seen)
        seen |= set(places)
        assert repeats == 0 or len(seen) == axis.grid.size
    assert len(seen) == axis.grid.size


def test_the_first_sweep_is_the_one_given():
    first = np.array([7120.0, 7090.0, 7090.1, 7165.0])
    case = Case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0, initial=first), ENERGY, 3)
    _, proposals, _ = case.run()
    assert [p.start for p in proposals] == [7090.0, 7120.0, 7165.0]
    assert {p.sweep for p in proposals} == {0}


def test_a_sweep_goes_one_way(spectrum_case):
    _, proposals, _ = spectrum_case.run()
    by_sweep = {}
    for p in proposals:
        by_sweep.setdefault(p.sweep, []).append(p.start)
    for positions in by_sweep.values():
        steps = np.diff(positions)
        assert (steps > 0).all() or (steps < 0).all()


def test_probes_close_the_gaps_of_the_narrow_region():
    narrow = (7100.0, 7140.0)
    case = Case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0, narrow=narrow), ENERGY, 110)
    learner, _, told = case.run()
    inside = sorted(o.x for each in told for o in each if narrow[0] <= o.x <= narrow[1])
    gap = float(np.diff([narrow[0], *inside, narrow[1]]).max())
    assert learner.evidence().quantities["largest_gap"] == pytest.approx(gap)
    assert gap <= ENERGY.resolution


def test_seconds_count_motion_and_settling():
    learner = SpectrumLearner(ENERGY, count_time_s=2.0, velocity=10.0, settle_s=0.25)
    for step, x in enumerate((7080.0, 7100.0, 7090.0)):
        learner.tell([Observation(f"r/{step}", step, x, 1.0 + step, SIGMA, 2.0, "r")])
    assert learner.evidence().quantities["seconds"] == pytest.approx(3 * 2.0 + 30 / 10 + 3 * 0.25)


def test_repeat_visits_merge_by_precision():
    learner = SpectrumLearner(ENERGY, count_time_s=1.0)
    for step, (x, y, sigma) in enumerate(
        [(7100.0, 1.0, 0.1), (7120.0, 5.0, 0.3), (7100.0, 2.0, 0.2)]
    ):
        learner.tell([Observation(f"r/{step}", step, x, y, sigma, 1.0, "r")])
    merged = learner.spectrum()
    assert merged.energy_ev.tolist() == [7100.0, 7120.0]
    assert merged.mu.tolist() == pytest.approx([(1 / 0.01 + 2 / 0.04) / 125.0, 5.0])
    assert merged.sigma.tolist() == pytest.approx([125.0**-0.5, 0.3])


@settings(max_examples=15, deadline=None)
@given(value=st.floats(-1e6, 1e6), sigma=st.floats(1e-6, 1e3))
def test_a_flat_signal_is_measured_and_known(value, sigma):
    learner = SpectrumLearner(ENERGY, count_time_s=1.0)
    for step in range(30):
        x = learner.ask().start
        learner.tell([Observation(f"r/{step}", step, x, value, sigma, 1.0, "r")])
    mean, sd = learner.posterior(ENERGY.grid)
    np.testing.assert_allclose(mean, value, atol=1e-6 * max(abs(value), 1.0))
    assert np.isfinite(sd).all()


@pytest.mark.parametrize("model", SPECTRUM)
def test_when_no_kernel_can_be_learned_the_last_good_one_stays(model, monkeypatch):
    case = Case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0, model=model), ENERGY, 31)
    learner, _, _ = case.run()
    good, sweep = learner.hyperparameters(), learner.ask().sweep
    assert good["held"] == 0

    def fails(*_, **__):
        raise ModelFault("covariance is not positive definite")

    monkeypatch.setattr(hyperparameters, "fit", fails)
    step = 31
    while learner.ask().sweep == sweep:
        learner.tell(case.measure(learner.ask(), step))
        step += 1
    assert learner.hyperparameters() == {**good, "held": 1.0}
    assert learner.evidence().quantities["points"] == step
    assert learner.ask() is not None


def test_samples_are_reproducible_and_pass_near_the_mean(spectrum_case):
    learner, _, _ = spectrum_case.run()
    curves = learner.sample(ENERGY.grid, 200, seed=3)
    assert curves.shape == (200, ENERGY.grid.size)
    np.testing.assert_array_equal(curves, learner.sample(ENERGY.grid, 200, seed=3))
    mean, sd = learner.posterior(ENERGY.grid)
    assert (np.abs(curves.mean(axis=0) - mean) < 6 * sd / np.sqrt(200) + 1e-4).all()


def test_fewer_points_than_an_even_scan():
    """Warped sweeps on a wide range at 40 points: less than half the error of a stationary one."""
    axis = Axis("energy", "eV", np.linspace(7050.0, 7250.0, 401), 1.5)
    first = np.linspace(7050.0, 7250.0, 16)

    def error(model):
        learner = SpectrumLearner(axis, count_time_s=1.0, model=model, initial=first)
        rng = np.random.default_rng(0)
        for step in range(40):
            x = learner.ask().x
            y, sigma = absorption(x, rng)
            learner.tell([Observation(f"r/{step}", step, x[0], y[0], sigma[0], 1.0, "r")])
        return np.std(learner.posterior(axis.grid)[0] - simulate_xanes(axis.grid))

    even = np.linspace(7050.0, 7250.0, 40)
    y, _ = absorption(even, np.random.default_rng(0))
    lines = np.std(np.interp(axis.grid, even, y) - simulate_xanes(axis.grid))
    assert error("warped") < 0.5 * min(lines, error("stationary"))


def test_looking_ahead_changes_nothing_but_when_the_thinking_is_done(monkeypatch):
    case = CASES["warped"]
    learner, plain, planned = case.make(), case.make(), []
    original = sweeps.plan

    def watched(*args, **kwargs):
        planned.append(args[1].size)
        return original(*args, **kwargs)

    monkeypatch.setattr(sweeps, "plan", watched)
    for step in range(case.steps):
        proposal = learner.ask()
        learner.look_ahead()
        learner.look_ahead()
        ready = len(planned)
        told = case.measure(proposal, step)
        learner.tell(told)
        assert learner.ask() is not None
        assert len(planned) == ready, "nothing was left to plan when the count came in"
        plain.tell(told)
    assert state(learner, ENERGY) == state(plain, ENERGY)


def test_the_experts_grid_is_counted_in_one_pass_and_said():
    learner, proposals, _ = CASES["expert"].run()
    assert learner.choice.expert
    known = learner.hyperparameters()
    assert known["expert_s"] < known["learner_s"]
    first = [p for p in proposals if p.sweep == 1]
    assert len(first) == len(learner.choice.plan)
    assert all(p.score > 0 for p in first), "a score of 0 would mark a probe"


def test_a_library_prior_is_used_while_it_agrees():
    learner, proposals, _ = CASES["library"].run()
    assert learner.knowledge.library is not None
    assert set(np.round(np.diff([p.start for p in proposals if p.sweep == 0]), 6)) != {0.0}
    assert learner.hyperparameters()["library"] == float(learner.knowledge.library.ok)


def test_wanted_quantities_are_among_the_evidence():
    wanted = (area(ENERGY.grid, 7110.0, 7130.0),)
    case = Case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0, wanted=wanted), ENERGY, 45)
    learner, _, _ = case.run()
    found = learner.evidence().quantities
    truth = wanted[0].of(simulate_xanes(ENERGY.grid))
    assert abs(found["area"] - truth) < 4 * found["area_sd"] + 0.02
    assert found["count_seconds"] == pytest.approx(45.0)


def test_an_expert_who_has_nothing_left_is_not_chosen():
    """A plan of no positions would be a sweep that never ends."""
    places = ENERGY.grid[::20]
    learner = SpectrumLearner(ENERGY, count_time_s=1.0, initial=places, expert=places)
    Case(lambda: learner, ENERGY, places.size + 4).run()
    assert not learner.choice.expert
    assert "holds all of the expert's grid" in learner.choice.sentence()


def test_an_axis_that_does_not_move_teaches_nothing_but_ends_nothing():
    learner, rng = SpectrumLearner(ENERGY, count_time_s=1.0), np.random.default_rng(0)
    for step in range(30):
        learner.ask()
        y = 1.0 + 0.01 * rng.standard_normal()
        learner.tell([Observation(f"r/{step}", step, 7120.0, y, 0.01, 1.0, "r")])
        found = learner.evidence().quantities
    assert learner.hyperparameters()["held"] > 0
    assert found["max_sd"] > 0.5, "nothing is known of where nothing was counted"


@pytest.mark.parametrize(("y", "sigma"), [(1e200, 1.0), (1.0, 1e-170), (1.0, 1e200)])
def test_what_has_no_square_is_refused_and_leaves_nothing_behind(y, sigma):
    learner = SpectrumLearner(ENERGY, count_time_s=1.0)
    with pytest.raises(ModelFault, match="r/0"):
        learner.tell([Observation("r/0", 0, 7120.0, y, sigma, 1.0, "r")])
    assert learner.observations == []
    assert learner.evidence().quantities["points"] == 0


def test_a_gap_that_no_position_can_divide_does_not_hold_back_a_stop():
    coarse = Axis("energy", "eV", np.linspace(7100.0, 7140.0, 12), 1.5)
    learner, _, _ = Case(lambda: SpectrumLearner(coarse, count_time_s=1.0), coarse, 6).run()
    found = learner.evidence()
    assert found.quantities["open_gap"] == pytest.approx(found.quantities["largest_gap"])
    learner, _, _ = Case(lambda: SpectrumLearner(coarse, count_time_s=1.0), coarse, 14).run()
    found = learner.evidence()
    assert found.quantities["largest_gap"] > coarse.resolution, "what the certificate says"
    assert GapGate().closed(found) is None
