"""Weight fractions of mixtures: weighed ones of the IUCr round robin, and unseen simulated ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gemmi
import numpy as np
import refinement_cases as cases

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.search.search import SearchResult, search
from materialsdock.testing import planted_powder as model
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, YTTRIA, ZINCITE

# The goniometer of the round robin, as its organisers describe it: radius 173 mm and a graphite
# monochromator behind the sample (2θ 26.6°), so that K = 1/(1 + cos² 26.6°).
CPD = Diffractometer(radius_mm=173.0, polarization=0.556)
WEIGHED = {
    "cpd-1e": {"corundum": 55.12, "zincite": 15.25, "fluorite": 29.62},
    "cpd-1g": {"corundum": 31.37, "zincite": 34.21, "fluorite": 34.42},
}
PHASES = (CORUNDUM, ZINCITE, FLUORITE, LAB6, YTTRIA)
GRID = np.arange(15.0, 120.0, 0.03)
OF_EACH = 3
LEAST_WT = 5.0


def weighed(name: str, trials: int, seeds: Sequence[int], workers: int) -> dict[str, Any]:
    """Weight fractions against the weighed ones."""
    pattern, structures = cases.mixture(name)
    result = search(pattern, structures, CPD, trials=trials, seeds=seeds, workers=workers)
    return compared(result, WEIGHED[name])


def unseen(seed: int, trials: int, workers: int, *, spread: bool) -> dict[str, Any]:
    """Weight fractions of a mixture that was drawn, against what was drawn.

    spread : refine with other choices too, for the spread; without, errors are in esds of the fit
    """
    pattern, claimed, truth = drawn(seed)
    result = search(
        pattern, claimed, cases.CU, trials=trials, seeds=(seed,), workers=workers, hold_out=spread
    )
    return {**compared(result, truth), "truth_wt": truth}


def compared(result: SearchResult, truth: dict[str, float]) -> dict[str, Any]:
    """Errors in wt%, and in esds that hold the spread over equally good choices as well."""
    off = {p.name: p.weight_fraction - truth[p.name] for p in result.fit.phases}
    esd = {p.name: p.weight_fraction_esd or 0.0 for p in result.fit.phases}
    spread = result.solutions[0].systematic
    systematic = {name: spread.get(f"{name}.weight_fraction", 0.0) for name in off}
    return {
        "error_wt": off,
        "esd_wt": esd,
        "systematic_wt": systematic,
        "worst_in_combined_esd": max(
            abs(off[name]) / float(np.hypot(esd[name], systematic[name])) for name in off
        ),
        "rms_wt": float(np.sqrt(np.mean(np.square(list(off.values()))))),
        "rwp": result.fit.rwp,
        "phase_widths": result.fit.recipe["phase_widths"],
        "verdict": result.assessment.word,
    }


def drawn(seed: int) -> tuple[Pattern, tuple[Structure, ...], dict[str, float]]:
    """A mixture of three phases as a laboratory would measure it; what is claimed; the truth [wt%].

    Drawn: phases, weights, widths of each phase, Biso of each atom, cells off by up to 0.1 %, a
    slight texture along c that nobody models, displacement, a background, counts.
    """
    random = np.random.default_rng((7, seed))
    claimed = tuple(PHASES[i] for i in random.choice(len(PHASES), OF_EACH, replace=False))
    weights = LEAST_WT + (100 - OF_EACH * LEAST_WT) * random.dirichlet(np.ones(OF_EACH))
    displacement = float(random.uniform(-0.1, 0.1))
    rate = np.zeros(GRID.size)
    for structure, weight in zip(claimed, weights, strict=True):
        profile = model.PlantedProfile(
            u=2e-3,
            v=-2e-3,
            w=2.5e-3,
            x=float(random.uniform(0.02, 0.15)),
            y=float(random.uniform(0.0, 0.12)),
            displacement_mm=displacement,
        )
        crystal = strained(structure, random)
        march = float(random.uniform(0.96, 1.04))
        rate += model.weight_scale(crystal, weight) * curve(crystal, profile, march)
    slope = 1 + random.uniform(0.2, 1.0) * np.exp(-(GRID - GRID[0]) / 25)
    rate = random.uniform(4e3, 2e4) * rate / rate.max() + random.uniform(60, 200) * slope
    counts = random.poisson(rate).astype(float)
    sigma = np.sqrt(np.maximum(counts, 1))
    truth = {s.name: float(w) for s, w in zip(claimed, weights, strict=True)}
    return Pattern(GRID, counts, sigma, np.ones(GRID.size)), claimed, truth


def strained(structure: Structure, random: np.random.Generator) -> gemmi.SmallStructure:
    """The crystal of a structure with other Biso [Å²] and a cell that is a little off."""
    crystal = model.crystal_of(structure)
    factor = 1 + random.uniform(-1e-3, 1e-3)
    a, b, c, *angles = crystal.cell.parameters
    crystal.cell.set(factor * a, factor * b, factor * c, *angles)
    for site in crystal.sites:
        site.u_iso = float(random.uniform(0.2, 0.8)) / (8 * np.pi**2)
    return crystal


def curve(crystal: gemmi.SmallStructure, profile: model.PlantedProfile, march: float) -> np.ndarray:
    """(n,) the pattern at scale 1 with a March-Dollase texture along c*."""
    instrument, y = cases.CU, np.zeros(GRID.size)
    d_min = instrument.wavelengths_angstrom[0] / 2 / np.sin(np.radians(GRID[-1] + 1) / 2)
    listed = model.reflections(crystal, instrument.wavelengths_angstrom[0], d_min)
    strength = listed.strength * textures(crystal, d_min, march)
    for wavelength, weight in zip(instrument.wavelengths_angstrom, instrument.weights, strict=True):
        seen = listed.d > wavelength / 2
        theta, at = model.positions(listed.d[seen], wavelength, profile, instrument.radius_mm)
        lp = model.lorentz_polarisation(theta, instrument.polarization)
        for t, place, area in zip(theta, at, weight * strength[seen] * lp, strict=True):
            y += area * model.pseudo_voigt(GRID - place, t, profile)
    return y


def textures(crystal: gemmi.SmallStructure, d_min: float, r: float) -> np.ndarray:
    """(k,) (r²cos²α + sin²α/r)^(-3/2), mean over equivalent reflections (Dollase 1986).

    J. Appl. Cryst. 19, 267; in the order of planted_powder.reflections.
    """
    group = crystal.spacegroup.operations()
    to_cartesian = np.array(crystal.cell.frac.mat.tolist()).T
    axis = to_cartesian @ (0, 0, 1)
    factors = []
    for h in gemmi.make_miller_array(crystal.cell, crystal.spacegroup, d_min).tolist():
        if not any(h) or group.is_systematically_absent(h):
            continue
        q = to_cartesian @ np.array([op.apply_to_hkl(h) for op in group.sym_ops]).T
        cos2 = (axis @ q) ** 2 / (axis @ axis) / (q**2).sum(axis=0)
        factors.append(np.mean((r**2 * cos2 + (1 - cos2) / r) ** -1.5))
    return np.array(factors)
