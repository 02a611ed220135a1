"""Gates that hold a stop back, the alarm of the noise, and when it is given up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from materialsdock.errors import InputError
from materialsdock.learning.stopping import divergence, gates
from materialsdock.learning.stopping.rules import RobustRule, lambda_history, rule_from_settings
from materialsdock.testing.stopping_laws import evidence, learned

# -- gates, alarm, giving up ----------------------------------------------------------------------


def test_a_surprising_probe_holds_back():
    assert RobustRule().judge(evidence(learned().s, probe_z2=8.9)).stop
    for z2, says in (
        (9.5, "the surprise z² of the last probe of a gap is 9.5, it must be below 9"),
        (np.nan, "the largest gap has not been probed yet"),
    ):
        verdict = RobustRule().judge(evidence(learned().s, probe_z2=z2))
        assert not verdict.stop
        assert says in verdict.reason


def test_points_off_the_curve_hold_back():
    assert RobustRule().judge(evidence(learned().s, max_residual=3.9)).stop
    most = "it must be 4 or less"
    verdict = RobustRule().judge(evidence(learned().s, max_residual=6.1))
    assert (verdict.stop, verdict.reason) == (False, f"points lie 6.1 sd off the curve, {most}")
    placed = evidence(learned().s, max_residual=6.1, max_residual_at=7113.2)
    assert RobustRule().judge(placed).reason == f"points lie 6.1 sd off the curve at 7113.2, {most}"
    assert RobustRule(outlier=7.0).judge(evidence(learned().s, max_residual=6.1)).stop


def test_a_target_takes_the_place_of_the_absolute_sd():
    coarse = evidence(learned().s, max_sd=1.0, e0_sd=0.04)
    rule = rule_from_settings({"absolute": "target", "targets": {"e0_sd": 0.05}})
    assert rule.judge(coarse).stop
    assert not rule_from_settings({"targets": {"e0_sd": 0.05}}).judge(coarse).stop
    assert (
        not rule_from_settings({"absolute": "target", "targets": {"e0_sd": 0.03}})
        .judge(coarse)
        .stop
    )


def test_target_mode_needs_no_lambda_but_safety():
    rule = rule_from_settings({"mode": "target", "targets": {"rmse_bound": 0.02}})
    early = evidence(np.full(30, 30.0), points=30.0, rmse_bound=0.015)
    verdict = rule.judge(early)
    assert verdict.stop
    assert (verdict.statistic, verdict.threshold) == (0.015, 0.02)
    gap = replace(early, quantities={**early.quantities, "largest_gap": 2.0})
    assert "the largest gap is 2, it must be 1.5 or less" in rule.judge(gap).reason
    with_unit = rule.judge(replace(gap, unit="eV")).reason
    assert "the largest gap is 2 eV, it must be 1.5 eV or less" in with_unit
    bold = rule_from_settings({"mode": "target", "gap": False, "targets": {"rmse_bound": 0.02}})
    assert bold.judge(gap).stop
    assert not rule.judge(evidence([])).stop


def test_a_low_lambda_is_not_given_up_while_counting_still_helps():
    """λ need not fall further while the curve is not known everywhere: an open gap, a large sd."""
    quiet = evidence(np.concatenate([np.full(20, 50.0), np.full(280, 1e-4)]), points=300.0)
    for missing in ({"max_sd": 1.0}, {"largest_gap": 9.0}):
        open_still = replace(quiet, quantities={**quiet.quantities, **missing})
        verdict = RobustRule(patience=50).judge(open_still)
        assert verdict.statistic < 0.05
        assert not verdict.stop, verdict.reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "target"},
        {"absolute": "target"},
        {"absolute": "rmse", "targets": {"rmse": 1}},
        {"patience": -1},
        {"mode": "target", "targets": {"rmse": 1}, "threshold": 0.1},
        {"maximum_count_seconds": 0},
    ],
)
def test_settings_without_a_meaning_are_refused(wrong):
    with pytest.raises(InputError):
        rule_from_settings(wrong)


def test_a_lambda_that_does_not_fall_ends_it_and_says_so():
    rng = np.random.default_rng(0)
    stuck = evidence(30.0 * np.exp(rng.normal(0, 0.1, 300)), points=300.0)
    verdict = RobustRule().judge(stuck)
    assert verdict.stop
    assert verdict.reason.startswith(
        "given up: λ has not fallen for 150 steps; not reached: the error ratio λ is 1."
    )
    assert not RobustRule(patience=0).judge(stuck).stop
    assert (
        not RobustRule()
        .judge(replace(stuck, s=stuck.s[:100], z2=stuck.z2[:100], group=stuck.group[:100]))
        .stop
    )
    with_target = rule_from_settings({"targets": {"e0_sd": 0.1}}).judge(stuck)
    assert with_target.stop
    assert "not reached" in with_target.reason
    assert "the standard deviation of e0 is not known yet" in with_target.reason


def test_who_still_learns_is_not_given_up():
    n = np.arange(1, 2001)
    slow = evidence(300.0 / n, points=2000.0, max_sd=1.0)  # s as 1/n: λ as its root
    verdict = RobustRule().judge(slow)
    assert not verdict.stop
    assert "given up" not in verdict.reason


def test_a_budget_says_what_is_missing():
    rule = rule_from_settings({"maximum_points": 60, "targets": {"e0_sd": 0.1}})
    verdict = rule.judge(learned())
    assert verdict.stop
    assert (
        verdict.reason == "the budget of 60 points is used up; not reached: "
        "the standard deviation of e0 is not known yet, it must be 0.1 or less"
    )


def test_the_dose_is_a_budget():
    rule = rule_from_settings({"maximum_count_seconds": 30.0})
    assert not rule.judge(evidence([1.0], count_seconds=29.0)).stop
    verdict = rule.judge(evidence([1.0], count_seconds=30.0))
    assert verdict.stop
    assert "30 seconds of counting" in verdict.reason


@pytest.mark.parametrize(
    ("z2", "says"), [(0.3, "smaller"), (0.6, None), (1.0, None), (1.5, None), (1.9, "larger")]
)
def test_the_alarm_names_the_direction(z2, says):
    sounded = gates.alarm(evidence(np.ones(40), np.full(40, z2)))
    assert sounded is None if says is None else says in sounded
    assert gates.alarm(evidence(np.ones(10), np.full(10, z2))) is None


def test_a_small_lasting_deviation_sounds_the_alarm_with_enough_points():
    assert gates.alarm(evidence(np.ones(40), np.full(40, 1.5))) is None
    assert "mean square of the prediction errors is 1.50, outside" in gates.alarm(
        evidence(np.ones(100), np.full(100, 1.5))
    )


def test_residuals_sound_the_alarm_when_innovations_are_calm():
    """Hyperparameters that take noise for structure keep the innovations as they should be."""

    def calm(chi2, dof):
        return evidence(np.ones(60), residual_chi2=chi2, residual_dof=dof)

    assert gates.alarm(calm(35.0, 30.0)) is None
    assert "mean square of the residuals is 2.00, outside" in gates.alarm(calm(60.0, 30.0))
    assert "smaller than stated" in gates.alarm(calm(6.0, 30.0))
    assert gates.alarm(calm(60.0, 0.5)) is None  # a curve through all points leaves nothing


def test_the_alarm_sounds_by_chance_as_often_as_it_says():
    rng = np.random.default_rng(0)
    looks = 4000
    sounded = sum(
        gates.alarm(
            evidence(
                np.ones(50),
                rng.chisquare(1, 50),
                residual_chi2=rng.chisquare(40),
                residual_dof=40.0,
            )
        )
        is not None
        for _ in range(looks)
    )
    expected = gates.FALSE_ALARMS * looks
    assert abs(sounded - expected) < 4 * np.sqrt(expected)


def test_lambda_may_be_relative_to_knowing_nothing():
    run = evidence([50.0, 0.1, 0.1, *np.geomspace(10, 0.1, 30)], [9.0] + [1.0] * 32)
    history = lambda_history(run, "prior", 10, 1.0)
    whole = divergence.bound_changes(np.array([50.0]), np.ones(1), np.array([0]))[0]
    changes = divergence.bound_changes(run.s, run.z2, run.group)
    np.testing.assert_allclose(history[10:], changes[10:] / whole)
    np.testing.assert_array_equal(history[:10], 1.0)
    assert lambda_history(evidence([]), "prior").size == 0


def test_a_low_lambda_waits_for_an_open_gate_so_many_times_the_patience_and_no_longer():
    """A motor that does not move closes no gap: the night must end with a reason."""
    n = 20 + 20 * 120
    quiet = evidence(np.concatenate([np.full(20, 50.0), np.full(n - 20, 1e-4)]), points=float(n))
    for missing in ({"max_sd": 1.0}, {"largest_gap": 9.0}):
        never = replace(quiet, quantities={**quiet.quantities, **missing})
        verdict = RobustRule().judge(never)
        assert verdict.stop
        assert "given up: λ has been low for" in verdict.reason
        assert "not reached: " in verdict.reason
        assert not RobustRule(patience=0).judge(never).stop


@pytest.mark.parametrize("threshold", [0, 1, 5.0])
def test_a_threshold_beyond_the_range_of_lambda_is_refused(threshold):
    with pytest.raises(InputError, match=r"threshold.*between 0 and 1"):
        rule_from_settings({"mode": "robust", "threshold": threshold})
