"""Absorption: a measured spectrum with the counting statistics of two ion chambers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_devices.world import Place, Replay

FloatArray = NDArray[np.float64]
HC_EV_ANGSTROM = 12398.419843320026
SI111_ANGSTROM = 3.1356


@dataclass(frozen=True, eq=False)
class AbsorptionScene:
    """A measured spectrum: (m,) energy [eV], µ, and the rate of the first chamber [1/s].

    visits : how often an earlier session has counted at each energy, by round(energy / 0.1 meV)
    """

    energy_ev: FloatArray
    mu: FloatArray
    i0_rate_hz: float
    visits: Mapping[int, int] = field(default_factory=dict)

    def at(self, place: Place) -> Absorbing:
        """Put the same into the changer."""
        return Absorbing(self, place)


def load(arrays: Mapping[str, Any]) -> AbsorptionScene:
    """The scene of a file's arrays; KeyError names one that is missing."""
    none = np.zeros(0, dtype=np.int64)
    visited = arrays.get("visited", none).tolist(), arrays.get("visits", none).tolist()
    return AbsorptionScene(
        arrays["energy_ev"].astype(float),
        arrays["mu"].astype(float),
        float(arrays["i0_rate_hz"]),
        dict(zip(*visited, strict=True)),
    )


class Absorbing:
    """An absorber in the changer, and how often it was counted at each energy."""

    def __init__(self, scene: AbsorptionScene, place: Place) -> None:
        self.scene, self.place = scene, place
        self.visits: Counter[int] = Counter()

    def channels(self, beamline: Any, seconds: float) -> tuple[float, float, float]:
        """The two chambers, at the energy that the crystals let through."""
        angle = np.radians(beamline.bragg.readback)
        energy = HC_EV_ANGSTROM / (2 * SI111_ANGSTROM * np.sin(angle))
        energy += float(beamline.faults.energy_drift_ev.value)
        empty = beamline.sample_seen() is None
        return *absorbed(self, energy, seconds, beamline.intensity, empty), 0.0

    def absorption(
        self, energy_ev: float, seconds: float, intensity: float, empty: bool
    ) -> tuple[int, int]:
        """Counts of the two chambers: independent Poisson draws around I0 and I0·e^-µ."""
        scene, place = self.scene, round(energy_ev * 1e4)
        # a readback that comes back through two conversions may round to the next place
        before = sum(scene.visits.get(place + near, 0) for near in (-1, 0, 1))
        rng = self.place.rng(place, before + self.visits[place])
        self.visits[place] += 1
        expected = scene.i0_rate_hz * seconds * intensity
        mu = float(np.interp(energy_ev, scene.energy_ev, scene.mu))
        left = self.place.intact(seconds * intensity)
        mu = 0.0 if empty else left * mu + (1 - left) * float(scene.mu.mean())
        return int(rng.poisson(expected)), int(rng.poisson(expected * np.exp(-mu)))


def absorbed(
    sample: Replay | None,
    energy_ev: float,
    seconds: float,
    intensity: float = 1.0,
    empty: bool = False,
) -> tuple[int, int]:
    """Counts of the two chambers around whatever is in the beam: none but of an absorber in light.

    empty : whether the holder has lost it
    """
    if not isinstance(sample, Absorbing) or seconds <= 0 or intensity <= 0:
        return 0, 0
    return sample.absorption(energy_ev, seconds, intensity, empty)
