"""Puts samples into the simulated changer: what the simulated beamline replays at a position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from materialsdock.model import Job, Observation
from materialsdock.profile.simulation import save_scene
from materialsdock.technique import named

FOLDER = "changer"


def put(
    folder: Path, job: Job, arrays: Mapping[str, Any], observations: Sequence[Observation]
) -> Path:
    """Write POSITION.npz into the changer's folder, whole or not at all; its path."""
    path = folder / FOLDER / f"{job.sample.position}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    counted = named(job.sample.technique).scene().counted(job, observations)
    return save_scene(path, technique=job.sample.technique, **arrays, **counted)
