"""Before a night: what a sheet will do, and when it will be done, from the same plans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock import technique
from materialsdock.errors import Unreachable
from materialsdock.model import FloatArray
from materialsdock.night.queue import estimate
from materialsdock.night.queue.estimate import Finish, Foretold, KnownSample, Left, Times
from materialsdock.night.queue.history import key_of
from materialsdock.night.rehearsal.rehearsal import on_loopback
from materialsdock.profile.config import Profile
from materialsdock.sheets import jobs
from materialsdock.sheets.entry import Fault, SheetEntry, refusal

DIFFERENT = 3  # samples of one recipe that are rehearsed, where their settings differ
SETTINGS = ("technique", "count_time_s", "threshold", "maximum_points", "maximum_minutes", "replay")


@dataclass(frozen=True)
class Rehearsed:
    """One measurement of one entry on the simulated instrument.

    instrument_s : its seconds, visits included; overhead_s : wall clock beside them, per step
    reason : why it ended; stand_in : whether another sample stood in for it
    analysis_s : None where it was not analysed, or in vain
    """

    sample_id: str
    seed: int
    instrument_s: float
    steps: int
    overhead_s: float
    reason: str
    stand_in: bool
    analysis_s: float | None = None
    analysis_fault: str = ""

    @property
    def foretells(self) -> Foretold:
        """The predicted time of such a measurement elsewhere."""
        return Foretold(self.instrument_s, self.steps * self.overhead_s)

    def wall_s(self, speed: float) -> float:
        """Wall clock on an instrument that is `speed` times as fast as its own clock."""
        return self.foretells.at(speed)


@dataclass(frozen=True)
class Preflight:
    """The findings about a sheet; keys are recipes, or techniques where there is no recipe."""

    order: tuple[SheetEntry, ...]
    rehearsals: Mapping[str, tuple[Rehearsed, ...]]
    each: Mapping[str, Finish]
    whole: Finish

    @property
    def forecast(self) -> dict[str, list[Foretold]]:
        """The predictions of the rehearsals by key, for the data folder to keep."""
        return {k: [row.foretells for row in rows] for k, rows in self.rehearsals.items()}


def body_of(entry: SheetEntry) -> dict[str, Any]:
    """The entry as the queue keeps it."""
    return entry.model_dump(mode="json", exclude_unset=True)


def chosen(entries: Sequence[SheetEntry]) -> dict[str, list[SheetEntry]]:
    """The samples to rehearse by key: the first of each, and some whose settings differ."""
    found: defaultdict[str, dict[str, SheetEntry]] = defaultdict(dict)
    of_techniques = [
        column for each in technique.known().values() for column in each.sheet().SETTINGS
    ]
    for entry in entries:
        same = json.dumps([getattr(entry, name) for name in (*SETTINGS, *of_techniques)])
        of_key = found[key_of(body_of(entry))]
        if len(of_key) < DIFFERENT:
            of_key.setdefault(same, entry)
    return {key: list(by_settings.values()) for key, by_settings in found.items()}


def faults(entries: Sequence[SheetEntry], profile: Profile, folder: Path) -> list[Fault]:
    """List faults as submitting does, but a stand-in may take the place of a file to replay."""
    real = profile.model_copy(update={"simulation": None})
    found = jobs.faults([e for e in entries if e.replay is None], real, folder)
    return found + jobs.faults([e for e in entries if e.replay is not None], profile, folder)


def rehearsals(
    entries: Sequence[SheetEntry], profile: Profile, root: Path, *, seeds: int, analyse: bool = True
) -> dict[str, tuple[Rehearsed, ...]]:
    """Measure the chosen entries once for each seed, in a process with its own beamline.

    Raises InputError for a profile without simulation, Unreachable when that process fails.
    """
    on_loopback(profile)
    wanted = chosen(entries)
    flat = [body_of(entry) for by_key in wanted.values() for entry in by_key]
    order = {"entries": flat, "seeds": list(range(seeds)), "seed": 0, "analyse": analyse}
    rows = [Rehearsed(**row) for row in _carried_out(order, profile, root)]
    keys = {entry.sample_id: key for key, by_key in wanted.items() for entry in by_key}
    return {key: tuple(r for r in rows if keys[r.sample_id] == key) for key in wanted}


def _carried_out(order: Mapping[str, Any], profile: Profile, root: Path) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="materialsdock-") as work:
        command = [sys.executable, "-m", "materialsdock.night.rehearsal.rehearsal"]
        command += ["--parent", str(os.getpid()), "--profile", profile.name]
        command += ["--site", str(root), "--work", work]
        done = subprocess.run(
            command,
            input=json.dumps(order) + "\n",
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    if done.returncode:
        raise Unreachable(
            f"the rehearsal ended with status {done.returncode}: {done.stderr.strip()[-500:]}",
            where="materialsdock.night.rehearsal.rehearsal",
            remedy="try one sample of the sheet with `materialsdock measure`",
        )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def times_of(rows: Sequence[Rehearsed], speed: float) -> Times:
    """(n,) wall clock seconds of the rehearsals."""
    seconds: FloatArray = np.array([row.wall_s(speed) for row in rows])
    return Times(seconds, f"{len(rows)} rehearsals")


def preflight(
    entries: Sequence[SheetEntry],
    profile: Profile,
    root: Path,
    *,
    seeds: int = 5,
    analyse: bool = True,
) -> Preflight:
    """Check a sheet, rehearse it, and say when it will be done.

    Raises InputError with every fault of the sheet, and for a profile without simulation.
    """
    on_loopback(profile)
    if found := faults(entries, profile, root / "profiles" / profile.name):
        raise refusal(found, f"profile {profile.name}")
    order = tuple(sorted(entries, key=lambda entry: -entry.priority))
    made = rehearsals(order, profile, root, seeds=seeds, analyse=analyse)
    speed = profile.speed
    analysed = {
        k: [r.analysis_s for r in rows if r.analysis_s is not None] for k, rows in made.items()
    }
    known = KnownSample(
        {key: times_of(rows, speed) for key, rows in made.items()},
        {key: Times(np.array(s), "rehearsals") for key, s in analysed.items() if s},
    )
    left = [Left(key_of(body_of(entry))) for entry in order]
    each = {key: estimate.finish([Left(key)], known) for key in made}
    return Preflight(order, made, each, estimate.finish(left, known))
