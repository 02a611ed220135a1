"""Simulated mixtures with what spoils weight fractions and cells in laboratories, truth known.

Drawn for each: two to four of eleven phases with weights, cells and coordinates a little off the
claimed CIFs, grains of 1 to 10 µm of each phase (Brindley 1945), texture, sizes of crystallites
that one Lorentzian width does not describe, zero and height of the sample, a background with or
without a hump, counts.  Calculated by materialsdock.testing.planted_powder, not by the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import gemmi
import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.testing import planted_powder as model
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, YTTRIA, ZINCITE, cif

GRID = np.arange(20.0, 95.0, 0.04)
CU = Diffractometer()
ELECTRON_RADIUS_ANGSTROM = 2.8179403e-5
LEAST_WT = 4.0
GRAINS_UM = (1.0, 10.0)
COORDINATE_OFF = 1e-3  # of a free coordinate
CELL_OFF = 1e-3
REACH_WIDTHS = 25.0
BROAD_SHARE, BROAD_TIMES = 0.3, 2.5  # of a phase's crystallites, in Lorentzian widths

RUTILE = cif(
    "rutile",
    "P 42/m n m",
    136,
    (4.5937, 4.5937, 2.9587),
    [("Ti1", "Ti", 0, 0, 0), ("O1", "O", 0.3048, 0.3048, 0)],
)
HALITE = cif(
    "halite",
    "F m -3 m",
    225,
    (5.6402,) * 3,
    [("Na1", "Na", 0, 0, 0), ("Cl1", "Cl", 0.5, 0.5, 0.5)],
)
QUARTZ = cif(
    "quartz",
    "P 32 2 1",
    154,
    (4.9134, 4.9134, 5.4052),
    [("Si1", "Si", 0.4699, 0, 0.666667), ("O1", "O", 0.4141, 0.2681, 0.785367)],
    gamma=120,
)
HAEMATITE = cif(
    "haematite",
    "R -3 c :H",
    167,
    (5.0356, 5.0356, 13.7489),
    [("Fe1", "Fe", 0, 0, 0.3553), ("O1", "O", 0.3059, 0, 0.25)],
    gamma=120,
)
CALCITE = cif(
    "calcite",
    "R -3 c :H",
    167,
    (4.9896, 4.9896, 17.061),
    [("Ca1", "Ca", 0, 0, 0), ("C1", "C", 0, 0, 0.25), ("O1", "O", 0.2568, 0, 0.25)],
    gamma=120,
)
PERICLASE = cif(
    "periclase",
    "F m -3 m",
    225,
    (4.2112,) * 3,
    [("Mg1", "Mg", 0, 0, 0), ("O1", "O", 0.5, 0.5, 0.5)],
)
PHASES = (
    CORUNDUM,
    ZINCITE,
    FLUORITE,
    LAB6,
    YTTRIA,
    RUTILE,
    HALITE,
    QUARTZ,
    HAEMATITE,
    CALCITE,
    PERICLASE,
)
# free coordinates (site, axes that move together), and the axis along which a phase is oriented
FREE = {
    "corundum": ((0, "z"), (1, "x")),
    "haematite": ((0, "z"), (1, "x")),
    "calcite": ((2, "x"),),
    "zincite": ((1, "z"),),
    "LaB6": ((1, "x"),),
    "rutile": ((1, "xy"),),
    "quartz": ((0, "x"), (1, "x"), (1, "y"), (1, "z")),
}
CLEAVAGE = {"fluorite": (1, 1, 1), "calcite": (1, 0, 4), "rutile": (1, 1, 0), "quartz": (1, 0, 1)}
BASAL = ("corundum", "zincite", "haematite")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A pattern, what is claimed of it, and the truth: weights [wt%], cells, grains [µm]."""

    pattern: Pattern
    claimed: tuple[Structure, ...]
    weights: dict[str, float]
    cells: dict[str, dict[str, float]]
    grains_um: dict[str, float]


