"""The one process that drives the hardware: one sample at a time, and killable at any moment.

It believes nothing but the ledger: what it measures is durable there before the plan goes on, and
a sample that was interrupted goes on with the points it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue as queues
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from materialsdock import building, config
from materialsdock.campaign import Campaign
from materialsdock.catalog import close_torn_runs
from materialsdock.errors import MaterialsDockError, Refused
from materialsdock.ledger import Ledger
from materialsdock.model import Decision
from materialsdock.night import beats, changer, control, making, queue
from materialsdock.night.beats import Heart
from materialsdock.night.faults import fault_of
from materialsdock.night.posted import sentry_of, waits_for
from materialsdock.night.process import Message
from materialsdock.night.role import Role, child
from materialsdock.night.sentry import Sentry
from materialsdock.protocols import Instrument
from materialsdock.runner import Interrupted, gate_for, plan_for, run_engine
from materialsdock.sheet import Entry
from materialsdock.steering import Steering

log = logging.getLogger(__name__)
TURN_S = 0.25
RETRY_S = 15.0  # that one more attempt at a point may take
STEERING = ("stop", "veto", "force", "change", "approve")


class Worker:
    """RunEngine, instrument and the campaign of the sample in the beam."""

    def __init__(self, role: Role, heart: Heart, ledger: Ledger, epoch: int) -> None:
        self.line, self.heart, self.ledger = role.line, heart, ledger
        self.profile, self.data, self.site, self.epoch = role.profile, role.data, role.site, epoch
        profile = role.profile
        self.instrument: Instrument = config.build_instrument(profile)
        # with conditions the gate watches the beam, and two watchers would hold twice
        self.engine = run_engine(None if profile.conditions else profile.beam, self.instrument)
        self.campaign: Campaign | None = None
        self.sentry: Sentry | None = None
        self._orders: queues.SimpleQueue[Message] = queues.SimpleQueue()
        self._paused: queues.SimpleQueue[str] = queues.SimpleQueue()
        self._abort = threading.Event()
        asyncio.run_coroutine_threadsafe(self._turn(), self.engine.loop)

    async def _turn(self) -> None:
        """The loop that runs the messages says that it turns."""
        while True:
            self.heart.beat()
            await asyncio.sleep(TURN_S)

    def serve(self) -> None:
        """Carry out orders until told to end; faults of the instrument end the process."""
        threading.Thread(target=self._dispatch, daemon=True).start()
        claim_hardware(self.instrument, self.epoch)
        self.line.say("ready", epoch=self.epoch)
        while True:
            order = self._orders.get()
            if order["do"] == "end":
                return
            if not self._measured(order["sample"]):
                return

    def _dispatch(self) -> None:
        """Orders wait for their turn; what people ask of a running measurement does not."""
        while True:
            order = self.line.inbox.get()
            verb = order["do"]
            if verb in ("measure", "end"):
                if verb == "end":
                    self._halt("the night ends")
                self._orders.put(order)
            else:
                self._asked(verb, order)
            if verb == "end":
                return

    def _asked(self, verb: str, order: Message) -> None:
        try:
            words = self._act(verb, order)
        except MaterialsDockError as error:
            self.line.say("refused", seq=order["seq"], words=str(error))
        else:
            self.line.say("done", seq=order["seq"], words=words)

    def _act(self, verb: str, order: Message) -> str:
        campaign = self.campaign
        if campaign is None:
            raise Refused("nothing is being measured", where=verb)
        if verb == "abort":
            self._halt(f"{order['who']}: {order.get('reason', '')}")
            return "aborted; the shutter closes"
        if verb == "pause":
            self.engine.request_pause(defer=True)
            return "pauses at the next point"
        if verb == "resume":
            if str(self.engine.state) != "paused":
                if self.sentry and (words := self.sentry.release(order["who"])):
                    return words
                raise Refused(f"the measurement is {self.engine.state}", where=verb)
            self._paused.put("resume")
            return "goes on as soon as all conditions hold"
        if verb in STEERING:
            campaign.steer(Steering.asked(verb, order))
            return f"recorded; counts from step {len(campaign.decisions)}"
        raise Refused(f"no verb {verb!r} for a worker")

    def _halt(self, why: str) -> None:
        """Abort what runs: the plan's finalizer closes the shutter."""
        if self.campaign is None:
            return
        self._abort.set()
        self._paused.put("abort")
        if str(self.engine.state) not in ("idle", "paused", "aborting"):
            self.engine.abort(why)

    def _measured(self, sample_id: str) -> bool:
        """Measure one sample and say how it ended; False when this process should not go on."""
        self._abort.clear()
        self._paused = queues.SimpleQueue()
        try:
            self.campaign = self._prepared(sample_id)
            self.heart.phase("busy")
            if not self.campaign.finished:
                self._drive(self.campaign)
        except BaseException as error:
            fault = fault_of(error)
            log.exception("sample %s", sample_id)
            self.line.say("fault", sample=sample_id, fault=fault)
            return bool(fault["class"] != "infrastructure")
        else:
            self.line.say("measured", sample=sample_id, job=self.campaign.job.job_id)
            return True
        finally:
            self.campaign = self.sentry = None
            self.heart.phase("idle")

    def _prepared(self, sample_id: str) -> Campaign:
        """The sample's campaign: new, or rebuilt from what the ledger has of it."""
        queued = queue.sample(self.ledger, sample_id)
        entry = Entry.model_validate(queued.body)
        folder = self.site / "profiles" / self.profile.name
        if queued.job_id is None:
            seed = zlib.crc32(sample_id.encode())  # the same whenever the sheet is the same
            job = making.job_of(entry, self.profile, folder, seed)
            building.check(job)
            queue.assign(self.ledger, sample_id, job)
        else:
            job = self.ledger.job(queued.job_id)
            close_torn_runs(self.ledger, job.job_id)
        if self.profile.simulated_by is not None:
            counted = self.ledger.observations(job.job_id)
            scene = making.scene_of(entry, job, self.profile)
            if scene is not None:
                changer.put(self.data.scenes, job, scene, counted)
        campaign = Campaign.resume(job.job_id, self.ledger)
        campaign.listeners.append(self._decided)
        return campaign

    def _decided(self, decision: Decision) -> None:
        self.heart.progress(self._expected_s(decision))

    def _expected_s(self, decision: Decision) -> float:
        """Wall clock until the next decision should be there: counting, travel, settling."""
        following = decision.next
        if following is None:
            return 1.0
        section = getattr(self.profile, self.campaign.job.sample.technique)  # type: ignore[union-attr]
        travel = abs(following.start - decision.proposal.stop) + abs(
            following.stop - following.start
        )
        seconds = following.points * following.count_time_s
        seconds += travel / section.motion.velocity + section.motion.settle_s
        return max(1.0, float(seconds) / self.profile.speed)

    def _drive(self, campaign: Campaign) -> None:
        heard = (self.ledger, self._report, self.heart.progress)
        sentry = self.sentry = sentry_of(self.profile, campaign, self.instrument, *heard)
        hearing = [campaign.receive, self._got_on, *([sentry.receive] if sentry else [])]
        tokens = [self.engine.subscribe(each) for each in hearing]
        terms: dict[str, Any] = {"epoch": self.epoch, "report": self._report}
        terms |= {"armed": self.profile.night.needs_guard, "guard_fresh": self._guard_is_fresh}
        terms["held"] = partial(waits_for, campaign, sentry)
        of = campaign, self.instrument, self.profile
        gate = gate_for(*of, **terms)
        run = partial(self.engine, plan_for(*of, gate, sentry))
        try:
            while True:
                if self._abort.is_set():
                    raise Interrupted("aborted before it began")
                with self._interruptions():
                    run()
                    return
                self._wait_for_resume(gate)
                run = self.engine.resume
        finally:
            for token in tokens:
                self.engine.unsubscribe(token)

    def _guard_is_fresh(self) -> bool:
        """Without a guard nobody would close the shutter for us."""
        if not self.profile.night.needs_guard:
            return True
        beat = beats.read(self.data.path / "run" / "guard.beat")
        return beat is not None and beat.loop_age_s() < self.profile.night.loop_limit_s

    def _report(self, kind: str, words: str) -> None:
        """A hold, its end, a void point or a retry: for people, and no cause to be ended."""
        if kind == "hold":
            self.heart.phase("holding")
        elif kind == "resumed":
            self.heart.phase("busy")
            if self.sentry:
                self.sentry.after_hold()
        else:
            self.heart.progress(RETRY_S)
        self.line.say("condition", kind=kind, words=words)

    def _got_on(self, name: str, document: Mapping[str, Any]) -> None:
        """A document is progress too, within the step that was expected."""
        if name in ("event", "event_page"):
            self.heart.beat()

    @contextlib.contextmanager
    def _interruptions(self) -> Iterator[None]:
        from bluesky.utils import RunEngineInterrupted

        try:
            yield
        except RunEngineInterrupted:
            if self._abort.is_set() and str(self.engine.state) == "idle":
                raise Interrupted("aborted") from None

    def _wait_for_resume(self, gate: Any | None) -> None:
        """Until somebody asks for it and all conditions have held for their proof time."""
        self.heart.phase("paused")
        self.line.say("paused")
        asked = self._paused.get()
        proven = time.monotonic()
        while asked != "abort" and gate is not None:
            if self._abort.is_set():
                asked = "abort"
            elif reasons := gate.failing():
                self.line.say("waiting", words="; ".join(reasons))
                proven = time.monotonic() + TURN_S
            elif time.monotonic() - proven >= gate.conditions.hold_proof_s:
                break
            time.sleep(TURN_S)
        if asked == "abort":
            self.engine.abort("asked while paused")
            raise Interrupted("aborted while paused")
        self.heart.phase("busy")
        self.line.say("resumed")


def claim_hardware(instrument: Instrument, epoch: int) -> None:
    """Tell the instrument who drives it now; Refused when a later owner has been there."""
    owner = instrument.devices.get("owner")
    if owner is not None:
        owner.claim(epoch)


def main() -> None:
    """`python -m materialsdock.night.worker`: started by the daemon only."""
    with child("worker") as role, Ledger(role.data.ledger) as ledger:
        epoch = control.next_epoch(ledger)
        with Heart(role.beat / "worker.beat", epoch) as heart:
            worker = Worker(role, heart, ledger, epoch)
            role.line.listen()
            worker.serve()
            config.release(worker.instrument)


if __name__ == "__main__":
    main()
