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
FINER = 20  # positions for each of the learner's: a maximum may lie between them


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
    fine = np.linspace(grid[0], grid[-1], FINER * (grid.size - 1) + 1)
    curves = learner.sample(fine, SAMPLES, job.seed)
    tops, heights = fine[curves.argmax(axis=1)], curves.max(axis=1)
    found = Found(*(float(f(v)) for v in (tops, heights) for f in (np.mean, np.std)))
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
