"""The nature of a multi-element detector: shares, dead time, and the statistics of each element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
SHARES = (0.12, 0.15, 0.16, 0.14, 0.15, 0.13, 0.15)  # of the photons, by element


@dataclass(frozen=True)
class MultiElement:
    """Elements that each lose what comes while they are busy with the photon before.

    shares : of the photons in the region of interest, by element, 1 together
    region : share of all photons that lie in the region; the others keep an element busy, too
    dead_time_s : for each photon; paralysable : whether one that is lost lengthens it
    dead : number, from 1, of an element that shows nothing, 0: none; factor : on the photons
    """

    shares: Sequence[float] = SHARES
    region: float = 0.5
    dead_time_s: float = 1e-6
    paralysable: bool = False
    dead: int = 0
    factor: float = 1.0

    def counted(
        self, rate_hz: float, seconds: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Counts in the region, photons in and pulses out [1/s], each (k,).

        rate_hz : photons of the region into all elements together
        Photons in are Poisson; each gives a pulse with the chance that its element is free:
        1/(1 + nτ), or exp(−nτ) where it is paralysable (Knoll, Radiation Detection and
        Measurement, ch. 4); a pulse lies in the region with the chance `region`.
        """
        into = np.asarray(self.shares) * (self.factor * rate_hz / self.region)
        if self.dead:
            into[self.dead - 1] = 0.0
        busy = into * self.dead_time_s
        free = np.exp(-busy) if self.paralysable else 1 / (1 + busy)
        photons = rng.poisson(into * seconds)
        pulses = rng.binomial(photons, free)
        roi = rng.binomial(pulses, self.region)
        return roi.astype(float), photons / seconds, pulses / seconds
