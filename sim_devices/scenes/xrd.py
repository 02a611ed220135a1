"""Powder diffraction: a measured pattern, thinned without replacement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_devices.world import Place, Replay

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SMOOTH = 2  # steps either side, for the local rate once the measured counts are used up


@dataclass(frozen=True, eq=False)
class DiffractionScene:
    """A measured pattern: (m,) 2θ [deg], counts, and the seconds each step was counted for.

    used_counts, used_time_s : (m,) what an earlier session has drawn already
    """

    two_theta: FloatArray
    counts: IntArray
    count_time_s: float
    used_counts: FloatArray
    used_time_s: FloatArray

    def at(self, place: Place) -> Diffracting:
        """Put the same into the changer."""
        return Diffracting(self, place)


def load(arrays: Mapping[str, Any]) -> DiffractionScene:
    """The scene of a file's arrays; KeyError names one that is missing."""
    zeros = np.zeros(arrays["two_theta"].size)
    return DiffractionScene(
        arrays["two_theta"].astype(float),
        arrays["counts"].astype(np.int64),
        float(arrays["count_time_s"]),
        arrays.get("used_counts", zeros),
        arrays.get("used_time_s", zeros),
    )


class Diffracting:
    """A powder in the changer, and what has been counted of it."""

    def __init__(self, scene: DiffractionScene, place: Place) -> None:
        self.scene, self.place = scene, place
        self.used_counts = scene.used_counts.astype(float)
        self.used_time_s = scene.used_time_s.astype(float)

    def channels(self, beamline: Any, seconds: float) -> tuple[float, float, float]:
        """Monitor, nothing, and the point detector where the arm stands."""
        here = np.array([beamline.tth.readback])
        (counts,) = diffracted(beamline.sample_seen(), here, seconds, beamline.intensity)
        return beamline.monitor(seconds), 0.0, float(counts)

    def diffraction(self, two_theta: FloatArray, seconds: float, intensity: float) -> IntArray:
        """(n,) counts at `two_theta` (n,) in `seconds` each: binomial thinning without replacement.

        A step measured with N counts in T seconds gives Binomial(N left, t / T left): visits to
        one step add up to exactly the measured counts.  Beyond T there is nothing measured left;
        the local mean rate is sampled then, and the world's `resampled_s` says for how long.
        """
        counts = [self._thin(angle, seconds, intensity) for angle in two_theta]
        return np.array(counts, dtype=np.int64)

    def _thin(self, angle: float, seconds: float, intensity: float) -> int:
        scene, used_counts, used_s = self.scene, self.used_counts, self.used_time_s
        i = int(np.abs(scene.two_theta - angle).argmin())
        rng = self.place.rng(i, round(used_s[i] * 1e6))
        left_s = max(scene.count_time_s - used_s[i], 0.0)
        left = int(scene.counts[i] - used_counts[i])
        fresh_s = min(seconds, left_s)
        drawn = int(rng.binomial(left, min(1.0, fresh_s / left_s))) if left_s > 1e-12 else 0
        used_counts[i] += drawn
        used_s[i] += seconds
        beyond_s = seconds - fresh_s
        if beyond_s > 1e-9 * seconds:
            near = slice(max(i - SMOOTH, 0), i + SMOOTH + 1)
            drawn += int(rng.poisson(scene.counts[near].mean() / scene.count_time_s * beyond_s))
            self.place.resampled(beyond_s)
        seen = min(1.0, intensity) * self.place.intact(seconds * intensity)
        return drawn if seen >= 1.0 else int(rng.binomial(drawn, seen))


def diffracted(
    sample: Replay | None, two_theta: FloatArray, seconds: float, intensity: float = 1.0
) -> IntArray:
    """(n,) counts of whatever is in the beam at `two_theta` (n,): none but of a powder in light."""
    if not isinstance(sample, Diffracting) or seconds <= 0 or intensity <= 0:
        return np.zeros(np.shape(two_theta), dtype=np.int64)
    return sample.diffraction(two_theta, seconds, intensity)
