"""Measure one proposal: move, count, save; what `measure` and `visit` of a profile name."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import Msg

from materialsdock.model import Proposal
from materialsdock.protocols import Instrument
from plans.saving import save_event, sealed

Plan = Generator[Msg, Any, None]


def measure_point(
    proposal: Proposal,
    instrument: Instrument,
    stream: str = "primary",
    counter: str = "ion_chambers",
) -> Plan:
    """Move the monochromator to one energy, count, and save one event in `stream`.

    counter : role of what counts, as the signal of the job names it
    """
    counting = getattr(instrument, counter)
    yield from bps.checkpoint()
    yield from bps.mv(counting.count_time, proposal.count_time_s)
    yield from bps.mv(instrument.mono, proposal.start)
    yield from bps.trigger(counting, group="count")
    yield from bps.wait(group="count")
    yield from save_event([counting, instrument.mono], stream)


def measure_step(proposal: Proposal, instrument: Instrument, stream: str = "primary") -> Plan:
    """Move 2θ to one angle, count, and save one event in `stream`: a classic step scan."""
    yield from bps.checkpoint()
    yield from bps.mv(instrument.point_detector.count_time, proposal.count_time_s)
    yield from bps.mv(instrument.two_theta, proposal.start)
    yield from bps.trigger(instrument.point_detector, group="count")
    yield from bps.wait(group="count")
    yield from save_event([instrument.point_detector, instrument.two_theta], stream)


def measure_segment(proposal: Proposal, instrument: Instrument) -> Plan:
    """Scan one 2θ segment in hardware and save one event per step in `primary`."""
    scanner = instrument.segment_scanner
    yield from bps.checkpoint()
    yield from bps.prepare(scanner, proposal, wait=True)
    yield from bps.kickoff(scanner, wait=True)
    yield from bps.complete(scanner, wait=True)
    yield from sealed(partial(bps.collect, scanner))
