"""Screen many entries for a pattern: peak positions and heights, in a fraction of a second.

All entries at once: the strongest lines of each are looked up in the pattern for a grid of cell
strains and zero shifts.  What is left is judged by whole profiles (`match`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases import powder_lines
from materialsdock.techniques.xrd.rietveld.limits import peaks

LINES = 40
STRAINS = np.linspace(-0.012, 0.012, 25)
ZEROS_DEG = np.array([-0.24, -0.12, -0.06, 0.0, 0.06, 0.12, 0.24])
POINTS_PER_WIDTH = 4
STRONG_PEAKS = 15
STRONG_BELOW_DEG = 80.0
SEEN_SIGMAS = 4.0
MERGED_WIDTHS = 0.7
BROADEST_DEG = 3.0
EXPECTED = 0.25


class HasLines(Protocol):
    """Powder lines: d [Å] (k,), longest first, and their intensity per weight (k,)."""

    @property
    def d(self) -> FloatArray: ...

    @property
    def intensity(self) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class Observed:
    """A pattern as search-match sees it, on an even grid of some points per peak width.

    two_theta, net, sigma : (n,) [deg], counts above the background, and their deviation, all
    smoothed by a Gaussian of one peak width; fwhm_deg : of the peaks before smoothing
    """

    two_theta: FloatArray
    net: FloatArray
    sigma: FloatArray
    fwhm_deg: float
    diffractometer: Diffractometer

    @property
    def step(self) -> float:
        """Step of the grid [deg]."""
        return float(self.two_theta[1] - self.two_theta[0])

    @property
    def independent(self) -> float:
        """The length of the pattern in peak widths."""
        return float(self.two_theta[-1] - self.two_theta[0]) / self.fwhm_deg

    def smoothed(self, y: FloatArray) -> FloatArray:
        """`y` (n,) on the grid, as smooth as `net` is."""
        return np.asarray(gaussian_filter1d(y, self.fwhm_deg / 2.355 / self.step), dtype=float)


def observe(pattern: Pattern, diffractometer: Diffractometer) -> Observed:
    """The pattern without its slowly varying envelope."""
    at, widths = peaks(pattern, diffractometer.fwhm_deg)
    widths = widths[at < STRONG_BELOW_DEG][:STRONG_PEAKS] if at.size else widths
    step = float(np.median(np.diff(pattern.two_theta)))
    fwhm = float(np.quantile(widths, 0.35)) if widths.size else diffractometer.fwhm_deg
    fwhm = float(np.clip(fwhm, 2 * step, 2.0))
    coarse = max(step, fwhm / POINTS_PER_WIDTH)
    grid = np.arange(pattern.two_theta[0], pattern.two_theta[-1], coarse)
    empty = Observed(grid, grid, grid, fwhm, diffractometer)
    y = empty.smoothed(binned(grid, pattern.two_theta, pattern.intensity))
    points = fwhm / step * 1.5  # independent counts under the smoothing
    sigma = empty.smoothed(binned(grid, pattern.two_theta, pattern.sigma)) / np.sqrt(points)
    return Observed(grid, y - background(y, coarse), sigma, fwhm, diffractometer)


def background(y: FloatArray, step_deg: float) -> FloatArray:
    """(n,) the lower envelope of smooth y (n,) under anything narrower than BROADEST_DEG.

    SNIP on √y (Ryan et al. 1988, Nucl. Instrum. Methods B 34, 396).
    """
    root = np.sqrt(np.maximum(y, 0.0))
    for p in range(min(round(BROADEST_DEG / step_deg), y.size // 4), 0, -1):
        root[p:-p] = np.minimum(root[p:-p], (root[: -2 * p] + root[2 * p :]) / 2)
    return np.asarray(root**2, dtype=float)


def binned(grid: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Means of y (m,) around each point of the even `grid` (n,); interpolated where none falls."""
    step = grid[1] - grid[0]
    index = np.clip(np.rint((x - grid[0]) / step).astype(int), 0, grid.size - 1)
    count = np.bincount(index, minlength=grid.size)
    total = np.bincount(index, y, minlength=grid.size)
    return np.where(count > 0, total / np.maximum(count, 1), np.interp(grid, x, y))


@dataclass(frozen=True, eq=False)
class Leeway:
    """The leeway of a common factor on the lengths of a cell; usual : one standard deviation.

    strains : (k,) that are screened; largest : that a match may end with
    """

    usual: float
    largest: float
    strains: FloatArray


MEASURED = Leeway(0.01, 0.015, STRAINS)
# density functionals make cells up to 2 % too large or too small, substitution does as much
COMPUTED = Leeway(0.02, 0.03, np.linspace(-0.028, 0.028, 57))


@dataclass(frozen=True, eq=False)
class ScreenTable:
    """The strongest lines of many entries: position [deg] and height (entries, LINES), padded.

    A padded line has height 0.
    """

    position: FloatArray
    height: FloatArray


