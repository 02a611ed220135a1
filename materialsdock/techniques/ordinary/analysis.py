"""The ordinary half of an analysis: what was measured and learned, beside a technique's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.model import Job, Outcome
from materialsdock.protocols import LearningCampaign
from materialsdock.techniques.ordinary.rates import Rates


def check(job: Job) -> None:
    """Refuse nothing: every curve can be analysed."""


def remembered(outcome: Outcome) -> Mapping[str, Any]:
    """Keep nothing for later jobs."""
    return {}


def recalled(kept: Sequence[Mapping[str, Any]]) -> tuple[()]:
    """Return nothing, as nothing is kept."""
    return ()


def curve_learner(campaign: LearningCampaign) -> SpectrumLearner:
    """The learner of the campaign; TypeError where it is not the one of curves."""
    if not isinstance(campaign.learner, SpectrumLearner):
        raise TypeError(f"no curve of a {type(campaign.learner).__name__}")
    return campaign.learner


def outcome(campaign: LearningCampaign, summary: Mapping[str, Any], found: Any) -> Outcome:
    """Put what was found beside the rates that were counted and the curve that was learned.

    Repeat visits of a place are merged by their precision.
    """
    learner = curve_learner(campaign)
    axis, told = learner.axis, learner.spectrum()
    measured = Rates(axis.name, axis.unit, told.energy_ev, told.mu, told.sigma)
    curve = Rates(axis.name, axis.unit, axis.grid, *learner.posterior(axis.grid))
    return Outcome(campaign.job, tuple(campaign.decisions), summary, measured, found, curve)
