"""Plan stubs: think without stalling, drive the shutter, record a decision.

Messages may be replayed after a pause: whatever runs between two checkpoints must be safe to run
twice; see plans.saving.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
from bluesky.utils import Msg

from materialsdock.model import Decision
from materialsdock.protocols import Instrument
from plans.measure import measure_point as measure_point  # the names of older profiles
from plans.measure import measure_segment as measure_segment
from plans.measure import measure_step as measure_step
from plans.saving import save_event

T = TypeVar("T")
Plan = Generator[Msg, Any, T]

BEAM_POLL_S = 0.5

# One thread: a replayed thought waits for its twin instead of racing it.
_thinker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="think")


def think(function: Callable[[], T]) -> Plan[T]:
    """Run `function` beside the RunEngine's loop and return its result.

    A second of computing inside a plan stalls pause, suspenders and monitors for a second; here
    it does not.  `function` must be pure or idempotent: a pause may have it run twice.
    """
    thoughts: list[asyncio.Future[T]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        thoughts.append(loop.run_in_executor(_thinker, function))
        await asyncio.wait(thoughts[-1:])

    while not (thoughts and thoughts[-1].done()):
        yield from bps.wait_for([run])
    return thoughts[-1].result()


def meanwhile(function: Callable[[], object]) -> None:
    """Run `function` beside the plan and go on; the next thought waits until it is done.

    For what is only prepared here: a fault shows where the result is needed.
    """
    _thinker.submit(function)


def set_shutter(shutter: Any, position: str) -> Plan[None]:
    """Drive the shutter to "open" or "closed" and wait for its own readback to say so."""
    yield from bps.abs_set(shutter, position, group="shutter")
    yield from bps.wait(group="shutter")


def safe_state(instrument: Instrument) -> Plan[None]:
    """Close the shutter and verify it; motors are stopped by the RunEngine itself."""
    yield from set_shutter(instrument.shutter, "closed")


def hold_for_beam(
    instrument: Instrument, role: str, minimum_ma: float, resume_ma: float
) -> Plan[None]:
    """Wait for `resume_ma` before an exposure if the ring current is below `minimum_ma`.

    A suspender does this while a plan runs, but can miss a dump that began when nothing ran.  The
    shutter is closed while waiting.
    """
    ring = getattr(instrument, role)
    if (yield from bps.rd(ring)) >= minimum_ma:
        return
    yield from set_shutter(instrument.shutter, "closed")
    while (yield from bps.rd(ring)) < resume_ma:
        yield from bps.sleep(BEAM_POLL_S)
    yield from set_shutter(instrument.shutter, "open")


class DecisionReading:
    """The latest decision as something a RunEngine can read: stream `decision`."""

    name = "decision"
    parent = None

    def __init__(self) -> None:
        self._decision: Decision | None = None

    def put(self, decision: Decision) -> None:
        """Hold `decision` for the next read."""
        self._decision = decision

    def _values(self) -> dict[str, Any]:
        if self._decision is None:
            raise RuntimeError("no decision to read")
        d, nan = self._decision, float("nan")
        following = d.next or d.proposal
        numbers = {
            "lambda_t": d.lambda_t,
            "threshold": d.verdict.threshold,
            "s": d.s,
            "z2": d.z2,
            "next_x": following.start if d.next else None,
            "next_count_time_s": following.count_time_s if d.next else None,
            "mean": d.mean,
            "sd": d.sd,
            "seconds_measured": d.seconds_measured,
            "seconds_deciding": d.seconds_deciding,
        }
        return {
            "step": d.step,
            **{key: nan if value is None else float(value) for key, value in numbers.items()},
            "stop": int(d.verdict.stop),
            "reason": d.verdict.reason,
            "hyperparameters": json.dumps(dict(d.hyperparameters)),
        }

    def read(self) -> dict[str, dict[str, Any]]:
        """The decision's numbers, keys as in `describe`."""
        now = time.time()
        return {key: {"value": value, "timestamp": now} for key, value in self._values().items()}

    def describe(self) -> dict[str, dict[str, Any]]:
        """Data keys: numbers in the units of the axis, seconds, and two strings."""
        kinds = {int: "integer", float: "number", str: "string"}
        return {
            key: {"source": "materialsdock:decision", "dtype": kinds[type(value)], "shape": []}
            for key, value in self._values().items()
        }

    def read_configuration(self) -> dict[str, dict[str, Any]]:
        """Return nothing: there is no configuration."""
        return {}

    def describe_configuration(self) -> dict[str, dict[str, Any]]:
        """Describe nothing: there is no configuration."""
        return {}


def record_decision(decision: Decision, reading: DecisionReading) -> Plan[None]:
    """Save one event in stream `decision`, exactly once."""
    reading.put(decision)
    yield from save_event([reading], "decision")