def drawn(seed: int, *, counting: float = 1.0) -> Drawn:
    """The mixture of a seed; counting : share of the counting time."""
    random = np.random.default_rng((13, seed))
    number = int(random.choice([2, 3, 3, 4]))
    claimed = tuple(PHASES[i] for i in random.choice(len(PHASES), number, replace=False))
    weights = LEAST_WT + (100 - number * LEAST_WT) * random.dirichlet(np.ones(number))
    crystals = [_real(structure, random) for structure in claimed]
    grains = np.exp(random.uniform(*np.log(GRAINS_UM), size=number))
    tau = micro_absorption(crystals, weights, grains)
    place = {
        "zero": float(random.uniform(-0.03, 0.03)),
        "displacement_mm": float(random.uniform(-0.15, 0.15)),
    }
    rate = np.zeros(GRID.size)
    for structure, crystal, weight in zip(claimed, crystals, weights * tau, strict=True):
        rate += model.weight_scale(crystal, weight) * _curve(structure, crystal, random, place)
    counts = np.exp(random.uniform(np.log(4e3), np.log(4e4))) * rate / rate.max()
    counts = random.poisson((counts + _background(random)) * counting).astype(float)
    pattern = Pattern(GRID, counts, np.sqrt(np.maximum(counts, 1)), np.ones(GRID.size))
    names = [structure.name for structure in claimed]
    return Drawn(
        pattern,
        claimed,
        dict(zip(names, weights.tolist(), strict=True)),
        {n: dict(zip("abc", c.cell.parameters[:3], strict=True)) for n, c in _zip(names, crystals)},
        dict(zip(names, grains.tolist(), strict=True)),
    )


def _zip(names: Sequence[str], crystals: Sequence[gemmi.SmallStructure]):
    return zip(names, crystals, strict=True)


def _real(structure: Structure, random: np.random.Generator) -> gemmi.SmallStructure:
    """The crystal as it is in the sample: its cell, coordinates and Biso off the claimed ones."""
    crystal = model.crystal_of(structure)
    factor = 1 + random.uniform(-CELL_OFF, CELL_OFF)
    a, b, c, *angles = crystal.cell.parameters
    crystal.cell.set(factor * a, factor * b, factor * c, *angles)
    for index, axes in FREE.get(structure.name, ()):
        site, shift = crystal.sites[index], random.uniform(-COORDINATE_OFF, COORDINATE_OFF)
        moved = {axis: getattr(site.fract, axis) + shift for axis in axes}
        now = {axis: moved.get(axis, getattr(site.fract, axis)) for axis in "xyz"}
        site.fract = gemmi.Fractional(now["x"], now["y"], now["z"])
    common = random.uniform(0.25, 0.8)
    for site in crystal.sites:
        site.u_iso = float(common * random.uniform(0.8, 1.25)) / (8 * np.pi**2)
    return crystal


def micro_absorption(
    crystals: Sequence[gemmi.SmallStructure], weights: np.ndarray, grains_um: np.ndarray
) -> np.ndarray:
    """(k,) what is left of each phase's intensity, of that in fine grains (Brindley 1945)."""
    mu = np.array([absorption_per_cm(crystal) for crystal in crystals])
    volumes = weights / np.array([density(crystal) for crystal in crystals])
    mean = float(mu @ volumes / volumes.sum())
    u = (mu - mean) * grains_um * 1e-4
    return 3 * (2 - np.exp(-u) * (u * u + 2 * u + 2)) / u**3


def absorption_per_cm(crystal: gemmi.SmallStructure) -> float:
    """Linear absorption coefficient µ = 2 r_e λ Σf''/V [1/cm]."""
    wavelength = CU.wavelengths_angstrom[0]
    energy = model.HC_EV_ANGSTROM / wavelength
    total = sum(
        atom.occ * gemmi.cromer_liberman(z=atom.element.atomic_number, energy=energy)[1]
        for atom in crystal.get_all_unit_cell_sites()
    )
    return 2e8 * ELECTRON_RADIUS_ANGSTROM * wavelength * total / crystal.cell.volume


