"""The answer of GSAS-II, in our words and units.

GSAS-II's U, V, W are variances in centideg² and its X, Y widths in centideg; ours are squared full
widths and widths in deg.  Its sample shift is in µm, its displacements are U in Å².
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Parameter, Structure
from materialsdock.techniques.xrd.model import Correlation, Fit, PhaseFit
from materialsdock.techniques.xrd.rietveld import rfactors
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.techniques.xrd.rietveld.limits import violations

CELL = {"a": "Å", "b": "Å", "c": "Å", "alpha": "deg", "beta": "deg", "gamma": "deg"}
EIGHT_LN2 = 8 * math.log(2)
BISO_PER_U = 8 * math.pi**2
# GSAS-II's name -> ours, unit, factor
INSTRUMENT = {
    "Zero": ("zero", "deg", 1.0),
    "U": ("u", "deg²", EIGHT_LN2 / 1e4),
    "V": ("v", "deg²", EIGHT_LN2 / 1e4),
    "W": ("w", "deg²", EIGHT_LN2 / 1e4),
    "X": ("x", "deg", 1e-2),
    "Y": ("y", "deg", 1e-2),
    "SH/L": ("axial_sh_l", "", 1.0),
    "I(L2)/I(L1)": ("kalpha2_weight", "", 1.0),
}
STRONG = 0.9
TOP = 5


def answered(
    pattern: Pattern,
    structures: Sequence[Structure],
    said: Mapping[str, Any],
    arrays: Mapping[str, FloatArray],
    recipe: Mapping[str, Any],
) -> Fit:
    """The child's answer as a fit; `seconds` is added by the caller.

    said : answer.json; arrays : y_calc, y_background (n,), ticks_0, ..., covariance (p, p)
    Raises ModelFault for an incomplete answer.
    """
    try:
        esd = dict(zip(said["vary"], map(float, said["sig"]), strict=True))
        parameters = tuple(_parameters(said, structures, recipe, esd))
        phases = _phases(said, structures, arrays["covariance"])
        pairs = tuple(_correlations(said, arrays["covariance"]))
        ticks = {s.name: np.unique(arrays[f"ticks_{i}"]) for i, s in enumerate(structures)}
        engine = f"GSAS-II {said['version']}"
        warnings = () if said["converged"] else ("GSAS-II says that it has not converged",)
    except (LookupError, TypeError, ValueError) as error:
        raise ModelFault(f"GSAS-II left an incomplete answer: {error!r}", where="gsas2") from error
    y, sigma, n_free = pattern.intensity, pattern.sigma, len(esd)
    rwp = rfactors.weighted_profile(y, arrays["y_calc"], sigma)
    r_exp = rfactors.expected(y, sigma, n_free)
    return Fit(
        rwp=rwp,
        r_exp=r_exp,
        gof=rwp / r_exp,
        n_points=y.size,
        n_free=n_free,
        phases=phases,
        parameters=parameters,
        y_calc=arrays["y_calc"],
        y_background=arrays["y_background"],
        ticks=ticks,
        recipe=dict(recipe),
        engine=engine,
        seconds=0.0,
        warnings=warnings,
        violations=violations(pattern.two_theta, parameters, phases, _start_cells(structures)),
        correlations=pairs,
    )


def _known(esd: float | None) -> float | None:
    """None: not refined; NaN: refined, and GSAS-II could give none."""
    if esd is None or (math.isfinite(esd) and esd > 0):
        return esd
    return math.nan


def _parameters(
    said: Mapping[str, Any],
    structures: Sequence[Structure],
    recipe: Mapping[str, Any],
    esd: Mapping[str, float],
) -> Iterator[Parameter]:
    prefix = f":{said['histogram']}:"

    def row(name: str, value: float, key: str, unit: str = "", factor: float = 1.0) -> Parameter:
        error = _known(esd.get(key))
        return Parameter(name, factor * value, None if error is None else factor * error, unit)

    for theirs, (ours, unit, factor) in INSTRUMENT.items():
        if theirs in said["instrument"]:
            yield row(ours, said["instrument"][theirs], prefix + theirs, unit, factor)
    if said["shift"] is not None:
        yield row("sample_displacement", said["shift"], f"{prefix}Shift", "mm", 1e-3)
    for i, term in enumerate(said["background"]):
        yield row(f"background.c{i}", term, f"{prefix}Back;{i}")
    for structure, phase in zip(structures, said["phases"], strict=True):
        name, number = structure.name, phase["number"]
        yield row(f"{name}.scale", phase["scale"], f"{number}{prefix}Scale")
        if structure.preferred_orientation is not None:
            yield row(f"{name}.preferred_orientation", phase["march"], f"{number}{prefix}MD")
        # equal by constraint: only the first one varies, and its esd is that of all
        tied = recipe["displacements"] == "per_phase"
        for i, atom in enumerate(phase["atoms"]):
            site = f"{name}.{atom['label']}"
            for axis, value in zip("xyz", atom["xyz"], strict=True):
                if f"{number}::dA{axis}:{i}" in esd:
                    yield row(f"{site}.{axis}", value, f"{number}::dA{axis}:{i}")
            key = f"{number}::AUiso:{0 if tied else i}"
            yield row(f"{site}.biso", atom["uiso"], key, "Å²", BISO_PER_U)


def _phases(
    said: Mapping[str, Any], structures: Sequence[Structure], covariance: FloatArray
) -> tuple[PhaseFit, ...]:
    fits = []
    shares = _weights(said, covariance)
    for structure, phase, weight in zip(structures, said["phases"], shares, strict=True):
        rows = zip(CELL.items(), phase["cell"], phase["cell_esd"], strict=True)
        cell = {
            key: Parameter(key, float(value), float(esd) if esd > 0 else None, unit)
            for (key, unit), value, esd in rows
        }
        fits.append(PhaseFit(structure.name, str(phase["space_group"]), cell, *weight))
    return tuple(fits)


def _weights(said: Mapping[str, Any], covariance: FloatArray) -> list[tuple[float, float | None]]:
    """Weight fraction and esd [%] of each phase: W ∝ scale·mass of the cell."""
    scale = np.array([phase["scale"] for phase in said["phases"]], dtype=float)
    mass = np.array([phase["mass"] for phase in said["phases"]], dtype=float)
    total = float(mass @ scale)
    if not total > 0:
        raise ValueError(f"scales {scale} and masses {mass}")
    share = mass * scale / total
    names = [f"{phase['number']}:{said['histogram']}:Scale" for phase in said["phases"]]
    if len(names) == 1 or not set(names) <= set(said["vary"]):
        return [(100.0 * float(s), None) for s in share]
    at = [said["vary"].index(name) for name in names]
    slope = (np.eye(len(names)) - share[:, None]) * mass / total
    spread = np.sqrt(np.diag(slope @ covariance[np.ix_(at, at)] @ slope.T))
    return [(100.0 * float(s), 100.0 * float(e)) for s, e in zip(share, spread, strict=True)]


def _correlations(said: Mapping[str, Any], covariance: FloatArray) -> list[Correlation]:
    """The strongest pairs, in GSAS-II's names."""
    sd = np.sqrt(np.diag(covariance))
    rho = np.triu(covariance / np.outer(sd, sd), 1)
    pairs = [(i, j) for i, j in np.argwhere(np.abs(rho) > STRONG)]
    pairs.sort(key=lambda pair: -abs(rho[pair]))
    return [Correlation(said["vary"][i], said["vary"][j], float(rho[i, j])) for i, j in pairs[:TOP]]


def _start_cells(structures: Sequence[Structure]) -> dict[str, dict[str, float]]:
    cells = {}
    for structure in structures:
        cell = crystal_of(structure).cell
        cells[structure.name] = dict(zip(CELL, cell.parameters, strict=True))
    return cells
