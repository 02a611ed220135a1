"""Learning a library prior from measured standards, offline; the only place that needs torch.

With a handful of standards a covariance cannot be estimated entry by entry.  Four numbers are
learned instead, so that each standard is as likely as possible under the prior made from the
others: how far the sample covariance is trusted, how large the rest is, and how smooth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gpytorch
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from materialsdock.errors import InputError
from materialsdock.learning.gp.hyperparameters import curvature_warp
from materialsdock.learning.prior.library import STEP, LibraryPrior, PriorStandard
from materialsdock.model import FloatArray

RANGE_EV = (-100.0, 600.0)  # about e0; the standards may cover less
LEARNED_EV = (-60.0, 150.0)  # where the leave-one-out likelihood looks
SPACING_EV = 1.0  # between its places: closer ones say the same again
LEAST_BEFORE_EV, LEAST_BEHIND_EV = 20.0, 50.0
SAME = 0.02  # root mean square in edge steps, below which two spectra are one standard
FEWEST = 3
WARP_FLOOR, WARP_KNOTS_EV = 0.3, 2.0
SMOOTHING_EV = 4.0  # of the spread of few standards
NOISE, SHIFT_SD_EV = 0.01, 0.5
ROUNDS = 60
# of log (trust, rest, floor, lengthscale): where the search starts, and how far it may go
START = np.log([0.7, 0.7, 0.02, 0.03])
START_SD = 1.0

Grid = Callable[[float, float], FloatArray]  # from, to [eV] relative to e0, finest on the edge


@dataclass(frozen=True, eq=False)
class Spread:
    """Mean (m,), scaled deviations (k, m) and smoothed sd (m,) of standards, and the warped axis.

    u : (m,) from 0 to 1
    """

    mean: FloatArray
    deviations: FloatArray
    sd: FloatArray
    u: FloatArray


def learn(standards: Sequence[PriorStandard], edge: str, grid: Grid) -> LibraryPrior:
    """The prior of `edge` from at least three different standards.

    Repeats of a standard (within 0.02 of the edge step) are averaged first, or they would claim
    that every sample has been seen before.  Raises InputError when too few or too short.
    """
    axis = common_axis(standards, grid)
    groups = distinct(standards, axis)
    if len(groups) < FEWEST:
        raise InputError(
            f"{len(groups)} different standards among {len(standards)} files",
            where=edge,
            remedy=f"give at least {FEWEST} different compounds",
        )
    curves = np.array([_average(group, axis) for group in groups])
    theta, likelihood = _fit(axis, curves)
    trust, rest, floor, lengthscale = np.exp(theta).tolist()
    whole = spread(axis, curves)
    return LibraryPrior(
        edge=edge,
        energy_ev=axis,
        mean=whole.mean,
        factors=trust * whole.deviations,
        sd=np.sqrt((rest * whole.sd) ** 2 + floor**2),
        u=whole.u / lengthscale,
        edges_ev=np.array([np.mean([each.e0_ev for each in group]) for group in groups]),
        sources=tuple(each.name for each in standards),
        learned={
            "trust": trust,
            "rest": rest,
            "floor": floor,
            "lengthscale": lengthscale,
            "log_likelihood_per_standard": likelihood / len(groups),
        },
    )


def common_axis(standards: Sequence[PriorStandard], grid: Grid) -> FloatArray:
    """Energies (m,) [eV] relative to e0 that all standards cover, as `grid` lays them.

    Raises InputError naming those that reach less than 20 eV before or 50 eV beyond the edge.
    """
    short = [
        each.name
        for each in standards
        if each.energy_ev[0] > -LEAST_BEFORE_EV or each.energy_ev[-1] < LEAST_BEHIND_EV
    ]
    if short or not standards:
        raise InputError(
            f"too short around the edge: {', '.join(short)}" if short else "no standards",
            remedy=f"give spectra from {LEAST_BEFORE_EV:g} eV before to {LEAST_BEHIND_EV:g} eV "
            "behind the edge, or leave these out",
        )
    lo = max(RANGE_EV[0], *(each.energy_ev[0] for each in standards))
    hi = min(RANGE_EV[1], *(each.energy_ev[-1] for each in standards))
    return grid(lo, hi)


def distinct(standards: Sequence[PriorStandard], axis: FloatArray) -> list[list[PriorStandard]]:
    """The standards grouped with their repeats, in the order given."""
    near = (axis >= -LEAST_BEFORE_EV) & (axis <= LEAST_BEHIND_EV)
    groups: list[list[PriorStandard]] = []
    for each in standards:
        curve = _curve(each, axis)
        same = (
            group
            for group in groups
            if np.sqrt(np.mean((_curve(group[0], axis) - curve)[near] ** 2)) < SAME
        )
        found = next(same, None)
        if found is None:
            groups.append([each])
        else:
            found.append(each)
    return groups


def _curve(standard: PriorStandard, axis: FloatArray) -> FloatArray:
    return np.interp(axis, standard.energy_ev, standard.flat)


def _average(group: Sequence[PriorStandard], axis: FloatArray) -> FloatArray:
    return np.asarray(np.mean([_curve(each, axis) for each in group], axis=0))


def spread(axis: FloatArray, curves: FloatArray) -> Spread:
    """Compute what `curves` (k, m) at `axis` (m,) have in common, and where they differ."""
    mean = curves.mean(axis=0)
    deviations = (curves - mean) / np.sqrt(len(curves) - 1)
    fine = np.arange(axis[0], axis[-1], 0.5)
    variance = np.interp(fine, axis, (deviations**2).sum(axis=0))
    smooth = gaussian_filter1d(variance, SMOOTHING_EV / 0.5, mode="nearest")
    knots = np.arange(axis[0], axis[-1], WARP_KNOTS_EV)
    u = curvature_warp(knots, axis, mean, WARP_FLOOR)(axis)
    return Spread(mean, deviations, np.sqrt(np.interp(axis, fine, smooth)), u / u[-1])


def _fit(axis: FloatArray, curves: FloatArray) -> tuple[FloatArray, float]:
    """Log hyperparameters (4,) of largest leave-one-out posterior, and its log likelihood."""
    inside = np.arange(max(LEARNED_EV[0], axis[0]), min(LEARNED_EV[1], axis[-1]), SPACING_EV)
    cases = [
        _case(axis, np.delete(curves, i, axis=0), curves[i], inside) for i in range(len(curves))
    ]
    start = torch.tensor(START, dtype=torch.float64)
    theta = start.clone().requires_grad_(True)
    search = torch.optim.LBFGS([theta], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        pull = 0.5 * (((theta - start) / START_SD) ** 2).sum()
        value = pull - sum(_log_likelihood(theta, *case) for case in cases)
        torch.autograd.backward(value)
        return value

    search.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        likelihood = float(sum(_log_likelihood(theta, *case) for case in cases))
    return theta.detach().numpy(), likelihood


def _case(
    axis: FloatArray, others: FloatArray, left_out: FloatArray, at: FloatArray
) -> tuple[torch.Tensor, ...]:
    """Prepare the likelihood of one standard under the others, at energies `at` (n,).

    residual (n,), deviations (k, n), nuisance columns (2, n): step and position, sd (n,), u (n,)
    """
    known = spread(axis, others)

    def there(values: FloatArray) -> FloatArray:
        return np.interp(at, axis, values)

    slope = SHIFT_SD_EV * np.gradient(known.mean, axis)
    columns = (
        there(left_out - known.mean),
        np.array([there(each) for each in known.deviations]),
        np.array([STEP * there(known.mean), there(slope)]),
        there(known.sd),
        there(known.u),
    )
    return tuple(torch.tensor(each, dtype=torch.float64) for each in columns)


def _log_likelihood(
    theta: torch.Tensor,
    residual: torch.Tensor,
    deviations: torch.Tensor,
    nuisance: torch.Tensor,
    sd: torch.Tensor,
    u: torch.Tensor,
) -> torch.Tensor:
    trust, rest, floor, lengthscale = theta.exp()
    matern = gpytorch.kernels.MaternKernel(nu=2.5).double()
    matern.lengthscale = 1.0
    rho = matern((u / lengthscale)[:, None]).to_dense()
    amplitude = torch.sqrt((rest * sd) ** 2 + floor**2)
    covariance = (
        trust**2 * deviations.T @ deviations
        + nuisance.T @ nuisance
        + amplitude[:, None] * amplitude[None, :] * rho
        + NOISE**2 * torch.eye(u.numel(), dtype=torch.float64)
    )
    law = gpytorch.distributions.MultivariateNormal(torch.zeros_like(residual), covariance)
    likelihood: torch.Tensor = law.log_prob(residual)
    return likelihood
