"""The samples of the demonstration: one of each technique that a profile has."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from materialsdock.campaign.prepare import job_for, scene
from materialsdock.model import Measured, Sample
from materialsdock.profile.config import Profile
from materialsdock.profile.simulation import save_scene
from materialsdock.technique import named


def sample(technique: str) -> tuple[Measured, Sample]:
    """The demonstration's sample of a technique: the scan to replay, and what is known of it."""
    found: tuple[Measured, Sample] = named(technique).demo()()
    return found


def samples(profile: Profile) -> tuple[tuple[Measured, Sample], ...]:
    """One of each technique of the profile, by their places in the changer."""
    found = [sample(technique) for technique in profile.techniques]
    return tuple(sorted(found, key=lambda each: each[1].position))


@contextmanager
def scenes(profile: Profile) -> Iterator[Mapping[int, Path]]:
    """Scene files of all samples by their position in the changer, while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="materialsdock-") as folder:
        files = {}
        for measured, known in samples(profile):
            path = Path(folder) / f"{known.technique}.npz"
            job = job_for(measured, known, profile)
            save_scene(path, technique=known.technique, **scene(measured, job, profile))
            files[known.position] = path
        yield files
