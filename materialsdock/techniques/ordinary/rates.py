"""The value that counting along any axis gives."""

from __future__ import annotations

from dataclasses import dataclass

from materialsdock.model import FloatArray


@dataclass(frozen=True, eq=False)
class Rates:
    """Count rates (n,) [1/s] with their standard deviations, over positions x (n,).

    axis, unit : of the positions, e.g. "two_theta" and "deg"
    """

    axis: str
    unit: str
    x: FloatArray
    rate: FloatArray
    sigma: FloatArray
