"""The answer of rietx, in our words; nothing here needs the engine itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Parameter
from materialsdock.techniques.xrd.model import Correlation, Fit, PhaseFit
from materialsdock.techniques.xrd.rietveld import rfactors
from materialsdock.techniques.xrd.rietveld.limits import violations

CELL = {"a": "Å", "b": "Å", "c": "Å", "alpha": "deg", "beta": "deg", "gamma": "deg"}
WORDS = {"zero_shift": "zero", "occ": "occupancy", "r": "preferred_orientation"}
UNITS = {"zero": "deg", "sample_displacement": "mm", "x": "deg", "y": "deg"}
UNITS |= {"lor_size": "deg", "lor_strain": "deg"}
UNITS |= dict.fromkeys("uvw", "deg²")
# What the engine notes of sample and data, in words for whoever measured them.
SENTENCES = {
    "PATTERN_UNDERSAMPLED": "fewer than 5 steps lie across a peak's width: measure finer steps",
    "BISO_UNUSUALLY_LARGE": "a Biso is unusually large: disorder, a wrong element or absorption",
    "SIZE_UNUSUALLY_SMALL": "crystallites come out unusually small",
    "STRAIN_UNUSUALLY_LARGE": "strain comes out unusually large",
    "DATA_SUPPORT_LOW": "there are few reflections for so many parameters",
    "PHASE_UNCONSTRAINED": "the pattern says little of one of the phases",
    "LOW_ANGLE_UNMODELLED": "low angles are not described: scatter of air, or the beam's footprint",
    "PEAK_ASYMMETRY_UNMODELLED": "peaks are less symmetric than the fit allows",
}


def answered(
    pattern: Pattern,
    phases: Sequence[Any],
    result: Any,
    recipe: Mapping[str, Any],
    start_cells: Mapping[str, Mapping[str, float]],
    engine: str,
) -> Fit:
    """The engine's answer in our words; `seconds` and Python warnings are added by the caller."""
    y_calc = np.asarray(result.y_calc, dtype=float)
    if y_calc.shape != pattern.intensity.shape or not np.isfinite(y_calc).all():
        raise ModelFault(
            f"rietx answered {y_calc.size} of {pattern.intensity.size} points, "
            f"{np.count_nonzero(~np.isfinite(y_calc))} of them not finite"
        )
    y, sigma = pattern.intensity, pattern.sigma
    n_free = sum(p.vary for p in result.parameters)
    rwp, r_exp = rfactors.weighted_profile(y, y_calc, sigma), rfactors.expected(y, sigma, n_free)
    fits, parameters = _phase_fits(phases, result), tuple(_parameters(phases, result))
    noted = [d for d in result.diagnostics if d.level != "info"]
    return Fit(
        rwp=rwp,
        r_exp=r_exp,
        gof=rwp / r_exp,
        n_points=y.size,
        n_free=n_free,
        phases=fits,
        parameters=parameters,
        y_calc=y_calc,
        y_background=np.asarray(result.y_background, dtype=float),
        ticks={name: np.unique(np.asarray(at, dtype=float)) for name, at in result.ticks.items()},
        recipe=dict(recipe),
        engine=engine,
        seconds=0.0,
        warnings=tuple(dict.fromkeys(SENTENCES[d.code] for d in noted if d.code in SENTENCES)),
        remarks=tuple(f"{d.code}: {d.message}" for d in noted if d.code not in SENTENCES),
        violations=violations(pattern.two_theta, parameters, fits, start_cells),
        correlations=tuple(_correlations(phases, result)),
        esd_inflation=result.statistics.esd_inflation,
    )


def _esd(row: Any) -> float | None:
    """NaN for a refined parameter whose esd the engine could not estimate."""
    if row.stderr is not None:
        return float(row.stderr)
    return float("nan") if row.vary else None


def _phase_fits(phases: Sequence[Any], result: Any) -> tuple[PhaseFit, ...]:
    rows = {row.path: row for row in result.parameters}
    shares = {q.name: q for q in result.qpa.phases} if result.qpa else {}
    agreement = {row.name: row.r_bragg for row in result.phase_agreement}
    fits = []
    for index, phase in enumerate(phases):
        cell = {}
        for key, unit in CELL.items():
            row = rows.get(f"phases.{index}.cell.{key}")
            value = getattr(phase.cell, key).value if row is None else row.value
            cell[key] = Parameter(key, float(value), None if row is None else _esd(row), unit)
        share = shares.get(phase.name)
        if share is None or share.weight_fraction is None:
            raise ModelFault(
                f"no weight fraction for {phase.name}: it has no reflection in the range"
            )
        esd = share.weight_fraction_stderr if len(phases) > 1 else None
        percent = 100 * _fraction(share), None if esd is None else 100 * esd
        bragg = agreement.get(phase.name)
        fits.append(
            PhaseFit(
                phase.name,
                phase.space_group,
                cell,
                *percent,
                r_bragg=None if bragg is None else 100 * float(bragg),
            )
        )
    return tuple(fits)


