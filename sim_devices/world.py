"""What the simulated beamline knows of nature: measured scans, replayed with counting statistics.

Every draw is keyed by seed, place and what was counted there before, so that an interrupted and
resumed measurement sees the same counts as an uninterrupted one.
"""

from __future__ import annotations

import logging
import math
import zipfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError

log = logging.getLogger(__name__)
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
    """A measured spectrum: (m,) energy [eV], µ, and the rate of the first chamber [1/s].

    visits : how often an earlier session has counted at each energy, by round(energy / 0.1 meV)
    """

    energy_ev: FloatArray
    mu: FloatArray
    i0_rate_hz: float
    visits: Mapping[int, int] = field(default_factory=dict)


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
        none = np.zeros(0, dtype=np.int64)
        before = zip(
            found.get("visited", none).tolist(), found.get("visits", none).tolist(), strict=True
        )
        return AbsorptionScene(
            found["energy_ev"].astype(float),
            found["mu"].astype(float),
            float(found["i0_rate_hz"]),
            dict(before),
        )
    raise InputError(f"technique {technique!r} is neither xrd nor xas", where=str(path))


Stamp = tuple[int, int, int]


class SceneFolder:
    """Scenes N.npz of a folder, loaded when first needed and anew when their file changes.

    A file that cannot be read is refused with a line in the log, until it changes again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[int, tuple[Stamp, Scene | None]] = {}

    def look(self, position: int) -> tuple[Scene | None, bool]:
        """The scene at `position`, and whether it is another one than at the last look."""
        path = self.folder / f"{position}.npz"
        try:
            found = path.stat()
        except FileNotFoundError:
            return None, self._known.pop(position, None) is not None
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        known = self._known.get(position)
        if known is not None and known[0] == stamp:
            return known[1], False
        scene = _readable(path)
        self._known[position] = stamp, scene
        return scene, True

    def gone(self) -> list[int]:
        """Positions whose file has been taken away since the last look."""
        gone = [n for n in self._known if not (self.folder / f"{n}.npz").exists()]
        for position in gone:
            del self._known[position]
        return gone


def _readable(path: Path) -> Scene | None:
    try:
        return load_scene(path)
    except (InputError, OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("scene refused: %s: %s", path, error)
        return None


class World:
    """The samples in the changer and what has been counted of each.

    damage_rate : share of a sample's features that an exposed second at full beam destroys
    """

    def __init__(
        self, scenes: Mapping[int, Scene], seed: int = 0, folder: Path | None = None
    ) -> None:
        self.scenes = dict(scenes)
        self.seed = seed
        self.resampled_s = 0.0
        self.damage_rate = 0.0
        self._folder = SceneFolder(folder) if folder else None
        self._visits: Counter[tuple[int, int]] = Counter()
        self._damage: defaultdict[int, float] = defaultdict(float)  # dose [s] times rate
        self._used: dict[int, tuple[FloatArray, FloatArray]] = {}

    def scene(self, position: int | None) -> Scene | None:
        """What lies at `position`; None for an empty place."""
        if position is None:
            return None
        if self._folder is not None and position not in self.scenes:
            scene, new = self._folder.look(position)
            if new:
                for forgotten in (position, *self._folder.gone()):
                    self._forget(forgotten)
            return scene
        return self.scenes.get(position)

    def _forget(self, position: int) -> None:
        self._used.pop(position, None)
        self._damage.pop(position, None)
        for key in [k for k in self._visits if k[0] == position]:
            del self._visits[key]

    def absorbs(self, position: int) -> bool:
        """Whether an absorption sample lies at `position`."""
        return isinstance(self.scene(position), AbsorptionScene)

    def diffraction(
        self, position: int | None, two_theta: FloatArray, seconds: float, intensity: float = 1.0
    ) -> NDArray[np.int64]:
        """(n,) counts at `two_theta` (n,) in `seconds` each: binomial thinning without replacement.

        A step measured with N counts in T seconds gives Binomial(N left, t / T left): visits to
        one step add up to exactly the measured counts.  Beyond T there is nothing measured left;
        the local mean rate is sampled then, and `resampled_s` says for how long.
        """
        scene = self.scene(position)
        if not isinstance(scene, DiffractionScene) or seconds <= 0 or intensity <= 0:
            return np.zeros(np.shape(two_theta), dtype=np.int64)
        assert position is not None
        self._used.setdefault(
            position, (scene.used_counts.astype(float), scene.used_time_s.astype(float))
        )
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
        seen = min(1.0, intensity) * self._intact(position, seconds * intensity)
        return drawn if seen >= 1.0 else int(rng.binomial(drawn, seen))

    def _intact(self, position: int, dose_s: float) -> float:
        """Share of the sample that is left, before `dose_s` more destroys some of it."""
        left = math.exp(-self._damage[position])
        if self.damage_rate:
            self._damage[position] += self.damage_rate * dose_s
        return left

    def absorption(
        self,
        position: int,
        energy_ev: float,
        seconds: float,
        intensity: float = 1.0,
        empty: bool = False,
    ) -> tuple[int, int]:
        """Counts of the two chambers: independent Poisson draws around I0 and I0·e^-µ."""
        scene = self.scene(position)
        if not isinstance(scene, AbsorptionScene) or seconds <= 0 or intensity <= 0:
            return 0, 0
        place = round(energy_ev * 1e4)
        # a readback that comes back through two conversions may round to the next place
        before = sum(scene.visits.get(place + near, 0) for near in (-1, 0, 1))
        before += self._visits[position, place]
        rng = np.random.default_rng([self.seed, position, place, before])
        self._visits[position, place] += 1
        expected = scene.i0_rate_hz * seconds * intensity
        mu = float(np.interp(energy_ev, scene.energy_ev, scene.mu))
        left = self._intact(position, seconds * intensity)
        mu = 0.0 if empty else left * mu + (1 - left) * float(scene.mu.mean())
        return int(rng.poisson(expected)), int(rng.poisson(expected * np.exp(-mu)))
