"""Background removal: the smooth spline that leaves least below rbkg (AUTOBK).

Newville, Livins, Yacoby, Rehr and Stern, Phys. Rev. B 47, 14126 (1993).  The spline is linear in
its coefficients and so is the Fourier transform: one linear least-squares problem, no iteration.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import BSpline, CubicSpline

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.exafs.fourier import k_grid, partial_transform, window
from materialsdock.techniques.xas.model import Oscillations
from materialsdock.techniques.xas.spectrum.checks import check_curve
from materialsdock.techniques.xas.spectrum.simulate import EV_PER_INVERSE_ANGSTROM_SQUARED

SHORTEST_K = 4.0
RBKG = 1.0
DEGREE, FEWEST_KNOTS = 3, 5
CLAMPED_POINTS, CLAMP = 3, 0.1


def wavenumber(energy_ev: FloatArray, e0_ev: float) -> FloatArray:
    """(n,) k = √((E − E0) 2m/ħ²) [1/Å], 0 below the edge."""
    return np.sqrt(np.maximum(energy_ev - e0_ev, 0.0) / EV_PER_INVERSE_ANGSTROM_SQUARED)


def remove_background(
    energy_ev: FloatArray,
    mu: FloatArray,
    e0_ev: float,
    edge_step: float,
    *,
    rbkg: float = RBKG,
    k_max: float | None = None,
    k_weight: int = 1,
    clamp_low: float = 0.0,
    clamp_high: float = 1.0,
) -> Oscillations:
    """χ(k) of µ (n,) by a cubic spline with 1 + 2 rbkg k_max/π coefficients.

    rbkg : distance [Å] below which everything counts as background
    clamp_low, clamp_high : how strongly χ is held to 0 at its first and last points

    Raises InputError for a bad curve, a step ≤ 0, or fewer than 4 1/Å beyond the edge.
    """
    check_curve(energy_ev, mu)
    above = energy_ev >= e0_ev
    raw = wavenumber(energy_ev[above], e0_ev)
    reach = float(raw[-1]) if raw.size else 0.0
    top = reach if k_max is None else min(k_max, reach)
    if top < SHORTEST_K or raw.size < 2 * FEWEST_KNOTS or not edge_step > 0 or not rbkg > 0:
        raise InputError(
            f"{raw.size} points up to k = {top:.2f} 1/Å, step {edge_step:.3g}, rbkg {rbkg:g} Å",
            where="background",
            remedy=f"measure to at least k = {SHORTEST_K:g} 1/Å beyond a rising edge",
        )
    k = k_grid(top)
    even = CubicSpline(raw, mu[above])(k)
    knots = max(FEWEST_KNOTS, 1 + int(2 * rbkg * top / np.pi))
    basis = _basis(k, knots, top)
    shape = k**k_weight * window(k, 0.0, top, 0.1, "hanning")
    low = partial_transform(k.size, 0.0, rbkg)
    weights = np.zeros(k.size)
    weights[:CLAMPED_POINTS], weights[-CLAMPED_POINTS:] = clamp_low * CLAMP, clamp_high * CLAMP
    rows = np.vstack([low.real * shape, low.imag * shape, np.diag(weights)])
    coefficients, *_ = np.linalg.lstsq(rows @ basis, rows @ even, rcond=None)
    background = mu.astype(float).copy()
    inside = above.copy()
    inside[above] = raw <= top
    background[inside] = _basis(raw[raw <= top], knots, top) @ coefficients
    return Oscillations(
        k, (even - basis @ coefficients) / edge_step, e0_ev, edge_step, rbkg, background
    )


def _basis(k: FloatArray, coefficients: int, top: float) -> FloatArray:
    inner = np.linspace(0.0, top, coefficients - DEGREE + 1)
    knots = np.concatenate([np.zeros(DEGREE), inner, np.full(DEGREE, top)])
    return np.asarray(BSpline.design_matrix(np.minimum(k, top), knots, DEGREE).toarray())
