"""The place of the reflection: the maximum of what the learner knows, with its sd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from materialsdock.model import Outcome
from materialsdock.protocols import LearningCampaign, RunWatch
from materialsdock.techniques.ordinary.analysis import (
    check,
    curve_learner,
    outcome,
    recalled,
    remembered,
)
from materialsdock.techniques.ordinary.rates import Rates

__all__ = ["Found", "Measurement", "analyse", "check", "recalled", "remembered"]

SAMPLES = 200
FINER = 20  # positions for each of the learner's: a maximum may lie between them
Measurement = Rates


@dataclass(frozen=True)
class Found:
    """The answer: position and height of the maximum, each with its standard deviation."""

    position_deg: float
    position_sd_deg: float
    height: float
    height_sd: float


def analyse(
    campaign: LearningCampaign, summary: dict[str, Any], watch: RunWatch, past: Sequence[Any] = ()
) -> Outcome:
    """The maximum of curves that agree with all counts: its mean, and how far it scatters."""
    watch.stage("finding the maximum")
    learner = curve_learner(campaign)
    grid = learner.axis.grid
    fine = np.linspace(grid[0], grid[-1], FINER * (grid.size - 1) + 1)
    curves = learner.sample(fine, SAMPLES, campaign.job.seed)
    tops, heights = fine[curves.argmax(axis=1)], curves.max(axis=1)
    found = Found(*(float(f(v)) for v in (tops, heights) for f in (np.mean, np.std)))
    return outcome(campaign, summary, found)
