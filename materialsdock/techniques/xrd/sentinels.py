"""Sentinels of powder diffraction: passes count every place again, so no visits are made.

Passes repeat by design, and their statistic stays the same during one: no learner is stuck.
"""

from __future__ import annotations

import numpy as np

from materialsdock.model import Axis
from materialsdock.soundness.judges import Alarm
from materialsdock.soundness.ordinary import dead, rates_changed, step_of, stuck, visits
from materialsdock.soundness.readings import Readings

__all__ = ["after_sweep", "dead", "stuck", "visits"]
FADED_SIGMAS = 5.0


def after_sweep(recorded: Readings, axis: Axis, tolerance: float) -> Alarm | None:
    """Tell if the pattern has changed since its places were first counted, or is weaker by more
    than `tolerance` (relative).
    """
    step = step_of(axis)
    return rates_changed(recorded, step / 2) or faded(recorded, step, tolerance)


def faded(recorded: Readings, step: float, limit: float) -> Alarm | None:
    """Tell if a pattern is weaker by more than `limit` (relative) than the same places were first.

    The monitor says what the beam has to do with it.
    """
    place = np.round(recorded.x / step).astype(np.int64)
    _, first, inverse = np.unique(place, return_index=True, return_inverse=True)
    last = np.zeros(first.size, dtype=np.int64)
    last[inverse] = np.arange(place.size)  # the latest of each stays
    first, last = first[last != first], last[last != first]
    was, now = recorded.counts[first].sum(), recorded.counts[last].sum()
    if was <= 0:
        return None
    ratio = float(np.sum(recorded.counts[first] / recorded.monitor[first] * recorded.monitor[last]))
    change, noise = now / ratio - 1, np.sqrt(1 / was + 1 / max(now, 1.0))
    if change > -max(limit, FADED_SIGMAS * noise):
        return None
    words = f"{first.size} places scatter {change:+.0%} when visited again"
    return Alarm("damage", "warn", words, "held")
