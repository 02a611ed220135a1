"""Linear combination fitting: which standards a spectrum is made of, and how well that is known.

Sample and standards are normalised by the same ranges about the same energy.  Normalising is then
linear, so that a mixture's normalised spectrum is exactly the mixture of the standards' ones, and
what the choice of ranges still moves are the standards' own edge steps.  The fit is repeated for
many choices; their spread joins the esd of noise and misfit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import lsq_linear, minimize_scalar, nnls

from materialsdock.errors import InputError
from materialsdock.model import FloatArray, Parameter
from materialsdock.refinement.xas.checks import check_element, checked_edge
from materialsdock.refinement.xas.edge import TABLE, TABULATED_WITHIN_EV
from materialsdock.refinement.xas.normalise import Ranges, normalise

FIT_EV = (-20.0, 80.0)
SHIFT_LIMIT_EV = 1.0
FEWEST_POINTS = 10
SUM_WEIGHT = 1e4  # of the equation Σ = 1 against residuals of size 1
STILL_EV = 0.1  # shifts below count as aligned
PRE_FAR_EV, PRE_NEAR_EV = (120.0, 150.0, 200.0), (30.0, 50.0)
POST_NEAR_EV, POST_FAR_EV = (40.0, 75.0, 120.0), (400.0, 600.0, 900.0)
ORDERS = (1, 2)


@dataclass(frozen=True, eq=False)
class Curve:
    """A spectrum by name: (n,) energies [eV], µ, and the sd of µ if it is known."""

    name: str
    energy_ev: FloatArray
    mu: FloatArray
    sigma: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Combination:
    """Fractions of standards, their esds, and what the fit left.

    fractions : value with total esd, √(esd_noise² + esd_normalisation²), by standard
    total : Σ of the fractions; shift_ev : energy of the sample minus that of the standards
    energy_ev, data, model : (m,) the normalised sample and fit at the reference ranges
    """

    fractions: Mapping[str, Parameter]
    esd_noise: Mapping[str, float]
    esd_normalisation: Mapping[str, float]
    total: float
    shift_ev: float
    r_factor: float
    energy_ev: FloatArray
    data: FloatArray
    model: FloatArray
    normalisations: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Fit:
    fractions: FloatArray
    esd: FloatArray
    shift_ev: float
    energy_ev: FloatArray
    data: FloatArray
    model: FloatArray

    @property
    def r_factor(self) -> float:
        return float(np.sum((self.data - self.model) ** 2) / np.sum(self.data**2))


def combine(
    sample: Curve,
    standards: Sequence[Curve],
    *,
    edge: str | None = None,
    fit_ev: tuple[float, float] = FIT_EV,
    sum_to_one: bool = True,
    shift_limit_ev: float = SHIFT_LIMIT_EV,
) -> Combination:
    """Non-negative fractions of `standards` in `sample`, with noise and normalisation in the esd.

    fit_ev : range of the fit about the sample's edge [eV]
    sum_to_one : fractions add up to 1; otherwise each is from 0 to 1, and `total` their sum
    shift_limit_ev : how far the sample's energies may be shifted against the standards'; 0: not

    Raises InputError for bad curves, another element's edge, ranges that do not overlap, and
    standards that cannot be told apart.
    """
    if len(standards) < 2 or len({s.name for s in standards}) < len(standards):
        raise InputError(
            f"standards {[s.name for s in standards]}",
            where="linear combination",
            remedy="give two or more, of different names",
        )
    e0 = _common_edge(sample, standards, edge)
    choices = normalisations(e0, [sample, *standards])
    fits = [
        _fit(sample, standards, e0, each, fit_ev, sum_to_one, shift_limit_ev) for each in choices
    ]
    return _summary(fits, [s.name for s in standards], shift_limit_ev, sum_to_one)


def normalisations(e0_ev: float, curves: Sequence[Curve]) -> list[Ranges]:
    """Every sensible choice that all curves cover; the first is the reference.

    Raises InputError when the curves have no common pre- and post-edge.
    """
    first = e0_ev - max(float(c.energy_ev[0]) for c in curves)
    last = min(float(c.energy_ev[-1]) for c in curves) - e0_ev
    if first < min(PRE_NEAR_EV) or last < max(FIT_EV):
        raise InputError(
            f"all curves together cover {-first:+.0f} to {last:+.0f} eV of the edge",
            where="linear combination",
            remedy=f"at least {-min(PRE_NEAR_EV):+g} to {max(FIT_EV):+g} eV are needed",
        )
    found = {
        Ranges((-min(far, first), -near), (start, min(end, last)), order)
        for far, near, start, end, order in product(
            PRE_FAR_EV, PRE_NEAR_EV, POST_NEAR_EV, POST_FAR_EV, ORDERS
        )
        if min(far, first) > near + 20.0 and min(end, last) > start + (200.0 if order > 1 else 50.0)
    }
    if not found:
        middle = min(FIT_EV[1], last) / 2
        return [Ranges((-first, -min(PRE_NEAR_EV) / 2), (middle, last), 1)]
    reach = min(last, POST_FAR_EV[-1])
    return sorted(
        found, key=lambda r: (-r.order, abs(r.post_ev[1] - reach), r.post_ev[0], r.pre_ev)
    )


def _common_edge(sample: Curve, standards: Sequence[Curve], edge: str | None) -> float:
    """The tabulated edge of the sample, or its own; InputError when a standard has another."""
    own = checked_edge(sample.energy_ev, sample.mu, edge, sample.name).e0_ev
    nearest = min(TABLE, key=lambda each: abs(each.energy_ev - own))
    known = abs(nearest.energy_ev - own) <= TABULATED_WITHIN_EV
    for each in standards:
        found = checked_edge(each.energy_ev, each.mu, None, each.name).e0_ev
        if known:
            check_element(found, nearest.name, each.name)
        elif abs(found - own) > TABULATED_WITHIN_EV:
            raise InputError(
                f"its edge is at {found:.1f} eV, the sample's at {own:.1f} eV", where=each.name,
                remedy="give standards of the sample's edge",
            )  # fmt: skip
    return own


def _fit(
    sample: Curve,
    standards: Sequence[Curve],
    e0: float,
    ranges: Ranges,
    fit_ev: tuple[float, float],
    sum_to_one: bool,
    shift_limit_ev: float,
) -> _Fit:
    norm = normalise(sample.energy_ev, sample.mu, e0, ranges)
    inside = (sample.energy_ev >= e0 + fit_ev[0]) & (sample.energy_ev <= e0 + fit_ev[1])
    energy, data = sample.energy_ev[inside], norm.flat[inside]
    if energy.size < FEWEST_POINTS:
        raise InputError(
            f"{energy.size} points between {fit_ev[0]:+g} and {fit_ev[1]:+g} eV",
            where=sample.name,
            remedy="widen the range of the fit",
        )
    if sample.sigma is None:
        weight = np.ones(energy.size)
    else:
        weight = norm.edge_step / np.maximum(sample.sigma[inside], 1e-12)
    curves = [(s.energy_ev, normalise(s.energy_ev, s.mu, e0, ranges).flat) for s in standards]

    def basis(shift: float) -> FloatArray:
        return np.column_stack([np.interp(energy - shift, x, y) for x, y in curves])

    def cost(shift: float) -> float:
        return _solve(basis(shift) * weight[:, None], data * weight, sum_to_one)[1]

    shift = _best_shift(cost, shift_limit_ev, energy.size)
    matrix = basis(shift)
    found, _ = _solve(matrix * weight[:, None], data * weight, sum_to_one)
    _refuse_alike(matrix, [s.name for s in standards])
    slope = -np.gradient(matrix @ found, energy) if shift else None
    esd = _esds(matrix, slope, weight, data - matrix @ found, found, sum_to_one)
    return _Fit(found, esd, shift, energy, data, matrix @ found)


def _best_shift(cost: Callable[[float], float], limit: float, points: int) -> float:
    """The shift [eV] of least cost where it pays for itself (BIC), otherwise 0.

    Fractions of neighbouring oxidation states follow the energy scale: a shift that noise alone
    could ask for would cost more than it mends.
    """
    if limit <= 0:
        return 0.0
    trial = np.linspace(-limit, limit, 9)
    near = trial[int(np.argmin([cost(float(s)) for s in trial]))]
    half = trial[1] - trial[0]
    bounds = (max(-limit, near - half), min(limit, near + half))
    best = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    gain = points * np.log(cost(0.0) / max(float(best.fun), 1e-300))
    return float(best.x) if gain > np.log(points) else 0.0


def _solve(matrix: FloatArray, data: FloatArray, sum_to_one: bool) -> tuple[FloatArray, float]:
    """Fractions (p,) from 0 to 1 and the residual sum of squares."""
    if not sum_to_one:
        bounded = lsq_linear(matrix, data, bounds=(0.0, 1.0))
        return np.asarray(bounded.x), 2 * float(bounded.cost)
    heavy = SUM_WEIGHT * float(np.sqrt(np.mean(matrix**2) * len(data)))
    rows = np.vstack([matrix, np.full(matrix.shape[1], heavy)])
    found, _ = nnls(rows, np.append(data, heavy))
    found = found / found.sum()
    return np.asarray(found), float(np.sum((data - matrix @ found) ** 2))


def _refuse_alike(matrix: FloatArray, names: Sequence[str]) -> None:
    scaled = matrix / np.linalg.norm(matrix, axis=0)
    if np.linalg.svd(scaled, compute_uv=False)[-1] < 1e-4:
        raise InputError(
            f"standards {', '.join(names)} are alike",
            where="linear combination",
            remedy="leave one out",
        )


def _esds(
    matrix: FloatArray,
    slope: FloatArray | None,
    weight: FloatArray,
    residual: FloatArray,
    found: FloatArray,
    sum_to_one: bool,
) -> FloatArray:
    """(p,) from the covariance of all fractions (and the shift), scaled up by the misfit.

    A fraction held at 0 keeps the esd it would have without the bound: that is how large it could
    be.
    """
    columns = matrix if slope is None else np.column_stack([matrix, slope])
    columns = columns * weight[:, None]
    free = np.eye(columns.shape[1])
    if sum_to_one:  # only directions that keep the sum
        row = np.zeros((1, columns.shape[1]))
        row[0, : found.size] = 1.0
        free = np.linalg.svd(row)[2][1:].T
    spare = max(residual.size - free.shape[1], 1)
    chi2 = float(np.sum((residual * weight) ** 2)) / spare
    scale = chi2 if np.all(weight == 1.0) else max(chi2, 1.0)
    covariance = free @ np.linalg.pinv((columns @ free).T @ (columns @ free)) @ free.T
    return np.asarray(np.sqrt(scale * np.diag(covariance)[: found.size]))


def _summary(
    fits: Sequence[_Fit], names: Sequence[str], shift_limit_ev: float, sum_to_one: bool
) -> Combination:
    values = np.array([fit.fractions for fit in fits])
    middle = np.median(values, axis=0)
    middle = middle / middle.sum() if sum_to_one else middle
    spread = np.std(values, axis=0, ddof=1) if len(fits) > 1 else np.full(len(names), np.inf)
    noise = np.median([fit.esd for fit in fits], axis=0)
    total = np.hypot(noise, spread)
    shift = float(np.median([fit.shift_ev for fit in fits]))
    warnings = []
    if shift_limit_ev > 0 and abs(shift) > 0.95 * shift_limit_ev:
        warnings.append(f"energy shift {shift:+.2f} eV is at its limit: calibrate the energies")
    elif abs(shift) > STILL_EV:
        warnings.append(f"the sample's energies are shifted by {shift:+.2f} eV")
    if len(fits) == 1:
        warnings.append("too short for other normalisations: their spread is not known")
    best = fits[0]
    return Combination(
        {n: Parameter(n, float(v), float(s)) for n, v, s in zip(names, middle, total, strict=True)},
        dict(zip(names, noise.tolist(), strict=True)),
        dict(zip(names, spread.tolist(), strict=True)),
        float(middle.sum()),
        shift,
        best.r_factor,
        best.energy_ev,
        best.data,
        best.model,
        len(fits),
        tuple(warnings),
    )
