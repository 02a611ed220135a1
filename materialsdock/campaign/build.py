"""From a job's settings, which are plain numbers and words, to the learner and the rule."""

from __future__ import annotations

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.model import Job
from materialsdock.protocols import Learner, StoppingRule


def learner(job: Job) -> Learner:
    """The learner that the job's settings describe, as its technique reads them."""
    found: Learner = technique.named(job.sample.technique).learner()(job)
    return found


def rule(job: Job) -> StoppingRule:
    """The stopping rule that the job's settings describe."""
    return rule_from_settings(job.settings["stop"])


def check(job: Job) -> None:
    """Build everything once, so that a bad job is refused before any hardware moves."""
    try:
        learner(job)
        rule(job)
    except (KeyError, TypeError) as error:
        raise InputError(f"job settings: {error!r}", where=job.job_id) from error
