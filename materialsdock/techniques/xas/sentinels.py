"""Sentinels of absorption: both chambers, an edge that stays where it is, a learner that learns."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from materialsdock.learning.people import FORCED
from materialsdock.model import Axis, Decision, FloatArray, Job
from materialsdock.soundness import judges, ordinary
from materialsdock.soundness.judges import Alarm
from materialsdock.soundness.readings import LATEST, Readings
from materialsdock.techniques.xas.reference_point import SAME_EV
from materialsdock.techniques.xas.revisits import MotionCost, Revisits


def visits(job: Job, motion: MotionCost, share: float) -> Revisits:
    """The visits of a sample: to the edge, its top and its foot, for `share` of its time."""
    settings = job.settings["learner"]
    first_sweep, count_time_s = len(settings.get("initial") or ()), float(settings["count_time_s"])
    resolution = Axis.of(job.settings["axis"]).resolution
    return Revisits(motion, share, count_time_s, first_sweep, resolution)


def dead(recorded: Readings, expected: FloatArray) -> Alarm | None:
    """Tell if one of the two chambers shows nothing, or again and again the same."""
    first = recorded.monitor[-LATEST:]
    return ordinary.dead(recorded, expected) or judges.dead_detector(first, np.zeros(first.size))


def after_sweep(recorded: Readings, axis: Axis, tolerance: float) -> Alarm | None:
    """Return None: the visits show it sooner."""
    return None


def stuck(decisions: Sequence[Decision]) -> Alarm | None:
    """Tell if the learner has stopped learning; second looks and forced points do not count."""
    latest = decisions[-LATEST:]
    chosen = [
        math.nan if d.proposal.score < 0 or d.proposal.score == FORCED else d.proposal.start
        for d in latest
    ]
    found = [d.verdict.statistic for d in latest if d.verdict.statistic is not None]
    return judges.no_progress(
        np.array(chosen), np.array(found), tolerance=SAME_EV, budget_left=True
    )
