"""Spectra with a known truth for the learner's benchmark: simulated, drawn at random, measured.

simulated : four curves that are the same for every seed, so that only the noise differs
drawn : another spectrum of the kind for every seed, from the families of the stop's benchmark
measured : scans of foils and compounds (../shared/data), smoothed to a truth and replayed with the
    noise they have; absent where the data are
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.interpolate import UnivariateSpline
from stopping_spectra import FAMILIES as DRAWN
from stopping_spectra import Family, line, peak, rise

from materialsdock.formats import read_measured
from materialsdock.model import Axis, FloatArray
from materialsdock.techniques.xas.spectrum.edge import find_edge, locate
from materialsdock.techniques.xas.spectrum.edge_table import edge_at
from materialsdock.techniques.xas.spectrum.grids import (
    EV_PER_INVERSE_ANGSTROM_SQUARED,
    region_grid,
    start_grid,
    widest,
)
from materialsdock.techniques.xas.spectrum.sampling import Sampling
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

LIBRARY = Path(__file__).parents[3] / "shared/data/xas/xasdatalibrary"
NOISES = (0.001, 0.01, 0.03)
EDGE_KNOWN_WITHIN_EV = 1.5
FIRST = 12
GAUSS = 2.3548  # FWHM of a Gaussian in its sd
THIRD_DIFFERENCE = np.sqrt(20.0)  # sd of a third difference of white noise, in its sd
MAD = 0.6745  # median of |z| for a standard normal z
CU_K_EV, BROAD_K_EV = 8979.0, 9000.0


def fe_k(energy: FloatArray, _: np.random.Generator) -> FloatArray:
    """An Fe K edge of an oxide."""
    return simulate_xanes(energy)


def two_edges(energy: FloatArray, _: np.random.Generator) -> FloatArray:
    """Fe L2,3: two steps, each with a line and a second line of its multiplet."""
    steps = 0.1 * rise(energy, 708.0, 0.4) + 0.05 * rise(energy, 721.0, 0.4)
    third = line(energy, 707.5, 0.7) + 0.6 * line(energy, 709.2, 0.8)
    second = 0.45 * line(energy, 720.8, 1.0) + 0.3 * line(energy, 722.5, 1.1)
    return 0.2 + steps + third + second


def broad(energy: FloatArray, _: np.random.Generator) -> FloatArray:
    """An edge without sharp features."""
    relative = energy - BROAD_K_EV
    damped = np.exp(-np.maximum(relative, 0) / 80) / (1 + np.exp(-(relative - 20) / 5))
    white = peak(energy, BROAD_K_EV + 15, 0.25, 8 * GAUSS)
    return 0.3 + rise(energy, BROAD_K_EV, 6.0) + white - 0.04 * np.sin(relative / 9) * damped


def three_shells(energy: FloatArray, _: np.random.Generator) -> FloatArray:
    """A Cu K edge with three shells to k = 13 1/Å."""
    relative = energy - CU_K_EV
    k = np.sqrt(np.maximum(relative, 1e-9) / EV_PER_INVERSE_ANGSTROM_SQUARED)
    shells = ((1.2, 2.55, 0.5, 0.003), (0.5, 3.6, 0.3, 0.004), (0.9, 4.42, 0.8, 0.005))
    waves = sum(
        height * np.sin(2 * k * distance + phase) * np.exp(-2 * k**2 * variance)
        for height, distance, phase, variance in shells
    )
    fade = 0.35 / (1 + np.exp(-(relative - 15) / 4)) / np.maximum(k, 1)
    smooth = 0.4 * (CU_K_EV / energy) ** 3 + rise(energy, CU_K_EV + 5, 1.5)
    return np.asarray(smooth + peak(energy, CU_K_EV + 15, 0.2, 4 * GAUSS) + fade * waves)


def about(e0_ev: float) -> tuple[float, float]:
    """Return where narrow features may hide about an edge, as a job has it [eV]."""
    return e0_ev - 15.0, e0_ev + 40.0


SIMULATED = {
    "XANES": Family(fe_k, np.linspace(7050, 7250, 400), 1.5, about(7112.0), 7112.0),
    "L2,3": Family(two_edges, np.linspace(695, 740, 400), 0.4, (704.0, 726.0)),
    "broad": Family(broad, np.linspace(8900, 9150, 400), 6.0, about(BROAD_K_EV), BROAD_K_EV),
    "EXAFS": Family(three_shells, np.linspace(8880, 9680, 800), 1.5, about(CU_K_EV), CU_K_EV),
}


@dataclass(frozen=True)
class Setting:
    """A kind of spectrum at a noise (edge step = 1)."""

    group: str
    kind: str
    noise: float

    @property
    def name(self) -> str:
        """As results have it."""
        return f"{self.group} {self.kind}, {100 * self.noise:.2g} %"


@dataclass(frozen=True, eq=False)
class Problem:
    """A spectrum to be found out, with what is known of it before."""

    family: Family
    noise: float
    seed: int

    @property
    def axis(self) -> Axis:
        """The learner's axis; its grid is where errors are taken."""
        return self.family.axis

    @property
    def velocity(self) -> float:
        """Of the monochromator [eV/s]: slow on soft edges, fast over long ranges."""
        extent = self.ends[1] - self.ends[0]
        return 10.0 if extent < 80.0 else 20.0 if extent < 400.0 else 100.0

    @property
    def ends(self) -> tuple[float, float]:
        """First and last energy [eV]."""
        return float(self.family.grid[0]), float(self.family.grid[-1])

    def truth(self, x: FloatArray) -> FloatArray:
        """µ without noise (n,) at `x` (n,)."""
        return self.family.draw(np.asarray(x, dtype=float), np.random.default_rng(self.seed))

    def read(self, x: FloatArray, rng: np.random.Generator) -> FloatArray:
        """One count at each of `x` (n,)."""
        return self.truth(x) + self.noise * rng.standard_normal(np.size(x))

    @property
    def first(self) -> FloatArray:
        """Even first positions of all who know nothing."""
        return np.linspace(*self.ends, FIRST)

    @property
    def edge_off_ev(self) -> float:
        """By how much the edge is not where it is thought to be."""
        within = EDGE_KNOWN_WITHIN_EV
        return float(np.random.default_rng([self.seed, 1]).uniform(-within, within))

    @property
    def started(self) -> FloatArray:
        """First positions as a job has them: coarse regions where the edge is known."""
        edge, on = self.family.edge_ev, self.axis
        if edge is None:
            return self.first
        return start_grid(
            *self.ends, edge + self.edge_off_ev, Sampling(on.resolution, on.resolution)
        )

    @property
    def widest(self) -> FloatArray | None:
        """The width that a stretch away from the edge may stay unmeasured, as a job has it."""
        edge, narrow = self.family.edge_ev, self.family.narrow_ev
        if edge is None or narrow is None:
            return None
        return widest(self.axis.grid, narrow, edge + self.edge_off_ev)

    @property
    def expert(self) -> FloatArray:
        """An expert's three-region grid; the edge is known to ± 1.5 eV.

        Without a K edge: 0.1 eV across both edges, 0.5 eV outside.
        """
        if self.family.edge_ev is not None:
            return region_grid(*self.ends, self.family.edge_ev + self.edge_off_ev)
        lo, hi = self.ends
        first, last = (edge + self.edge_off_ev for edge in self.family.narrow_ev)
        parts = np.arange(lo, first, 0.5), np.arange(first, last, 0.1), np.arange(last, hi, 0.5)
        return np.unique(np.round(np.concatenate([*parts, [hi]]), 4))

    def thinned(self, n: int) -> FloatArray:
        """`n` positions of the expert's grid, the same share of each region."""
        keep = np.rint(np.linspace(0, self.expert.size - 1, n)).astype(int)
        return self.expert[keep]

    @property
    def e0_ev(self) -> float:
        """Edge energy of the dense curve without noise."""
        dense = np.linspace(*self.ends, 8001)
        return find_edge(dense, self.truth(dense))


