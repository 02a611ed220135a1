"""The stopping rules: λ, the paper's rule, the robust rule, targets, budgets and the settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.innovations import runs

from materialsdock.errors import InputError
from materialsdock.learning.stopping import divergence
from materialsdock.learning.stopping.rules import (
    AllOf,
    AnyOf,
    BudgetRule,
    PaperRule,
    RobustRule,
    TargetRule,
    lambda_history,
    rule_from_settings,
)
from materialsdock.testing.stopping_laws import QUIET, evidence, learned

# -- λ --------------------------------------------------------------------------------------------


@given(run=runs, cuts=st.lists(st.booleans(), min_size=60, max_size=60))
def test_the_divergences_of_a_group_are_summed(run, cuts):
    group = np.cumsum([0, *cuts[: run.s.size - 1]])
    grouped = divergence.bound_changes(run.s, run.z2, group)
    for g in range(group[-1] + 1):
        at = group == g
        ahead = divergence.forward(run.s[at], run.z2[at]).sum()
        back = divergence.backward(run.s[at], run.z2[at]).sum()
        whole = divergence.error_bound(ahead) + divergence.error_bound(back)
        assert grouped[g] == pytest.approx(float(whole))


@given(run=runs)
def test_groups_of_one_are_points(run):
    alone = divergence.bound_changes(run.s, run.z2, run.group)
    each = divergence.bound_changes(run.s, run.z2, run.group, per_observation=True)
    np.testing.assert_array_equal(alone, each)


@pytest.mark.parametrize(
    ("reference", "scale"),
    [("min", min), ("first", lambda head: head[0]), ("median", np.median)],
)
def test_lambda_is_relative_to_the_beginning(reference, scale):
    run = evidence(np.random.default_rng(0).uniform(0.1, 30, 40))
    changes = divergence.bound_changes(run.s, run.z2, run.group)
    history = lambda_history(run, reference, warmup=10)
    np.testing.assert_array_equal(history[:10], 1.0)
    np.testing.assert_allclose(history[10:], changes[10:] / scale(changes[:11].tolist()))


def test_what_changes_nothing_has_lambda_zero():
    history = lambda_history(evidence(np.zeros(20), np.zeros(20)))
    assert history[-1] == 0.0
    assert lambda_history(evidence([])).size == 0


def test_the_first_sweep_can_be_left_out():
    run = learned()
    later = lambda_history(replace(run, quantities={**QUIET, "initial": 7.0}))
    np.testing.assert_allclose(later, lambda_history(evidence(run.s[7:])))


def test_too_few_steps_are_those_after_the_first_sweep():
    run = learned()
    first = run.group.size - 4
    verdict = PaperRule().judge(replace(run, quantities={**QUIET, "initial": float(first)}))
    assert verdict.reason == "4 steps are too few to judge λ, which needs 11"


# -- the paper's rule -----------------------------------------------------------------------------


def test_paper_rule_gives_its_numbers():
    verdict = PaperRule().judge(learned())
    assert verdict.stop
    assert verdict.threshold == 0.05
    assert verdict.statistic == pytest.approx(lambda_history(learned())[-1])
    assert verdict.reason == (
        f"the error ratio λ is {verdict.statistic:.3f} (limit 0.050) after 60 points"
    )
    going = PaperRule(threshold=1e-9).judge(learned())
    assert not going.stop
    assert going.reason.startswith("the error ratio λ is 0.0")
    assert "it must be 0.000 or less, after 60 points" in going.reason


def test_paper_rule_never_stops_in_the_warm_up():
    run = evidence([1e6] + [1e-9] * 9, [1.0] + [0.0] * 9)
    verdict = PaperRule(reference="first").judge(run)
    assert not verdict.stop
    assert verdict.statistic is None
    assert PaperRule(reference="first").judge(evidence([1e6] + [1e-9] * 10)).stop


def test_an_unfinished_group_is_not_judged():
    group = [0] * 5 + [1] * 5 + [2] * 5
    s = [100.0] * 5 + [20.0] * 5 + [1e-6] * 5
    rule = PaperRule(threshold=0.05, reference="first", warmup=1)
    open_run, whole = evidence(s, None, group, complete=False), evidence(s, None, group)
    assert not rule.judge(open_run).stop
    assert (
        rule.judge(open_run).statistic == rule.judge(evidence(s[:10], None, group[:10])).statistic
    )
    assert rule.judge(whole).stop


# -- the robust rule ------------------------------------------------------------------------------


def test_a_good_run_stops():
    verdict = RobustRule().judge(learned())
    assert verdict.stop
    assert verdict.reason.startswith("the error ratio λ is 0.0")
    assert "after 60 points" in verdict.reason


def test_a_lucky_hit_stops_the_paper_rule_but_not_the_robust_one():
    s = np.full(40, 30.0)
    z2 = np.ones(40)
    z2[-1], s[-1] = 1e-6, 0.2
    lucky = evidence(s, z2, points=40.0, max_sd=0.01)
    assert PaperRule().judge(lucky).stop
    verdict = RobustRule().judge(lucky)
    assert not verdict.stop
    assert "λ is 1.000, it must be 0.050 or less" in verdict.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"points": 12.0}, "12 points are measured, at least 20 are needed"),
        (
            {"max_sd": 0.021},
            "the largest sd of the curve is 0.021, it must be 0.02 or less: 2 times the noise of "
            "one point",
        ),
        ({"largest_gap": 1.6}, "the largest gap is 1.6, it must be 1.5 or less"),
        ({"far_gap": 1.2}, "a gap is 1.2 times as wide as it may be where it lies"),
        (
            {"far_gap": 1.25, "far_gap_at": 7125.3, "far_gap_limit": 1.6},
            "the gap about 7125.3 is 2, it must be 1.6 or less there",
        ),
    ],
)
def test_each_gate_holds_back_and_says_why(change, says):
    run = learned()
    verdict = RobustRule().judge(replace(run, quantities={**run.quantities, **change}))
    assert not verdict.stop
    assert verdict.reason == says


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ([0.01] * 15, "is 0.01, it must be between 0.2 and 2.5: check the noise model"),
        ([4.0] * 15, "is 4.00, it must be between 0.2 and 2.5: check the noise model"),
        ([1.0] * 12 + [9.5, 1.0, 1.0], "one of the last 5 points is 9.5, it must be below 9"),
    ],
)
def test_innovations_that_the_noise_model_does_not_expect_hold_back(last, says):
    run = evidence(np.geomspace(1e3, 1e-6, 60), [1.0] * 45 + last)
    verdict = RobustRule(threshold=0.3).judge(run)
    assert not verdict.stop
    assert says in verdict.reason


def test_without_gates_only_lambda_and_the_minimum_count():
    run = learned()
    closed = replace(run, quantities={"points": 60.0, "max_sd": 1e9})
    assert RobustRule(gates=False).judge(closed).stop
    assert not RobustRule(gates=False, minimum_points=61).judge(closed).stop


def test_the_unfinished_group_opens_and_closes_no_gate():
    run = evidence(np.geomspace(1e3, 2e-2, 60))
    surprised = evidence(
        np.append(run.s, 0.01), np.append(run.z2, 25.0), np.append(run.group, 60), complete=False
    )
    assert RobustRule().judge(run).stop
    assert RobustRule().judge(surprised).stop


def test_passes_over_a_pattern_are_judged_from_the_first_on():
    group = np.repeat([0, 1, 2], 500)
    s = np.repeat([50.0, 5.0, 0.001], 500)
    rule = RobustRule(
        threshold=0.15,
        reference="first",
        warmup=1,
        window=1,
        gates=False,
        minimum_points=0,
        per_observation=True,
    )
    assert not rule.judge(evidence(s[:1000], None, group[:1000])).stop
    assert rule.judge(evidence(s, None, group)).stop


# -- targets, budgets, composition ----------------------------------------------------------------


def test_target_in_the_users_unit():
    rule = TargetRule("e0_sd_ev", 0.05)
    assert not rule.judge(learned()).stop
    assert "not known" in rule.judge(learned()).reason
    assert not rule.judge(evidence([1.0], e0_sd_ev=np.nan)).stop
    met = rule.judge(evidence([1.0], e0_sd_ev=0.04))
    assert met.stop
    assert met.reason == "e0_sd_ev is 0.04 (target 0.05)"
    assert rule.judge(evidence([1.0], e0_sd_ev=0.06)).reason == (
        "e0_sd_ev is 0.06, it must be 0.05 or less"
    )


@pytest.mark.parametrize(
    ("quantity", "unit", "says"),
    [
        ("e0_sd", "eV", "the standard deviation of e0 is 0.06 eV, it must be 0.05 eV or less"),
        ("fraction:a_esd", "", "the estimated standard deviation of fraction:a is 0.06, it must"),
        ("rmse_bound", "", "the bound on the root-mean-square error of the curve is 0.06, it must"),
        ("lattice", "Å", "lattice is 0.06 Å, it must be 0.05 Å or less"),
    ],
)
def test_a_target_is_missed_in_words_with_its_unit(quantity, unit, says):
    run = replace(evidence([1.0], **{quantity: 0.06}), units={quantity: unit})
    assert TargetRule(quantity, 0.05).judge(run).reason.startswith(says)
    unknown = TargetRule(quantity, 0.05).judge(replace(run, quantities={}))
    limit = f"0.05 {unit}".strip()
    assert unknown.reason.endswith(f"is not known yet, it must be {limit} or less")


@pytest.mark.parametrize(
    ("rule", "stop", "says"),
    [
        (BudgetRule(), False, "the budget is not used up"),
        (BudgetRule(61, 121.0), False, "the budget is not used up"),
        (BudgetRule(60), True, "the budget of 60 points is used up"),
        (BudgetRule(None, 100.0), True, "the budget of 100 seconds is used up"),
        (BudgetRule(10, 10.0), True, "the budget of 10 points and 10 seconds is used up"),
        (BudgetRule(full_scan_seconds=121.0), False, "the budget is not used up"),
        (
            BudgetRule(full_scan_seconds=120.0),
            True,
            "the time of the full scan, 120 s, is used up (maximum_seconds allows more)",
        ),
    ],
)
def test_budget(rule, stop, says):
    verdict = rule.judge(learned())
    assert (verdict.stop, verdict.reason) == (stop, says)


def test_any_and_all():
    yes, no = BudgetRule(10), TargetRule("max_sd", 1e-9)
    run = learned()
    assert AnyOf((no, yes)).judge(run).stop
    assert "budget" in AnyOf((no, yes)).judge(run).reason
    assert not AnyOf((no, no)).judge(run).stop
    assert not AllOf((yes, no)).judge(run).stop
    assert AllOf((yes, no)).judge(run).reason == no.judge(run).reason
    both = AllOf((yes, BudgetRule(None, 5.0))).judge(run)
    assert both.stop
    assert both.reason.count("budget") == 2
    first = AnyOf((PaperRule(), yes)).judge(run)
    assert first.statistic == PaperRule().judge(run).statistic


# -- settings -------------------------------------------------------------------------------------


def test_the_default_is_the_robust_rule():
    assert rule_from_settings({}) == RobustRule()
    assert rule_from_settings({"mode": "paper"}) == PaperRule()


def test_settings_compose_a_rule():
    rule = rule_from_settings(
        {
            "mode": "robust",
            "threshold": 0.1,
            "minimum_points": 30,
            "maximum_points": 200,
            "maximum_seconds": 900,
            "targets": {"e0_sd_ev": 0.05},
        }
    )
    wanted = AllOf((RobustRule(threshold=0.1, minimum_points=30), TargetRule("e0_sd_ev", 0.05)))
    assert rule == AnyOf((wanted, BudgetRule(200, 900)))


def test_what_is_not_set_may_be_said_as_none():
    settings = {"maximum_points": None, "maximum_seconds": None, "minimum_points": None}
    assert rule_from_settings({**settings, "targets": {}}) == RobustRule()


def test_the_paper_rule_takes_a_minimum_too():
    rule = rule_from_settings({"mode": "paper", "minimum_points": 61})
    verdict = rule.judge(learned())
    assert not verdict.stop
    assert "60 points are measured, at least 61 are needed" in verdict.reason
    assert rule.judge(replace(learned(), quantities={"points": 61.0})).stop


def test_all_faults_of_the_settings_are_named_at_once():
    with pytest.raises(InputError) as caught:
        rule_from_settings(
            {
                "mode": "robust",
                "threshold": -1,
                "colour": "red",
                "reference": "mean",
                "minimum_points": "many",
                "maximum_points": 0,
                "targets": {"e0_sd_ev": "small"},
            }
        )
    message = str(caught.value)
    for word in ("threshold", "-1", "colour", "'mean'", "'many'", "maximum_points", "e0_sd_ev"):
        assert word in message


def replace_quantities(run, **quantities):
    return replace(run, quantities={**run.quantities, **quantities})


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "lucky"},
        {"mode": ["robust"]},
        {"threshold": "low"},
        {"threshold": True},
        {"threshold": float("nan")},
        {"maximum_seconds": -5},
        {"maximum_points": 10.5},
        {"minimum_points": -1},
        {"targets": "e0"},
        {"targets": {"e0_sd_ev": 0}},
        {"window": 0},
        {"calm": ["low", 2]},
        {"calm": [2, 1]},
        {"gates": "no"},
        {"mode": "paper", "window": 5},
    ],
)
def test_bad_settings_are_refused(wrong):
    with pytest.raises(InputError) as caught:
        rule_from_settings(wrong)
    assert caught.value.exit_code == 2


def test_a_budget_is_never_overrun_by_the_next_step():
    rule = BudgetRule(None, 130.0)
    assert not rule.judge(evidence(np.ones(60), next_seconds=10.0)).stop
    assert rule.judge(evidence(np.ones(60), next_seconds=10.1)).stop
    assert BudgetRule(full_scan_seconds=125.0).judge(evidence(np.ones(60), next_seconds=6.0)).stop


def test_whoever_asks_for_seconds_gets_them_instead_of_those_of_the_full_scan():
    run = evidence(np.ones(60))
    default = {"mode": "target", "targets": {"e0_sd": 1e-9}, "full_scan_seconds": 100.0}
    assert rule_from_settings(default).judge(run).stop
    assert not rule_from_settings({**default, "maximum_seconds": 1e4}).judge(run).stop


@pytest.mark.parametrize(("height", "stop"), [(0.2, True), (0.1, False)])
def test_a_curve_is_known_when_its_sd_is_a_small_share_of_its_height(height, stop):
    """The noise of a point says nothing where it is as large as what is measured."""
    verdict = RobustRule(sd_over_height=0.1).judge(replace_quantities(learned(), height=height))
    assert verdict.stop is stop
    if not stop:
        assert "must be 0.01 or less: 10 % of the height of the curve" in verdict.reason


@pytest.mark.parametrize(("steps", "said"), [(1, "1 step is too few"), (3, "3 steps are too few")])
def test_too_few_steps_are_said_in_steps(steps, said):
    words = RobustRule().judge(evidence(np.ones(steps), np.ones(steps))).reason
    assert words == f"{said} to judge λ, which needs 11"
