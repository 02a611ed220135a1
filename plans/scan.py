"""Honest baselines on the same devices: uniform and expert-region scans, and a full step scan."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import Msg

from materialsdock.errors import InputError
from materialsdock.model import Proposal
from materialsdock.protocols import Instrument, Measure
from plans.measure import measure_point, measure_segment
from plans.stubs import safe_state, set_shutter

Region = tuple[float, float, float]


def fixed(
    proposals: Iterable[Proposal],
    instrument: Instrument,
    measure: Measure,
    *,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, None]:
    """Measure `proposals` in order: one run, stream `primary`, shutter closed on every exit."""

    def loop() -> Generator[Msg, Any, None]:
        yield from bps.open_run(md={"plan_name": "fixed", **(md or {})})
        yield from set_shutter(instrument.shutter, "open")
        for proposal in proposals:
            yield from measure(proposal, instrument)
        yield from safe_state(instrument)
        yield from bps.close_run(exit_status="success", reason="all positions measured")

    return (yield from bpp.finalize_wrapper(loop(), partial(safe_state, instrument)))


def uniform_energy(
    instrument: Instrument,
    start_ev: float,
    stop_ev: float,
    points: int,
    count_time_s: float,
    *,
    counter: str = "ion_chambers",
) -> Generator[Msg, Any, None]:
    """Equal steps in energy [eV], equal counting time [s]; counter : role of what counts."""
    proposals = points_of([(start_ev, stop_ev, _step(start_ev, stop_ev, points))], count_time_s)
    md = {"plan_name": "uniform_energy", "points": points}
    measure = partial(measure_point, counter=counter)
    return (yield from fixed(proposals, instrument, measure, md=md))


def expert_energy(
    instrument: Instrument,
    regions: Iterable[Region],
    count_time_s: float,
    *,
    counter: str = "ion_chambers",
) -> Generator[Msg, Any, None]:
    """An expert's regions (start, stop, step) [eV], each position once, in ascending order.

    counter : role of what counts
    """
    proposals = points_of(regions, count_time_s)
    md = {"plan_name": "expert_energy", "points": len(proposals)}
    measure = partial(measure_point, counter=counter)
    return (yield from fixed(proposals, instrument, measure, md=md))


def uniform_two_theta(
    instrument: Instrument,
    start: float,
    stop: float,
    points: int,
    count_time_s: float,
    *,
    segment_points: int = 64,
) -> Generator[Msg, Any, None]:
    """The full scan of a powder pattern: equal 2θ steps [deg], equal time [s], in segments."""
    step = _step(start, stop, points)
    proposals = [
        Proposal(
            start + first * step,
            start + (min(first + segment_points, points) - 1) * step,
            count_time_s,
            points=min(segment_points, points - first),
        )
        for first in range(0, points, segment_points)
    ]
    md = {"plan_name": "uniform_two_theta", "points": points}
    return (yield from fixed(proposals, instrument, measure_segment, md=md))


def points_of(regions: Iterable[Region], count_time_s: float) -> list[Proposal]:
    """One proposal per position of the (start, stop, step) regions, shared ends counted once.

    Raises InputError for a region whose step does not lead from start to stop.
    """
    positions: set[float] = set()
    for start, stop, step in regions:
        if not (step > 0 and stop > start):
            raise InputError(f"region ({start:g}, {stop:g}, {step:g}) has no positions")
        steps = round((stop - start) / step)
        positions.update(round(start + i * step, 6) for i in range(steps + 1))
    return [Proposal(x, x, count_time_s) for x in sorted(positions)]


def _step(start: float, stop: float, points: int) -> float:
    if points < 2 or not stop > start:
        raise InputError(f"{points} points from {start:g} to {stop:g} are not a scan")
    return (stop - start) / (points - 1)
