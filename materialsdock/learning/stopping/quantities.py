"""The numbers that the user wants of a curve, and how well the posterior knows them.

A linear functional has its mean and sd in closed form from the posterior's mean and covariance;
anything else goes through posterior samples, each analysed as the measured curve would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray

LOST = 0.5  # share of samples without an answer from which on there is none
Known = tuple[float, float]


class Posterior(Protocol):
    """The parts of a posterior that a quantity asks for, as of gp.cholesky.GridPosterior."""

    grid: FloatArray
    mean: FloatArray
    variance: FloatArray

    def covariance(self, x: FloatArray | None = None) -> FloatArray:
        """(k, k) at positions `x` (k,)."""

    def sample(self, x: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
        """(size, k) curves at `x` (k,)."""


class Quantity(Protocol):
    """One number of a curve, in the user's unit."""

    @property
    def name(self) -> str:
        """The name that a target has before its `_sd`."""

    @property
    def unit(self) -> str:
        """Empty when dimensionless."""

    @property
    def sampled(self) -> bool:
        """True if `estimate` needs samples."""

    def estimate(self, posterior: Posterior, samples: FloatArray) -> Known:
        """(value, sd); `samples` (k, m) posterior curves on the grid, (0, m) when not needed."""


@dataclass(frozen=True, eq=False)
class Linear:
    """offset + Σ weights_i f(grid_i): weights (m,) over the posterior's grid."""

    name: str
    unit: str
    weights: FloatArray
    offset: float = 0.0
    sampled = False

    def of(self, curve: FloatArray) -> float:
        """The value for one curve (m,)."""
        return float(self.offset + self.weights @ curve)

    def estimate(self, posterior: Posterior, samples: FloatArray) -> Known:
        """Exact mean and sd."""
        at = np.flatnonzero(self.weights)
        w = self.weights[at]
        variance = float(w @ posterior.covariance(posterior.grid[at]) @ w)
        return self.of(posterior.mean), max(variance, 0.0) ** 0.5


@dataclass(frozen=True, eq=False)
class Sampled:
    """analyse(energies (m,), curve (m,)), e.g. E0; a curve it cannot analyse is an InputError.

    The sd is the root-mean-square distance of the samples from the value of the mean curve, so
    that a value that the samples put to one side of it counts as not known so well.
    """

    name: str
    unit: str
    analyse: Callable[[FloatArray, FloatArray], float]
    sampled = True

    def of(self, grid: FloatArray, curve: FloatArray) -> float:
        """The value for one curve (m,), NaN where there is none."""
        try:
            return float(self.analyse(grid, curve))
        except InputError:
            return float("nan")

    def estimate(self, posterior: Posterior, samples: FloatArray) -> Known:
        """Value of the mean curve and sd; (NaN, inf) or (value, inf) where it is not known."""
        value = self.of(posterior.grid, posterior.mean)
        found = np.array([self.of(posterior.grid, sample) for sample in samples])
        found = found[np.isfinite(found)]
        if not np.isfinite(value) or found.size <= LOST * len(samples):
            return value, float("inf")
        return value, float(np.sqrt(np.mean((found - value) ** 2)))


def estimates(
    posterior: Posterior, wanted: Iterable[Quantity], size: int = 64, seed: int | Sequence[int] = 0
) -> dict[str, Known]:
    """(value, sd) of each quantity by name; samples are drawn once, and only when one needs them.

    Equal posterior and seed give equal numbers.
    """
    wanted, grid = tuple(wanted), posterior.grid
    samples = np.empty((0, grid.size))
    if any(quantity.sampled for quantity in wanted):
        samples = posterior.sample(grid, size, np.random.default_rng(seed))
    return {quantity.name: quantity.estimate(posterior, samples) for quantity in wanted}


def as_evidence(found: Mapping[str, Known]) -> dict[str, float]:
    """`estimates` as entries of Evidence.quantities: NAME and NAME_sd, which may be a target."""
    values = {name: value for name, (value, _) in found.items()}
    return values | {f"{name}_sd": sd for name, (_, sd) in found.items()}


def cell_widths(grid: FloatArray) -> FloatArray:
    """(m,) trapezoid weights of `grid` (m,) [its unit]: w @ f is the integral."""
    step = np.diff(grid)
    return np.asarray(0.5 * (np.append(step, 0.0) + np.insert(step, 0, 0.0)))


def area(grid: FloatArray, lo: float, hi: float, name: str = "area", unit: str = "eV") -> Linear:
    """∫ f over [lo, hi] by trapezoids between the grid positions inside.

    Raises InputError when fewer than two lie inside.
    """
    inside = np.flatnonzero((grid >= lo) & (grid <= hi))
    if inside.size < 2:
        raise InputError(
            f"{inside.size} positions between {lo:g} and {hi:g}", where=name, remedy="widen it"
        )
    weights = np.zeros(grid.size)
    weights[inside] = cell_widths(grid[inside])
    return Linear(name, unit, weights)


def xmcd_moments(
    grid: FloatArray, l3_end_ev: float, steps: FloatArray | None = None
) -> tuple[Linear, ...]:
    """p = ∫L3 f, q = ∫ f of a dichroism f = μ⁺ − μ⁻; with `steps` instead r of a sum μ⁺ + μ⁻.

    r = ∫ (f − steps), steps (m,) the two-step background (Chen et al., PRL 75, 152, 1995).
    `l3_end_ev` [eV] lies between the two edges.
    """
    whole = area(grid, grid[0], grid[-1], "q")
    if steps is None:
        return (area(grid, grid[0], l3_end_ev, "p"), whole)
    return (Linear("r", "eV", whole.weights, -float(whole.weights @ steps)),)


def fractions(
    grid: FloatArray, references: Mapping[str, FloatArray], lo: float, hi: float
) -> tuple[Linear, ...]:
    """Fractions of reference curves (m,) by least squares over [lo, hi], their sum being 1.

    Linear combination fitting without the bounds at 0 and 1, which are not linear.  Raises
    InputError for fewer than two references, or ones that cannot be told apart.
    """
    names, inside = list(references), (grid >= lo) & (grid <= hi)
    if len(names) < 2:
        raise InputError(f"{len(names)} reference", where="fractions", remedy="give two or more")
    last = references[names[-1]]
    basis = np.column_stack([references[name] - last for name in names[:-1]])
    root = np.sqrt(np.where(inside, cell_widths(grid), 0.0))
    scaled = basis * root[:, None]
    if np.linalg.matrix_rank(scaled, tol=1e-9 * np.linalg.norm(scaled)) < len(names) - 1:
        raise InputError("references are alike", where="fractions", remedy="leave one out")
    solve = np.linalg.pinv(scaled) * root
    rows = [*solve, -solve.sum(axis=0)]
    offsets = [*(-solve @ last), 1.0 + float((solve @ last).sum())]
    return tuple(
        Linear(f"fraction_{name}", "", row, float(offset))
        for name, row, offset in zip(names, rows, offsets, strict=True)
    )
