"""Sentinels: pure judges of what was recorded, each with its false-alarm rate.

They look at counts and rates that are in the ledger already, so they can be run anew at any time
and give the same answer.  The rates are measured in tests/soundness/test_judges.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, special

from materialsdock.errors import InputError
from materialsdock.model import FloatArray

Action = Literal["flag", "hold", "held"]
Severity = Literal["info", "warn", "critical"]

IMPROBABLE = 1e-6
DAMAGE_P = 1e-4
SIGMAS = 3.0
SAME_POINT = 3
LITTLE = 0.01


@dataclass(frozen=True)
class Alarm:
    """The finding of a sentinel, and what to do.

    action : "flag" the result, "hold" everything until a person or a proof lets it go on, or
    the sample is "held" and the next one measured
    """

    kind: str
    severity: Severity
    text: str
    action: Action


def dead_detector(counts: FloatArray, expected: FloatArray, points: int = 3) -> Alarm | None:
    """Counts that no living detector shows: nothing, or the same number again and again.

    counts : (n,) recorded with beam on, oldest first; expected : (n,) from what was known before
    (the learner's mean rate times the counting time).  The last `points` or more are judged.

    Alarms when chance would do it less often than 1e-6 times per point: exp(-sum expected) for
    nothing, the chance of as many equal Poisson numbers for constant counts.  False alarms: none
    in 1,000,000 simulated points of 0.1 to 1e6 expected counts.
    """
    if counts.size < points:
        return None
    dark = int(np.argmax(counts[::-1] > 0)) if (counts > 0).any() else counts.size
    if dark >= points:
        chance = float(np.exp(-np.clip(expected[-dark:], 0, None).sum()))
        if chance < IMPROBABLE:
            return Alarm(
                "dead_detector",
                "critical",
                f"no counts at {dark} points where {expected[-dark:].sum():.0f} were expected",
                "hold",
            )
    same = int(np.argmax(counts[::-1] != counts[-1])) or counts.size
    if dark == 0 and same >= points and _equal_by_chance(counts[-1], same) < IMPROBABLE:
        words = f"exactly {counts[-1]:g} counts at {same} points in a row"
        return Alarm("dead_detector", "critical", words, "hold")
    return None


def _equal_by_chance(mean: float, times: int) -> float:
    """The chance that so many Poisson numbers of one mean are equal; at most, for other means."""
    return float((2 * np.pi * mean) ** (-(times - 1) / 2) / np.sqrt(times))


def intensity_drift(
    rates_hz: FloatArray,
    count_time_s: FloatArray,
    tolerance: float = 0.2,
    limit: float = 0.5,
    points: int = 3,
) -> Alarm | None:
    """Tell if the incident beam is another than at the beginning of the sample.

    rates_hz, count_time_s : (n,) of the monitor or first chamber, oldest first.  The median of
    the last `points` against that of the first ten (at least `points`).  Data are normalised by
    this rate anyway: beyond `tolerance` (relative) the result is flagged, beyond `limit` all is
    held.  Counting noise alone must not explain it (5 standard deviations).

    False alarms: none in 20,000 simulated samples of 30 points of 1 s with 10,000 counts a point
    and 3 % flicker of the beam.
    """
    if rates_hz.size < 2 * points:
        return None
    first = slice(0, max(points, min(10, rates_hz.size - points)))
    before, now = float(np.median(rates_hz[first])), float(np.median(rates_hz[-points:]))
    if before <= 0:
        return Alarm(
            "intensity",
            "critical",
            "there was no incident beam during the whole measurement",
            "hold",
        )
    change = now / before - 1
    seconds = min(float(count_time_s[-points:].sum()), float(count_time_s[first].sum()))
    noise = np.sqrt(2 / max(before * seconds, 1.0))
    if abs(change) <= max(tolerance, 5 * noise):
        return None
    words = f"the incident beam is {change:+.0%} of what it was ({before:.4g} to {now:.4g} per s)"
    if abs(change) > limit:
        return Alarm("intensity", "critical", words, "hold")
    return Alarm("intensity", "warn", words, "flag")


def revisit_due(measured_s: float, revisiting_s: float, cost_s: float, share: float = 0.05) -> bool:
    """Tell if another visit of `cost_s` to the reference keeps revisits within their `share`.

    measured_s : all seconds of the sample so far, revisits included; revisiting_s : of those, on
    revisits.
    """
    return revisiting_s + cost_s <= share * (measured_s + cost_s)


def sample_damage(
    x: FloatArray,
    y: FloatArray,
    sigma: FloatArray,
    *,
    scale: Literal["factor", "offset"],
    tolerance: float,
    count_time_s: FloatArray | None = None,
) -> Alarm | None:
    """Tell if places visited again show something else than at the first visit.

    x, y, sigma : (n,) in the order of recording; visits within `tolerance` are to one place.
    First and last visits are compared by χ², after allowing one factor (rates) or one offset
    (absorption) for all, as a change of the incident beam makes.  With `count_time_s` (n,), y
    are rates and their variance that of the two visits together.  Needs two places.

    Alarms below p = 1e-4.  False alarms of 20,000 simulated samples: 0 to 4 for rates of 5 to
    5,000 counts a visit, 2 for absorption.
    """
    first, last = _visits(x, tolerance)
    if first.size < 2:
        return None
    before, after = y[first], y[last]
    var_1, var_2 = sigma[first] ** 2, sigma[last] ** 2
    if count_time_s is not None:
        t_1, t_2 = count_time_s[first], count_time_s[last]
        pooled = np.maximum(before * t_1 + after * t_2, 1.0) / (t_1 + t_2)
        var_1, var_2 = pooled / t_1, pooled / t_2
    chi2 = _disagreement(before, after, var_1, var_2, scale)
    p = float(special.chdtrc(first.size - 1, chi2))
    if p >= DAMAGE_P:
        return None
    words = f"{first.size} places look different when visited again (χ² {chi2:.0f}, p {p:.0e})"
    return Alarm("damage", "warn", words, "held")


def _visits(x: FloatArray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the first and the last visit to each place that was visited more than once."""
    order = np.lexsort((np.arange(x.size), x))
    place = np.cumsum(np.diff(x[order], prepend=x[order][:1]) > tolerance)
    by_place = [np.sort(order[place == i]) for i in np.unique(place)]
    again = [visits for visits in by_place if visits.size > 1]
    return (
        np.array([visits[0] for visits in again], dtype=int),
        np.array([visits[-1] for visits in again], dtype=int),
    )


def _disagreement(
    before: FloatArray, after: FloatArray, var_1: FloatArray, var_2: FloatArray, scale: str
) -> float:
    """χ² between visits at the best common factor or offset."""
    if scale == "offset":
        weight = 1 / (var_1 + var_2)
        offset = np.average(after - before, weights=weight)
        return float((weight * (after - before - offset) ** 2).sum())

    def chi2(log_factor: float) -> float:
        factor = np.exp(log_factor)
        return float(((after - factor * before) ** 2 / (var_2 + factor**2 * var_1)).sum())

    return float(optimize.minimize_scalar(chi2, bounds=(-1.5, 1.5), method="bounded").fun)


def no_progress(
    proposed: FloatArray,
    statistic: FloatArray,
    *,
    tolerance: float,
    budget_left: bool,
    points: int = 50,
) -> Alarm | None:
    """Tell if the learner has stopped learning.

    proposed : (n,) positions in the order chosen; statistic : (n,) what its rule watches (λ).
    One place chosen three times in a row, a statistic that is no number, or one that changed by
    less than 1 % over `points` points with budget left.  False alarms: none in 2,000 simulated
    runs of 300 points whose statistic falls by a factor 10 with 3 % noise.
    """
    if statistic.size and not np.isfinite(statistic[-1]):
        return Alarm("no_progress", "warn", f"the statistic is {statistic[-1]}", "held")
    last = proposed[-SAME_POINT:]
    if last.size == SAME_POINT and np.ptp(last) <= tolerance:
        words = f"{last[-1]:g} was chosen {SAME_POINT} times in a row"
        return Alarm("no_progress", "warn", words, "held")
    recent = statistic[-points:]
    if budget_left and recent.size == points and np.ptp(recent) < LITTLE * np.abs(recent).max():
        words = f"the statistic has stayed at {recent[-1]:.4g} for {points} points"
        return Alarm("no_progress", "warn", words, "flag")
    return None


def beam_proof(
    before_hz: float, after_hz: float, after_s: float, tolerance: float = 0.2
) -> Alarm | None:
    """Tell if the beam that came back after a hold is the one that went.

    Alarms (hold) when the rates differ by more than `tolerance` and five standard deviations of
    counting for `after_s`.  False alarms: none in 100,000 of 100 counts and more.
    """
    if before_hz <= 0:
        raise InputError(f"a beam of {before_hz:g} per s is too weak to compare with", where="I0")
    change = after_hz / before_hz - 1
    if abs(change) <= max(tolerance, 5 / np.sqrt(max(before_hz * after_s, 1.0))):
        return None
    return Alarm("intensity", "critical", f"the beam came back {change:+.0%}", "hold")
