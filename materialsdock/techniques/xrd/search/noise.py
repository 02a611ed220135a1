"""The standard deviations and counts of a pattern, doubted before the structures are."""

from __future__ import annotations

import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd.model import Check, Fit

GOF = (0.7, 3.0)  # outside of it σ is doubted
SCATTER = (0.7, 1.5)  # of neighbouring points in σ; outside of it σ is wrong
SAME_TOP, LEAST_TOP = 3, 100.0  # neighbouring points of equal counts, so many or more


def scatter(pattern: Pattern, fit: Fit) -> float:
    """The scatter of neighbouring residuals in units of σ: 1 where σ is right, whatever the model.

    Median of |second differences| of (y − y_calc)/σ, over 0.6745 √6; a misfit is smooth over three
    points, so it cancels.
    """
    z = (pattern.intensity - fit.y_calc) / pattern.sigma
    return float(np.median(np.abs(np.diff(z, 2))) / (0.6745 * np.sqrt(6)))


def unusual(fit: Fit) -> bool:
    """Return True if GoF lies where σ has to be doubted before the structures."""
    return not GOF[0] <= fit.gof <= GOF[1]


def checked(pattern: Pattern, fit: Fit) -> Check:
    """Say if σ can be trusted: GoF within its limits, or neighbours that scatter as σ says."""
    low, high = GOF
    gof, off = fit.gof, scatter(pattern, fit)
    wrong = not SCATTER[0] <= off <= SCATTER[1]
    if not unusual(fit):
        said = f"GoF is {gof:.2f} (σ is doubted below {low:g} and above {high:g})"
    elif gof < low:
        said = (
            f"GoF is {gof:.2f}, below {low:g}: doubt σ first, the residuals are {1 / gof:.1f} times"
            " smaller than it; give counts, not rates, normalised or smoothed intensities, and no "
            "column as σ that is something else"
        )
    elif wrong:
        said = (
            f"GoF is {gof:.2f}, above {high:g}: doubt σ first, neighbouring points scatter "
            f"{off:.1f} times as much as it says; give counts, not intensities that were "
            "multiplied or corrected, or their own σ"
        )
    else:
        said = (
            f"GoF is {gof:.2f}, above {high:g}: σ was doubted first, but neighbouring points "
            f"scatter as it says ({off:.2f} times), so the model misses what the counts show: "
            "peak shapes, preferred orientation or a weak phase"
        )
    limit = low if gof < low else high
    passed = not unusual(fit) or (gof > high and not wrong)
    return Check("sigma", gof, limit, passed, said)


def trusted(pattern: Pattern, fit: Fit) -> float:
    """The factor on σ with which the other checks are made: its scatter where σ is wrong, or 1."""
    return 1.0 if checked(pattern, fit).passed else scatter(pattern, fit)


def saturation(pattern: Pattern) -> Check | None:
    """Say at how many counts the detector seems to have been cut; None where it was not.

    Counting noise gives SAME_TOP neighbours of equal counts at the very top of no peak.
    """
    counts = pattern.intensity * pattern.count_time_s
    top = float(counts.max())
    at_top = np.isclose(counts, top, rtol=1e-9)
    runs = np.diff(np.flatnonzero(np.diff(np.r_[False, at_top, False])))[::2]
    if top < LEAST_TOP or int(runs.max(initial=0)) < SAME_TOP:
        return None
    said = (
        f"counts are cut at {top:.0f}, where {int(at_top.sum())} points stand: the detector was "
        "saturated or the file clipped; measure with an absorber, or leave out what is cut"
    )
    return Check("saturation", top, top, False, said)
