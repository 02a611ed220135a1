"""The sentinels of a technique that brings none of its own, and what others may keep of them.

They rest on counts alone: a detector that is dead, and places whose rates are not what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from materialsdock.model import Axis, Decision, FloatArray, Job
from materialsdock.soundness import judges
from materialsdock.soundness.judges import Alarm
from materialsdock.soundness.readings import LATEST, Readings


def visits(job: Job, motion: Any, share: float) -> None:
    """Return None: no place is counted for the sake of a sentinel alone."""


def dead(recorded: Readings, expected: FloatArray) -> Alarm | None:
    """Tell if the detector shows nothing, or again and again the same.

    expected : (n,) counts that a living one shows at the least
    """
    return judges.dead_detector(recorded.counts[-LATEST:], expected[-LATEST:])


def after_sweep(recorded: Readings, axis: Axis, tolerance: float) -> Alarm | None:
    """Tell if places that a sweep has counted again show other rates than at first.

    tolerance : relative, of the beam; what changes all rates alike is no damage of the sample
    """
    return rates_changed(recorded, step_of(axis) / 2)


def stuck(decisions: Sequence[Decision]) -> Alarm | None:
    """Return None: how a learner gets on is known to its technique only."""


def rates_changed(recorded: Readings, tolerance: float) -> Alarm | None:
    """Tell if places within `tolerance` [unit of the axis], counted again, show other rates.

    Rates are those for the median of the monitor, so a beam that changes is no damage.
    """
    seconds = recorded.monitor / np.median(recorded.monitor_hz)
    sigma = np.sqrt(np.maximum(recorded.counts, 1.0)) / seconds
    return judges.sample_damage(
        recorded.x,
        recorded.counts / seconds,
        sigma,
        scale="factor",
        tolerance=tolerance,
        count_time_s=seconds,
    )


def step_of(axis: Axis) -> float:
    """The usual step of an axis [its unit]."""
    return float(np.median(np.diff(axis.grid)))
