"""Absorption spectra with known truth for the stop: five families to test, four to calibrate on.

A calibration family shares no formula with a tested one, except for the arctangent of an edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from materialsdock.model import Axis, FloatArray
from materialsdock.techniques.xas.spectrum.grids import start_grid, widest
from materialsdock.techniques.xas.spectrum.sampling import Sampling
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

FE_K_EV, FE_L3_EV, TI_K_EV, NI_K_EV, CE_M5_EV = 7112.0, 707.0, 4970.0, 8333.0, 884.0
FWHM = 2.3548  # of a Gaussian, in its sd
PEAK_FWHM_EV = 0.6
Draw = Callable[[FloatArray, np.random.Generator], FloatArray]


def xanes(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """An Fe K edge of an oxide."""
    return simulate_xanes(
        energy,
        e0_ev=FE_K_EV + rng.uniform(-2, 2),
        core_hole_ev=rng.uniform(0.9, 1.8),
        pre_edge_peak=rng.uniform(0.02, 0.15),
        white_line=rng.uniform(0.2, 0.8),
        distance_angstrom=rng.uniform(1.85, 2.2),
    )


def peak(energy: FloatArray, at_ev: float, height: float, fwhm_ev: float) -> FloatArray:
    """A Gaussian."""
    return height * np.exp(-0.5 * ((energy - at_ev) * FWHM / fwhm_ev) ** 2)


@dataclass(frozen=True)
class Planted:
    """A pre-edge peak of 0.6 eV: where it is, how high, and µ without it."""

    at_ev: float
    height: float
    bare: Callable[[FloatArray], FloatArray]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Planted:
        """One peak at random."""
        white_line, core_hole = rng.uniform(0.3, 0.7), rng.uniform(1.0, 1.6)

        def bare(energy: FloatArray) -> FloatArray:
            return simulate_xanes(
                energy, pre_edge_peak=0.0, white_line=white_line, core_hole_ev=core_hole
            )

        return cls(FE_K_EV + rng.uniform(-3, 4), rng.uniform(0.08, 0.2), bare)

    def __call__(self, energy: FloatArray) -> FloatArray:
        """µ with the peak."""
        return self.bare(energy) + peak(energy, self.at_ev, self.height, PEAK_FWHM_EV)


def pre_edge(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """An Fe K edge with a pre-edge peak of 0.6 eV that no coarse scan sees."""
    return Planted.draw(rng)(energy)


def rise(energy: FloatArray, at_ev: float, width_ev: float) -> FloatArray:
    """An arctangent step of 1."""
    return 0.5 + np.arctan((energy - at_ev) / width_ev) / np.pi


def line(energy: FloatArray, at_ev: float, width_ev: float) -> FloatArray:
    """A Lorentzian of height 1 and half width `width_ev`."""
    return 1.0 / (1.0 + ((energy - at_ev) / width_ev) ** 2)


def two_edges(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """L2,3 of a 3d metal: two steps, two sharp lines and a shoulder."""
    at, apart = FE_L3_EV + rng.uniform(-2, 2), rng.uniform(12, 15)
    steps = 0.27 * rise(energy, at, 0.6) + 0.13 * rise(energy, at + apart, 0.6)
    third = rng.uniform(1.0, 2.0) * line(energy, at, rng.uniform(0.8, 1.2))
    shoulder = rng.uniform(0.2, 0.6) * line(energy, at + rng.uniform(1.8, 3.0), 0.9)
    second = rng.uniform(0.4, 0.9) * line(energy, at + apart, rng.uniform(1.1, 1.7))
    return 0.2 + steps + third + shoulder + second


def broad(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """An edge without sharp features."""
    return simulate_xanes(
        energy,
        core_hole_ev=rng.uniform(4, 8),
        white_line=rng.uniform(0, 0.25),
        pre_edge_peak=0.0,
        distance_angstrom=rng.uniform(1.9, 2.3),
    )


def exafs(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """An Fe K edge with two shells to k = 12 1/Å."""
    near = simulate_xanes(
        energy,
        distance_angstrom=rng.uniform(1.9, 2.2),
        pre_edge_peak=rng.uniform(0.02, 0.1),
        white_line=rng.uniform(0.2, 0.6),
    )
    k = np.sqrt(np.maximum(energy - FE_K_EV - 8.0, 1e-9) / 3.81)
    fade = rng.uniform(0.1, 0.4) / (1 + np.exp(-(energy - FE_K_EV - 33.0) / 4))
    wave = np.sin(2 * k * rng.uniform(2.6, 3.2) + rng.uniform(0, 6))
    return near + fade * wave * np.exp(-2 * (0.08 * k) ** 2) / np.maximum(k, 1)


def gaussians(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A step and two to five Gaussians of 2 to 19 eV."""
    mu = 0.3 + rise(energy, NI_K_EV + rng.uniform(-3, 3), rng.uniform(0.8, 3.0))
    for _ in range(rng.integers(2, 6)):
        at, width = NI_K_EV + rng.uniform(-6, 35), rng.uniform(1.0, 8.0) * FWHM
        mu = mu + peak(energy, at, rng.uniform(-0.2, 0.5), width)
    return mu


