"""The sample of the demonstration: the reflection 111 of copper."""

from __future__ import annotations

import numpy as np

from materialsdock.model import FloatArray, Measured, Sample


def sample() -> tuple[Measured, Sample]:
    """A scan of it, counted for 1 s each, and the sample at place 2 of the changer."""
    x = np.linspace(42.3, 44.3, 201)
    scan = Measured("reflection", x, line(x, 43.32), count_time_s=1.0)
    return scan, Sample("copper 111", "reflection", 2)


def line(two_theta: FloatArray, at: float) -> FloatArray:
    """Counts of a reflection at `at` [deg], 0.2° wide."""
    return np.round(50.0 + 2000.0 * np.exp(-0.5 * ((two_theta - at) / 0.085) ** 2))
