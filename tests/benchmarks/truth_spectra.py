"""Spectra with planted edge, step, white line and pre-edge peak, of many elements and lengths.

Two makes of shape, so that what is found on one can be tried on the other: `oxide` is a Voigt step
under Gaussian lines with the waves of damped sines, `metal` a sum of close Fermi steps under
Lorentzian lines with the waves of a FEFF-like path.  Both lie on the absorption of everything else,
which falls with the cube of the energy, and on a drift of the instrument.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.xas_samples import made_path

from materialsdock.model import FloatArray
from materialsdock.techniques.xas.exafs.background import wavenumber
from materialsdock.techniques.xas.spectrum.edge import half_height
from materialsdock.techniques.xas.spectrum.edge_table import Edge, named
from materialsdock.techniques.xas.spectrum.sampling import line_width

EDGES = (
    "Ti K", "Cr K", "Mn K", "Fe K", "Ni K", "Cu K", "Zn K", "As K", "Sr K", "Mo K", "Ce L3", "W L3",
    "Pt L3",
)  # fmt: skip
MONO = 1.4e-4  # dE/E
FIRST_EV, LAST_EV = (60.0, 100.0, 150.0, 200.0), (120.0, 200.0, 300.0, 500.0, 800.0, 1000.0)
NODES, WEIGHTS = np.polynomial.hermite.hermgauss(15)
Curve = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Planted:
    """A spectrum and what was planted in it: µ and its normalised curve, the step of µ.

    peak_ev, peak : place [eV] and height [step] of the pre-edge peak, 0 where there is none
    """

    edge: Edge
    mu: Curve
    flat: Curve
    step: float
    peak_ev: float
    peak: float

    def grid(self, first_ev: float, last_ev: float) -> FloatArray:
        """Lay energies as people scan: coarse, 0.3 eV on the edge, even in k [1/Å] beyond."""
        k_first, k_last = wavenumber(np.array([40.0, last_ev]), 0.0)
        k = np.arange(k_first, k_last, 0.05)
        parts = (np.arange(-first_ev, -20.0, 5.0), np.arange(-20.0, 40.0, 0.3), 3.81 * k**2)
        return self.edge.energy_ev + np.unique(np.round(np.concatenate(parts), 4))

    def seen(self, energy: FloatArray) -> FloatArray:
        """µ (m,) through a monochromator: the mean over what it lets through."""
        sd = MONO * self.edge.energy_ev / 2.3548
        passed = energy[:, None] + np.sqrt(2) * sd * NODES
        return np.asarray(self.mu(passed.ravel()).reshape(passed.shape) @ WEIGHTS / WEIGHTS.sum())

    def numbers(self) -> dict[str, float]:
        """The true numbers, of the sample's own normalised curve on steps of 0.01 eV."""
        energy = self.edge.energy_ev + np.arange(-60.0, 90.0, 0.01)
        flat = self.flat(energy)
        e0 = half_height(energy, flat, float(energy[np.argmax(np.gradient(flat))]))
        behind = (energy >= e0) & (energy <= e0 + 30)
        peak = np.append(
            np.insert((flat[1:-1] >= np.maximum(flat[:-2], flat[2:])), 0, False), False
        )
        top = int(np.argmax(np.where(behind & peak, flat, -np.inf)))
        return {
            "e0": e0,
            "edge_step": self.step,
            "white_line_height": float(flat[top]),
            "white_line_position": float(energy[top]),
        }


def lengths(rng: np.random.Generator) -> tuple[float, float]:
    """How far before and beyond the edge [eV] a scan goes."""
    return float(rng.choice(FIRST_EV)), float(rng.choice(LAST_EV))


