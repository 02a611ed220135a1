"""The linear algebra of a combination: bounded fractions, their shift in energy, their esds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import lsq_linear, minimize_scalar, nnls

from materialsdock.errors import InputError
from materialsdock.model import FloatArray

SUM_WEIGHT = 1e4  # of the equation Σ = 1 against residuals of size 1
ALIKE = 1e-4  # smallest singular value of standards that can be told apart


def best_shift(cost: Callable[[float], float], limit: float, points: float) -> float:
    """The shift [eV] of least cost where it pays for itself (BIC), otherwise 0.

    Fractions of neighbouring oxidation states follow the energy scale: a shift that noise alone
    could ask for would cost more than it mends.  points : independent ones
    """
    if limit <= 0:
        return 0.0
    trial = np.linspace(-limit, limit, 9)
    near = trial[int(np.argmin([cost(float(s)) for s in trial]))]
    half = trial[1] - trial[0]
    bounds = (max(-limit, near - half), min(limit, near + half))
    best = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    gain = points * np.log(max(cost(0.0), 1e-300) / max(float(best.fun), 1e-300))
    return float(best.x) if gain > np.log(points) else 0.0


def independent(residual: FloatArray) -> float:
    """Return how many independent residuals the (m,) residuals are worth, 3 at least."""
    inner = residual - residual.mean()
    correlation = float(inner[1:] @ inner[:-1]) / max(float(inner @ inner), 1e-300)
    correlation = min(max(correlation, 0.0), 1.0)
    return max(residual.size * (1 - correlation) / (1 + correlation), 3.0)


def solve(matrix: FloatArray, data: FloatArray, sum_to_one: bool) -> tuple[FloatArray, float]:
    """Fractions (p,) from 0 to 1 and the residual sum of squares."""
    if not sum_to_one:
        bounded = lsq_linear(matrix, data, bounds=(0.0, 1.0))
        return np.asarray(bounded.x), 2 * float(bounded.cost)
    heavy = SUM_WEIGHT * float(np.sqrt(np.mean(matrix**2) * len(data)))
    rows = np.vstack([matrix, np.full(matrix.shape[1], heavy)])
    found, _ = nnls(rows, np.append(data, heavy))
    found = found / found.sum()
    return np.asarray(found), float(np.sum((data - matrix @ found) ** 2))


def unbounded(matrix: FloatArray, data: FloatArray) -> FloatArray:
    """Fractions (p,) that add up to 1 and may be negative."""
    last, others = matrix[:, -1], matrix[:, :-1] - matrix[:, -1:]
    found = np.linalg.lstsq(others, data - last, rcond=None)[0]
    return np.append(found, 1.0 - found.sum())


def alike(matrix: FloatArray) -> bool:
    """Return True if the columns of (m, p) are about linearly dependent."""
    scaled = matrix / np.linalg.norm(matrix, axis=0)
    return bool(np.linalg.svd(scaled, compute_uv=False)[-1] < ALIKE)


def refuse_alike(matrix: FloatArray, names: Sequence[str]) -> None:
    """InputError when the standards in the columns of (m, p) cannot be told apart."""
    if alike(matrix):
        raise InputError(
            f"standards {', '.join(names)} are alike",
            where="linear combination",
            remedy="leave one out",
        )


def esds(
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
