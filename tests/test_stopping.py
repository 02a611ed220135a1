"""The stopping rules: the closed forms of λ, what the robust rule refuses, and the settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from materialsdock.errors import InputError
from materialsdock.learning import divergence, gates
from materialsdock.learning.kernels import Kernel
from materialsdock.learning.stopping import (
    AllOf,
    AnyOf,
    BudgetRule,
    PaperRule,
    RobustRule,
    TargetRule,
    lambda_history,
    rule_from_settings,
)
from materialsdock.model import Evidence

QUIET = {
    "points": 60.0,
    "seconds": 120.0,
    "max_sd": 0.015,
    "noise_sd": 0.01,
    "largest_gap": 1.0,
    "resolution": 1.5,
}


def evidence(s, z2=None, group=None, complete=True, **quantities):
    s = np.asarray(s, dtype=float)
    return Evidence(
        s,
        np.ones(s.size) if z2 is None else np.asarray(z2, dtype=float),
        np.arange(s.size) if group is None else np.asarray(group),
        complete,
        {**QUIET, **quantities},
    )


def learned(points=60):
    """A run that went as it should: s falls from 1000 to 0.02, every z² is 1."""
    return evidence(np.geomspace(1e3, 2e-2, points), points=float(points))


runs = st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(0.0, 20.0)), min_size=1, max_size=60).map(
    lambda rows: evidence(*np.array(rows).T)
)


# -- divergences --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_divergences_are_those_of_the_whole_posterior(seed):
    """Against the KL of two multivariate normals, before and after one more observation."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, 4)
    prior = Kernel(0.4, 1.5)(x, x)
    noise, y, j = 0.3, rng.normal(), int(rng.integers(4))
    mean = rng.normal(size=4)
    gain = prior[:, j] / (prior[j, j] + noise)
    after_mean = mean + gain * (y - mean[j])
    after = prior - np.outer(gain, prior[j])

    def kl(m1, c1, m0, c0):
        inverse = np.linalg.inv(c0)
        trace = np.trace(inverse @ c1) + (m0 - m1) @ inverse @ (m0 - m1)
        return 0.5 * (trace - 4 + np.linalg.slogdet(c0)[1] - np.linalg.slogdet(c1)[1])

    s, z2 = prior[j, j] / noise, (y - mean[j]) ** 2 / (prior[j, j] + noise)
    assert divergence.forward(s, z2) == pytest.approx(kl(after_mean, after, mean, prior))
    assert divergence.backward(s, z2) == pytest.approx(kl(mean, prior, after_mean, after))


@given(s=st.floats(1e-9, 1e9))
def test_an_expected_surprise_gives_the_information_gain(s):
    assert divergence.forward(s, 1.0) == pytest.approx(0.5 * np.log1p(s))
    assert divergence.backward(s, 1.0) == pytest.approx(s - 0.5 * np.log1p(s), abs=1e-12)


@settings(max_examples=60)
@given(kl=st.floats(1e-10, 1e4))
def test_the_bound_is_the_infimum_it_stands_for(kl):
    """r(KL) = inf_a (KL + eᵃ − 1 − a)/a."""

    def value(log_a):
        a = np.exp(log_a)
        return (kl + np.expm1(a) - a if a > 1e-4 else kl + a**2 / 2 + a**3 / 6) / np.exp(log_a)

    found = minimize_scalar(value, bounds=(-13.0, 3.0), method="bounded", options={"xatol": 1e-9})
    assert divergence.error_bound(kl) == pytest.approx(found.fun, rel=1e-5)


@given(a=st.floats(0, 1e5), b=st.floats(0, 1e5))
def test_the_bound_grows_with_the_divergence(a, b):
    low, high = divergence.error_bound(np.array(sorted((a, b))))
    assert low <= high * (1 + 1e-9)


def test_the_bound_near_nothing_is_the_root_of_twice_the_divergence():
    assert divergence.error_bound(0.0) == 0.0
    kl = np.array([1e-16, 1e-12, 1e-8])
    np.testing.assert_allclose(divergence.error_bound(kl), np.sqrt(2 * kl), rtol=1e-3)
    seam = divergence.SMALL_KL * np.array([1 - 1e-9, 1 + 1e-9])
    below, above = divergence.error_bound(seam)
    assert below == pytest.approx(above, rel=1e-8)


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