def planted(
    make: str,
    rng: np.random.Generator,
    name: str | None = None,
    valence_ev: float | None = None,
    *,
    with_peak: bool = False,
) -> Planted:
    """A spectrum of `make`, "oxide" or "metal".

    name : of the edge, any of EDGES by default; valence_ev : how far its rise is moved [eV]
    with_peak : always a pre-edge peak, not only of K edges and in most cases
    """
    edge = named(name or str(rng.choice(EDGES)))
    at = edge.energy_ev + (rng.uniform(2.0, 14.0) if valence_ev is None else valence_ev)
    width = line_width(edge.core_hole_width_ev, MONO * edge.energy_ev)
    bare = edge.shell != "K" or rng.random() < 0.3
    peak = 0.0 if bare and not with_peak else float(rng.uniform(0.03, 0.4))
    peak_ev = at - rng.uniform(6.0, 9.0)
    shape = (_oxide if make == "oxide" else _metal)(edge, at, width, rng)
    step, ratio = rng.uniform(0.1, 2.0), rng.uniform(0.3, 3.0)
    drift, offset = rng.uniform(-2e-4, 2e-4), rng.uniform(-1.0, 1.0)

    def flat(energy: FloatArray) -> FloatArray:
        x = 2 * (energy - peak_ev) / width
        line = 0.5 / (1 + x**2) + 0.5 * np.exp(-np.log(2) * x**2)
        return np.asarray(shape(energy) + peak * line)

    def mu(energy: FloatArray) -> FloatArray:
        of = energy / edge.energy_ev
        rest = ratio * of**-2.9 + drift * (energy - edge.energy_ev) + offset
        return np.asarray(step * (flat(energy) * of**-2.75 + rest))

    return Planted(edge, mu, flat, float(step), float(peak_ev), peak)


def _oxide(edge: Edge, at: float, width: float, rng: np.random.Generator) -> Curve:
    rise = rng.uniform(0.3, 2.0)
    strongest = 1.2 if edge.shell != "K" else 0.8
    narrow = (rng.uniform(0.0, strongest), rng.uniform(3.0, 10.0), rng.uniform(1.5, 4.0))
    wide = (rng.uniform(-0.05, 0.15), rng.uniform(18.0, 40.0), rng.uniform(4.0, 9.0))
    waves = [
        (rng.uniform(1, 4), rng.uniform(1.8, 2.8) + 0.5 * i, rng.uniform(0, 6), rng.uniform(3, 10))
        for i in range(int(rng.integers(1, 4)))
    ]

    def shape(energy: FloatArray) -> FloatArray:
        x = energy - at
        half = edge.core_hole_width_ev / 2
        steps = 0.5 + np.arctan((x[:, None] - np.sqrt(2) * rise * NODES) / half) / np.pi
        found = steps @ (WEIGHTS / WEIGHTS.sum())
        for height, place, sd in (narrow, wide):
            found = found + height * np.exp(-0.5 * ((x - place) / max(sd, width / 2.35)) ** 2)
        k = wavenumber(energy, at)
        fade = np.exp(-(((k - 5) / 7) ** 2)) / (1 + np.exp(-(x - 22) / 4)) / np.maximum(k, 1)
        for count, distance, phase, sigma in waves:
            size = count * np.exp(-distance / 4 - 2e-3 * sigma * k**2) / distance**2
            found = found + fade * size * np.sin(2 * k * distance + phase)
        return np.asarray(found)

    return shape


def _metal(edge: Edge, at: float, width: float, rng: np.random.Generator) -> Curve:
    shares = rng.dirichlet([2.0, 2.0, 1.0])
    places = np.cumsum(rng.uniform(0.5, 3.0, 3)) - 2.0
    lines = [
        (rng.uniform(0.0, 0.5), rng.uniform(4.0, 8.0), rng.uniform(1.5, 3.0)),
        (rng.uniform(0.0, 0.2), rng.uniform(10.0, 25.0), rng.uniform(3.0, 6.0)),
    ]
    path = made_path(reff=rng.uniform(1.9, 2.6))
    truth = {
        "amplitude": rng.uniform(2.0, 8.0),
        "distance": path.reff + rng.uniform(-0.05, 0.05),
        "sigma2": rng.uniform(0.003, 0.012),
        "e0_shift_ev": rng.uniform(-3.0, 3.0),
    }

    def shape(energy: FloatArray) -> FloatArray:
        x = energy - at
        scale = edge.core_hole_width_ev / 2
        found = np.zeros_like(x)
        for share, place in zip(shares, places, strict=True):
            found = found + share * (0.5 + np.arctan((x - place) / scale) / np.pi)
        for height, place, half in lines:
            found = found + height / (1 + ((x - place) / max(half, width / 2)) ** 2)
        k = wavenumber(energy, at)
        chi = np.where(k > 0.5, path.chi(np.maximum(k, 0.5), **truth), 0.0)
        return np.asarray(found + chi * (1 - np.exp(-((k / 2.4) ** 4))))

    return shape
