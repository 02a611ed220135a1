"""Linear absorption of crystals, and what it takes from the intensity of coarse grains.

Photoelectric absorption only, from f'' (Cromer & Liberman 1970, J. Chem. Phys. 53, 1891): some
per cent below tabulated totals at Cu Kα.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gemmi
import numpy as np

from materialsdock.model import FloatArray

ELECTRON_RADIUS_ANGSTROM = 2.8179403e-5
EV_ANGSTROM = 12398.4198
PER_CM = 1e8  # 1/Å in 1/cm
DENSITY = 1.66053907  # u/Å³ in g/cm³
STEPS, CONVERGED = 100, 1e-10


@dataclass(frozen=True)
class Absorber:
    """A phase: µ [1/cm] at the wavelength, density [g/cm³]."""

    mu_per_cm: float
    density_g_cm3: float


def absorber(crystal: gemmi.SmallStructure, wavelength_angstrom: float) -> Absorber:
    """µ = 2 r_e λ Σf''/V and the density of a crystal."""
    energy = EV_ANGSTROM / wavelength_angstrom
    atoms = crystal.get_all_unit_cell_sites()
    volume = crystal.cell.volume
    f2 = sum(
        a.occ * gemmi.cromer_liberman(z=a.element.atomic_number, energy=energy)[1] for a in atoms
    )
    mass = sum(a.occ * a.element.weight for a in atoms)
    mu = 2 * ELECTRON_RADIUS_ANGSTROM * wavelength_angstrom * f2 / volume * PER_CM
    return Absorber(float(mu), float(DENSITY * mass / volume))


def left_of_intensity(x: FloatArray) -> FloatArray:
    """τ of spheres of radius R with x = (µ − µ̄)R (any shape); Brindley (1945) Phil. Mag. 36, 347.

    The beam goes in and out along one chord: τ = 3[2 − e⁻ᵘ(u² + 2u + 2)]/u³, u = 2x; within 1 % of
    Brindley's table up to |x| = 0.1.
    """
    u = 2 * np.asarray(x, dtype=float)
    small = np.abs(u) < 0.05
    far = np.where(small, 1.0, u)
    closed = 3 * (2 - np.exp(-far) * (far * far + 2 * far + 2)) / far**3
    series = 1 + u * (-0.75 + u * (0.3 + u * (-1 / 12 + u / 56)))
    return np.asarray(np.where(small, series, closed))


def corrected(
    percent: FloatArray, absorbers: Sequence[Absorber], diameters_um: FloatArray
) -> FloatArray:
    """Weights [wt%] (..., k) with what absorption in grains took from each phase given back.

    percent : (k,) as intensities say; diameters_um : (..., k)
    W'_i = (W_i/τ_i)/Σ(W_j/τ_j), µ̄ being the mean over volumes of W', so it is repeated until
    nothing moves.
    """
    mu = np.array([a.mu_per_cm for a in absorbers])
    density = np.array([a.density_g_cm3 for a in absorbers])
    radius_cm = np.asarray(diameters_um, dtype=float) * 0.5e-4
    start = np.asarray(percent, dtype=float)
    now = np.broadcast_to(start, radius_cm.shape)
    for _ in range(STEPS):
        volume = now / density
        mean = (volume * mu).sum(axis=-1, keepdims=True) / volume.sum(axis=-1, keepdims=True)
        given = start / left_of_intensity((mu - mean) * radius_cm)
        last, now = now, start.sum() * given / given.sum(axis=-1, keepdims=True)
        if np.abs(now - last).max() < CONVERGED:
            break
    return np.asarray(now)
