"""Laws that every stopping rule must keep, whatever it looks at: protocols.StoppingRule.

Needs neither pytest nor hypothesis; a law takes the rule and evidence, of which `runs()` gives
some, and hypothesis can give more:

    for law in LAWS:
        for run in runs():
            law(MyRule(), run)
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from materialsdock.model import Evidence, Verdict
from materialsdock.protocols import StoppingRule

QUIET = {
    "points": 60.0,
    "seconds": 120.0,
    "max_sd": 0.015,
    "noise_sd": 0.01,
    "largest_gap": 1.0,
    "resolution": 1.5,
}
NOTHING = Evidence(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))


def evidence(
    s: ArrayLike,
    z2: ArrayLike | None = None,
    group: ArrayLike | None = None,
    complete: bool = True,
    **quantities: float,
) -> Evidence:
    """Evidence of (k,) innovations, every z² 1 and every point a group unless said otherwise.

    quantities : besides those of a run that went well, or in their place
    """
    latent = np.asarray(s, dtype=float)
    return Evidence(
        latent,
        np.ones(latent.size) if z2 is None else np.asarray(z2, dtype=float),
        np.arange(latent.size) if group is None else np.asarray(group),
        complete,
        {**QUIET, **quantities},
    )


def learned(points: int = 60) -> Evidence:
    """A run that went as it should: s falls from 1000 to 0.02, every z² is 1."""
    return evidence(np.geomspace(1e3, 2e-2, points), points=float(points))


def runs() -> Iterator[Evidence]:
    """Runs of all kinds: none, one point, falling, random, surprised, in groups."""
    yield NOTHING
    yield evidence([1.0])
    yield learned()
    yield learned(12)
    rng = np.random.default_rng(0)
    for points in (5, 11, 60, 200):
        z2 = rng.exponential(2.0, points)
        yield evidence(10 ** rng.uniform(-6, 6, points), z2, points=float(points))
    yield evidence(np.geomspace(1e3, 1e-6, 60), [1.0] * 57 + [25.0, 1e-6, 9.5])
    yield evidence(np.geomspace(1e3, 1e-6, 60), group=np.repeat(np.arange(6), 10))


def judging_changes_nothing(rule: StoppingRule, run: Evidence) -> None:
    """Asked twice it answers the same, and the evidence is as it was."""
    before = run.s.copy(), run.z2.copy(), run.group.copy(), dict(run.quantities)
    assert rule.judge(run) == rule.judge(run)
    for old, now in zip(before[:3], (run.s, run.z2, run.group), strict=True):
        np.testing.assert_array_equal(old, now)
    assert before[3] == dict(run.quantities)


def a_verdict_gives_its_reason(rule: StoppingRule, run: Evidence) -> None:
    """One line of words, and numbers where there are any: what report and ledger show."""
    verdict = rule.judge(run)
    assert isinstance(verdict, Verdict)
    assert isinstance(verdict.stop, bool)
    assert verdict.reason.strip()
    assert "\n" not in verdict.reason
    for number in (verdict.statistic, verdict.threshold):
        assert number is None or not math.isnan(number), verdict


def nothing_measured_is_not_enough(rule: StoppingRule, run: Evidence) -> None:
    """Without a single observation no rule stops."""
    assert not rule.judge(NOTHING).stop


def an_unfinished_group_is_not_judged(rule: StoppingRule, run: Evidence) -> None:
    """Let a pass that has not ended neither stop the measurement nor hold it back."""
    if not run.group.size:
        return
    whole = run.group < run.group[-1]
    before = replace(run, s=run.s[whole], z2=run.z2[whole], group=run.group[whole], complete=True)
    assert rule.judge(replace(run, complete=False)) == rule.judge(before)


def it_can_be_sent_and_kept(rule: StoppingRule, run: Evidence) -> None:
    """It judges the same in another process."""
    assert pickle.loads(pickle.dumps(rule)).judge(run) == rule.judge(run)


def a_larger_threshold_stops_no_later(
    rule: Any, run: Evidence, threshold: float = 0.05, factor: float = 2.0
) -> None:
    """Raise the field `threshold` of a rule: where the stricter rule stops, the looser one does.

    rule : a frozen dataclass
    """
    strict = replace(rule, threshold=threshold).judge(run)
    loose = replace(rule, threshold=threshold * factor).judge(run)
    assert loose.stop >= strict.stop
    assert loose.statistic == strict.statistic


LAWS: tuple[Callable[[StoppingRule, Evidence], None], ...] = (
    judging_changes_nothing,
    a_verdict_gives_its_reason,
    nothing_measured_is_not_enough,
    an_unfinished_group_is_not_judged,
    it_can_be_sent_and_kept,
)
