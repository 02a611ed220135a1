"""A refinement that cannot flatter itself: held-out blocks of 2θ are predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Fit, HeldOut

FOLDS = 4
BLOCK_WIDTHS = 25  # FWHM: wider than a peak with its wings, narrower than a background's wave
FEWEST_BLOCKS, MOST_BLOCKS = 3, 16  # per fold
UNWEIGHED = 1e6  # factor on the sigma of what is held out


def folds(pattern: Pattern, fwhm_deg: float) -> tuple[NDArray[np.int64], int]:
    """The fold (n,) of every point, 0 to FOLDS − 1, in contiguous blocks; and how many blocks.

    Neighbouring blocks belong to different folds, so no fold leaves a gap wider than one block.
    The first and the last block belong to none (−1): beyond data, backgrounds predict nothing.
    """
    span = float(np.ptp(pattern.two_theta))
    per_fold = np.clip(round(span / (FOLDS * BLOCK_WIDTHS * fwhm_deg)), FEWEST_BLOCKS, MOST_BLOCKS)
    blocks = FOLDS * int(per_fold) + 2
    at = (pattern.two_theta - pattern.two_theta[0]) / span * blocks
    number = np.minimum(at.astype(np.int64), blocks - 1)
    ends = (number == 0) | (number == blocks - 1)
    return np.where(ends, -1, number % FOLDS), blocks - 2


def without(pattern: Pattern, left_out: NDArray[np.bool_]) -> Pattern:
    """The pattern as if `left_out` (n,) had not been measured, on the same 2θ.

    Intensities there are drawn straight from edge to edge, so that nothing (the envelope of the
    background, say) can look at them, and their weight is 1/UNWEIGHED² of what it was.
    """
    intensity = pattern.intensity.copy()
    for start, stop in _runs(left_out):
        before = intensity[max(start - 3, 0) : start]
        after = pattern.intensity[stop : stop + 3]
        edges = [float(np.median(side)) for side in (before, after) if side.size]
        intensity[start:stop] = np.linspace(edges[0], edges[-1], stop - start)
    sigma = np.where(left_out, UNWEIGHED * pattern.sigma, pattern.sigma)
    return replace(pattern, intensity=intensity, sigma=sigma)


def score(
    pattern: Pattern, fold: NDArray[np.int64], blocks: int, fits: Sequence[Fit | None]
) -> HeldOut | None:
    """The score of one recipe from its fits, one for each fold (None: it failed).

    None when every fold failed.  A predicted block is compared with what was measured there; where
    a refinement that did see a point is compared, it is each of the others.
    """
    outside = inside = outside_y = inside_y = 0.0
    n_outside = n_inside = 0
    for number, fit in enumerate(fits):
        if fit is None:
            continue
        z2, y2 = _squares(pattern, fit.y_calc)
        out = fold == number
        outside, outside_y = outside + z2[out].sum(), outside_y + y2[out].sum()
        inside, inside_y = inside + z2[~out].sum(), inside_y + y2[~out].sum()
        n_outside, n_inside = n_outside + int(out.sum()), n_inside + int((~out).sum())
    if not n_outside:
        return None
    return HeldOut(
        rwp=float(100 * np.sqrt(outside / outside_y)),
        rwp_inside=float(100 * np.sqrt(inside / inside_y)),
        chi2=float(outside / n_outside),
        chi2_inside=float(inside / n_inside),
        blocks=blocks,
        folds=len(fits),
        failed=sum(fit is None for fit in fits),
    )


def _squares(pattern: Pattern, y_calc: FloatArray) -> tuple[FloatArray, FloatArray]:
    z2 = ((pattern.intensity - y_calc) / pattern.sigma) ** 2
    return z2, (pattern.intensity / pattern.sigma) ** 2


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Start and stop of each run of True."""
    edge = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    yield from zip(edge[::2].tolist(), edge[1::2].tolist(), strict=True)
