"""Optimal design for counts: where a second of counting informs most about a wanted number.

Counts of step i have variance y_i t_i, so their rate has y_i / t_i and the Fisher information of
the parameters is F = Σ t_i j_i j_iᵀ / y_i, j_i = ∂y_i/∂θ.  A wanted number with gradient g has
variance gᵀF⁻¹g, which falls by (aᵀj_i)²/y_i per second at step i, a = F⁻¹g (Elfving 1952 Ann. Math.
Stat. 23, 255; Kiefer & Wolfowitz 1959 ibid. 30, 271).  Several numbers: the sum of their variances.

All functions are pure.  n steps, p parameters, k wanted numbers.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from materialsdock.errors import ModelFault
from materialsdock.model import FloatArray

# of the information in each parameter by itself: flat directions stay finite, others untouched
PRIOR = 1e-8
ROUNDS = 60  # of the multiplicative algorithm: within a few per cent of the optimum
FILLING = 20
SHARES = np.linspace(0.02, 0.98, 49)  # of a pass, tried when less of it may do
LEAST_RATE = 1e-3  # of the mean rate: a model that calculates zero is not believed


def rates(y: FloatArray) -> FloatArray:
    """Calculated rates (n,) [1/s] made fit to be a variance: positive everywhere."""
    return np.asarray(np.maximum(y, LEAST_RATE * max(float(np.mean(y)), 1e-12)))


def information(y: FloatArray, jacobian: FloatArray, seconds: FloatArray) -> FloatArray:
    """Fisher information (p, p) of rates y (n,) with derivatives (n, p) in `seconds` (n,).

    ModelFault when a number is not finite.
    """
    weighted = jacobian * (seconds / rates(y))[:, None]
    found = jacobian.T @ weighted
    if not np.isfinite(found).all():
        raise ModelFault("derivatives of the calculated pattern are not finite", where="fisher")
    return np.asarray(found)


def solve(found: FloatArray, gradient: FloatArray) -> FloatArray:
    """a = F⁻¹g (p, k) for information (p, p) and gradient (p, k).

    Each parameter is given PRIOR of its own information besides; one without any counts as fixed.
    ModelFault when a wanted number hangs on such a one.
    """
    own = np.diag(found)
    free = own > 0
    if gradient[~free].any():
        raise ModelFault("nothing counted so far depends on the wanted quantity", where="fisher")
    scale = np.sqrt(own[free])
    unit = found[np.ix_(free, free)] / np.outer(scale, scale) + PRIOR * np.eye(scale.size)
    a = np.zeros(gradient.shape)
    a[free] = cho_solve(cho_factor(unit), gradient[free] / scale[:, None]) / scale[:, None]
    return a


def esd(found: FloatArray, gradient: FloatArray) -> FloatArray:
    """Standard deviations (k,) of the wanted numbers, √(gᵀF⁻¹g), in their units."""
    variance = np.sum(gradient * solve(found, gradient), axis=0)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def benefit(y: FloatArray, jacobian: FloatArray, a: FloatArray) -> FloatArray:
    """(n,) fall of the wanted variances' sum per second at each step: Σ_k (a_kᵀj_i)²/y_i."""
    return np.asarray(np.sum((jacobian @ a) ** 2, axis=1) / rates(y))


def allocate(
    y: FloatArray,
    jacobian: FloatArray,
    gradient: FloatArray,
    seconds: FloatArray,
    *,
    room: FloatArray,
    width: int,
    budget_s: float,
    quantum_s: float,
    wanted: float = 0.0,
) -> FloatArray:
    """Seconds (n,) per step that lower the wanted variances most, besides `seconds` (n,) counted.

    The multiplicative algorithm of optimal design (Silvey, Titterington & Torsney 1978 Commun.
    Stat. A7, 1379) over cells of `width` steps that are counted alike: at its end no second is
    worth more elsewhere.  Then rounded to multiples of `quantum_s`; no more than `budget_s` [s]
    but for that rounding, and less where less brings every esd to `wanted`.

    room : (n,) most seconds that a step may still get; a cell has as much as its poorest step
    """
    starts = np.arange(0, y.size, width)
    cell = np.arange(y.size) // width
    sizes = np.bincount(cell).astype(float)
    most = np.minimum.reduceat(room, starts)
    before = information(y, jacobian, seconds)
    given = _filled(np.ones(sizes.size), sizes, most, budget_s)
    for _ in range(ROUNDS):
        a = solve(before + information(y, jacobian, given[cell]), gradient)
        falls = np.add.reduceat(benefit(y, jacobian, a), starts) / sizes
        given = _filled(given * np.sqrt(falls), sizes, most, budget_s)

    def rounded(share: float) -> FloatArray:
        # what one cell loses its neighbours get, else thinly spread time would vanish
        edges = np.concatenate([[0.0], np.cumsum(share * given / quantum_s)])
        return np.asarray(quantum_s * np.diff(np.floor(edges + 0.5)))[cell]

    for share in SHARES if wanted > 0 else ():
        told = before + information(y, jacobian, rounded(share))
        if esd(told, gradient).max() <= wanted:
            return rounded(share)
    return rounded(1.0)


def _filled(
    weights: FloatArray, sizes: FloatArray, most: FloatArray, budget_s: float
) -> FloatArray:
    """Seconds per step (c,) in proportion to `weights` that use the budget, none above `most`."""
    given = np.minimum(weights * budget_s / max(float(weights @ sizes), 1e-300), most)
    for _ in range(FILLING):
        left = budget_s - float(given @ sizes)
        open_ = np.where(given < most, weights, 0.0)
        total = float(open_ @ sizes)
        if left <= 1e-6 * budget_s or total <= 0:
            break
        given = np.minimum(given + open_ * left / total, most)
    return given
