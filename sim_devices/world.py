"""The nature of the simulated beamline: measured scans, replayed with counting statistics.

Every draw is keyed by seed, place and what was counted there before, so that an interrupted and
resumed measurement sees the same counts as an uninterrupted one.  What a scan is, and how it is
drawn from, the modules of sim_devices.scenes know.
"""

from __future__ import annotations

import logging
import math
import pkgutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from materialsdock.errors import InputError
from materialsdock.technique import resolved
from sim_devices import scenes

log = logging.getLogger(__name__)


class Replay(Protocol):
    """A sample in the changer, with what has been counted of it."""

    def channels(self, beamline: Any, seconds: float) -> Sequence[float]:
        """Counts of scaler channels 2, 3... in `seconds`, as everything on the beamline stands."""


class Scene(Protocol):
    """A measured sample, as a module of sim_devices.scenes loads it."""

    def at(self, place: Place) -> Replay:
        """Put the same into the changer."""


def load_scene(path: Path) -> Scene:
    """Read a scene file (npz); InputError when it is none, or of a technique without a scene."""
    with np.load(path, allow_pickle=False) as file:
        found = {key: file[key] for key in file.files}
    technique = str(found.pop("technique", ""))
    known = sorted(module.name for module in pkgutil.iter_modules(scenes.__path__))
    if technique not in known:
        raise InputError(
            f"no scene of technique {technique!r}",
            where=str(path),
            remedy=f"available: {', '.join(known)}; or bring sim_devices/scenes/NAME.py",
        )
    scene: Scene = resolved(f"sim_devices.scenes.{technique}:load")(found)
    return scene


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


class Place:
    """A place of the changer: the seed of its draws, and what light has done to its sample."""

    def __init__(self, world: World, position: int) -> None:
        self.world, self.position = world, position
        self._damage = 0.0  # dose [s] times rate

    def rng(self, *key: int) -> np.random.Generator:
        """The same draws whenever seed, position and `key` are the same."""
        return np.random.default_rng([self.world.seed, self.position, *key])

    def intact(self, dose_s: float) -> float:
        """Share of the sample that is left, before `dose_s` more destroys some of it."""
        left = math.exp(-self._damage)
        if self.world.damage_rate:
            self._damage += self.world.damage_rate * dose_s
        return left

    def resampled(self, seconds: float) -> None:
        """Count the seconds in which nothing measured was left to replay."""
        self.world.resampled_s += seconds


class World:
    """The samples in the changer.

    damage_rate : share of a sample's features that an exposed second at full beam destroys
    resampled_s : for how long more was counted than had been measured
    """

    def __init__(
        self, scenes: Mapping[int, Scene], seed: int = 0, folder: Path | None = None
    ) -> None:
        self.scenes = dict(scenes)
        self.seed = seed
        self.resampled_s = 0.0
        self.damage_rate = 0.0
        self._folder = SceneFolder(folder) if folder else None
        self._samples: dict[int, Replay] = {}

    def sample(self, position: int | None) -> Replay | None:
        """Return what is at `position`, with all that was counted of it; None for an empty one."""
        if position is None or (scene := self._scene(position)) is None:
            return None
        if position not in self._samples:
            self._samples[position] = scene.at(Place(self, position))
        return self._samples[position]

    def _scene(self, position: int) -> Scene | None:
        if self._folder is None or position in self.scenes:
            return self.scenes.get(position)
        scene, new = self._folder.look(position)
        if new:
            for forgotten in (position, *self._folder.gone()):
                self._samples.pop(forgotten, None)
        return scene
