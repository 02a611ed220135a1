"""Puts samples into the simulated changer: what the simulated beamline replays at a position."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.model import Job, Observation
from materialsdock.technique import named

FOLDER = "changer"


def put(
    folder: Path, job: Job, arrays: Mapping[str, Any], observations: Sequence[Observation]
) -> Path:
    """Write POSITION.npz into the changer's folder, whole or not at all; its path."""
    path = folder / FOLDER / f"{job.sample.position}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    counted = named(job.sample.technique).scene().counted(job, observations)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with new.open("wb") as file:
        np.savez(file, technique=job.sample.technique, **arrays, **counted)
    os.replace(new, path)
    return path
