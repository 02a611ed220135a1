"""Allot counting time over a powder pattern: background, significance, windows, segments.

All functions are pure and work on the evenly stepped 2θ grid (m,), with `counts` and `seconds`
merged over all visits of a step.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, maximum_filter1d

from materialsdock.model import FloatArray

Mask = NDArray[np.bool_]
CLIP_SIGMA = 2.5
CLIP_ROUNDS = 8
BACKGROUND_WIDTHS = 30  # in FWHM: over what the background is taken as even
CORE = 0.05  # of the information of a second at the top of a peak
NEARBY = 1  # in lengths of the filter, 3 FWHM each: how far a peak rules out wings
OWN = 0.6  # the filter of zero sum sees a peak that much less well
FOUND = 5.0  # significance of a peak that counts as found


def shape(fwhm_deg: float, step_deg: float) -> FloatArray:
    """A peak of unit height, (2k+1,), Gaussian of the instrument's width out to 1.5 FWHM."""
    half = max(1, round(1.5 * fwhm_deg / step_deg))
    x = step_deg * np.arange(-half, half + 1)
    return np.asarray(np.exp(-4.0 * np.log(2.0) * (x / fwhm_deg) ** 2))


def background(
    counts: FloatArray, seconds: FloatArray, fwhm_deg: float, step_deg: float
) -> FloatArray:
    """Local background rate (m,) [1/s]: a clipped Poisson mean, unbiased at few counts.

    A quantile would be zero where most steps have no count.  Steps whose peak-wide sum stands out
    by 2.5 σ are left out, until nothing changes.
    """
    wide = np.ones(2 * round(0.5 * BACKGROUND_WIDTHS * fwhm_deg / step_deg) + 1)
    narrow = np.ones(max(3, round(fwhm_deg / step_deg)))
    peak_counts, peak_seconds = _sum(counts, narrow), _sum(seconds, narrow)
    keep = np.ones(counts.size, dtype=bool)
    rate = np.full(counts.size, counts.sum() / max(seconds.sum(), 1e-12))
    for _ in range(CLIP_ROUNDS):
        near = _sum(seconds * keep, wide)
        total = counts[keep].sum() / max(seconds[keep].sum(), 1e-12)
        rate = np.where(near > 0, _sum(counts * keep, wide) / np.maximum(near, 1e-12), total)
        expected = rate * peak_seconds
        again = peak_counts <= expected + CLIP_SIGMA * np.sqrt(np.maximum(expected, 1.0))
        if (again == keep).all():
            break
        keep = again if again.any() else keep
    # one count spread over the neighbourhood is the least that can be claimed
    return np.asarray(np.maximum(rate, 1.0 / np.maximum(_sum(seconds, wide), 1e-12)))


def _sum(values: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(convolve1d(values.astype(float), weights, mode="nearest"))


def significance(
    counts: FloatArray, seconds: FloatArray, rate: FloatArray, peak: FloatArray
) -> FloatArray:
    """Compute by how many σ a peak centred at each step stands out: (m,).

    The score test for amplitude zero on a known background: Σ g (C − bT) / √(Σ g² b T), right for
    unequal counting times.
    """
    excess = _sum(counts - rate * seconds, peak)
    return np.asarray(excess / np.sqrt(np.maximum(_sum(rate * seconds, peak**2), 1e-12)))


def detectable_amplitude(
    seconds: FloatArray, rate: FloatArray, peak: FloatArray, sigmas: float
) -> FloatArray:
    """Peak height (m,) [1/s] whose expected significance at each step is `sigmas`."""
    return np.asarray(sigmas * np.sqrt(rate / np.maximum(_sum(seconds, peak**2), 1e-12)))


def windows(significances: FloatArray, threshold: float, margin: int) -> Mask:
    """Steps (m,) within `margin` steps of one that reaches `threshold`."""
    return np.asarray(
        maximum_filter1d((significances >= threshold).astype(np.int8), 2 * margin + 1) > 0
    )


def cores(
    counts: FloatArray,
    seconds: FloatArray,
    rate: FloatArray,
    peak: FloatArray,
    threshold: float,
) -> Mask:
    """Steps (m,) that inform about a peak's position or area, without the far wings of others.

    A second tells e²/y of an excess e over `rate` (m,) at a total rate y, so a step belongs to a
    core when that reaches CORE of the most nearby; or when a weaker peak stands out of the wing by
    `threshold` σ in a filter of zero sum, which neither a slope nor a wing excites.
    """
    smooth = _sum(counts, peak) / np.maximum(_sum(seconds, peak), 1e-12)
    telling = np.maximum(smooth - rate, 0.0) ** 2 / np.maximum(smooth, rate)
    near = maximum_filter1d(telling, 2 * NEARBY * peak.size + 1)
    contrast = peak - peak.mean()
    at = np.maximum(seconds, 1e-12)
    noise = np.sqrt(_sum(np.maximum(smooth, rate) / at, contrast**2))
    own = _sum(counts / at, contrast) / noise
    return np.asarray((telling >= CORE * near) | windows(own, OWN * threshold, peak.size // 3))


def segments(mask: Mask, most: int, bridge: int) -> list[tuple[int, int]]:
    """(first, last) indices, inclusive, that cover `mask` (m,) in stretches of at most `most`.

    Gaps of up to `bridge` steps are counted through: stopping for them costs more.
    """
    inside = np.flatnonzero(mask)
    if not inside.size:
        return []
    breaks = np.flatnonzero(np.diff(inside) > bridge + 1)
    firsts = inside[np.concatenate([[0], breaks + 1])]
    lasts = inside[np.concatenate([breaks, [inside.size - 1]])]
    found = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        pieces = -(-(last - first + 1) // most)
        edges = np.linspace(first, last + 1, pieces + 1).round().astype(int).tolist()
        found += [(a, b - 1) for a, b in pairwise(edges)]
    return found


def area_relative_sd(
    counts: FloatArray,
    seconds: FloatArray,
    rate: FloatArray,
    significances: FloatArray,
    margin: int,
) -> float:
    """Median relative sd of the areas of the peak groups that are found; inf when none is."""
    found = windows(significances, FOUND, margin)
    relative = []
    for first, last in segments(found, found.size, 0):
        at = slice(first, last + 1)
        t = np.maximum(seconds[at], 1e-12)
        area = float((counts[at] / t - rate[at]).sum())
        if area > 0:
            relative.append(float(np.sqrt((counts[at] / t**2).sum())) / area)
    return float(np.median(relative)) if relative else float("inf")
