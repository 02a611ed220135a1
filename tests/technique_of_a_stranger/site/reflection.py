"""One reflection: a measured scan over 2θ, with the counting statistics of a point detector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim_devices.world import Place


@dataclass(frozen=True, eq=False)
class ReflectionScene:
    """A measured scan: (m,) 2θ [deg] and rate [1/s]; visits : how often each place was counted."""

    two_theta: np.ndarray
    rate_hz: np.ndarray
    visits: Mapping[int, int]

    def at(self, place: Place) -> Scattering:
        """The same in the changer."""
        return Scattering(self, place)


def load(arrays: Mapping[str, Any]) -> ReflectionScene:
    """The scene of a file's arrays; KeyError names one that is missing."""
    none = np.zeros(0, dtype=np.int64)
    visited, visits = arrays.get("visited", none), arrays.get("visits", none)
    before = dict(zip(visited.tolist(), visits.tolist(), strict=True))
    return ReflectionScene(arrays["x"], arrays["rate_hz"], before)


class Scattering:
    """The sample in the changer, and how often it was counted at each place."""

    def __init__(self, scene: ReflectionScene, place: Place) -> None:
        self.scene, self.place = scene, place
        self.visits: Counter[int] = Counter(scene.visits)

    def channels(self, beamline: Any, seconds: float) -> tuple[float, float, float]:
        """Monitor, nothing, and the point detector where the arm stands."""
        angle, counts = beamline.tth.readback, 0
        if beamline.sample_seen() is not None and seconds > 0:
            at = round(angle * 1e4)
            rng = self.place.rng(at, self.visits[at])
            self.visits[at] += 1
            rate = np.interp(angle, self.scene.two_theta, self.scene.rate_hz)
            counts = int(rng.poisson(rate * seconds * beamline.intensity))
        return beamline.monitor(seconds), 0.0, float(counts)
