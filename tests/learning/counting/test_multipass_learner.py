"""The diffraction learner: where it counts, what it must not miss, and that it can be rebuilt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from materialsdock.errors import ModelFault
from materialsdock.learning.counting import allocation
from materialsdock.learning.counting.multipass_learner import MultiPassLearner
from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.stopping.rules import RobustRule, lambda_history
from materialsdock.model import Axis, Observation
from materialsdock.techniques.xrd.job import BY_PASS_ROBUST

GRID = 20 + 0.02 * np.arange(1200)
FWHM = 0.12
PEAKS = ((24.0, 900.0), (30.0, 80.0), (33.5, 300.0), (40.0, 25.0))


def rate(peaks=PEAKS, background=20.0):
    width = FWHM / np.sqrt(8 * np.log(2))
    return background + sum(h * np.exp(-0.5 * ((GRID - c) / width) ** 2) for c, h in peaks)


def learner(**options):
    axis = Axis("two_theta", "deg", GRID, FWHM)
    return MultiPassLearner(axis, full_time_s=1.0, fwhm_deg=FWHM, **options)


def count(proposal, step, truth, rng):
    at = np.rint((proposal.x - GRID[0]) / 0.02).astype(int)
    counts = rng.poisson(truth[at] * proposal.count_time_s)
    return [
        Observation(
            f"r/{step}-{i:03d}",
            step,
            float(x),
            float(c) / proposal.count_time_s,
            1.0,
            proposal.count_time_s,
            "r",
        )
        for i, (x, c) in enumerate(zip(proposal.x, counts, strict=True))
    ]


def measure(found, steps=10**6, truth=None, seed=0, on_step=None):
    truth, rng = rate() if truth is None else truth, np.random.default_rng(seed)
    told = []
    for step in range(steps):
        proposal = found.ask()
        if proposal is None:
            break
        seen = count(proposal, step, truth, rng)
        told.append(seen)
        found.tell(seen)
        if on_step and on_step():
            break
    return told


def test_the_first_pass_covers_everything_once():
    found = learner()
    steps = -(-GRID.size // 64)
    told = measure(found, steps)
    x = np.sort([o.x for batch in told for o in batch])
    np.testing.assert_allclose(x, GRID, atol=1e-9)
    evidence = found.evidence()
    assert evidence.complete
    assert set(evidence.group) == {0}
    assert evidence.quantities["largest_gap"] <= 0.02 + 1e-9


@pytest.mark.parametrize("objective", ["peaks", "profile"])
def test_no_step_is_counted_beyond_its_capacity(objective):
    found = learner(objective=objective)
    told = measure(found)
    assert found.ask() is None
    assert found._posterior.seconds.max() <= 1.0 + 1e-9
    for batch in told:
        assert len(batch) <= 64
        assert GRID[0] <= batch[0].x <= batch[-1].x <= GRID[-1] + 1e-9


def test_later_passes_count_where_peaks_are():
    found = learner()
    measure(found)
    seconds = found._posterior.seconds
    near = np.any([np.abs(GRID - c) < FWHM / 2 for c, h in PEAKS if h >= 80], axis=0)
    assert seconds[near].min() > 0.9
    assert np.median(seconds) < 0.5


def test_known_phases_are_counted_even_where_nothing_shows():
    found = learner(windows=np.array([[37.0, 37.4]]))
    measure(found, truth=np.full(GRID.size, 20.0))
    inside = (GRID > 37.0) & (GRID < 37.4)
    assert found._posterior.seconds[inside].min() > 0.9


@pytest.mark.slow
def test_no_peak_above_the_stated_strength_is_missed():
    missed = 0
    for seed in range(20):
        found = learner()
        steps = -(-GRID.size // 64)
        rng = np.random.default_rng(100 + seed)
        centre = float(rng.uniform(21, 43))
        empty = learner()
        measure(empty, steps, truth=np.full(GRID.size, 20.0), seed=seed)
        strength = empty.evidence().quantities["detectable_strength"]
        measure(found, truth=rate(((centre, strength),)), seed=seed)
        at = int(np.abs(GRID - centre).argmin())
        assert found._passes[0].end == steps
        missed += found._posterior.seconds[at] < 0.9
    assert missed == 0


@pytest.mark.slow
def test_areas_are_unbiased_though_the_data_chose_the_time():
    pulls = []
    truth = rate()
    for seed in range(25):
        found = learner()
        measure(found, truth=truth, seed=seed)
        pattern = found.pattern()
        for centre, height in PEAKS[:3]:
            near = np.abs(pattern.two_theta - centre) < 1.5 * FWHM
            excess = (pattern.intensity[near] - 20.0).sum()
            expected = (truth[near] - 20.0).sum()
            sd = np.sqrt((truth[near] / pattern.count_time_s[near]).sum())
            pulls.append((excess - expected) / sd)
            assert height > 0
    assert abs(np.mean(pulls)) < 0.35
    assert 0.7 < np.std(pulls) < 1.3


@pytest.mark.parametrize("stop_after", [5, 19, pytest.param(30, marks=pytest.mark.slow)])
def test_told_again_it_goes_on_as_before(stop_after):
    first = learner()
    told = measure(first, stop_after)
    again = learner()
    again.tell([o for batch in told for o in batch])
    backwards = learner()
    for batch in reversed(told):
        backwards.tell(batch[::-1])
    for other in (again, backwards):
        assert other.ask() == first.ask()
        np.testing.assert_allclose(other.evidence().s, first.evidence().s, rtol=1e-9)
        np.testing.assert_allclose(other.pattern().intensity, first.pattern().intensity)
    first.tell(told[0])
    assert first.evidence().s.size == sum(map(len, told))


def test_innovations_are_those_of_dense_algebra():
    found = learner()
    measure(found, 25)
    s, z2, group = found._posterior.innovations()
    block = found._posterior._blocks[3]
    fresh = GridPosterior(block.grid, block.kernel, block.prior_mean)
    inside = [
        (o, n)
        for n, o in enumerate(found._told)
        if block.grid[0] - 0.01 < o.x < block.grid[-1] + 0.01
    ]
    assert inside
    for o, n in inside:
        counts = round(o.y * o.count_time_s)
        z = np.sqrt((counts + 0.375) / o.count_time_s)
        seen = fresh.update(int(np.abs(block.grid - o.x).argmin()), z, 0.25 / o.count_time_s)
        assert seen.s == pytest.approx(s[n], rel=1e-9)
        assert seen.z2 == pytest.approx(z2[n], rel=1e-9, abs=1e-12)
    assert (np.diff(group) >= 0).all()


def test_lambda_falls_from_pass_to_pass_and_ends_the_run():
    options = {k: v for k, v in BY_PASS_ROBUST.items() if k != "gates"}
    rule = RobustRule(threshold=0.25, minimum_points=1, gates=False, **options)
    found = learner()
    verdicts = []

    def judge():
        verdicts.append(rule.judge(found.evidence()))
        return verdicts[-1].stop

    measure(found, on_step=judge)
    assert verdicts[-1].stop
    history = lambda_history(found.evidence(), "first", 0, 1.0, True)
    assert history[0] == 1.0
    assert (np.diff(history) < 0).all()
    assert found.evidence().complete


def test_what_no_counter_can_have_given_is_refused():
    found = learner()
    with pytest.raises(ModelFault, match="bad"):
        found.tell([Observation("bad", 0, 20.0, -1.0, 1.0, 1.0, "r")])
    assert found.evidence().s.size == 0


masks = st.lists(st.booleans(), min_size=1, max_size=200).map(np.array)


@given(masks, st.integers(1, 40), st.integers(0, 5))
def test_segments_cover_the_mask_once_and_stay_short(mask, most, bridge):
    found = allocation.segments(mask, most, bridge)
    covered = np.zeros(mask.size, dtype=int)
    for first, last in found:
        assert first <= last
        assert last - first < most
        covered[first : last + 1] += 1
    assert (covered[mask] == 1).all()
    assert covered.max(initial=0) <= 1
    if bridge == 0:
        assert not covered[~mask].any()


@given(masks, st.integers(0, 5))
def test_windows_grow_by_their_margin(mask, margin):
    grown = allocation.windows(np.where(mask, 3.0, 0.0), 2.0, margin)
    assert grown[mask].all()
    for i in np.flatnonzero(grown):
        assert mask[max(0, i - margin) : i + margin + 1].any()


def test_wings_of_a_strong_peak_are_left_out_but_not_a_peak_in_them():
    x = GRID - 30.0
    wing = 8000 / (1 + (2 * x / FWHM) ** 2) + 200 * np.exp(-2.77 * ((x - 0.5) / FWHM) ** 2) + 20
    peak, seconds = allocation.shape(FWHM, 0.02), np.ones(GRID.size)
    counts = np.random.default_rng(6).poisson(wing).astype(float)
    core = allocation.cores(counts, seconds, np.full(GRID.size, 20.0), peak, 2.5)
    wide = allocation.windows(
        allocation.significance(counts, seconds, np.full(GRID.size, 20.0), peak), 2.5, 6
    )
    near = np.abs(x) < FWHM
    assert core[near].all()
    assert core[np.abs(x - 0.5) < FWHM / 2].all()
    shoulder = (x < -2.9 * FWHM) & (x > -3.8 * FWHM)
    assert wide[shoulder].all()
    assert not core[shoulder].any()


@pytest.mark.parametrize("level", [0.3, 2.0, 50.0])
def test_background_is_unbiased_at_few_counts_and_under_peaks(level):
    rng = np.random.default_rng(4)
    found = []
    for _ in range(10):
        counts = rng.poisson(rate(PEAKS[:2], level)).astype(float)
        seconds = np.ones(GRID.size)
        found.append(np.median(allocation.background(counts, seconds, FWHM, 0.02)))
    assert np.mean(found) == pytest.approx(level, rel=0.12)


def test_significance_is_standard_normal_without_peaks():
    rng = np.random.default_rng(5)
    seconds = np.where(np.arange(GRID.size) % 3, 1.0, 0.2)  # unequal, as after some passes
    peak, flat = allocation.shape(FWHM, 0.02), np.full(GRID.size, 30.0)
    found = np.array(
        [
            allocation.significance(rng.poisson(30.0 * seconds).astype(float), seconds, flat, peak)
            for _ in range(20)
        ]
    )
    assert found.std() == pytest.approx(1.0, abs=0.05)
    assert abs(found.mean()) < 0.06


def test_what_was_not_counted_is_not_said_to_have_been_seen():
    found = learner()
    measure(found, 3)
    assert found.evidence().quantities["detectable_strength"] == np.inf


def test_the_stated_strength_holds_nearly_anywhere_on_a_sloping_background():
    """Half of a range that falls off has more background than the median of it."""
    slope = 400.0 * np.exp(-(GRID - GRID[0]) / 4.0) + 5.0
    steps = -(-GRID.size // 64)
    found = learner()
    measure(found, steps, truth=slope)
    strength = found.evidence().quantities["detectable_strength"]
    p = found._posterior
    needed = allocation.detectable_amplitude(p.seconds, slope, found.peak, 5.0)
    assert np.mean(needed <= 1.1 * strength) > 0.9