@given(run=runs, threshold=st.floats(0.001, 0.5), factor=st.floats(1.0, 4.0))
@pytest.mark.parametrize("rule", [PaperRule(), RobustRule(), RobustRule(gates=False, window=1)])
def test_who_stops_at_a_threshold_stops_at_a_larger_one(rule, run, threshold, factor):
    strict = replace(rule, threshold=threshold).judge(run)
    loose = replace(rule, threshold=threshold * factor).judge(run)
    assert loose.stop >= strict.stop
    assert loose.statistic == strict.statistic


@given(run=runs)
@pytest.mark.parametrize(
    "rule", [PaperRule(), RobustRule(), BudgetRule(50), TargetRule("max_sd", 1)]
)
def test_rules_are_pure(rule, run):
    before = run.s.copy(), run.z2.copy(), run.group.copy()
    assert rule.judge(run) == rule.judge(run)
    for old, now in zip(before, (run.s, run.z2, run.group), strict=True):
        np.testing.assert_array_equal(old, now)


# -- the paper's rule -----------------------------------------------------------------------------


def test_paper_rule_gives_its_numbers():
    verdict = PaperRule().judge(learned())
    assert verdict.stop
    assert verdict.threshold == 0.05
    assert verdict.statistic == pytest.approx(lambda_history(learned())[-1])
    assert verdict.reason == f"λ {verdict.statistic:.3f} ≤ 0.050 after 60 points"
    going = PaperRule(threshold=1e-9).judge(learned())
    assert not going.stop
    assert going.reason.startswith("λ 0.0")
    assert "> 0.000 after 60 points" in going.reason


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
    assert verdict.reason.startswith("λ 0.0")
    assert "after 60 points" in verdict.reason


def test_a_lucky_hit_stops_the_paper_rule_but_not_the_robust_one():
    s = np.full(40, 30.0)
    z2 = np.ones(40)
    z2[-1], s[-1] = 1e-6, 0.2
    lucky = evidence(s, z2, points=40.0, max_sd=0.01)
    assert PaperRule().judge(lucky).stop
    verdict = RobustRule().judge(lucky)
    assert not verdict.stop
    assert "λ 1.000 > 0.050" in verdict.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"points": 12.0}, "12 of at least 20 points"),
        ({"max_sd": 0.021}, "largest sd 0.021 > 0.02"),
        ({"largest_gap": 1.6}, "largest gap 1.6 > 1.5"),
        ({"far_gap": 1.2}, "a stretch is 1.2 times too wide for oscillations"),
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
        ([0.01] * 15, "mean z² 0.01 outside 0.2 to 2.5"),
        ([4.0] * 15, "mean z² 4.00 outside 0.2 to 2.5"),
        ([1.0] * 12 + [9.5, 1.0, 1.0], "a surprise of z² 9.5"),
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
        threshold=0.15, reference="first", warmup=1, window=1, gates=False, minimum_points=0,
        per_observation=True,
    )  # fmt: skip
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
    assert met.reason == "e0_sd_ev 0.04 ≤ 0.05"
    assert rule.judge(evidence([1.0], e0_sd_ev=0.06)).reason == "e0_sd_ev 0.06 > 0.05"


