"""Micro-absorption: what grains of unknown size may do to the weights of a mixture.

A coarse grain of a strong absorber shades itself, so its phase seems to be less than it is
(Brindley 1945, Phil. Mag. 36, 347).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from materialsdock.model import FloatArray, Structure
from materialsdock.techniques.xrd.model import Doubt, Fit
from materialsdock.techniques.xrd.rietveld.absorption import Absorber, absorber, corrected
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of

SOURCE = "grain size"
GRAINS_UM = (1.0, 10.0)  # diameters that grinding leaves, where none is given
NODES = 3  # per phase, of Gauss-Legendre in ln(diameter)
GIVEN = 0.3  # in ln of a size that is given: what shapes and spread of sizes leave in doubt
FINE = 0.1  # µ times diameter, up to which Brindley's treatment was derived
TAU = ".brindley_tau"


def doubt(fit: Fit, structures: Sequence[Structure], wavelength_angstrom: float) -> Doubt | None:
    """The doubt of the weights [wt%] for grains that nobody measured, or measured roughly.

    None where there is one phase.  Without sizes the fit stays as it is: a size that nobody
    measured is no correction.  The doubt is then the rms change over sizes of each phase that are
    equally likely per decade in GRAINS_UM, independent of each other.
    """
    if len(fit.phases) < 2:
        return None
    absorbers = [absorber(crystal_of(s), wavelength_angstrom) for s in structures]
    if all(s.particle_um is not None for s in structures):
        return _of_given(fit, structures, absorbers)
    percent = np.array([phase.weight_fraction for phase in fit.phases])
    moved, weights = _moves(percent, absorbers)
    covariance = (weights[:, None] * moved).T @ moved
    return Doubt(
        SOURCE,
        _named(fit, np.sqrt(np.diag(covariance))),
        _sentence(fit, percent, absorbers),
        _rows(covariance),
    )


def _moves(percent: FloatArray, absorbers: Sequence[Absorber]) -> tuple[FloatArray, FloatArray]:
    """(m, k) changes of the weights [wt%] with sizes of all phases, and (m,) their chances."""
    low, high = np.log(GRAINS_UM)
    node, share = np.polynomial.legendre.leggauss(NODES)
    sizes = np.exp((low + high) / 2 + node * (high - low) / 2)
    diameters = np.array(list(itertools.product(sizes, repeat=percent.size)))
    likely = np.array([np.prod(s) for s in itertools.product(share / 2, repeat=percent.size)])
    return corrected(percent, absorbers, diameters) - percent, likely


def _sentence(fit: Fit, percent: FloatArray, absorbers: Sequence[Absorber]) -> str:
    """Say by how much equal grains would move the weights; "" where counting alone does more."""
    names = [phase.name for phase in fit.phases]
    moves = [
        corrected(percent, absorbers, np.full(percent.size, size)) - percent for size in GRAINS_UM
    ]
    esds = [phase.weight_fraction_esd or 0.0 for phase in fit.phases]
    if not any(abs(move) > esd for move, esd in zip(moves[-1], esds, strict=True)):
        return ""
    said = " and ".join(
        ", ".join(f"{name} {move:+.1f}" for name, move in zip(names, row, strict=True))
        + f" wt% with grains of {size:g} µm"
        for row, size in zip(moves, GRAINS_UM, strict=True)
    )
    return (
        f"grain sizes are not given: micro-absorption would correct {said}; "
        "give --particle-size NAME=MICROMETRES for each phase"
    )


def _of_given(fit: Fit, structures: Sequence[Structure], absorbers: Sequence[Absorber]) -> Doubt:
    """The doubt of sizes that are each known to GIVEN, and the correction that was made.

    Each size is wrong by itself, so that a weight is in doubt also where the corrections of two
    phases cancel in it.
    """
    value = {p.name: p.value for p in fit.parameters}
    tau = np.array([value.get(f"{phase.name}{TAU}", 1.0) for phase in fit.phases])
    percent = np.array([phase.weight_fraction for phase in fit.phases])
    before = percent * tau / (percent * tau).sum() * percent.sum()
    moved = percent - before
    said = ", ".join(
        f"{phase.name} {move:+.1f} ({structure.particle_um:g} µm)"
        for phase, move, structure in zip(fit.phases, moved, structures, strict=True)
    )
    coarse = [
        f"{structure.name} ({1e-4 * a.mu_per_cm * (structure.particle_um or 0.0):.2f})"
        for a, structure in zip(absorbers, structures, strict=True)
        if 1e-4 * a.mu_per_cm * (structure.particle_um or 0.0) > FINE
    ]
    said = f"corrected for micro-absorption: {said} wt%"
    if coarse:
        said += (
            f"; µ times diameter is above {FINE:g}, where the correction is rough, for "
            f"{', '.join(coarse)}"
        )
    sizes = np.array([structure.particle_um or 0.0 for structure in structures])
    off = GIVEN * np.eye(sizes.size)
    larger, smaller = (corrected(before, absorbers, sizes * np.exp(o)) for o in (off, -off))
    moves = (larger - smaller) / 2
    covariance = moves.T @ moves
    return Doubt(SOURCE, _named(fit, np.sqrt(np.diag(covariance))), said, _rows(covariance))


def _named(fit: Fit, values: FloatArray) -> dict[str, float]:
    return {
        f"{phase.name}.weight_fraction": float(value)
        for phase, value in zip(fit.phases, values, strict=True)
    }


def _rows(covariance: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in covariance.tolist())
