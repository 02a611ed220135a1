"""The first shell: one FEFF path fitted to χ̃(R) in a window of R.

Errors as in Newville, Rev. Mineral. Geochem. 78, 33 (2014): residuals count as N_idp = 2 ΔkΔR/π + 1
independent ones, and esds hold the misfit, be it noise or a shell that one path cannot describe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from materialsdock.errors import InputError, ModelFault
from materialsdock.model import FloatArray, Parameter
from materialsdock.techniques.xas.exafs.feff import ScatteringPath
from materialsdock.techniques.xas.exafs.fourier import (
    ComplexArray,
    Window,
    independent_points,
    partial_transform,
    window,
)
from materialsdock.techniques.xas.model import Oscillations

# starts [Å] from reff: neighbouring minima lie half a wave apart
STARTS_ANGSTROM = (0.0, -0.1, 0.1)
START_SIGMA2, START_THIRD = 0.005, 0.0
LOWEST = {"amplitude": 0.0, "distance": -0.5, "sigma2": 0.0, "e0_shift_ev": -25.0, "third": -0.01}
HIGHEST = {"amplitude": 3.0, "distance": 0.5, "sigma2": 0.05, "e0_shift_ev": 25.0, "third": 0.01}
UNITS = {"amplitude": "", "distance": "Å", "sigma2": "Å²", "e0_shift_ev": "eV", "third": "Å³"}
SCALES = {"amplitude": 1.0, "distance": 0.02, "sigma2": 0.003, "e0_shift_ev": 2.0, "third": 2e-4}


@dataclass(frozen=True)
class FourierRange:
    """The part of χ that is looked at: k [1/Å] with sills dk, weight k^k_weight, and R [Å]."""

    k: tuple[float, float]
    r: tuple[float, float]
    k_weight: int = 2
    dk: float = 2.0
    window: Window = "kaiser"

    @property
    def independent_points(self) -> float:
        """N_idp of the two ranges."""
        return independent_points(self.k, self.r)

    def transform(self, k: FloatArray, chi: FloatArray) -> ComplexArray:
        """χ̃ (j,) in the R range of χ (m,) on the even grid k (m,)."""
        return np.asarray(self.operator(k) @ chi)

    def operator(self, k: FloatArray) -> ComplexArray:
        """(j, m) matrix from χ to χ̃; InputError when k (m,) does not reach the end of the range."""
        if self.k[1] > k[-1] + 1e-6:
            raise InputError(
                f"k range ends at {self.k[1]:g}, the data at {k[-1]:.2f} 1/Å",
                where="first shell",
                remedy="shorten the k range, or measure further",
            )
        shape = k**self.k_weight * window(k, *self.k, self.dk, self.window)
        found = partial_transform(k.size, *self.r) * shape
        if not len(found):
            raise InputError(f"R range {self.r} is empty", where="first shell", remedy="widen it")
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class ShellFit:
    """A fitted shell: S0²N, R [Å], σ² [Å²], ΔE0 [eV] (and third cumulant [Å³]) with esds.

    r_factor : Σ|data − model|² / Σ|data|² in the range of the fit; chi (m,) : the fitted χ(k)
    """

    parameters: Mapping[str, Parameter]
    r_factor: float
    n_idp: float
    chi: FloatArray
    range: FourierRange
    warnings: tuple[str, ...] = ()

    @property
    def distance(self) -> float:
        """R [Å]."""
        return self.parameters["distance"].value


def fit_shell(
    data: Oscillations,
    path: ScatteringPath,
    within: FourierRange,
    *,
    third_cumulant: bool = False,
) -> ShellFit:
    """Fit one path to χ̃(R) by least squares from three starts.

    Raises InputError for ranges that the data do not cover or that hold fewer independent points
    than parameters, ModelFault when no start converges.
    """
    names = ["amplitude", "distance", "sigma2", "e0_shift_ev"] + ["third"] * third_cumulant
    if within.independent_points <= len(names):
        raise InputError(
            f"{within.independent_points:.1f} independent points for {len(names)} parameters",
            where="first shell",
            remedy="widen the k or the R range",
        )
    operator = within.operator(data.k)
    target = operator @ data.chi
    scale = float(np.sqrt(np.sum(np.abs(target) ** 2)))
    if not scale > 0:
        raise InputError("χ is zero in the range", where="first shell", remedy="check the spectrum")

    def residuals(x: FloatArray) -> FloatArray:
        difference = (operator @ path.chi(data.k, **dict(zip(names, x, strict=True)))) - target
        return np.concatenate([difference.real, difference.imag]) / scale

    low, high = _bounds(names, path)
    tries = [
        least_squares(
            residuals,
            _start(names, path, change),
            bounds=(low, high),
            x_scale=[SCALES[name] for name in names],
            max_nfev=200,
        )
        for change in STARTS_ANGSTROM
    ]
    best = min(tries, key=lambda found: float(found.cost))
    if not best.success or not np.isfinite(best.x).all():
        raise ModelFault("no start converges", where="first shell", remedy="check ranges and path")
    esd = _esds(best.jac, 2 * float(best.cost), within.independent_points)
    parameters = {
        name: Parameter(name, float(value), float(sd), UNITS[name])
        for name, value, sd in zip(names, best.x, esd, strict=True)
    }
    return ShellFit(
        parameters,
        2 * float(best.cost),
        within.independent_points,
        path.chi(data.k, **{name: p.value for name, p in parameters.items()}),
        within,
        _at_bounds(names, best.x, low, high),
    )


def misfit(data: Oscillations, chi: FloatArray, fixed: FourierRange) -> float:
    """Σ|data − model|² / Σ|data|² in one fixed range, whatever range the model was fitted in."""
    target = fixed.transform(data.k, data.chi)
    model = fixed.transform(data.k, chi)
    return float(np.sum(np.abs(target - model) ** 2) / np.sum(np.abs(target) ** 2))


def _bounds(names: list[str], path: ScatteringPath) -> tuple[FloatArray, FloatArray]:
    low = np.array([LOWEST[name] for name in names])
    high = np.array([HIGHEST[name] for name in names])
    at = names.index("distance")
    low[at], high[at] = path.reff + low[at], path.reff + high[at]
    high[names.index("amplitude")] *= path.degeneracy
    return low, high


def _start(names: list[str], path: ScatteringPath, change: float) -> FloatArray:
    start = {
        "amplitude": 0.8 * path.degeneracy,
        "distance": path.reff + change,
        "sigma2": START_SIGMA2,
        "e0_shift_ev": 0.0,
        "third": START_THIRD,
    }
    return np.array([start[name] for name in names])


def _esds(jacobian: FloatArray, square_sum: float, n_idp: float) -> FloatArray:
    """(p,) from the residuals' own size: their number cancels, N_idp stays."""
    information = jacobian.T @ jacobian
    if np.linalg.matrix_rank(information) < len(information):
        return np.full(len(information), np.inf)
    spare = n_idp - len(information)
    return np.asarray(np.sqrt(np.diag(np.linalg.inv(information)) * square_sum / spare))


def _at_bounds(
    names: list[str], x: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[str, ...]:
    near = 1e-3 * (high - low)
    stuck = (x - low < near) | (high - x < near)
    return tuple(f"{name} is at its bound" for name, at in zip(names, stuck, strict=True) if at)
