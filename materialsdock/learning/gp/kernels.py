"""Stationary kernels, and a monotone warp of the axis that makes them non-stationary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from materialsdock.model import FloatArray

Shape = Literal["matern32", "matern52", "rbf"]


@dataclass(frozen=True, eq=False)
class Warp:
    """A monotone map u(x), linear between knots (k,); stationary in u is non-stationary in x."""

    knots: FloatArray
    u: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        """u at `x` (n,)."""
        return np.interp(x, self.knots, self.u)


class Covariance(Protocol):
    """The parts of a kernel that a Gaussian process needs, and those that are shown."""

    @property
    def lengthscale(self) -> float:
        """The length over which values stay alike, in units of the warped axis."""

    @property
    def variance(self) -> float:
        """Largest prior variance of what no column explains."""

    @property
    def warp(self) -> Warp | None:
        """The warp of the axis; None for a stationary kernel."""

    def diagonal(self, x: FloatArray) -> FloatArray:
        """Prior variance (n,) at `x` (n,)."""

    def rows(self, grid: FloatArray) -> Callable[[int], FloatArray]:
        """A function of an index: covariances (m,) of that position of `grid` (m,) with all."""

    def __call__(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Covariances (n, m) between positions `a` (n,) and `b` (m,)."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """k(x, x') = variance · ρ(|u(x) − u(x')| / lengthscale); lengthscale in units of u."""

    lengthscale: float
    variance: float
    shape: Shape = "matern52"
    warp: Warp | None = None

    def coordinates(self, x: FloatArray) -> FloatArray:
        """`x` (n,) in lengthscales."""
        x = np.asarray(x, dtype=float)
        return np.asarray((self.warp(x) if self.warp else x) / self.lengthscale)

    def diagonal(self, x: FloatArray) -> FloatArray:
        """Prior variance (n,) at `x` (n,)."""
        return np.full(np.shape(x), self.variance, dtype=float)

    def rows(self, grid: FloatArray) -> Callable[[int], FloatArray]:
        """A function of an index: covariances (m,) of that position of `grid` (m,) with all."""
        coordinates = self.coordinates(grid)

        def row(index: int) -> FloatArray:
            distance = np.abs(coordinates[index] - coordinates)
            return self.variance * correlation(distance, self.shape)

        return row

    def __call__(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Covariances (n, m) between positions `a` (n,) and `b` (m,)."""
        distance = np.abs(self.coordinates(a)[:, None] - self.coordinates(b)[None, :])
        return self.variance * correlation(distance, self.shape)


def correlation(distance: FloatArray, shape: Shape) -> FloatArray:
    """ρ of distances in lengthscales (any shape); Rasmussen & Williams 2006, §4.2."""
    if shape == "rbf":
        return np.asarray(np.exp(-0.5 * distance**2))
    if shape == "matern32":
        t = np.sqrt(3.0) * distance
        return np.asarray((1.0 + t) * np.exp(-t))
    t = np.sqrt(5.0) * distance
    return np.asarray((1.0 + t + t**2 / 3.0) * np.exp(-t))


def correlation_and_slope(distance: FloatArray, shape: Shape) -> tuple[FloatArray, FloatArray]:
    """ρ of distances in lengthscales, and dρ / d ln(lengthscale), both of any shape."""
    if shape == "rbf":
        rho = np.exp(-0.5 * distance**2)
        return rho, distance**2 * rho
    t = np.sqrt(3.0 if shape == "matern32" else 5.0) * distance
    decay = np.exp(-t)
    if shape == "matern32":
        return (1.0 + t) * decay, t**2 * decay
    third = t**2 / 3.0
    return (1.0 + t + third) * decay, third * (1.0 + t) * decay
