"""What the simulated beamline knows of nature: measured scans, replayed with counting statistics.

Every draw is keyed by seed, place and what was counted there before, so that an interrupted and
resumed measurement sees the same counts as an uninterrupted one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError

FloatArray = NDArray[np.float64]
SMOOTH = 2  # steps either side, for the local rate once the measured counts are used up


@dataclass(frozen=True, eq=False)
class DiffractionScene:
    """A measured pattern: (m,) 2θ [deg], counts, and the seconds each step was counted for.

    used_counts, used_time_s : (m,) what an earlier session has drawn already
    """

    two_theta: FloatArray
    counts: NDArray[np.int64]
    count_time_s: float
    used_counts: FloatArray
    used_time_s: FloatArray


@dataclass(frozen=True, eq=False)
class AbsorptionScene:
    """A measured spectrum: (m,) energy [eV], µ, and the rate of the first chamber [1/s]."""

    energy_ev: FloatArray
    mu: FloatArray
    i0_rate_hz: float


Scene = DiffractionScene | AbsorptionScene


def load_scene(path: Path) -> Scene:
    """Read a scene file (npz); InputError when it is none."""
    with np.load(path, allow_pickle=False) as file:
        found = {key: file[key] for key in file.files}
    technique = str(found.pop("technique", ""))
    if technique == "xrd":
        zeros = np.zeros(found["two_theta"].size)
        return DiffractionScene(
            found["two_theta"].astype(float),
            found["counts"].astype(np.int64),
            float(found["count_time_s"]),
            found.get("used_counts", zeros),
            found.get("used_time_s", zeros),
        )
    if technique == "xas":
        return AbsorptionScene(
            found["energy_ev"].astype(float), found["mu"].astype(float), float(found["i0_rate_hz"])
        )
    raise InputError(f"technique {technique!r} is neither xrd nor xas", where=str(path))


class World:
    """The samples in the changer and what has been counted of each."""

    def __init__(self, scenes: Mapping[int, Scene], seed: int = 0) -> None:
        self.scenes = dict(scenes)
        self.seed = seed
        self.resampled_s = 0.0
        self._visits: Counter[tuple[int, int]] = Counter()
        self._used: dict[int, tuple[FloatArray, FloatArray]] = {
            position: (scene.used_counts.astype(float), scene.used_time_s.astype(float))
            for position, scene in self.scenes.items()
            if isinstance(scene, DiffractionScene)
        }

    def diffraction(
        self, position: int, two_theta: FloatArray, seconds: float, intensity: float = 1.0
    ) -> NDArray[np.int64]:
        """(n,) counts at `two_theta` (n,) in `seconds` each: binomial thinning without replacement.

        A step measured with N counts in T seconds gives Binomial(N left, t / T left): visits to
        one step add up to exactly the measured counts.  Beyond T there is nothing measured left;
        the local mean rate is sampled then, and `resampled_s` says for how long.
        """
        scene = self.scenes.get(position)
        if not isinstance(scene, DiffractionScene) or seconds <= 0 or intensity <= 0:
            return np.zeros(np.shape(two_theta), dtype=np.int64)
        return np.array(
            [self._thin(position, scene, angle, seconds, intensity) for angle in two_theta],
            dtype=np.int64,
        )

    def _thin(
        self,
        position: int,
        scene: DiffractionScene,
        angle: float,
        seconds: float,
        intensity: float,
    ) -> int:
        i = int(np.abs(scene.two_theta - angle).argmin())
        used_counts, used_s = self._used[position]
        rng = np.random.default_rng([self.seed, position, i, round(used_s[i] * 1e6)])
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
            self.resampled_s += beyond_s
        return drawn if intensity >= 1.0 else int(rng.binomial(drawn, intensity))

    def absorption(
        self, position: int, energy_ev: float, seconds: float, intensity: float = 1.0
    ) -> tuple[int, int]:
        """Counts of the two chambers: independent Poisson draws around I0 and I0·e^-µ."""
        scene = self.scenes.get(position)
        if not isinstance(scene, AbsorptionScene) or seconds <= 0 or intensity <= 0:
            return 0, 0
        place = round(energy_ev * 1e4)
        rng = np.random.default_rng([self.seed, position, place, self._visits[position, place]])
        self._visits[position, place] += 1
        expected = scene.i0_rate_hz * seconds * intensity
        mu = float(np.interp(energy_ev, scene.energy_ev, scene.mu))
        return int(rng.poisson(expected)), int(rng.poisson(expected * np.exp(-mu)))
