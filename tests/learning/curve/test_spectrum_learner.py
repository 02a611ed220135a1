"""Promises of the learner of spectra besides the laws of every learner."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import cholesky, solve_triangular
from support.learner_cases import (
    CASES,
    ENERGY,
    SIGMA,
    SPECTRUM,
    absorption,
    diffraction,
    energy_case,
)

from materialsdock.errors import ModelFault
from materialsdock.learning.curve import sweeps
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.gp import hyperparameters
from materialsdock.learning.stopping.gates import GapGate
from materialsdock.learning.stopping.quantities import area
from materialsdock.model import Axis, Observation
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.testing.learner_laws import Case, state

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
    case = energy_case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0, initial=first), 3)
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
    case = energy_case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0, narrow=narrow), 110)
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


@settings(max_examples=15)
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
    case = energy_case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0, model=model), 31)
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
            y, sigma = absorption(x, 1.0, rng)
            learner.tell([Observation(f"r/{step}", step, x[0], y[0], sigma[0], 1.0, "r")])
        return np.std(learner.posterior(axis.grid)[0] - simulate_xanes(axis.grid))

    even = np.linspace(7050.0, 7250.0, 40)
    y, _ = absorption(even, 1.0, np.random.default_rng(0))
    lines = np.std(np.interp(axis.grid, even, y) - simulate_xanes(axis.grid))
    assert error("warped") < 0.5 * min(lines, error("stationary"))


def test_looking_ahead_changes_nothing_but_when_the_thinking_is_done(monkeypatch):
    case = CASES["warped"]
    learner, plain, planned = case.make(), case.make(), []
    original = sweeps.plan

    def watched(*args, **kwargs):
        planned.append(args[0].measured.size)
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
    case = energy_case(lambda: SpectrumLearner(ENERGY, count_time_s=1.0, wanted=wanted), 45)
    learner, _, _ = case.run()
    found = learner.evidence().quantities
    truth = wanted[0].of(simulate_xanes(ENERGY.grid))
    assert abs(found["area"] - truth) < 4 * found["area_sd"] + 0.02
    assert found["count_seconds"] == pytest.approx(45.0)


def test_an_expert_who_has_nothing_left_is_not_chosen():
    """A plan of no positions would be a sweep that never ends."""
    places = ENERGY.grid[::20]
    learner = SpectrumLearner(ENERGY, count_time_s=1.0, initial=places, expert=places)
    energy_case(lambda: learner, places.size + 4).run()
    assert not learner.choice.expert
    assert "contains all positions of the expert's grid" in learner.choice.sentence()


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
    make = partial(SpectrumLearner, coarse, count_time_s=1.0)
    learner, _, _ = Case(make, coarse, diffraction, 6).run()
    found = learner.evidence()
    assert found.quantities["open_gap"] == pytest.approx(found.quantities["largest_gap"])
    learner, _, _ = Case(make, coarse, diffraction, 14).run()
    found = learner.evidence()
    assert found.quantities["largest_gap"] > coarse.resolution, "what the certificate says"
    assert GapGate().closed(found) is None
