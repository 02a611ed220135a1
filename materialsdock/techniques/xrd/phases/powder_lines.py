"""Powder lines of a crystal by kinematic theory, on gemmi's structure factors alone.

A phase of weight W scatters S·m·|F|²·LP with S = W/(ZM·V) (Hill & Howard 1987, J. Appl. Cryst.
20, 467), so lines are kept as m·|F|²/(ZM·V): per unit weight, whatever the radiation, and the
scale of a profile is a weight.
"""

from __future__ import annotations

import math

import gemmi
import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Diffractometer

D_MIN_ANGSTROM = 0.79
MOST_REFLECTIONS = 4000
MOST_LINES = 600
MOST_WORK = 30_000_000
SAME_D = 2e-5
GAUSSIAN_SHARE = 0.5


def powder_lines(crystal: gemmi.SmallStructure, weight_u: float) -> tuple[FloatArray, FloatArray]:
    """d [Å] (k,), longest first, and intensity per weight m·|F|²/(ZM·V) [e²/(u·Å³)] (k,).

    crystal : its occupancies crystallographic; weight_u : of the unit cell [u]
    Down to D_MIN_ANGSTROM, or less far for a large cell, so that the work is bounded.
    """
    group = crystal.spacegroup.operations()
    hkl = gemmi.make_miller_array(crystal.cell, crystal.spacegroup, _shortest(crystal, group))
    hkl = hkl[~np.asarray(group.systematic_absences(hkl), dtype=bool)]
    d = np.asarray(crystal.cell.calculate_d_array(hkl), dtype=float)
    factors = gemmi.StructureFactorCalculatorX(crystal.cell)
    f2 = np.array([abs(factors.calculate_sf_from_small_structure(crystal, h)) ** 2 for h in hkl])
    d, intensity = _merged(d, f2 * _multiplicities(group, hkl))
    strongest = np.sort(np.argsort(-intensity, kind="stable")[:MOST_LINES])
    return d[strongest], intensity[strongest] / (weight_u * crystal.cell.volume)


def _shortest(crystal: gemmi.SmallStructure, group: gemmi.GroupOps) -> float:
    """The d [Å] to which the reflections of this cell can be calculated in bounded time."""
    operations = len(group.sym_ops) * len(group.cen_ops)
    affordable = min(MOST_REFLECTIONS, MOST_WORK // (operations * max(len(crystal.sites), 1)))
    # reflections to d in one asymmetric part, centring counted: 4πV/3d³ over the order
    per_volume = 4 * math.pi * crystal.cell.volume / (3 * operations)
    return max(D_MIN_ANGSTROM, float((per_volume / max(affordable, 10)) ** (1 / 3)))


def _multiplicities(group: gemmi.GroupOps, hkl: np.ndarray) -> FloatArray:
    """(k,) how many reflections of each form coincide in a powder, Friedel mates included."""
    images = np.array([[op.apply_to_hkl(h) for h in hkl.tolist()] for op in group.sym_ops])
    images = np.concatenate([images, -images]) if len(images) else images
    codes = (images.reshape(len(images), -1, 3) + 4096) @ np.array([1 << 28, 1 << 14, 1])
    codes = np.sort(codes, axis=0)
    return np.asarray(1.0 + (np.diff(codes, axis=0) != 0).sum(axis=0))


def _merged(d: FloatArray, intensity: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lines of equal d added up, longest d first, those of no intensity left out."""
    order = np.argsort(-d, kind="stable")
    d, intensity = d[order], intensity[order]
    if not d.size:
        return d, intensity
    starts = np.flatnonzero(np.concatenate([[True], -np.diff(d) > SAME_D * d[:-1]]))
    total = np.add.reduceat(intensity, starts)
    seen = total > 1e-6 * total.max(initial=0.0)
    return d[starts][seen], total[seen]


def positions(d: FloatArray, wavelength_angstrom: float) -> FloatArray:
    """2θ [deg] of lines d [Å] (any shape); NaN beyond 180°."""
    s = wavelength_angstrom / (2 * d)
    return np.asarray(np.degrees(2 * np.arcsin(np.where(s < 1, s, np.nan))))


def lorentz_polarisation(two_theta: FloatArray, polarization: float) -> FloatArray:
    """LP of a powder without monochromator; K = 0.5 unpolarised (any shape)."""
    theta = np.radians(two_theta) / 2
    k = polarization
    return np.asarray(
        (k * np.cos(2 * theta) ** 2 + 1 - k) * 2 / (np.sin(theta) ** 2 * np.cos(theta))
    )


def spread(
    two_theta: FloatArray,
    d: FloatArray,
    intensity: FloatArray,
    diffractometer: Diffractometer,
    fwhm_deg: FloatArray | float,
    *,
    strain: float = 0.0,
    zero_deg: float = 0.0,
) -> FloatArray:
    """The profile (n,) of lines d, intensity (k,) as pseudo-Voigt peaks on `two_theta` (n,) [deg].

    two_theta : evenly stepped; fwhm_deg : a number, or (n,) on the same grid
    strain : relative change of d; zero_deg : added to every position
    """
    profile = np.zeros(two_theta.size)
    step = float(two_theta[1] - two_theta[0])
    widths = np.broadcast_to(np.asarray(fwhm_deg, dtype=float), two_theta.shape)
    pairs = zip(diffractometer.wavelengths_angstrom, diffractometer.weights, strict=True)
    half = round(6 * float(widths.max()) / step)
    offsets = np.arange(-half, half + 1)
    total = sum(diffractometer.weights)
    for wavelength, weight in pairs:
        at = positions(d * (1 + strain), wavelength) + zero_deg
        inside = (at > two_theta[0] - 0.5) & (at < two_theta[-1] + 0.5)
        at, area = at[inside], intensity[inside] * weight / total
        area = area * lorentz_polarisation(at, diffractometer.polarization)
        centre = np.rint((at - two_theta[0]) / step).astype(int)
        width = widths[np.clip(centre, 0, two_theta.size - 1)][:, None]
        index = centre[:, None] + offsets
        away = (two_theta[0] + index * step - at[:, None]) / width
        within = (index >= 0) & (index < two_theta.size)
        shape = area[:, None] * _pseudo_voigt(away) / width
        profile += np.bincount(index[within], shape[within], minlength=two_theta.size)
    return profile


def _pseudo_voigt(x: FloatArray) -> FloatArray:
    """Unit area, x in full widths at half maximum."""
    gaussian = 2 * math.sqrt(math.log(2) / math.pi) * np.exp(-4 * math.log(2) * x**2)
    lorentzian = 2 / (math.pi * (1 + 4 * x**2))
    return np.asarray(GAUSSIAN_SHARE * gaussian + (1 - GAUSSIAN_SHARE) * lorentzian)