def density(crystal: gemmi.SmallStructure) -> float:
    """g/cm³."""
    mass = sum(atom.occ * atom.element.weight for atom in crystal.get_all_unit_cell_sites())
    return mass / crystal.cell.volume / 0.602214076


def _curve(
    structure: Structure,
    crystal: gemmi.SmallStructure,
    random: np.random.Generator,
    place: dict[str, float],
) -> np.ndarray:
    """(n,) the pattern at scale 1: crystallites of two sizes, oriented along the usual axis."""
    sharp = model.PlantedProfile(
        u=2e-3,
        v=-2e-3,
        w=2.5e-3,
        x=float(random.uniform(0.02, 0.12)),
        y=float(random.uniform(0.0, 0.1)),
        **place,
    )
    broad = replace(sharp, x=BROAD_TIMES * sharp.x)
    strongly = random.random() < 0.3
    spread = 0.12 if strongly else 0.03
    march = float(np.exp(random.normal(0.0, spread)))
    axis = CLEAVAGE.get(structure.name, (0, 0, 1))
    y = np.zeros(GRID.size)
    d_min = CU.wavelengths_angstrom[0] / 2 / np.sin(np.radians(GRID[-1] + 1) / 2)
    listed = model.reflections(crystal, CU.wavelengths_angstrom[0], d_min)
    strength = listed.strength * textures(crystal, d_min, axis, march)
    for wavelength, weight in zip(CU.wavelengths_angstrom, CU.weights, strict=True):
        seen = listed.d > wavelength / 2
        theta, at = model.positions(listed.d[seen], wavelength, sharp, CU.radius_mm)
        area = weight * strength[seen] * model.lorentz_polarisation(theta, CU.polarization)
        for t, where, height in zip(theta, at, area, strict=True):
            low, high = np.searchsorted(GRID, (where - 6.0, where + 6.0))
            apart = GRID[low:high] - where
            y[low:high] += height * (1 - BROAD_SHARE) * model.pseudo_voigt(apart, t, sharp)
            y[low:high] += height * BROAD_SHARE * model.pseudo_voigt(apart, t, broad)
    return y


def textures(
    crystal: gemmi.SmallStructure, d_min: float, axis: tuple[int, int, int], r: float
) -> np.ndarray:
    """(k,) ⟨(r²cos²α + sin²α/r)^(-3/2)⟩ over equivalents, in the order of `model.reflections`.

    Dollase (1986) J. Appl. Cryst. 19, 267.
    """
    group = crystal.spacegroup.operations()
    to_cartesian = np.array(crystal.cell.frac.mat.tolist()).T
    normal = to_cartesian @ axis
    factors = []
    for h in gemmi.make_miller_array(crystal.cell, crystal.spacegroup, d_min).tolist():
        if not any(h) or group.is_systematically_absent(h):
            continue
        q = to_cartesian @ np.array([op.apply_to_hkl(h) for op in group.sym_ops]).T
        cos2 = (normal @ q) ** 2 / (normal @ normal) / (q**2).sum(axis=0)
        factors.append(np.mean((r**2 * cos2 + (1 - cos2) / r) ** -1.5))
    return np.array(factors)


def _background(random: np.random.Generator) -> np.ndarray:
    """(n,) counts: a level, its rise to low angles, and in a third of the mixtures a hump."""
    level = random.uniform(60, 250)
    rate = level * (1 + random.uniform(0.2, 1.0) * np.exp(-(GRID - GRID[0]) / 25))
    if random.random() < 1 / 3:
        width = random.uniform(4.0, 9.0)
        rate += (
            level
            * random.uniform(0.2, 1.0)
            * np.exp(-(((GRID - random.uniform(22, 32)) / width) ** 2) / 2)
        )
    return rate