@cache
def family(group: str, kind: str) -> Family:
    """Return the family that spectra of a kind are drawn from."""
    if group == "measured":
        return replay(kind)[0]
    return (SIMULATED if group == "simulated" else DRAWN)[kind]


def problem(setting: Setting, seed: int) -> Problem:
    """One spectrum of a setting."""
    return Problem(family(setting.group, setting.kind), setting.noise, seed)


def settings(noises: Sequence[float] = NOISES) -> list[Setting]:
    """All settings: every noise for the simulated, 1 % for the drawn, their own for measured."""
    drawn = [kind for kind in DRAWN if kind != "pre-edge 0.6 eV"]  # which is the stop's business
    return [
        *(Setting("simulated", kind, noise) for kind in SIMULATED for noise in noises),
        *(Setting("drawn", kind, 0.01) for kind in drawn),
        *(Setting("measured", kind, replay(kind)[1]) for kind in measured()),
    ]


# -- measured spectra -------------------------------------------------------------------------

REACH_EV = {"Fe": (-70.0, 140.0), "Mn": (-100.0, 200.0), "Cu": (-100.0, 700.0)}
STEP_EV = {"Fe": 0.5, "Mn": 0.275, "Cu": 1.0}


def measured() -> dict[str, list[Path]]:
    """Files of each spectrum, repeats together; empty where there are no data."""
    found: dict[str, list[Path]] = {}
    for path in sorted(LIBRARY.glob("*/*.xdi")):
        stem = path.stem
        repeats = path.parent.name == "Mn"
        found.setdefault(stem.rsplit("_", 1)[0] if repeats else stem, []).append(path)
    return found


