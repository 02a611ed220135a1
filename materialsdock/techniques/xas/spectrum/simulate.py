"""A physical model of a K-edge spectrum, for demonstrations and tests."""

from __future__ import annotations

import numpy as np

from materialsdock.model import FloatArray

EV_PER_INVERSE_ANGSTROM_SQUARED = 3.8099821  # ħ²/2m


def simulate_xanes(
    energy_ev: FloatArray,
    *,
    e0_ev: float = 7112.0,
    edge_step: float = 1.0,
    core_hole_ev: float = 1.25,
    pre_edge_peak: float = 0.07,
    white_line: float = 0.55,
    distance_angstrom: float = 1.98,
) -> FloatArray:
    """µ (m,) of an oxide: Victoreen background, arctan edge, pre-edge peak, white line, EXAFS.

    background 0.4 (e0/E)³; edge 1/2 + arctan(2 (E−e0−8) / (2 Γ)) / π Γ the core-hole
    width [eV]; Gaussian 1s→3d peak 1.5 eV above e0; white line 12 eV above e0; one shell
    −A sin(2kR + φ) exp(−2 k² σ²) / k beyond 20 eV, faded in smoothly.
    """
    relative = np.asarray(energy_ev, dtype=float) - e0_ev
    background = 0.4 * (e0_ev / energy_ev) ** 3
    edge = 0.5 + np.arctan((relative - 8.0) / core_hole_ev) / np.pi
    peak = pre_edge_peak * np.exp(-0.5 * ((relative - 1.5) / 0.8) ** 2)
    line = white_line * np.exp(-0.5 * ((relative - 12.5) / 2.6) ** 2)
    k = np.sqrt(np.maximum(relative - 8.0, 1e-9) / EV_PER_INVERSE_ANGSTROM_SQUARED)
    fade = 1.0 / (1.0 + np.exp(-(relative - 22.0) / 3.0))
    wave = np.sin(2 * k * distance_angstrom + 0.6) * np.exp(-2 * (0.09 * k) ** 2) / np.maximum(k, 1)
    return np.asarray(background + edge_step * (edge + peak + line - 0.35 * fade * wave))
