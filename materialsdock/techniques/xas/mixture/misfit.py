"""Sentences about the rest that a combination of standards leaves, as fractions are blind to it.

Fractions that add up to 1 come out whatever the sample holds.  What is left over tells of a
standard that is not among those given, of thickness or self-absorption, of energies that differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xas.mixture.linear import alike, esds, unbounded

OVER_NOISE, OF_STEP = 3.0, 0.004  # rms of what is left: of its noise, and of the edge step
NEGATIVE, OF_SAMPLE = 3.0, 0.02  # esds, and share, that a fraction is below 0 when it may be


def left_over(energy_ev: FloatArray, residual: FloatArray, noise: float) -> Iterator[str]:
    """Say if residuals (m,) [edge steps] are more than noise, its sd in them, can have made."""
    rms = float(np.sqrt(np.mean(residual**2)))
    if rms <= max(OVER_NOISE * noise, OF_STEP):
        return
    worst = int(np.argmax(np.abs(residual)))
    times = f", {rms / noise:.0f} times its noise" if noise > 0 else ""
    yield (
        f"the standards do not explain the sample: {100 * rms:.2g} % of the edge step are left "
        f"(rms){times}, most at {energy_ev[worst]:.1f} eV ({100 * residual[worst]:+.2g} %); the "
        "fractions are those of the nearest mixture, and may be off by more than their esds: look "
        "for a standard that is missing, for self-absorption, or for energies that differ"
    )


def negative(
    matrix: FloatArray, data: FloatArray, weight: FloatArray, names: Sequence[str]
) -> Iterator[str]:
    """Say which of the standards (m, p) would take a negative share, were there no bound."""
    if matrix.shape[1] < 2 or alike(matrix):
        return
    found = unbounded(matrix * weight[:, None], data * weight)
    sd = esds(matrix, None, weight, data - matrix @ found, found, True)
    wanting = [
        f"{name} {share:.2f}"
        for name, share, esd in zip(names, found, sd, strict=True)
        if share < -max(NEGATIVE * esd, OF_SAMPLE)
    ]
    if wanting:
        yield (
            f"without the bound at 0 the best fit has {', '.join(wanting)}: the sample is no "
            "mixture of these standards as they were measured"
        )