def noise_sd(x: FloatArray, y: FloatArray, e0_ev: float) -> float:
    """Noise of a scan (n,) from its third differences about the edge, where steps are even.

    What structure adds makes it an upper bound.
    """
    even = (x > e0_ev - 20.0) & (x < e0_ev + 50.0)
    return float(np.median(np.abs(np.diff(y[even], 3))) / MAD / THIRD_DIFFERENCE)


@cache
def replay(kind: str) -> tuple[Family, float]:
    """A measured spectrum as a family of one, and the noise of one scan of it.

    Truth: a cubic spline whose residuals are the noise of the mean of the repeats; edge step 1.
    """
    paths = measured()[kind]
    element = paths[0].parent.name
    scans = [read_measured(path, "xas") for path in paths]
    x = scans[0].x
    fit = locate(x, np.mean([np.interp(x, scan.x, scan.y) for scan in scans], axis=0))
    curves = [np.interp(x, scan.x, scan.y) / fit.edge_step for scan in scans]
    noise = float(np.mean([noise_sd(x, y, fit.e0_ev) for y in curves]))
    lo, hi = np.clip(fit.e0_ev + np.array(REACH_EV[element]), x[0], x[-1])
    near = (x > lo - 30.0) & (x < hi + 30.0)
    weight = np.full(near.sum(), np.sqrt(len(scans)) / noise)
    spline = UnivariateSpline(x[near], np.mean(curves, axis=0)[near], w=weight, s=near.sum())
    grid = np.linspace(lo, hi, round((hi - lo) / STEP_EV[element]) + 1)
    known = edge_at(fit.e0_ev).energy_ev

    def draw(energy: FloatArray, _: np.random.Generator) -> FloatArray:
        return np.asarray(spline(energy))

    narrow = (max(float(lo), known - 15.0), min(float(hi), known + 40.0))
    return Family(draw, grid, 1.5, narrow, known), noise
