"""The orders of the daemon to a worker: samples wait their turn, requests of people do not."""

from __future__ import annotations

import contextlib
import logging
import queue as queues
import threading
import time
from collections.abc import Mapping
from typing import Any

from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.interrupted import Interrupted
from materialsdock.campaign.steering import Steering
from materialsdock.errors import MaterialsDockError, Refused
from materialsdock.night.control.dispatch import LATER, NOTHING
from materialsdock.night.sentinels.sentry import Sentry
from materialsdock.night.system.heartbeats import Heart
from materialsdock.night.system.process import Line, Message

log = logging.getLogger(__name__)
TURN_S = 0.25
STEERING = ("stop", "veto", "force", "change", "approve")


class Orders:
    """The line from the daemon, read in a thread of its own as long as the process lives.

    campaign, sentry : of the sample in the beam, as soon as it is prepared
    pausing : whether a pause was asked for and has not come true
    """

    def __init__(self, line: Line, engine: Any, heart: Heart) -> None:
        self.line, self.engine, self.heart = line, engine, heart
        self.campaign: Campaign | None = None
        self.sentry: Sentry | None = None
        self.pausing = False
        self._sample: str | None = None  # sent, and not yet ended
        self._work: queues.SimpleQueue[Message] = queues.SimpleQueue()
        self._paused: queues.SimpleQueue[str] = queues.SimpleQueue()
        self._abort = threading.Event()
        self.why_aborted = ""

    @property
    def aborted(self) -> bool:
        """True if the sample that was sent last is to be measured no further."""
        return self._abort.is_set()

    def listen(self) -> None:
        """Begin to read the line."""
        threading.Thread(target=self._dispatch, daemon=True).start()

    def following(self) -> Message:
        """Wait for the next sample, or the end."""
        return self._work.get()

    def done(self) -> None:
        """Note that the sample has ended, before the daemon does and sends the next one."""
        self.campaign = self.sentry = self._sample = None

    def _dispatch(self) -> None:
        while True:
            order = self.line.inbox.get()
            verb = order["do"]
            if verb == "measure":  # what comes from here on is about this sample
                self._abort.clear()
                self._paused, self.pausing = queues.SimpleQueue(), False
                self._sample = order["sample"]
            if verb == "end":
                self._asked("abort", {**order, "seq": 0, "who": "the night ends"})
            if verb not in ("measure", "end"):
                self._asked(verb, order)
                continue
            self._work.put(order)
            if verb == "end":
                return

    def _asked(self, verb: str, order: Mapping[str, Any]) -> None:
        try:
            words = self._act(verb, order)
        except MaterialsDockError as error:
            self.line.say("refused", seq=order["seq"], words=str(error))
        except Exception as error:  # the one thread that hears an abort outlives all it is asked
            log.exception("%s", verb)
            self.line.say("refused", seq=order["seq"], words=f"{type(error).__name__}: {error}")
        else:
            self.line.say("done", seq=order["seq"], words=words)

    def _act(self, verb: str, order: Mapping[str, Any]) -> str:
        if self._sample is None:
            raise Refused(NOTHING, where=verb, remedy=LATER)
        if verb == "abort":
            reason = order.get("reason", "")
            self._halt(f"by {order['who']}{': ' if reason else ''}{reason}")
            return "aborted; the shutter closes"
        if verb == "pause":
            return self._pause(self._sample)
        if self.campaign is None:
            raise Refused("the sample is only being prepared", where=verb, remedy="ask again")
        if verb == "resume":
            return self._resume(order["who"])
        if verb == "approve" and not self.campaign.needs_approval:
            raise Refused("no point of this sample waits for an approval", where=verb)
        if verb in STEERING:
            self.campaign.steer(Steering.asked(verb, order))
            return f"recorded; takes effect from step {len(self.campaign.decisions)}"
        raise Refused(f"the worker knows no request {verb!r}")

    def _halt(self, why: str) -> None:
        """Abort what runs: the plan's finalizer closes the shutter.  What does not run yet will
        not get beyond its start document.
        """
        self.why_aborted = why
        self._abort.set()
        self._paused.put("abort")
        if str(self.engine.state) not in ("idle", "paused", "aborting"):
            self.engine.abort(why)

    def _pause(self, sample: str) -> str:
        if str(self.engine.state) == "paused":
            self._paused.put("pause")
            return "stays paused"
        self.pausing = True
        # an engine that does not run yet would forget it
        threading.Thread(target=self._pause_when_it_runs, args=(sample,), daemon=True).start()
        return "pauses at the next point"

    def _pause_when_it_runs(self, sample: str) -> None:
        while self.pausing and self._sample == sample and not self.aborted:
            if str(self.engine.state) == "running":
                self.engine.request_pause(defer=True)
                return
            time.sleep(0.01)

    def _resume(self, who: str) -> str:
        if str(self.engine.state) != "paused":
            if self.sentry and (words := self.sentry.release(who)):
                return words
            raise Refused(f"the measurement is {self.engine.state}", where="resume")
        self._paused.put("resume")
        return "goes on as soon as all conditions hold"

    def started(self, name: str, _: Mapping[str, Any]) -> None:
        """Raise Interrupted in the RunEngine for an abort that came just before it ran."""
        if name == "start" and self.aborted:
            raise Interrupted(f"aborted before it began, {self.why_aborted}")

    def wait_for_resume(self, gate: Any | None) -> None:
        """Wait until somebody asks to go on and all conditions have held for their proof time.

        Raises Interrupted after an abort.
        """
        self.pausing = False
        self.heart.phase("paused")
        self.line.say("paused")
        asked = "pause"
        while asked == "pause":  # a second one takes a resume back that waits for its proof
            asked = self._paused.get()
            if asked == "resume" and gate is not None:
                asked = self._proven(gate)
        if asked == "abort":
            self.engine.abort("asked while paused")
            raise Interrupted(f"aborted while paused, {self.why_aborted}")
        if self.sentry is not None:
            self.sentry.after_hold()
        self.heart.phase("busy")
        self.line.say("resumed")

    def _proven(self, gate: Any) -> str:
        """ "resume" when all conditions have held for the proof time, or what was asked instead."""
        since, told = time.monotonic(), ""
        while True:
            words = "; ".join(gate.failing())
            if words:
                since = time.monotonic() + TURN_S
            if words and words != told:
                self.line.say("waiting", words=words)
            told = words
            if time.monotonic() - since >= gate.conditions.hold_proof_s:
                return "resume"
            with contextlib.suppress(queues.Empty):
                if (asked := self._paused.get(timeout=TURN_S)) != "resume":
                    return asked
