"""Points counted anew while a sentinel holds: do they show that it is over?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.model import FloatArray, Proposal
from materialsdock.night.sentinels.asked import Sentinels
from materialsdock.soundness import judges
from materialsdock.soundness.judges import Alarm
from materialsdock.soundness.readings import Readings, expected_counts

COUNTS = 100.0
TIME_S = (0.1, 10.0)
WEAK = 3  # points that show a weak beam


def brightest(recorded: Readings) -> Proposal:
    """The place with the highest rate of all, for as long as it takes to count COUNTS there."""
    rates = recorded.counts / recorded.seconds
    best = int(rates.argmax())
    at, seconds = float(recorded.x[best]), COUNTS / max(float(rates[best]), 1e-9)
    return Proposal(at, at, float(np.clip(seconds, *TIME_S)))


def still_dead(
    sentinels: Sentinels, recorded: Readings, expected: FloatArray, new: Readings
) -> Alarm | None:
    """Tell if the detector still shows nothing, or the same counts as before."""
    expected = np.r_[expected, expected_counts(recorded, new)]
    return sentinels.dead(recorded + new, expected)


def still_weak(alarm: Alarm, recorded: Readings, new: Readings, tolerance: float) -> Alarm | None:
    """Tell if the beam is not that of the first of the recorded points."""
    first = max(WEAK, min(10, recorded.x.size - WEAK))  # the last ones are weak
    before = float(np.median(recorded.monitor_hz[:first]))
    if before <= 0:  # it was never there: any beam is more
        return None if new.monitor[0] > 0 else alarm
    rate, seconds = float(new.monitor_hz[0]), float(new.seconds[0])
    return judges.beam_proof(before, rate, seconds, tolerance)


def over(alarm: Alarm, words: str) -> Alarm:
    """Make the flag of a hold that is over, beside what was flagged before it."""
    return replace(alarm, kind=f"{alarm.kind} hold", text=f"{alarm.text}; {words}")