def tabulate(entries: Sequence[HasLines], observed: Observed) -> ScreenTable:
    """Lines that fall into the pattern, those nearer than a peak width merged."""
    wavelength = np.average(
        observed.diffractometer.wavelengths_angstrom, weights=observed.diffractometer.weights
    )
    owner = np.repeat(np.arange(len(entries)), [e.d.size for e in entries])
    at = powder_lines.positions(np.concatenate([e.d for e in entries]), float(wavelength))
    height = np.concatenate([e.intensity for e in entries])
    inside = (at > observed.two_theta[0]) & (at < observed.two_theta[-1])
    owner, at, height = owner[inside], at[inside], height[inside]
    height = height * powder_lines.lorentz_polarisation(at, observed.diffractometer.polarization)
    gap = np.diff(at, prepend=-1e9) > MERGED_WIDTHS * observed.fwhm_deg
    starts = np.flatnonzero(gap | (np.diff(owner, prepend=-1) > 0))
    if not starts.size:
        return ScreenTable(np.zeros((len(entries), LINES)), np.zeros((len(entries), LINES)))
    total = np.add.reduceat(height, starts)
    at, owner = np.add.reduceat(at * height, starts) / total, owner[starts]
    order = np.lexsort((-total, owner))
    first = np.searchsorted(owner[order], np.arange(len(entries)))
    rank = np.arange(order.size) - first[owner[order]]
    kept, rank = order[rank < LINES], rank[rank < LINES]
    position, strength = np.zeros((len(entries), LINES)), np.zeros((len(entries), LINES))
    position[owner[kept], rank], strength[owner[kept], rank] = at[kept], total[kept]
    return ScreenTable(position, strength)


@dataclass(frozen=True, eq=False)
class Screened:
    """Per entry (entries,): score 0-1, strain and zero [deg] where it is best, lines seen 0-1."""

    score: FloatArray
    strain: FloatArray
    zero_deg: FloatArray
    seen: FloatArray


def screen(
    table: ScreenTable,
    observed: Observed,
    net: FloatArray,
    *,
    strains: FloatArray = STRAINS,
    zeros_deg: FloatArray = ZEROS_DEG,
) -> Screened:
    """Compare every entry with `net` (n,), at its best strain and zero shift of those given.

    The score is the cosine of √heights over an entry's lines, times the share of them that is
    seen, times a power of the share of all observed height that they explain.
    """
    near = max(1, round(0.5 * observed.fwhm_deg / observed.step))
    heights = maximum_filter1d(np.maximum(net, 0.0), 2 * near + 1)
    heights = np.where(heights > SEEN_SIGMAS * observed.sigma, heights, 0.0)
    weight = np.sqrt(table.height)
    weight /= np.maximum(np.linalg.norm(weight, axis=1, keepdims=True), 1e-300)
    best = Screened(*(np.zeros(len(weight)) for _ in range(4)))
    real = table.height > 0
    for strain in strains:
        strained = _strained(table.position, strain)
        for zero in zeros_deg:
            found = _look(heights, observed, strained + zero, real)
            root = np.sqrt(found)
            cosine = (weight * root).sum(axis=1)
            cosine /= np.maximum(np.linalg.norm(root, axis=1), 1e-300)
            seen = (weight**2 * (found > 0)).sum(axis=1)
            score = cosine * seen * _explained(table.height, found, heights)
            better = score > best.score
            best.score[better] = score[better]
            best.strain[better], best.zero_deg[better] = strain, zero
    at = _strained(table.position, best.strain[:, None]) + best.zero_deg[:, None]
    found = _look(heights, observed, at, real)
    return replace(best, seen=_seen(table.height, found))


def _strained(two_theta: FloatArray, strain: FloatArray | float) -> FloatArray:
    """Positions [deg] of lines at `two_theta` when all lengths grow by `strain`."""
    sine = np.sin(np.radians(two_theta) / 2) / (1 + strain)
    return np.asarray(np.degrees(2 * np.arcsin(np.clip(sine, 0.0, 1.0))))


def _seen(calculated: FloatArray, found: FloatArray) -> FloatArray:
    """(entries,) share of √height whose lines are at least EXPECTED as high as they should be.

    The median line sets the scale, so texture and overlap of some lines do no harm.
    """
    real = calculated > 0
    ratio = np.where(real, found / np.where(real, calculated, 1.0), np.nan)
    ratio[:, 0] = np.where(real.any(axis=1), ratio[:, 0], 0.0)
    strong = calculated > 0.05 * calculated.max(axis=1, keepdims=True)
    strong[:, 0] = True
    scale = np.nanmedian(np.where(strong, ratio, np.nan), axis=1, keepdims=True)
    weight = np.sqrt(calculated)
    there = real & (found > EXPECTED * scale * calculated)
    return np.asarray((weight * there).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-300))


def _look(
    heights: FloatArray, observed: Observed, at: FloatArray, real: NDArray[np.bool_]
) -> FloatArray:
    """Observed height at positions `at`; 0 outside the pattern and where no line is."""
    index = np.rint((at - observed.two_theta[0]) / observed.step).astype(np.int64)
    inside = real & (index >= 0) & (index < heights.size)
    return np.where(inside, heights[np.clip(index, 0, heights.size - 1)], 0.0)


def _explained(calculated: FloatArray, found: FloatArray, heights: FloatArray) -> FloatArray:
    """(entries,) a weak power of the share of height that each entry can explain."""
    total = np.maximum(calculated.sum(axis=1), 1e-300)
    scale = np.minimum(found, 1e300).sum(axis=1) / total
    least = np.minimum(found, scale[:, None] * calculated).sum(axis=1)
    return np.asarray((least / max(float(heights.sum()), 1e-300)) ** 0.25)
