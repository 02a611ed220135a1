"""From a scan or a measured file to one job, and the scene that replays the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from materialsdock.model import Job, Measured, Observation, Sample, Scan
from materialsdock.profile.config import Profile
from materialsdock.profile.simulation import add_to_scene
from materialsdock.technique import named


def job_for(
    measured: Measured | Scan,
    sample: Sample,
    profile: Profile,
    *,
    stop: Mapping[str, Any] | None = None,
    seed: int = 0,
    count_time_s: float | None = None,
) -> Job:
    """The job that measures `sample` as its technique is measured."""
    part = named(sample.technique).job()
    scan = part.scan_of(measured) if isinstance(measured, Measured) else measured
    job: Job = part.job(
        scan, sample, profile, stop=stop or {}, seed=seed, count_time_s=count_time_s
    )
    return job


def scene(measured: Measured, job: Job, profile: Profile) -> dict[str, Any]:
    """The arrays from which the simulated beamline replays `measured` with counting statistics.

    They were counted for the time that the job counts for, whatever the file says.
    """
    part = named(job.sample.technique).scene()
    found: dict[str, Any] = part.scene(replace(measured, count_time_s=None), job, profile)
    return found


def mark_counted(scene_file: Path, job: Job, observations: Sequence[Observation]) -> None:
    """Give a fresh simulation what has been counted already, so that no count is drawn twice.

    Only a resumed replay needs this: a real sample remembers by itself.
    """
    add_to_scene(scene_file, named(job.sample.technique).scene().counted(job, observations))