@pytest.mark.parametrize(
    ("rule", "stop", "says"),
    [
        (BudgetRule(), False, "within budget"),
        (BudgetRule(61, 121.0), False, "within budget"),
        (BudgetRule(60), True, "budget of 60 points used up"),
        (BudgetRule(None, 100.0), True, "budget of 100 seconds used up"),
        (BudgetRule(10, 10.0), True, "budget of 10 points and 10 seconds used up"),
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
        {"mode": "robust", "threshold": 0.1, "minimum_points": 30, "maximum_points": 200,
         "maximum_seconds": 900, "targets": {"e0_sd_ev": 0.05}}
    )  # fmt: skip
    wanted = AllOf((RobustRule(threshold=0.1, minimum_points=30), TargetRule("e0_sd_ev", 0.05)))
    assert rule == AnyOf((wanted, BudgetRule(200, 900)))


def test_what_is_not_set_may_be_said_as_none():
    settings = {"maximum_points": None, "maximum_seconds": None, "minimum_points": None}
    assert rule_from_settings({**settings, "targets": {}}) == RobustRule()


def test_the_paper_rule_takes_a_minimum_too():
    rule = rule_from_settings({"mode": "paper", "minimum_points": 61})
    verdict = rule.judge(learned())
    assert not verdict.stop
    assert "60 of at least 61 points" in verdict.reason
    assert rule.judge(replace(learned(), quantities={"points": 61.0})).stop


def test_all_faults_of_the_settings_are_named_at_once():
    with pytest.raises(InputError) as caught:
        rule_from_settings(
            {"mode": "robust", "threshold": -1, "colour": "red", "reference": "mean",
             "minimum_points": "many", "maximum_points": 0, "targets": {"e0_sd_ev": "small"}}
        )  # fmt: skip
    message = str(caught.value)
    for word in ("threshold", "-1", "colour", "'mean'", "'many'", "maximum_points", "e0_sd_ev"):
        assert word in message


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


# -- gates, alarm, giving up ----------------------------------------------------------------------


def test_a_surprising_probe_holds_back():
    assert RobustRule().judge(evidence(learned().s, probe_z2=8.9)).stop
    for z2, says in ((9.5, "the last probe was a surprise of z² 9.5"), (np.nan, "no probe")):
        verdict = RobustRule().judge(evidence(learned().s, probe_z2=z2))
        assert not verdict.stop
        assert says in verdict.reason


def test_points_off_the_curve_hold_back():
    assert RobustRule().judge(evidence(learned().s, max_residual=3.9)).stop
    verdict = RobustRule().judge(evidence(learned().s, max_residual=6.1))
    assert (verdict.stop, verdict.reason) == (False, "points lie 6.1 sd off the curve")
    placed = evidence(learned().s, max_residual=6.1, max_residual_at=7113.2)
    assert RobustRule().judge(placed).reason == "points lie 6.1 sd off the curve, at 7113.2"
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
    assert "largest gap 2 > 1.5" in rule.judge(gap).reason
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
    assert verdict.reason.startswith("given up: λ has not fallen for 150 steps; missing: λ 1.")
    assert not RobustRule(patience=0).judge(stuck).stop
    assert not RobustRule().judge(replace(stuck, s=stuck.s[:100], z2=stuck.z2[:100],
                                          group=stuck.group[:100])).stop  # fmt: skip
    with_target = rule_from_settings({"targets": {"e0_sd": 0.1}}).judge(stuck)
    assert with_target.stop
    assert "missing" in with_target.reason
    assert "e0_sd is not known yet" in with_target.reason


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
    assert verdict.reason == "budget of 60 points used up; missing: e0_sd is not known yet"


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
    assert "mean square 1.50 of the innovations" in gates.alarm(
        evidence(np.ones(100), np.full(100, 1.5))
    )


def test_residuals_sound_the_alarm_when_innovations_are_calm():
    """Hyperparameters that take noise for structure keep the innovations as they should be."""

    def calm(chi2, dof):
        return evidence(np.ones(60), residual_chi2=chi2, residual_dof=dof)

    assert gates.alarm(calm(35.0, 30.0)) is None
    assert "mean square 2.00 of the residuals" in gates.alarm(calm(60.0, 30.0))
    assert "smaller than stated" in gates.alarm(calm(6.0, 30.0))
    assert gates.alarm(calm(60.0, 0.5)) is None  # a curve through all points leaves nothing


def test_the_alarm_sounds_by_chance_as_often_as_it_says():
    rng = np.random.default_rng(0)
    looks = 4000
    sounded = sum(
        gates.alarm(
            evidence(np.ones(50), rng.chisquare(1, 50), residual_chi2=rng.chisquare(40),
                     residual_dof=40.0)
        ) is not None
        for _ in range(looks)
    )  # fmt: skip
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
        assert "missing: " in verdict.reason
        assert not RobustRule(patience=0).judge(never).stop


@pytest.mark.parametrize("threshold", [0, 1, 5.0])
def test_a_threshold_beyond_the_range_of_lambda_is_refused(threshold):
    with pytest.raises(InputError, match=r"threshold.*between 0 and 1"):
        rule_from_settings({"mode": "robust", "threshold": threshold})
