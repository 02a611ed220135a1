"""A powder pattern calculated from first principles on gemmi's tables, independent of any engine.

Structure factors with IT92 form factors and Cromer-Liberman dispersion, multiplicity, Lorentz and
polarisation factors, emission lines, TCH pseudo-Voigts with Caglioti widths (Thompson, Cox &
Hastings 1987), zero, sample displacement, Biso and a background.  No axial divergence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import gemmi
import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Structure
from materialsdock.techniques.xrd.model import Diffractometer

HC_EV_ANGSTROM = 12398.4198


@dataclass(frozen=True)
class PlantedProfile:
    """Caglioti u, v, w [deg²] and Lorentzian x/cosθ + y·tanθ [deg]; zero [deg], shift [mm]."""

    u: float = 0.0
    v: float = 0.0
    w: float = 2e-3
    x: float = 0.03
    y: float = 0.0
    zero: float = 0.0
    displacement_mm: float = 0.0


@dataclass(frozen=True, eq=False)
class Reflections:
    """(k,) spacing d [Å], multiplicity times |F|² averaged over ±h, and the cell they are of.

    volume : of the cell [Å³]; mass : of its contents [u]
    """

    d: FloatArray
    strength: FloatArray
    volume: float
    mass: float


@dataclass(frozen=True)
class PlantedScene:
    """The planted truth: structures with weights (any unit), instrument, profile, background."""

    mixture: tuple[tuple[Structure, float], ...]
    profile: PlantedProfile = PlantedProfile()
    diffractometer: Diffractometer = field(default_factory=Diffractometer)
    background: tuple[float, ...] = (80.0, -30.0, 10.0)


def crystal_of(structure: Structure) -> gemmi.SmallStructure:
    """The first block of the CIF."""
    return gemmi.make_small_structure_from_block(gemmi.cif.read_string(structure.cif)[0])


def reflections(crystal: gemmi.SmallStructure, wavelength: float, d_min: float) -> Reflections:
    """All reflections down to `d_min` [Å] that the group does not forbid."""
    group = crystal.spacegroup.operations()
    atoms = list(crystal.get_all_unit_cell_sites())
    spots = np.array([a.fract.tolist() for a in atoms])
    hkl = gemmi.make_miller_array(crystal.cell, crystal.spacegroup, d_min)
    wanted = (h for h in hkl.tolist() if any(h) and not group.is_systematically_absent(h))
    hkl = np.array(list(wanted), dtype=int)
    d = crystal.cell.calculate_d_array(hkl)
    stol2 = 1 / (4 * d**2)
    amplitude = _amplitudes(atoms, stol2, HC_EV_ANGSTROM / wavelength)
    phase = np.exp(2j * np.pi * hkl @ spots.T)
    plus = np.abs((amplitude * phase).sum(axis=1)) ** 2
    minus = np.abs((amplitude * phase.conj()).sum(axis=1)) ** 2
    mass = sum(a.occ * a.element.weight for a in atoms)
    strength = _multiplicities(group, hkl) * (plus + minus) / 2
    return Reflections(d, strength, crystal.cell.volume, mass)


def _amplitudes(
    atoms: Sequence[gemmi.SmallStructure.Site], stol2: FloatArray, energy_ev: float
) -> np.ndarray:
    """(k, atoms) occupancy·(f0 + f' + if'')·exp(−B·s²)."""
    columns = []
    for atom in atoms:
        f0 = np.array([atom.element.it92.calculate_sf(s) for s in stol2])
        f1, f2 = gemmi.cromer_liberman(z=atom.element.atomic_number, energy=energy_ev)
        biso = 8 * np.pi**2 * atom.u_iso
        columns.append(atom.occ * (f0 + f1 + 1j * f2) * np.exp(-biso * stol2))
    return np.stack(columns, axis=1)


def _multiplicities(group: gemmi.GroupOps, hkl: np.ndarray) -> np.ndarray:
    counts = []
    for h in hkl.tolist():
        images = [op.apply_to_hkl(h) for op in group.sym_ops]
        counts.append(len({tuple(sign * i for i in k) for k in images for sign in (1, -1)}))
    return np.array(counts)


def positions(
    d: FloatArray, wavelength: float, profile: PlantedProfile, radius_mm: float
) -> tuple[FloatArray, FloatArray]:
    """True θ [rad] and observed 2θ [deg] of spacings `d` (k,) [Å]."""
    theta = np.arcsin(wavelength / (2 * d))
    shift = -2 * profile.displacement_mm / radius_mm * np.cos(theta)
    return theta, np.degrees(2 * theta + shift) + profile.zero


def lorentz_polarisation(theta: FloatArray, k: float) -> FloatArray:
    """[(1 − k) + k·cos²2θ] / (sin²θ·cosθ), k = 0.5 unpolarised."""
    polarised = (1 - k) + k * np.cos(2 * theta) ** 2
    return np.asarray(polarised / (np.sin(theta) ** 2 * np.cos(theta)))


def pseudo_voigt(distance: FloatArray, theta: float, profile: PlantedProfile) -> FloatArray:
    """Profile of unit area at `distance` (n,) [deg] from its centre, TCH mixing."""
    tan, cos = np.tan(theta), np.cos(theta)
    gauss = np.sqrt(max(profile.u * tan**2 + profile.v * tan + profile.w, 1e-12))
    lorentz = max(profile.x / cos + profile.y * tan, 0.0)
    terms = (1.0, 2.69269, 2.42843, 4.47163, 0.07842, 1.0)
    fwhm = sum(c * gauss ** (5 - i) * lorentz**i for i, c in enumerate(terms)) ** 0.2
    q = lorentz / fwhm
    eta = 1.36603 * q - 0.47719 * q**2 + 0.11116 * q**3
    narrow = np.sqrt(4 * np.log(2) / np.pi) / fwhm * np.exp(-4 * np.log(2) * (distance / fwhm) ** 2)
    wide = 2 / (np.pi * fwhm) / (1 + 4 * (distance / fwhm) ** 2)
    return np.asarray(eta * wide + (1 - eta) * narrow)


def lines(
    crystal: gemmi.SmallStructure, scene: PlantedScene, highest_deg: float
) -> list[tuple[float, float, float]]:
    """(θ [rad], observed 2θ [deg], area) of every reflection in every emission line."""
    instrument, found = scene.diffractometer, []
    shortest = min(instrument.wavelengths_angstrom) / 2
    d_min = shortest / np.sin(np.radians(min(highest_deg + 1, 179) / 2))
    # one dispersion for all lines, as their energies differ by a quarter of a per cent
    listed = reflections(crystal, instrument.wavelengths_angstrom[0], d_min)
    pairs = zip(instrument.wavelengths_angstrom, instrument.weights, strict=True)
    for wavelength, weight in pairs:
        seen = listed.d > wavelength / 2
        theta, at = positions(listed.d[seen], wavelength, scene.profile, instrument.radius_mm)
        area = weight * listed.strength[seen]
        area = area * lorentz_polarisation(theta, instrument.polarization)
        found += list(zip(theta.tolist(), at.tolist(), area.tolist(), strict=True))
    return found


def phase_curve(
    crystal: gemmi.SmallStructure, scene: PlantedScene, two_theta: FloatArray
) -> FloatArray:
    """(n,) Σ m·|F|²·LP·profile at scale 1, without background."""
    y = np.zeros(two_theta.size)
    for theta, at, area in lines(crystal, scene, two_theta[-1]):
        y += area * pseudo_voigt(two_theta - at, theta, scene.profile)
    return y


def weight_scale(crystal: gemmi.SmallStructure, weight: float) -> float:
    """Rietveld scale of a weight: W = S·M·V (Hill & Howard 1987)."""
    mass = sum(a.occ * a.element.weight for a in crystal.get_all_unit_cell_sites())
    return weight / (mass * crystal.cell.volume)


def planted(
    scene: PlantedScene,
    *,
    two_theta: FloatArray | None = None,
    counts: float = 4e3,
    seed: int | None = 0,
) -> Pattern:
    """The pattern of a scene; its highest point has `counts` above the background.

    seed : of the counting noise, None for the expected counts; one second per point
    """
    x = np.arange(15.0, 110.0, 0.03) if two_theta is None else two_theta
    y = np.zeros(x.size)
    for structure, weight in scene.mixture:
        crystal = crystal_of(structure)
        y += weight_scale(crystal, weight) * phase_curve(crystal, scene, x)
    span = 2 * (x - x[0]) / (x[-1] - x[0]) - 1
    rate = counts * y / y.max() + np.polynomial.chebyshev.chebval(span, scene.background)
    if seed is not None:
        rate = np.random.default_rng(seed).poisson(rate).astype(float)
    return Pattern(x, rate, np.sqrt(np.maximum(rate, 1)), np.ones(x.size))
