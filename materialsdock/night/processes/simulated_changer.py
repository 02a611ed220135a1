"""Puts samples into the simulated changer: what the simulated beamline replays at a position."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.model import Axis, Job, Observation

FOLDER = "changer"


def counted(job: Job, observations: Sequence[Observation]) -> dict[str, Any]:
    """What has been drawn of a sample already, so that no count is drawn twice.

    Only a resumed replay needs this: a real sample remembers by itself.
    """
    if job.sample.technique == "xas":
        places = [round(o.x * 1e4) for o in observations]
        unique, visits = np.unique(np.array(places, dtype=np.int64), return_counts=True)
        return {"visited": unique, "visits": visits}
    axis = Axis.of(job.settings["axis"])
    seconds, counts = np.zeros(axis.grid.size), np.zeros(axis.grid.size)
    for o in observations:
        at = int(axis.index(o.x))
        seconds[at] += o.count_time_s
        counts[at] += round(o.y * o.count_time_s)
    return {"used_time_s": seconds, "used_counts": counts}


def put(
    folder: Path, job: Job, arrays: Mapping[str, Any], observations: Sequence[Observation]
) -> Path:
    """Write POSITION.npz into the changer's folder, whole or not at all; its path."""
    path = folder / FOLDER / f"{job.sample.position}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with new.open("wb") as file:
        np.savez(file, technique=job.sample.technique, **arrays, **counted(job, observations))
    os.replace(new, path)
    return path
