"""The remains of a fit: peaks that nothing explains, peaks that are not there, runs, windows.

Everything is judged against what a good profile leaves near its own peaks, so that imperfect line
shapes of the right structure are not mistaken for a wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d
from scipy.signal import find_peaks

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Fit

PEAK_SIGMAS = 6.0
PROFILE_SHARE = 0.2  # of a neighbouring peak, that its line shape may leave unexplained
PROFILE_REACH = 1.5  # FWHM from a calculated point, within which its profile is blamed
TAIL_SHARE, TAIL_REACH = 0.02, 8.0  # likewise for the wings
WINDOWS = 20
STRONG_SHARE = 0.03  # of the strongest calculated peak: must be seen when it is there
ABSENT_RATIO = 0.4
SLOW_WIDTHS = 30
HUMP_SHARE = 0.3
HUMP_DEG = (3.0, 30.0)


@dataclass(frozen=True)
class Peak:
    """A place in 2θ [deg] and a height as a share of the strongest calculated peak."""

    two_theta: float
    share: float


def unexplained(pattern: Pattern, fit: Fit, fwhm_deg: float) -> tuple[Peak, ...]:
    """Observed peaks for which the fit calculates no intensity, the strongest first.

    A peak stands PEAK_SIGMAS above the residual around it, after averaging over a width, and above
    PROFILE_SHARE of any calculated intensity within PROFILE_REACH widths (TAIL_SHARE within
    TAIL_REACH), which imperfect line shapes leave.
    """
    points = _points(pattern, fwhm_deg)
    bragg = np.maximum(fit.y_calc - fit.y_background, 0.0)
    left = pattern.intensity - fit.y_calc
    residual = uniform_filter1d(left, points)
    residual -= median_filter(
        residual, min(SLOW_WIDTHS * points + 1, residual.size), mode="nearest"
    )
    noise = np.sqrt(uniform_filter1d(pattern.sigma**2, points) / points)
    blamed = np.maximum(
        PROFILE_SHARE * maximum_filter1d(bragg, 2 * round(PROFILE_REACH * points) + 1),
        TAIL_SHARE * maximum_filter1d(bragg, 2 * round(TAIL_REACH * points) + 1),
    )
    over = np.where(residual > PEAK_SIGMAS * noise + blamed, residual, 0.0)
    at, _ = find_peaks(over, distance=2 * points)
    top = max(float(uniform_filter1d(bragg, points).max()), float(residual.max()), 1e-300)
    # a width smears Kα1 and Kα2 into one: the place is named where the eye sees the top
    sharp = uniform_filter1d(left, 3)
    found = [
        Peak(
            float(pattern.two_theta[_highest(sharp, int(i), points // 2)]), float(residual[i] / top)
        )
        for i in at
    ]
    return tuple(sorted(found, key=lambda peak: -peak.share))


def _highest(values: FloatArray, near: int, within: int) -> int:
    """The index of the highest value at most `within` points from `near`."""
    first = max(near - within, 0)
    return first + int(np.argmax(values[first : near + within + 1]))


def absent(pattern: Pattern, fit: Fit, fwhm_deg: float) -> tuple[Peak, ...]:
    """Strong calculated peaks of which less than ABSENT_RATIO is observed, the strongest first."""
    points = _points(pattern, fwhm_deg)
    bragg = uniform_filter1d(np.maximum(fit.y_calc - fit.y_background, 0.0), points)
    observed = uniform_filter1d(pattern.intensity - fit.y_background, points)
    seen = maximum_filter1d(observed, points)
    noise = np.sqrt(uniform_filter1d(pattern.sigma**2, points) / points)
    top = float(bragg.max())
    at, _ = find_peaks(np.where(bragg > STRONG_SHARE * top, bragg, 0.0), distance=2 * points)
    found = [
        Peak(float(pattern.two_theta[i]), float(bragg[i] / top))
        for i in at
        if bragg[i] > PEAK_SIGMAS * noise[i] and seen[i] < ABSENT_RATIO * bragg[i]
    ]
    return tuple(sorted(found, key=lambda peak: -peak.share))


def durbin_watson(pattern: Pattern, fit: Fit) -> float:
    """d of weighted residuals: 2 if independent, towards 0 for runs (Hill & Flack 1987)."""
    z = (pattern.intensity - fit.y_calc) / pattern.sigma
    total = float(np.sum(z**2))
    return float(np.sum(np.diff(z) ** 2) / total) if total > 0 else 2.0


def worst_window(pattern: Pattern, fit: Fit) -> tuple[float, float, float]:
    """Limits [deg] and share of Σ z² of the worst of WINDOWS equal windows."""
    z2 = ((pattern.intensity - fit.y_calc) / pattern.sigma) ** 2
    edges = np.linspace(pattern.two_theta[0], pattern.two_theta[-1], WINDOWS + 1)
    where = np.clip(np.searchsorted(edges, pattern.two_theta, "right") - 1, 0, WINDOWS - 1)
    sums = np.bincount(where, z2, WINDOWS)
    worst = int(sums.argmax())
    return float(edges[worst]), float(edges[worst + 1]), float(sums[worst] / sums.sum())


def hump(pattern: Pattern, fit: Fit) -> tuple[float, float] | None:
    """Centre and width [deg] of the largest hump of the background; None where it has none.

    A hump rises HUMP_SHARE over the lower convex envelope of the background, and PEAK_SIGMAS over
    noise, on HUMP_DEG or more; what only falls or bends upwards, as air scatters, has none.
    """
    x, y = pattern.two_theta, fit.y_background
    below = _convex_envelope(x, y)
    over = y - below
    top = int(over.argmax())
    near = np.abs(x - x[top]) <= HUMP_DEG[0] / 2
    noise = float(np.sqrt(np.sum(pattern.sigma[near] ** 2)) / near.sum())
    wide = np.flatnonzero(over >= over[top] / 2)
    span = float(x[wide[-1]] - x[wide[0]])
    tall = over[top] > HUMP_SHARE * below[top] and over[top] > PEAK_SIGMAS * noise
    return (float(x[top]), span) if tall and HUMP_DEG[0] <= span <= HUMP_DEG[1] else None


def _convex_envelope(x: FloatArray, y: FloatArray) -> FloatArray:
    """(n,) the highest convex curve that is nowhere above y (n,), x increasing."""
    kept: list[int] = []
    for i in range(x.size):
        while len(kept) > 1:
            a, b = kept[-2:]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            kept.pop()
        kept.append(i)
    return np.asarray(np.interp(x, x[kept], y[kept]))


def missed(pattern: Pattern, fit: Fit) -> float:
    """The share [%] of the weighted intensity above the background that noise does not excuse.

    √[(Σ((y − y_calc)/σ)² − (n − p)) / Σ((y − y_background)/σ)²]: Rwp of that intensity (Toby 2006,
    Powder Diffr. 21, 67) without what Rexp allows, so counting for longer or less leaves it alone.
    """
    left, above = _sums(pattern, fit)
    return _percent(left - (fit.n_points - fit.n_free), above)


def missed_intensities(
    pattern: Pattern, fit: Fit, rwp_free_intensities: float, lines: int
) -> float:
    """The share [%] of it that free reflection intensities explain, beyond noise that they fit.

    Each of them takes one of the independent squares of the noise; fit.ticks has every reflection
    once for each of the `lines` of the source.
    """
    left, above = _sums(pattern, fit)
    gained = left * (1 - (rwp_free_intensities / fit.rwp) ** 2)
    reflections = sum(at.size for at in fit.ticks.values()) / lines
    return _percent(gained - reflections, above)


def _sums(pattern: Pattern, fit: Fit) -> tuple[float, float]:
    sigma = pattern.sigma
    left = float(np.sum(((pattern.intensity - fit.y_calc) / sigma) ** 2))
    return left, float(np.sum(((pattern.intensity - fit.y_background) / sigma) ** 2))


def _percent(part: float, whole: float) -> float:
    return 100.0 if whole <= 0 else float(100 * np.sqrt(max(part, 0.0) / whole))


def _points(pattern: Pattern, fwhm_deg: float) -> int:
    return max(3, round(fwhm_deg / float(np.median(np.diff(pattern.two_theta)))))
