"""The conditions before and during every exposure, and how they are won back.

All that is asked here has come by monitor, so asking costs no time and cannot block the loop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
from bluesky.utils import FailedStatus, Msg

from materialsdock.errors import Refused, Unreachable
from materialsdock.protocols import Instrument
from plans.stubs import set_shutter

T = TypeVar("T")
Plan = Generator[Msg, Any, T]

POLL_S = 0.1  # between looks while holding


@dataclass(frozen=True)
class ExposureConditions:
    """The start conditions of an exposure; devices that a profile lacks are not asked.

    beam : role, minimum and resume current [mA] of the ring
    epoch : ours, None where nobody else can own the instrument; armed : dead-man required
    place : of the sample in the changer
    guard_fresh : whether the guard is alive; held : why others want a hold, "" when they do not
    report : hears (kind, words) of every "hold", "resumed", "void", "retry" and "critical"
    rereads, retries : of a point after impossible readings, and after failed motion or hangs
    """

    beam: tuple[str, float, float] | None = None
    heartbeat_stale_s: float = 3.0
    hold_proof_s: float = 30.0
    hysteresis_s: float = 120.0
    reconnect_limit_s: float = 600.0
    rereads: int = 2
    retries: int = 1
    epoch: int | None = None
    armed: bool = False
    place: float | None = None
    guard_fresh: Callable[[], bool] = lambda: True
    held: Callable[[], str] = lambda: ""
    report: Callable[[str, str], object] = lambda kind, words: None


class ExposureGate:
    """Lets exposures through while all conditions hold, and closes the shutter while not.

    opened : whether we want the shutter open; lost_errors : what a lost IOC raises
    """

    def __init__(self, instrument: Instrument, conditions: ExposureConditions) -> None:
        self.instrument, self.conditions = instrument, conditions
        self.heart = instrument.devices.get("heartbeat")
        self.lost_errors = getattr(self.heart, "lost_errors", (ConnectionError, TimeoutError))
        self._low = False
        self.opened = False
        self.holds = 0  # that have ended
        self._stuck = False  # whether the shutter did not close when it should, and people know
        self._ended = -math.inf

    # what holds

    def failing(self) -> tuple[str, ...]:
        """List why nothing may be exposed now, in words; empty when it may.

        Raises Refused when a later owner has taken the instrument.
        """
        if not self.answers:
            silent_s = self.conditions.heartbeat_stale_s
            if self.heart.connected:
                return (f"the IOC has given no answer for more than {silent_s:g} s",)
            return ("the connection to the IOC is lost",)
        try:
            return self._failing()
        except self.lost_errors as error:  # gone since we looked
            return (f"no connection: {error}",)

    def _failing(self) -> tuple[str, ...]:
        c, find = self.conditions, self.instrument.devices.get
        if away := [role for role, d in self.instrument.devices.items() if not d.connected]:
            return (f"no connection to {', '.join(away)}",)
        deadman, permit, ours = find("deadman"), find("permit"), self.owned()
        reasons = {
            "the IOC has forgotten who owns it": not ours,
            "the dead-man switch has tripped": deadman is not None and deadman.tripped.get(),
            "the dead-man switch is not armed": c.armed and deadman and not deadman.armed.get(),
            "the guard gives no heartbeat": not c.guard_fresh(),
            self._beam_words: self._beam_is_low(),
            "no shutter permit": permit is not None and not permit.granted.get(),
        }
        return (*(words for words, wrong in reasons.items() if wrong), *filter(None, [c.held()]))

    def owned(self) -> bool:
        """Return True if the IOC knows our epoch, or if there is no owner to ask.

        The IOC has forgotten it when it was started anew.  Raises Refused when a later epoch owns
        the instrument.
        """
        ours, owner = self.conditions.epoch, self.instrument.devices.get("owner")
        if ours is None or owner is None:
            return True
        found = int(owner.epoch.get())
        if found > ours:
            raise Refused(
                f"epoch {ours} may not move: epoch {found} owns the instrument",
                where=owner.name,
                remedy="nothing is wrong if another process was started; else restart the daemon",
            )
        return found == ours

    @property
    def _beam_words(self) -> str:
        if self.conditions.beam is None:
            return "the beam is down"
        _, minimum_ma, resume_ma = self.conditions.beam
        return f"the beam is down (below {minimum_ma:g} mA; {resume_ma:g} mA to go on)"

    def _beam_is_low(self) -> bool:
        if self.conditions.beam is None:
            return False
        role, minimum_ma, resume_ma = self.conditions.beam
        current = float(self.instrument.devices[role].current.get())
        self._low = not current >= (resume_ma if self._low else minimum_ma)
        return self._low

    @property
    def losses(self) -> int:
        """The number of times that the IOC has been lost."""
        return self.heart.losses if self.heart is not None else 0

    @property
    def answers(self) -> bool:
        """True if the IOC's heartbeat is fresh, or there is none to watch."""
        return self.heart is None or self.heart.age_s <= self.conditions.heartbeat_stale_s

    def mark(self) -> None:
        """Begin an exposure: look for the lowest beam from here on."""
        if self.conditions.beam is not None:
            self.instrument.devices[self.conditions.beam[0]].mark()

    def spoilt(self, losses: int) -> str:
        """Say why what was counted since `mark`, with `losses` then, is void; "" if it is not."""
        if reasons := self.failing():
            return "; ".join(reasons)
        if self.losses != losses:
            return "the connection to the IOC was lost"
        if self.conditions.beam is not None:
            role, minimum_ma, _ = self.conditions.beam
            if not self.instrument.devices[role].lowest_ma >= minimum_ma:
                return "the beam was down"
        return "" if self.instrument.shutter.shows_open else "the shutter was closed by others"

    # waiting until it holds again

    def ready(self) -> Plan[None]:
        """Go on at once when all conditions of an exposure hold, else hold."""
        if reasons := self.failing():
            yield from self.hold("; ".join(reasons))

    def hold(self, why: str) -> Plan[None]:
        """Keep the shutter closed until all conditions have held, unbroken, for the proof time.

        A hold that follows the last one within the hysteresis lasts at least that long, so a
        flickering beam makes one hold.  Raises Unreachable when the IOC stays away too long.
        """
        c, began = self.conditions, time.monotonic()
        least_s = c.hysteresis_s if began - self._ended < c.hysteresis_s else 0.0
        c.report("hold", why)
        self.opened = False
        proven = answered = began
        while True:
            yield from bps.checkpoint()  # else a pause would replay the whole wait
            yield from self.tolerating(self._closed())
            yield from self.tolerating(bps.sleep(POLL_S))
            now = time.monotonic()
            if self.failing():
                proven = now
            if self.answers:
                answered = now
            elif now - answered > c.reconnect_limit_s:
                raise Unreachable(
                    f"no answer from the IOC for {now - answered:.0f} s",
                    where=self.instrument.name,
                    remedy="restart the IOC; what was measured is in the ledger",
                )
            if now - proven >= c.hold_proof_s and now - began >= least_s:
                break
        self._ended = now
        self.holds += 1
        c.report("resumed", f"after {now - began:.1f} s of: {why}")

    def _closed(self) -> Plan[None]:
        """Close the shutter if it can be reached, and claim an IOC that was started anew."""
        shutter = self.instrument.shutter
        if not (self.answers and shutter.connected):
            return
        if shutter.shows_open:
            before = self.losses
            yield from self.tolerating(set_shutter(shutter, "closed"))
            # a command that was lost with its connection says nothing of the shutter
            stuck = shutter.shows_open and self.answers and self.losses == before
            if stuck and not self._stuck:
                self.conditions.report("critical", "the shutter does not close")
            self._stuck = stuck
        if not self.owned():
            yield from bps.mv(self.instrument.owner.epoch, self.conditions.epoch)

    def tolerating(self, plan: Plan[Any]) -> Plan[None]:
        """Run a plan; what was under way when the instrument went away may still fail, and late."""
        try:
            yield from plan
        except (FailedStatus, *self.lost_errors) as error:
            self.conditions.report("late", f"{type(error).__name__} {error}")
