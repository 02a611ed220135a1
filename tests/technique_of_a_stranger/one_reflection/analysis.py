"""Where the reflection is: the maximum of what the learner knows, with its standard deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from materialsdock.model import FloatArray, Job, Outcome
from materialsdock.protocols import LearningCampaign, RunWatch
from one_reflection.job import SpectrumLearner

SAMPLES = 200


@dataclass(frozen=True, eq=False)
class Points:
    """(n,) 2θ [deg], count rate [1/s] and its standard deviation."""

    two_theta: FloatArray
    rate: FloatArray
    sigma: FloatArray


@dataclass(frozen=True)
class Found:
    """The answer: position and height of the maximum, each with its standard deviation."""

    position_deg: float
    position_sd_deg: float
    height: float
    height_sd: float


Measurement = Points


def check(job: Job) -> None:
    """Refuse nothing: every such scan can be analysed."""


def analyse(
    campaign: LearningCampaign, summary: dict[str, Any], watch: RunWatch, past: Sequence[Any] = ()
) -> Outcome:
    """The maximum of posterior curves: its mean, and how far it scatters."""
    watch.stage("finding the maximum")
    learner, job = campaign.learner, campaign.job
    assert isinstance(learner, SpectrumLearner)
    grid = learner.axis.grid
    curves = learner.sample(grid, SAMPLES, job.seed)
    tops, heights = grid[curves.argmax(axis=1)], curves.max(axis=1)
    # between two positions of the grid nothing is known
    coarse = float(np.diff(grid).max()) / np.sqrt(12)
    found = Found(
        float(tops.mean()),
        float(np.hypot(tops.std(), coarse)),
        float(heights.mean()),
        float(heights.std()),
    )
    told = np.array(sorted((o.x, o.y, o.sigma) for o in learner.observations)).T
    mean, sd = learner.posterior(grid)
    decisions = tuple(campaign.decisions)
    return Outcome(job, decisions, summary, Points(*told), found, Points(grid, mean, sd))


def remembered(outcome: Outcome) -> Mapping[str, Any]:
    """Nothing is learned from one reflection for the next."""
    return {}


def recalled(kept: Sequence[Mapping[str, Any]]) -> tuple[()]:
    """Nothing, as nothing is remembered."""
    return ()
