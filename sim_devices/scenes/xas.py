"""Absorption: a measured spectrum with the counting statistics of what detects it.

Two ion chambers see it in transmission; a fluorescence detector and an electrometer see it as
counts for each count of the first chamber.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_devices.detectors import MultiElement
from sim_devices.world import Place, Replay

FloatArray = NDArray[np.float64]
FLUORESCENCE, ELECTRONS = 0.05, 0.2  # counts for one of I0 and unit µ, where a scene has none
OF_DETECTOR, OF_ELECTROMETER = 1, 2  # keys of their draws, beside those of the chambers
HC_EV_ANGSTROM = 12398.419843320026
SI111_ANGSTROM = 3.1356


@dataclass(frozen=True, eq=False)
class AbsorptionScene:
    """A measured spectrum: (m,) energy [eV], µ, and the rate of the first chamber [1/s].

    visits : how often an earlier session has counted at each energy, by round(energy / 0.1 meV)
    fluorescence, electrons : (m,) photons into all elements of a detector together, and counts of
        the electrometer, for one count of the first chamber; None: as a thin sample shows its µ
    """

    energy_ev: FloatArray
    mu: FloatArray
    i0_rate_hz: float
    visits: Mapping[int, int] = field(default_factory=dict)
    fluorescence: FloatArray | None = None
    electrons: FloatArray | None = None

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
        arrays.get("fluorescence"),
        arrays.get("electrons"),
    )


class Absorbing:
    """An absorber in the changer, and how often it was counted at each energy."""

    def __init__(self, scene: AbsorptionScene, place: Place) -> None:
        self.scene, self.place = scene, place
        self.visits: Counter[int] = Counter()
        self.looks: Counter[int] = Counter()  # of the fluorescence detector
        self.collections: Counter[int] = Counter()  # of the electrometer

    def channels(self, beamline: Any, seconds: float) -> tuple[float, ...]:
        """The two chambers, nothing, and the electrometer, at the energy of the crystals."""
        energy, empty = energy_through(beamline), beamline.sample_seen() is None
        if seconds <= 0 or beamline.intensity <= 0:
            return 0.0, 0.0, 0.0, 0.0
        i0, it = self.absorption(energy, seconds, beamline.intensity, empty)
        rate = self.scene.i0_rate_hz * beamline.intensity
        share = 0.0 if empty else self._per_i0("electrons", energy)
        rng = self._rng(energy, self.collections, OF_ELECTROMETER)
        return i0, it, 0.0, int(rng.poisson(rate * seconds * share))

    def elements(
        self, beamline: Any, seconds: float, detector: MultiElement
    ) -> Sequence[FloatArray]:
        """Counts, photons in and pulses out [1/s] of each element (k,), as `detector` has them."""
        energy = energy_through(beamline)
        rng = self._rng(energy, self.looks, OF_DETECTOR)
        empty = beamline.sample_seen() is None
        share = 0.0 if empty else self._per_i0("fluorescence", energy)
        return detector.counted(self.scene.i0_rate_hz * beamline.intensity * share, seconds, rng)

    def _rng(self, energy_ev: float, counted: Counter[int], *key: int) -> np.random.Generator:
        """The draws of this visit to an energy, which is counted with it."""
        place = round(energy_ev * 1e4)
        # a readback that comes back through two conversions may round to the next place
        before = sum(self.scene.visits.get(place + near, 0) for near in (-1, 0, 1))
        rng = self.place.rng(place, before + counted[place], *key)
        counted[place] += 1
        return rng

    def _per_i0(self, name: str, energy_ev: float) -> float:
        """Counts for one count of the first chamber, of what light has left of the sample."""
        shown, scene, left = getattr(self.scene, name), self.scene, self.place.intact(0.0)
        if shown is None:
            factor = {"fluorescence": FLUORESCENCE, "electrons": ELECTRONS}[name]
            shown = factor * np.maximum(scene.mu, 0.0)
        here = float(np.interp(energy_ev, scene.energy_ev, shown))
        return left * here + (1 - left) * float(shown.mean())

    def absorption(
        self, energy_ev: float, seconds: float, intensity: float, empty: bool
    ) -> tuple[int, int]:
        """Counts of the two chambers: independent Poisson draws around I0 and I0·e^-µ."""
        scene, rng = self.scene, self._rng(energy_ev, self.visits)
        expected = scene.i0_rate_hz * seconds * intensity
        mu = float(np.interp(energy_ev, scene.energy_ev, scene.mu))
        left = self.place.intact(seconds * intensity)
        mu = 0.0 if empty else left * mu + (1 - left) * float(scene.mu.mean())
        return int(rng.poisson(expected)), int(rng.poisson(expected * np.exp(-mu)))


def energy_through(beamline: Any) -> float:
    """The energy [eV] that the crystals let through."""
    angle = np.radians(beamline.bragg.readback)
    energy = HC_EV_ANGSTROM / (2 * SI111_ANGSTROM * np.sin(angle))
    return float(energy + float(beamline.faults.energy_drift_ev.value))


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
