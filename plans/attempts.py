"""One point, attempted until it is sound.

A point is saved only when every condition held while it was counted; else it is void and counted
anew.  What cannot be read or moved at one point is tried again a few times, no more.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
from bluesky.utils import FailedStatus, Msg

from materialsdock.errors import DeviceFault, NoLight, Saturated
from materialsdock.model import Proposal
from materialsdock.protocols import Instrument, Measure
from plans.guards import POLL_S, ExposureGate
from plans.stubs import set_shutter

T = TypeVar("T")
Plan = Generator[Msg, Any, T]

WATCH_S = 0.2  # between looks while something is under way
SETTLE_S = 6.0  # for what was stopped to end
PLACE_TOLERANCE = 0.05
STARTS = ("set", "prepare", "kickoff", "trigger")
BEFORE, BEHIND = ("i0", "monitor"), "it"  # the sample; zero with beam on is no reading
SHORTER, SHORTEST = 1 / 4, 1 / 16  # counting times after a saturated one; the least of all


class VoidPoint(Exception):
    """A condition failed while the point was counted: it must not be saved."""


@dataclass
class Attempt:
    """The state of one attempt at a point."""

    losses: int
    bundling: bool = False
    saved: bool = False
    exposing: bool = False
    started: dict[int, Any] = field(default_factory=dict)
    statuses: list[Any] = field(default_factory=list)
    readings: dict[str, Any] = field(default_factory=dict)


class Attempts:
    """Makes of a Measure one that never saves what a failed condition has spoilt.

    `Attempts(gate).of(measure)` and `gate.ready` are what `plans.adaptive.learn` takes.

    proof : what is carried out after every hold, before the next exposure
    """

    def __init__(self, gate: ExposureGate) -> None:
        self.gate, self.instrument = gate, gate.instrument
        self.conditions = gate.conditions
        self.proof: Callable[[], Plan[None]] = bps.null
        self._proven = 0  # of the gate's holds
        self._flagged = False
        self._dark = 0  # looks without light, one after another

    def of(self, measure: Measure, *, proven: bool = True) -> Measure:
        """A Measure that saves a point only when every condition held while it was counted.

        What saturates a detector is counted for a shorter time; without light before the sample
        everything waits, and looks again after each hold.  Raises DeviceFault when the instrument
        fails at one point again and again, and whatever `proof` raises.

        proven : whether it waits for a proof after a hold; not what proves
        """

        def point(asked: Proposal, instrument: Instrument) -> Plan[None]:
            tries: Counter[str] = Counter()
            proposal = asked
            while True:
                if proven:
                    yield from self._proved()
                attempt = Attempt(self.gate.losses)
                try:
                    yield from self._prepared(attempt)
                    yield from self._watched(measure(proposal, instrument), attempt)
                    self._dark = 0
                    return
                except VoidPoint as error:
                    why = str(error)
                    yield from self._abandoned(attempt)
                except (DeviceFault, FailedStatus, *self.gate.lost_errors) as error:
                    if attempt.saved:  # news of an earlier attempt; this one is in the ledger
                        yield from bps.checkpoint()
                        return (yield Msg("rewindable", None, True))
                    yield from self._abandoned(attempt)
                    if isinstance(root := _root(error), Saturated):
                        proposal, why = self._shorter(root, proposal, asked), ""
                    elif isinstance(root, NoLight):
                        why = self._told_dark(root)
                    else:
                        why = yield from self._judged(error, attempt, tries, proposal)
                if why:
                    self.conditions.report("void", f"point at {proposal.start:g}: {why}")
                    yield from self.gate.hold(why)

        return point

    def _ready(self) -> Plan[None]:
        """Wait until all conditions hold, and nobody wants the shutter closed."""
        yield from self.gate.ready()
        if self.gate.opened and not self.instrument.shutter.shows_open:
            yield from self.gate.hold("the shutter was closed by others")

    def _proved(self) -> Plan[None]:
        yield from self._ready()
        while self.gate.holds != self._proven:
            self._proven = self.gate.holds
            yield from self.proof()
            yield from self._ready()

    def _prepared(self, attempt: Attempt) -> Plan[None]:
        """Wait until all conditions hold, with the sample in the beam and the shutter open."""
        shutter, changer = self.instrument.shutter, self.instrument.sample_changer
        yield from self._ready()
        place = self.conditions.place
        if place is not None and abs(changer.position - place) > PLACE_TOLERANCE:
            self.conditions.report("moved", f"sample from {changer.position:g} to {place:g}")
            self.gate.opened = False
            yield from set_shutter(shutter, "closed")
            yield from self._watched(_moved(changer, place), attempt)
        if not shutter.shows_open:
            yield from set_shutter(shutter, "open")
        self.gate.opened = True
        attempt.losses, attempt.exposing = self.gate.losses, True
        self.gate.mark()

    def _watched(self, plan: Plan[Any], attempt: Attempt) -> Plan[None]:
        """Carry out `plan`, looking at the conditions before, during and after what it does."""
        step: Callable[[], Msg] = partial(next, plan)
        while True:
            try:
                message = step()
            except StopIteration:
                return
            try:
                answer = yield from self._carried_out(message, attempt)
            except GeneratorExit:
                plan.close()
                raise
            except Exception as error:  # noqa: BLE001 - the plan's own affair
                step = partial(plan.throw, error)
            else:
                step = partial(plan.send, answer)

    def _carried_out(self, message: Msg, attempt: Attempt) -> Plan[Any]:
        command = message.command
        if command in STARTS:
            self.gate.owned()  # refuses to move when the instrument is another's
            attempt.started[id(message.obj)] = message.obj
        if command == "wait" and message.kwargs.get("timeout") is None:
            return (yield from self._waited(message, attempt))
        answer = yield message
        if command in STARTS:
            attempt.statuses.append(answer)
        elif command in ("create", "save", "drop"):
            attempt.bundling = command == "create"
            attempt.saved = command == "save"
        elif command == "collect":
            attempt.saved = True
        elif command == "read":
            attempt.readings.update(answer)
        elif command == "rewindable" and not message.args[0]:
            self._intact(attempt)  # only now can no pause have it counted anew
        return answer

    def _waited(self, message: Msg, attempt: Attempt) -> Plan[Any]:
        terms = {**message.kwargs, "timeout": WATCH_S, "error_on_timeout": False}
        while not (yield Msg("wait", None, *message.args, **terms)):
            if attempt.exposing and (why := self._spoilt(attempt)):
                raise VoidPoint(why)
        return True

    def _spoilt(self, attempt: Attempt) -> str:
        """Say why what is counted is void; "" while it is not."""
        if why := self.gate.spoilt(attempt.losses):
            return why
        place, changer = self.conditions.place, self.instrument.sample_changer
        moved = [words for d in attempt.started.values() if (words := getattr(d, "astray", ""))]
        if place is not None and abs(changer.position - place) > PLACE_TOLERANCE:
            moved.append(
                f"another sample is in the beam: {changer.position:g} instead of {place:g}"
            )
        return "; ".join(moved)

    def _intact(self, attempt: Attempt) -> None:
        """Raises VoidPoint or DeviceFault for what must not be saved."""
        if why := self._spoilt(attempt):
            raise VoidPoint(why)
        values = {key: reading["value"] for key, reading in attempt.readings.items()}
        bad = {
            key: value
            for key, value in values.items()
            if isinstance(value, int | float)
            and (not math.isfinite(value) or (key == BEHIND and value <= 0))
        }
        if dark := [key for key in BEFORE if values.get(key) == 0]:
            raise NoLight(f"no light on {dark[0]}", remedy="check the beam")
        if bad:
            raise DeviceFault(f"impossible readings {bad}", remedy="check beam and detectors")

    def _abandoned(self, attempt: Attempt) -> Plan[None]:
        """Stop what the attempt has started, and wait until it has ended."""
        if attempt.bundling:
            yield Msg("drop")
        yield Msg("rewindable", None, True)
        for device in attempt.started.values():
            if device.connected and hasattr(device, "stop"):
                yield from self.gate.tolerating(_single(Msg("stop", device)))
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline and not all(s.done for s in attempt.statuses if s):
            if self.gate.losses != attempt.losses or not self.gate.answers:
                return  # it will never say so; what fails late is borne while holding
            yield from self.gate.tolerating(bps.sleep(POLL_S))

    def _judged(
        self, error: BaseException, attempt: Attempt, tries: Counter[str], proposal: Proposal
    ) -> Plan[str]:
        """Say why to hold before the next try; "" to try again at once.

        Raises DeviceFault when there have been tries enough.
        """
        root, c = _root(error), self.conditions
        reading = isinstance(root, DeviceFault)
        if not reading and (yield from self._lost(attempt)):
            return f"the IOC was lost ({type(root).__name__})"
        kind, limit = ("reading", c.rereads) if reading else ("motion", c.retries)
        faults = [f for d in attempt.started.values() if (f := getattr(d, "fault", ""))]
        words = "; ".join(faults) or f"{type(root).__name__}: {root}"
        tries[kind] += 1
        if tries[kind] > limit:
            raise DeviceFault(
                f"{words}; tried {tries[kind]} times",
                where=f"point at {proposal.start:g}",
                remedy="check the device, then retry the sample",
            ) from error
        c.report("retry", f"point at {proposal.start:g}: {words}")
        return ""

    def _shorter(self, error: Saturated, proposal: Proposal, asked: Proposal) -> Proposal:
        """The same point for a shorter time; DeviceFault when that would be too short."""
        seconds = SHORTER * proposal.count_time_s
        if seconds < SHORTEST * asked.count_time_s * (1 - 1e-9):
            raise DeviceFault(
                f"{error.what} even in {proposal.count_time_s:.3g} s",
                where=f"point at {proposal.start:g}",
                remedy="attenuate the beam, then retry the sample",
            ) from error
        kind, self._flagged = "retry" if self._flagged else "flag", True
        words = f"{error.what}; counted again for {seconds:.3g} s"
        self.conditions.report(kind, f"point at {proposal.start:g}: {words}")
        return replace(proposal, count_time_s=seconds)

    def _told_dark(self, error: NoLight) -> str:
        """Say why to hold; when a hold did not help, people are told, once until there is light."""
        self._dark += 1
        if self._dark == 2:
            self.conditions.report("critical", f"{error.what}, although the beam should be there")
        return error.what

    def _lost(self, attempt: Attempt) -> Plan[bool]:
        """Return True if the IOC was away; only a heartbeat that is new proves that it is there."""
        heart = self.gate.heart
        began = time.monotonic()
        while heart is not None:
            if self.gate.losses != attempt.losses or not self.gate.answers:
                return True
            if heart.age_s < time.monotonic() - began:
                break
            yield from self.gate.tolerating(bps.sleep(POLL_S))
        return False


def _moved(device: Any, position: float) -> Plan[None]:
    yield from bps.mv(device, position)


def _single(message: Msg) -> Plan[Any]:
    return (yield message)


def _root(error: BaseException) -> BaseException:
    """Return the error that a failed status failed with."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
