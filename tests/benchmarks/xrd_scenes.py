"""True powder patterns, planted or smoothed from measured ones, and counts drawn from them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import peak_prominences, savgol_filter

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.places import SHARED

from materialsdock.formats import read_measured
from materialsdock.learning.counting import allocation, fisher
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.rietveld.limits import peaks as find_peaks

FULL_S, BACKGROUND_TERMS = 1.0, 6
FILES = {
    "LiCoO2": "bbo/data/LiCoO2/Powder-data-Bruker/LiCoO2.dat",
    "DSMO": "bbo/data/DSMO/dsmo.csv",
    "Y2O3": "bbo/data/Y2O3/Y2O3.csv",
    "cpd-1e": "iucr_qpa/cpd-1e.prn",
    "PbSO4": "gsas2_tutorials/PBSO4.XRA",
    "LaB6": "gsas2_tutorials/NIST660CBI.gsas",
}
Draw = Callable[[Any, float], FloatArray]


def line(x: FloatArray, centre: float, fwhm: float) -> FloatArray:
    """A pseudo-Voigt peak of unit height, 40 % Lorentzian."""
    z2 = (2 * (x - centre) / fwhm) ** 2
    return 0.4 / (1 + z2) + 0.6 * np.exp(-np.log(2) * z2)


class Scene:
    """A true pattern: rate (m,) [1/s] at x (m,) and its peaks (centre, height, width) (k,)."""

    def __init__(self, x, rate, centres, heights, widths, fwhm):
        self.x, self.rate, self.fwhm = x, rate, fwhm
        self.centres, self.heights, self.widths = centres, heights, widths
        columns = []
        for c, h, w in zip(centres, heights, widths, strict=True):
            d = 1e-3 * w
            columns += [h * (line(x, c + d, w) - line(x, c - d, w)) / (2 * d), line(x, c, w)]
        u = 2 * (x - x.mean()) / np.ptp(x)
        self.jacobian = np.stack(columns + [u**k for k in range(BACKGROUND_TERMS)], axis=1)

    def sds(self, seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Cramér-Rao sd of positions [deg] and of areas relative to themselves, each (k,)."""
        wanted = np.eye(self.jacobian.shape[1])[:, : 2 * self.centres.size]
        sd = fisher.esd(fisher.information(self.rate, self.jacobian, seconds), wanted)
        return sd[::2], sd[1::2] / self.heights

    def distance(self) -> FloatArray:
        """Of each step to the nearest peak, in that peak's FWHM."""
        return np.min(np.abs(self.x[:, None] - self.centres) / self.widths, axis=1)

    def occupancies(self) -> dict[str, float]:
        step, seconds = self.x[1] - self.x[0], np.full(self.x.size, FULL_S)
        rate = allocation.background(self.rate * seconds, seconds, self.fwhm, step)
        peak = allocation.shape(self.fwhm, step)
        z = allocation.significance(self.rate * seconds, seconds, rate, peak)
        return {
            "noise_free": float(allocation.windows(z, 2.5, round(self.fwhm / step)).mean()),
            "two_fwhm": float((self.distance() < 2).mean()),
        }


def sparse(seed: int, strongest: float = 8000.0) -> Scene:
    """4000 steps, 30 peaks with heights over 2.2 decades on a background of about 60 per second."""
    rng = np.random.default_rng([seed, 1])
    x, width = 20 + 0.025 * np.arange(4000), np.full(30, 0.09)
    centres = np.sort(rng.uniform(21, 119, 30))
    heights = strongest * 10 ** (-2.2 * rng.uniform(0, 1, 30))
    lines = (h * line(x, c, w) for c, h, w in zip(centres, heights, width, strict=True))
    return Scene(x, 60 * np.exp(-(x - 20) / 150) + sum(lines), centres, heights, width, 0.09)


def measured(name: str) -> tuple[Scene, FloatArray]:
    """A real pattern, smoothed to be the truth, and its counts (m,) in FULL_S."""
    path = SHARED / "xrd" / FILES[name]
    if name == "LiCoO2":  # a FullProf file: start, step and end, then counts row by row
        head, *rows = path.read_text().split("\n")
        counts = np.array(" ".join(rows).split(), dtype=float)
        start, step, _ = map(float, head.split())
        x = start + step * np.arange(counts.size)
    else:
        found = read_measured(path, "xrd")
        x, counts = np.linspace(found.x[0], found.x[-1], found.x.size), np.rint(found.y)
    sigma = np.sqrt(np.maximum(counts, 1))
    centres, widths = find_peaks(Pattern(x, counts, sigma, np.ones(x.size)), 0.1)
    fwhm = float(np.percentile(widths[:20], 25))  # the instrument's: the sample only broadens
    points = max(5, 2 * int(fwhm / (x[1] - x[0]) / 3) + 1)
    rate = np.maximum(savgol_filter(counts, points, 2), 0.5)
    at = np.searchsorted(x, centres).clip(1, x.size - 2)
    at = np.unique([i - 2 + int(np.argmax(rate[max(i - 2, 0) : i + 3])) for i in at])
    at = at[(rate[at] > rate[at - 1]) & (rate[at] > rate[at + 1])]
    standing = peak_prominences(rate, at, wlen=8 * round(fwhm / (x[1] - x[0])) + 1)[0]
    flat = allocation.background(counts, np.ones(x.size), fwhm, x[1] - x[0])
    height = rate - flat
    # a bump in a wing is no peak, and what a full scan does not see cannot be lost
    real = (standing > 0.3 * height[at]) & (standing > 8 * np.sqrt(rate[at] / points))
    order = np.argsort(centres)
    width = np.maximum(np.interp(x[at], centres[order], widths[order]), 0.5 * fwhm)
    return Scene(x, rate, x[at][real], height[at][real], width[real], fwhm), counts


def poisson(rate: FloatArray, rng: np.random.Generator) -> Draw:
    return lambda at, seconds: rng.poisson(rate[at] * seconds)


def thinned(counts: FloatArray, rng: np.random.Generator) -> Draw:
    """Counts of a shorter time, drawn from those of FULL_S without putting back."""
    left, time = counts.astype(np.int64), np.full(counts.size, FULL_S)

    def draw(at: Any, seconds: float) -> FloatArray:
        drawn = rng.binomial(left[at], np.minimum(seconds / np.maximum(time[at], 1e-9), 1.0))
        left[at] -= drawn
        time[at] -= seconds
        return drawn

    return draw
