"""Many patterns or spectra of one series on one grid, normalised, each point with its noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xrd.rietveld.limits import envelope, peaks

FEWEST_CURVES = 4
FEWEST_POINTS = 20
FWHM_DEG = 0.1  # a first guess, only to find the peaks that say better
MAD_TO_SD = 1.4826
Normalisation = Literal["area", "edge", "none"]


@dataclass(frozen=True, eq=False)
class SeriesCurve:
    """One member of a series: (m,) position [deg or eV], intensity or µ, and its sd if known."""

    name: str
    x: FloatArray
    y: FloatArray
    sigma: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Series:
    """Curves on one grid.

    x : (p,) [deg or eV]; y, sigma : (n, p) normalised; names : (n,)
    notes : what was decided on the way, in words
    """

    names: tuple[str, ...]
    x: FloatArray
    y: FloatArray
    sigma: FloatArray
    notes: tuple[str, ...] = ()


def prepared(
    curves: Sequence[SeriesCurve],
    *,
    normalisation: Normalisation = "area",
    subtract_background: bool = False,
) -> Series:
    """The curves on their common grid, background taken off if wanted, normalised.

    normalisation : "area" (mean 1 over the grid), "edge" (pre-edge line off, edge step 1) or
    "none"; subtract_background : the SNIP envelope of a powder pattern

    Raises InputError for fewer than 4 curves, no common range, or what cannot be normalised.
    """
    _check(curves)
    x = _grid(curves)
    rows = [_on_grid(curve, x) for curve in curves]
    notes = [f"{len(curves)} curves on {x.size} points from {x[0]:g} to {x[-1]:g}"]
    if any(curve.sigma is None for curve in curves):
        notes.append("noise estimated from the scatter between neighbouring points")
    if subtract_background:
        rows = [_without_background(x, y, sigma) for y, sigma in rows]
        notes.append("background taken off (SNIP envelope)")
    names = [curve.name for curve in curves]
    pairs = zip(names, rows, strict=True)
    rows = [_normalised(name, x, y, sigma, normalisation) for name, (y, sigma) in pairs]
    words = {"area": "to equal area", "edge": "to the edge step", "none": "not at all"}
    notes.append(f"normalised {words[normalisation]}")
    y, sigma = (np.array(part) for part in zip(*rows, strict=True))
    return Series(tuple(names), x, y, sigma, tuple(notes))


def _check(curves: Sequence[SeriesCurve]) -> None:
    if len(curves) < FEWEST_CURVES:
        raise InputError(
            f"{len(curves)} curve{'s are' if len(curves) != 1 else ' is'} no series",
            where="series",
            remedy=f"give at least {FEWEST_CURVES}",
        )
    for curve in curves:
        arrays = (curve.x, curve.y, *(() if curve.sigma is None else (curve.sigma,)))
        if any(a.ndim != 1 or a.shape != curve.x.shape for a in arrays):
            raise InputError("its columns differ in length", where=curve.name)
        if not all(np.isfinite(a).all() for a in arrays):
            raise InputError("has values that are not finite", where=curve.name)
        if (np.diff(curve.x) <= 0).any():
            raise InputError("its positions do not increase", where=curve.name)
        if curve.sigma is not None and not (curve.sigma > 0).all():
            raise InputError("its sigma is not positive everywhere", where=curve.name)


def _grid(curves: Sequence[SeriesCurve]) -> FloatArray:
    """The points of the most coarsely sampled curve that all curves cover."""
    low = max(curve.x[0] for curve in curves)
    high = min(curve.x[-1] for curve in curves)
    inside = [curve.x[(curve.x >= low) & (curve.x <= high)] for curve in curves]
    coarsest: FloatArray = min(inside, key=len)
    if coarsest.size < FEWEST_POINTS:
        last = max(curves, key=lambda curve: curve.x[0])
        first = min(curves, key=lambda curve: curve.x[-1])
        raise InputError(
            f"{last.name} begins at {low:g} and {first.name} ends at {high:g}: "
            f"{coarsest.size} common points",
            where="series",
            remedy="leave out what does not overlap",
        )
    return coarsest


def _on_grid(curve: SeriesCurve, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """y and sigma at `x` (p,) by linear interpolation, errors propagated."""
    sigma = _scatter(curve) if curve.sigma is None else curve.sigma
    right = np.clip(np.searchsorted(curve.x, x), 1, curve.x.size - 1)
    left = right - 1
    t = (x - curve.x[left]) / (curve.x[right] - curve.x[left])
    y = (1 - t) * curve.y[left] + t * curve.y[right]
    return y, np.hypot((1 - t) * sigma[left], t * sigma[right])


def _scatter(curve: SeriesCurve) -> FloatArray:
    """One sd for all points, from how far each lies off the line through its neighbours."""
    x, y = curve.x, curve.y
    t = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    off = y[1:-1] - (1 - t) * y[:-2] - t * y[2:]
    sd = MAD_TO_SD * float(np.median(np.abs(off) / np.sqrt(1 + t**2 + (1 - t) ** 2)))
    if not sd > 0:
        raise InputError(
            "shows no noise between neighbouring points",
            where=curve.name,
            remedy="give measured curves, or a third column with standard deviations",
        )
    return np.full(x.size, sd)


def _without_background(
    x: FloatArray, y: FloatArray, sigma: FloatArray
) -> tuple[FloatArray, FloatArray]:
    pattern = Pattern(x, np.maximum(y, 0.0), sigma, np.ones(x.size))
    widths = peaks(pattern, FWHM_DEG)[1][:5]
    width = float(np.median(widths)) if widths.size else FWHM_DEG
    return y - envelope(pattern, width), sigma


def _normalised(
    name: str, x: FloatArray, y: FloatArray, sigma: FloatArray, normalisation: Normalisation
) -> tuple[FloatArray, FloatArray]:
    if normalisation == "none":
        return y, sigma
    if normalisation == "edge":
        found = locate(x, y)
        return found.flat, sigma / found.edge_step
    mean = float(np.trapezoid(y, x) / (x[-1] - x[0]))
    if not mean > 0:
        raise InputError(f"its mean is {mean:g}, which cannot be an area", where=name)
    return y / mean, sigma / mean