def _fraction(share: Any) -> float:
    """Return a phase's weight fraction (0 to 1), corrected for micro-absorption where it can be
    (Brindley 1945, Phil. Mag. 36, 347).
    """
    after = share.weight_fraction_corrected
    return float(share.weight_fraction if after is None else after)


def weight_covariance(
    result: Any, scales: FloatArray | None
) -> tuple[tuple[float, ...], ...] | None:
    """(k, k) covariance of the weight fractions [wt%²], of the scales' full covariance (k, k).

    W = S·ZMV/Σ, so ∂W_i/∂S_j = (ZMV_i δ_ij − W_i ZMV_j)/Σ (Hill & Howard 1987).  None where the
    engine withholds an esd; a correction for micro-absorption is taken as exact.
    """
    shares = result.qpa.phases if result.qpa else []
    if scales is None or any(share.weight_fraction_stderr is None for share in shares):
        return None
    zmv = np.array([share.zmv / (share.brindley_tau or 1.0) for share in shares])
    total = sum(share.scale * z for share, z in zip(shares, zmv, strict=True))
    fractions = np.array([_fraction(share) for share in shares])
    slopes = 100 * (np.diag(zmv) - np.outer(fractions, zmv)) / total
    return tuple(tuple(row) for row in (slopes @ scales @ slopes.T).tolist())


def with_covariance(fit: Fit, covariance: tuple[tuple[float, ...], ...] | None) -> Fit:
    """The fit with the covariance of its weight fractions, and the esds that are its diagonal."""
    if covariance is None or len(fit.phases) < 2:
        return fit
    esds = [math.sqrt(max(row[i], 0.0)) for i, row in enumerate(covariance)]
    phases = [replace(p, weight_fraction_esd=e) for p, e in zip(fit.phases, esds, strict=True)]
    return replace(fit, phases=tuple(phases), weight_covariance=covariance)


def _correlations(phases: Sequence[Any], result: Any) -> Iterator[Correlation]:
    """The strongest pairs, as the engine lists them."""
    for pair in result.identifiability.top_correlations if result.identifiability else ():
        first, second = (name_of(path.split("."), phases) for path in (pair.path_a, pair.path_b))
        yield Correlation(first, second, float(pair.rho))


def _parameters(phases: Sequence[Any], result: Any) -> Iterator[Parameter]:
    """Every parameter but the cells, which are in the phases, and internal shifts of sites.

    What micro-absorption leaves of a phase's intensity (brindley_tau) where its grains are known.
    """
    for row in result.parameters:
        words = row.path.split(".")
        if "cell" in words or "dof" in words:
            continue
        name = name_of(words, phases)
        unit = "Å²" if name.endswith(".biso") else UNITS.get(name.rsplit(".", 1)[-1], "")
        yield Parameter(name, float(row.value), _esd(row), unit)
    for share in result.qpa.phases if result.qpa else ():
        if share.brindley_tau is not None:
            yield Parameter(f"{share.name}.brindley_tau", float(share.brindley_tau), None, "")


def name_of(words: Sequence[str], phases: Sequence[Any]) -> str:
    """Our name for a path of the engine: phases.0.atoms.1.occ is corundum.O1.occupancy."""
    last = WORDS.get(words[-1], words[-1])
    if "dof" in words:
        phase = phases[int(words[1])]
        return f"{phase.name}.{phase.atoms[int(words[3])].label}.shift{words[-1]}"
    if "surface_roughness" in words:
        return f"roughness_{last}"
    if "lines" in words:
        return "kalpha2_weight" if words[-2] == "1" else f"line_{words[-2]}_{last}"
    if "atoms" in words:
        phase = phases[int(words[1])]
        return f"{phase.name}.{phase.atoms[int(words[3])].label}.{last}"
    if words[0] == "phases":
        return f"{phases[int(words[1])].name}.{last}"
    return f"background.{last}" if "background" in words else last
