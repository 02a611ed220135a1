"""A RunEngine, and the adaptive plan of one job with what every exposure has to pass."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from materialsdock.campaign.campaign import Campaign
from materialsdock.errors import MaterialsDockError
from materialsdock.model import Job
from materialsdock.profile.config import Profile
from materialsdock.protocols import Instrument
from materialsdock.technique import named, resolved


def run_engine(profile: Profile, instrument: Instrument) -> Any:
    """A RunEngine that leaves signals alone, and suspends while there is no beam.

    Where every exposure has conditions it does not suspend: they see to the beam.
    """
    from bluesky import RunEngine

    engine = RunEngine({}, context_managers=[])
    engine.log.logger.addFilter(_in_words)
    # with conditions the gate watches the beam, and two watchers would hold twice
    if profile.beam is not None and profile.conditions is None:
        engine.install_suspender(beam_suspender(profile, instrument))
    return engine


def _in_words(record: logging.LogRecord) -> bool:
    """Keep the tracebacks of surprises: an abort was asked for, and our own errors are said."""
    from bluesky.utils import RequestAbort

    if record.exc_info and isinstance(record.exc_info[1], RequestAbort | MaterialsDockError):
        record.exc_info = None
    return True


def beam_suspender(profile: Profile, instrument: Instrument) -> Any:
    """Hold, shutter closed, while the ring current is low; go on when beam is back a while."""
    from bluesky.suspenders import SuspendFloor

    beam = profile.beam
    assert beam is not None
    shutter = partial(resolved(profile.plans.set_shutter), instrument.shutter)
    return SuspendFloor(
        getattr(instrument, beam.role).current,
        beam.minimum_ma,
        resume_thresh=beam.resume_ma,
        sleep=beam.wait_s,
        pre_plan=partial(shutter, "closed"),
        post_plan=partial(shutter, "open"),
    )


def gate_for(
    campaign: Campaign, instrument: Instrument, profile: Profile, **night: Any
) -> Any | None:
    """Return the gate that every exposure of this job has to pass; None without [conditions].

    night : what a daemon adds to them, see plans.guards.ExposureConditions
    """
    if profile.conditions is None:
        return None
    beam = profile.beam and (profile.beam.role, profile.beam.minimum_ma, profile.beam.resume_ma)
    terms = {"beam": beam, "place": campaign.job.sample.position, **night}
    conditions = resolved(profile.plans.conditions)(**profile.conditions.holding(), **terms)
    return resolved(profile.plans.gate)(instrument, conditions)


def plan_for(
    campaign: Campaign,
    instrument: Instrument,
    profile: Profile,
    gate: Any | None = None,
    sentry: Any | None = None,
) -> Any:
    """The adaptive plan of this job on this instrument.

    gate : made by `gate_for`, which is the default; sentry : of the night, see plans.reference
    """
    section = profile.section(campaign.job.sample.technique)
    plans = profile.plans
    measure, visit = (_counting(campaign.job, plan) for plan in (section.measure, section.visit))
    ready: dict[str, Any] = {}
    gate = gate or gate_for(campaign, instrument, profile)
    if gate is not None:
        attempts = resolved(plans.attempts)(gate)
        measure, ready = attempts.of(measure), {"ready": gate.ready}
        if sentry is not None:
            visits = resolved(plans.visits)(attempts, sentry, visit)
            ready = {"ready": visits.ready}
    elif (beam := profile.beam) is not None:
        limits = beam.role, beam.minimum_ma, beam.resume_ma
        ready = {"ready": partial(resolved(plans.hold_for_beam), instrument, *limits)}
    return resolved(plans.learn)(campaign, instrument, measure, **ready)


def _counting(job: Job, plan: str) -> Any:
    """The measuring plan of a job, told what counts where the job names a signal of its own."""
    own = named(job.sample.technique)
    way = own.way(job)
    made = resolved(plan)
    return made if way.counter == own.counter else partial(made, counter=way.counter)
