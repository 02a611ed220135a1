"""The results made of the fits: solutions, held-out blocks, and a verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.structures import simulated

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Parameter, Trial
from materialsdock.techniques.xrd.model import Correlation, Diffractometer, Fit, PhaseFit, Solution
from materialsdock.techniques.xrd.rietveld import contacts, rfactors
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search import clusters, heldout, unexplained
from materialsdock.techniques.xrd.search.verdict import judge
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, YTTRIA, ZINCITE, cif

CU = Diffractometer()
GRID = np.arange(20.0, 80.0, 0.02)
PLACES = (25.0, 33.0, 41.0, 52.0, 66.0)


def line(at, height, fwhm=0.1):
    return height * np.exp(-np.log(2) * (2 * (GRID - at) / fwhm) ** 2)


def observed(extra=(), *, seed=0, lines=PLACES, times=1):
    truth = np.full(GRID.size, 100.0) + sum(line(at, 3000) for at in lines)
    truth = times * (truth + sum(line(*peak) for peak in extra))
    drawn = np.random.default_rng(seed).poisson(truth).astype(float)
    return Pattern(GRID, drawn, np.sqrt(np.maximum(drawn, 1)), np.ones(GRID.size))


def fitted(pattern, y_calc=None, *, phases=(), parameters=(), **changes):
    """A fit with the lines at PLACES over a flat background, unless asked otherwise."""
    y_calc = 100 + sum(line(at, 3000) for at in PLACES) if y_calc is None else y_calc
    rwp = rfactors.weighted_profile(pattern.intensity, y_calc, pattern.sigma)
    r_exp = rfactors.expected(pattern.intensity, pattern.sigma, 10)
    made = Fit(
        rwp,
        r_exp,
        rwp / r_exp,
        GRID.size,
        10,
        phases,
        parameters,
        y_calc,
        np.full(GRID.size, 100.0),
        {},
        {"fwhm_deg": 0.1},
        "pretender",
        0.0,
    )
    return replace(made, **changes)


def verdict(pattern, fit, *rivals):
    solutions = [Solution(f, f.rwp, 5, (0,)) for f in (fit,)]
    return judge(pattern, (*solutions, *rivals), CU)


def failed(assessment):
    return [check.name for check in assessment.checks if not check.passed]


# the verdict, check by check


def test_a_right_fit_is_accepted_with_its_reasons():
    pattern = observed()
    found = verdict(pattern, fitted(pattern))
    assert found.word == "accept"
    assert failed(found) == []
    assert any("limit 30 %" in reason for reason in found.reasons)


@pytest.mark.parametrize("share", [0.1, 0.01])
def test_a_right_fit_passes_after_less_counting(share):
    pattern = observed()
    drawn = np.random.default_rng(1).poisson(share * pattern.intensity).astype(float)
    short = Pattern(GRID, drawn, np.sqrt(np.maximum(drawn, 1)), np.ones(GRID.size))
    fit = fitted(short, share * fitted(pattern).y_calc)
    assert fit.rwp > 3 * fitted(pattern).rwp
    assert verdict(short, fit).word == "accept"


def test_sigma_is_doubted_first():
    pattern = observed()
    wide, narrow = (replace(pattern, sigma=factor * pattern.sigma) for factor in (4, 0.2))
    for doubted, words in ((wide, "3.9 times smaller"), (narrow, "scatter 5.1 times as much")):
        found = verdict(doubted, fitted(doubted))
        assert found.word == "ambiguous"
        assert failed(found) == ["sigma"]
        assert "doubt σ first" in found.reasons[0]
        assert words in found.reasons[0]


def test_a_wrong_sigma_hides_no_wrong_structure():
    pattern = observed(extra=((30.0, 150), (47.0, 120)))
    wide = replace(pattern, sigma=8 * pattern.sigma)
    found = verdict(wide, fitted(wide))
    assert found.word == "no confident match"
    assert failed(found) == ["sigma", "unexplained peaks"]


def test_sigma_that_neighbours_confirm_is_not_to_blame():
    pattern = observed(times=20)
    broad = 20 * (100 + sum(line(at, 2500, 0.115) for at in PLACES))
    fit = fitted(pattern, broad, y_background=np.full(GRID.size, 2000.0))
    found = verdict(pattern, fit)
    assert found.word == "accept"
    assert "σ was doubted first, but neighbouring points scatter as it says" in found.reasons[0]


def test_counts_that_were_cut_are_named():
    pattern = observed()
    cut = replace(pattern, intensity=np.minimum(pattern.intensity, 2000.0))
    found = verdict(cut, fitted(cut, np.minimum(fitted(pattern).y_calc, 2000.0)))
    assert found.word == "ambiguous"
    assert "counts are cut at 2000" in found.reasons[0]
    wrong = verdict(cut, fitted(cut, 100 + sum(line(at, 3000) for at in PLACES[1:])))
    assert wrong.word == "no confident match"
    assert wrong.advice == ("measure again with fewer than 2000 counts at the highest peak",)


def test_a_missing_phase_is_advised_with_its_peaks():
    pattern = observed(extra=((30.0, 150), (47.0, 120)))
    (advice,) = verdict(pattern, fitted(pattern)).advice
    assert "missing phase with its peaks at 30.0" in advice
    assert "47.0" in advice


def test_a_hump_is_noted_and_a_falling_background_is_none():
    pattern = observed()
    air = 100 + 900 * np.exp(-(GRID - GRID[0]) / 4)
    glass = 100 + 80 * np.exp(-(((GRID - 30) / 5) ** 2))
    assert unexplained.hump(pattern, fitted(pattern, y_background=air)) is None
    centre, width = unexplained.hump(pattern, fitted(pattern, y_background=glass))
    assert (centre, width) == pytest.approx((30, 8.3), abs=0.5)
    notes = verdict(pattern, fitted(pattern, y_background=glass)).notes
    assert any("hump of 8° at 30°" in note for note in notes)


def test_one_trial_is_no_plural():
    pattern = observed()
    fit = fitted(pattern)
    one, two = (
        verdict(pattern, fit, Solution(fit, fit.rwp, number, (1,))).rivals[0] for number in (1, 2)
    )
    assert "(1 trial)" in one
    assert "(2 trials)" in two


def test_an_extra_phase_is_seen():
    pattern = observed(extra=((30.0, 150), (47.0, 120)))
    found = verdict(pattern, fitted(pattern))
    assert found.word == "no confident match"
    assert failed(found) == ["unexplained peaks"]
    assert "30.0" in found.reasons[0]


def test_an_extra_doublet_is_named_where_its_top_is():
    pattern = observed(extra=((30.0, 1500), (30.08, 750)))
    (peak,) = unexplained.unexplained(pattern, fitted(pattern), 0.1)
    assert peak.two_theta == pytest.approx(30.0, abs=0.021)


def test_a_trace_is_noted_and_does_not_decide():
    pattern = observed(extra=((30.0, 50),))
    found = verdict(pattern, fitted(pattern))
    assert found.word == "accept"
    assert any("trace phase" in note for note in found.notes)


def test_a_bad_line_shape_is_not_an_extra_phase():
    pattern = observed()
    broad = 100 + sum(line(at, 2500, 0.115) for at in PLACES)
    assert unexplained.unexplained(pattern, fitted(pattern, broad), 0.1) == ()


def test_a_calculated_peak_that_is_absent_is_seen():
    pattern = observed(lines=PLACES[:4])
    found = verdict(pattern, fitted(pattern))
    assert "absent peaks" in failed(found)
    assert found.word == "no confident match"


def test_intensities_that_free_ones_would_explain_are_seen():
    pattern = observed()
    wrong = 100 + sum(
        line(at, 3000 * f) for at, f in zip(PLACES, (1.2, 0.8, 1.2, 0.8, 1), strict=True)
    )
    fit = fitted(pattern, wrong)
    right = fitted(pattern).rwp
    assert failed(verdict(pattern, fit)) == []
    assert failed(verdict(pattern, replace(fit, rwp_free_intensities=right))) == ["intensities"]


@pytest.mark.parametrize(
    ("parameter", "check"),
    [
        (Parameter("kalpha2_weight", 0.01, 0.01), "doublet"),
        (Parameter("zero", 0.7, 0.01), "shift"),
        (Parameter("sample_displacement", -1.2, 0.01), "shift"),
    ],
    ids=["stripped", "zero", "height"],
)
def test_an_absurd_instrument_is_not_accepted(parameter, check):
    pattern = observed()
    found = verdict(pattern, fitted(pattern, parameters=(parameter,)))
    assert failed(found) == [check]
    assert found.word == "no confident match"


def test_a_broken_constraint_is_not_accepted():
    pattern = observed()
    found = verdict(pattern, fitted(pattern, violations=("O.biso = 0 Å² is at or below zero",)))
    assert found.word == "no confident match"
    assert found.reasons == ("O.biso = 0 Å² is at or below zero",)


def phase(name, weight, esd):
    return PhaseFit(name, "P 1", {}, weight, esd)


def test_a_phase_below_detection_makes_it_ambiguous():
    pattern = observed()
    fit = fitted(pattern, phases=(phase("calcite", 99.8, 0.1), phase("quartz", 0.2, 0.1)))
    found = verdict(pattern, fit)
    assert found.word == "ambiguous"
    assert found.rivals == ("the same without quartz",)


def test_a_rival_counts_when_it_would_change_what_is_said():
    pattern = observed()
    fit = fitted(pattern)
    rival = Solution(fit, fit.rwp, 3, (1,), None, ("quartz.a is 4.9 instead of 5 Å",), True)
    assert verdict(pattern, fit, rival).word == "ambiguous"
    assert "quartz.a" in verdict(pattern, fit, rival).reasons[0]
    harmless = verdict(pattern, fit, replace(rival, material=False))
    assert harmless.word == "accept"
    assert len(harmless.rivals) == 1


def test_correlations_and_runs_are_noted():
    pattern = observed()
    fit = fitted(pattern, correlations=(Correlation("u", "v", -0.97), Correlation("v", "w", 0.9)))
    notes = verdict(pattern, fit).notes
    assert [note for note in notes if "correlated" in note] == ["u and v are correlated (-0.970)"]
    shifted = fitted(pattern, 100 + sum(line(at + 0.01, 3000) for at in PLACES))
    assert unexplained.durbin_watson(pattern, shifted) < unexplained.durbin_watson(pattern, fit)
    assert unexplained.durbin_watson(pattern, fit) == pytest.approx(2, abs=0.15)


def test_the_worst_window_is_where_the_misfit_is():
    pattern = observed(extra=((60.0, 900),))
    low, high, share = unexplained.worst_window(pattern, fitted(pattern))
    assert low <= 60 <= high
    assert share > 0.3


# the verdict on simulated patterns, with the engine

HALF_CELL = cif(
    "half",
    "F m -3 m",
    225,
    (5.302,) * 3,
    [("Y1", "Y", 0, 0, 0), ("O1", "O", 0.25, 0.25, 0.25)],
)
CENTRED = cif(
    "centred",
    "P 63/m m c",
    194,
    (3.2498, 3.2498, 5.2066),
    [("Zn1", "Zn", 1 / 3, 2 / 3, 0.25), ("O1", "O", 1 / 3, 2 / 3, 0.75)],
    gamma=120,
)


@pytest.mark.parametrize(
    ("truth", "claimed", "word"),
    [
        ((FLUORITE,), (FLUORITE,), "accept"),
        pytest.param((ZINCITE,), (CENTRED,), "no confident match", marks=pytest.mark.slow),
        pytest.param((YTTRIA,), (HALF_CELL,), "no confident match", marks=pytest.mark.slow),
        ((CORUNDUM, ZINCITE), (CORUNDUM,), "no confident match"),
        ((CORUNDUM,), (FLUORITE,), "no confident match"),
    ],
    ids=["right", "wrong group", "supercell", "extra phase", "wrong phase"],
)
def test_simulated_traps(truth, claimed, word):
    weights = (95, 5) if len(truth) == 2 else (100,)
    pattern = simulated(tuple(zip(truth, weights, strict=True)), counts=8e3)
    fit = RietxEngine().refine(pattern, claimed, CU, {"effort": "final"})
    assert verdict(pattern, fit).word == word


# solutions


def trial(number, objective, a, *, esd=1e-4, seed=0, position="zero", violations=()):
    recipe = {"position": position, "background_terms": number}
    values = {"x.a": (a, esd), "x.b": (a, esd), "x.O.z": (0.25, None)}
    return Trial(
        number,
        seed,
        objective,
        recipe,
        "complete",
        objective=objective,
        violations=violations,
        values=values,
    )


def test_trials_fall_into_clusters_by_their_answers():
    near = [trial(i, 5 + 0.01 * i, 4.0 + 1e-5 * i) for i in range(4)]
    moved = [trial(9 + i, 5.05, 4.003, seed=1, position="displacement") for i in range(2)]
    bad = [trial(20, 6.0, 4.1), trial(21, 4.9, 4.2, violations=("cell",))]
    best, rival = clusters.clusters([*moved, *near, *bad])
    assert [t.number for t in best.trials] == [0, 1, 2, 3]
    assert rival.seeds == (1,)
    assert clusters.choices(best, rival) == ("corrects positions by displacement instead of zero",)
    one, other = best.trials[0].values, rival.trials[0].values
    said = clusters.difference(one, other)
    assert said == ("x.a is 4.003 instead of 4 Å, 21.2 esds apart",)
    assert not clusters.material(one, other)
    assert clusters.material(one, {**other, "x.a": (4.1, 1e-4)})


def test_no_trial_no_cluster_and_one_trial_one_cluster():
    assert clusters.clusters([]) == ()
    assert len(clusters.clusters([trial(0, 5.0, 4.0)])) == 1
    only_bad = clusters.clusters([trial(0, 5.0, 4.0, violations=("cell",))])
    assert len(only_bad) == 1


def test_atoms_on_top_of_each_other_break_a_constraint():
    def found(**moved):
        cell = {
            k: Parameter(k, v)
            for k, v in zip(
                ("a", "b", "c", "alpha", "beta", "gamma"),
                (4.7592, 4.7592, 12.992, 90, 90, 120),
                strict=True,
            )
        }
        moved_to = tuple(Parameter(f"corundum.{k}", v) for k, v in moved.items())
        return contacts.too_short([CORUNDUM], [PhaseFit("corundum", "", cell, 100)], moved_to)

    assert found() == ()
    assert "Al1 and Al1" in found(**{"Al1.z": 0.47})[0]


# left-out blocks


def test_blocks_are_contiguous_and_every_fold_has_some():
    fold, blocks = heldout.folds(observed(), 0.1)
    assert set(fold) == {-1, *range(heldout.FOLDS)}
    assert np.count_nonzero(np.diff(fold)) == blocks + 1
    assert fold[0] == fold[-1] == -1


def test_what_is_left_out_cannot_be_seen():
    pattern = observed()
    out = heldout.folds(pattern, 0.1)[0] == 1
    other = replace(pattern, intensity=np.where(out, 7.0, pattern.intensity))
    one, two = heldout.without(pattern, out), heldout.without(other, out)
    assert np.array_equal(one.intensity, two.intensity)
    assert np.array_equal(one.intensity[~out], pattern.intensity[~out])
    assert (one.sigma[out] > 1e5 * pattern.sigma[out]).all()


def test_a_curve_bent_to_each_block_scores_worse_outside():
    pattern = observed()
    fold, blocks = heldout.folds(pattern, 0.1)
    honest = [fitted(pattern)] * heldout.FOLDS
    flattered = [
        fitted(pattern, np.where(fold == k, 130.0, pattern.intensity)) for k in range(heldout.FOLDS)
    ]
    good = heldout.score(pattern, fold, blocks, honest)
    assert good.chi2 == pytest.approx(1, abs=0.1)
    assert good.ratio == pytest.approx(1, abs=0.1)
    assert heldout.score(pattern, fold, blocks, flattered).ratio > 10
    assert heldout.score(pattern, fold, blocks, [None, *honest[1:]]).failed == 1
    assert heldout.score(pattern, fold, blocks, [None] * heldout.FOLDS) is None


def test_an_overfitted_background_is_found_out():
    """Polynomials of 3 and 60 terms through flat noise: the long one fits, and predicts less."""
    pattern = observed(lines=())
    pattern = replace(pattern, sigma=np.full(GRID.size, 10.0))
    fold, blocks = heldout.folds(pattern, 0.1)
    scores = []
    for terms in (3, 60):
        curves = []
        for k in range(heldout.FOLDS):
            kept = heldout.without(pattern, fold == k)
            series = np.polynomial.Chebyshev.fit(GRID, kept.intensity, terms - 1, w=1 / kept.sigma)
            curves.append(fitted(pattern, series(GRID)))
        scores.append(heldout.score(pattern, fold, blocks, curves))
    assert scores[1].chi2_inside < scores[0].chi2_inside
    assert scores[1].chi2 > 1.01 * scores[0].chi2