def triple_pre_edge(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A Ti K edge of rutile's kind: three pre-edge lines, strong or weak."""
    at = TI_K_EV + rng.uniform(-1, 1)
    mu = 0.2 + rise(energy, at + 12, rng.uniform(0.8, 2.0))
    for shift in (-1.5, 1.0, 3.5):
        mu = mu + rng.uniform(0.03, 0.3) * line(energy, at + shift, rng.uniform(0.5, 0.9))
    behind = np.maximum(energy - at - 12, 0.0)
    wave = np.sin((energy - at) / 7) * np.exp(-(((behind - 28) / 40) ** 2))
    white = peak(energy, at + 17, rng.uniform(0.1, 0.5), 3 * FWHM)
    return mu + white - 0.15 * wave * (1 - np.exp(-behind / 8))


def multiplet(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """M4,5 of a rare earth: four narrow Gaussians on two small steps."""
    at = CE_M5_EV + 1 + rng.uniform(-1, 1)
    mu = 0.3 + 0.2 * rise(energy, at, 1.0) + 0.15 * rise(energy, at + 18, 1.0)
    for edge in (0.0, 18.0):
        for shift in (0.0, rng.uniform(1.5, 2.5)):
            width = rng.uniform(0.5, 1.1) * FWHM
            mu = mu + peak(energy, at + edge + shift, rng.uniform(0.3, 1.5), width)
    return mu


def random_process(energy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A draw of a Matérn-5/2 process, rougher in one place: not a spectrum at all."""
    x = (energy - energy[0]) / np.ptp(energy)
    u = (x + 0.1 * np.tanh((x - 0.3) / 0.05)) / rng.uniform(0.03, 0.12)
    t = np.sqrt(5.0) * np.abs(u[:, None] - u)
    covariance = (1 + t + t**2 / 3) * np.exp(-t) + 1e-8 * np.eye(x.size)
    return 1.0 + 0.4 * np.linalg.cholesky(covariance) @ rng.standard_normal(x.size)


@dataclass(frozen=True)
class Family:
    """A kind of spectra: how they are drawn, on which grid [eV], and what is known beforehand."""

    draw: Draw
    grid: FloatArray
    resolution_ev: float
    narrow_ev: tuple[float, float]
    edge_ev: float | None = None
    analysed: bool = True

    @property
    def axis(self) -> Axis:
        """The axis of a learner."""
        return Axis("energy", "eV", self.grid, self.resolution_ev)

    @property
    def initial(self) -> FloatArray | None:
        """The first sweep as a job has it: an expert's regions where the edge is known."""
        if self.edge_ev is None:
            return None
        lo, hi = float(self.grid[0]), float(self.grid[-1])
        return start_grid(lo, hi, self.edge_ev, Sampling(self.resolution_ev, self.resolution_ev))

    @property
    def widest(self) -> FloatArray | None:
        """The width that a stretch away from the edge may stay unmeasured, as a job has it."""
        if self.edge_ev is None or self.narrow_ev is None:
            return None
        return widest(self.grid, self.narrow_ev, self.edge_ev)


def k_edge(draw: Draw, lo: float, hi: float, points: int, resolution_ev: float) -> Family:
    """A family about the Fe K edge, with the region of narrow features that a job has."""
    grid = np.linspace(lo, hi, points)
    return Family(draw, grid, resolution_ev, (FE_K_EV - 15, FE_K_EV + 40), FE_K_EV)


FAMILIES = {
    "xanes": k_edge(xanes, 7050, 7250, 401, 1.5),
    "pre-edge 0.6 eV": Family(
        pre_edge, np.linspace(7050, 7250, 1001), PEAK_FWHM_EV, (7105.0, 7120.0), FE_K_EV
    ),
    "L2,3": Family(two_edges, np.linspace(685, 745, 301), 0.8, (700.0, 730.0)),
    "broad": k_edge(broad, 7050, 7250, 401, 3.0),
    "exafs": k_edge(exafs, 7062, 7662, 601, 1.5),
}
CALIBRATION = {
    "gaussians": Family(gaussians, np.linspace(8280, 8460, 361), 1.5, (8318.0, 8373.0), NI_K_EV),
    "three pre-edge lines": Family(
        triple_pre_edge, np.linspace(4920, 5080, 401), 0.9, (4960.0, 4995.0), TI_K_EV
    ),
    "M4,5": Family(multiplet, np.linspace(865, 925, 301), 0.8, (878.0, 912.0)),
    "random process": Family(
        random_process, np.linspace(0.0, 200.0, 401), 2.0, (0.0, 200.0), analysed=False
    ),
}
