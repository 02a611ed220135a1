"""The one process that drives the hardware: one sample at a time, and killable at any moment.

It believes nothing but the ledger: what it measures is durable there before the plan goes on, and
a sample that was interrupted goes on with the points it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from materialsdock.campaign import build
from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.interrupted import Interrupted
from materialsdock.campaign.plan import gate_for, plan_for, run_engine
from materialsdock.errors import MaterialsDockError
from materialsdock.ledger.documents import close_torn_runs
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Decision, Proposal
from materialsdock.night.control.orders import Orders
from materialsdock.night.processes import simulated_changer
from materialsdock.night.processes.child_of_daemon import Role, child
from materialsdock.night.processes.guard import safe_state
from materialsdock.night.processes.takeover import take_over
from materialsdock.night.queue import queue
from materialsdock.night.queue.faults import fault_of
from materialsdock.night.sentinels.of_sample import sentry_of, waits_for
from materialsdock.night.system import heartbeats
from materialsdock.night.system.heartbeats import Heart
from materialsdock.profile import plans
from materialsdock.profile.instrument import build_instrument, release
from materialsdock.protocols import Instrument
from materialsdock.sheets import jobs
from materialsdock.sheets.entry import SheetEntry

log = logging.getLogger(__name__)
TURN_S = 0.25
RETRY_S = 15.0  # that one more attempt at a point may take beyond the point itself
PREPARE_S = 60.0  # for making the job, or rebuilding it from the ledger
MOUNT_S = 60.0  # for the changer, before the first point
END_S = 2.0


class Worker:
    """RunEngine, instrument and the campaign of the sample in the beam."""

    def __init__(
        self, role: Role, instrument: Instrument, heart: Heart, ledger: Ledger, epoch: int
    ) -> None:
        self.line, self.heart, self.ledger = role.line, heart, ledger
        self.profile, self.data, self.site, self.epoch = role.profile, role.data, role.site, epoch
        self.instrument = instrument
        self.engine = run_engine(role.profile, instrument)
        self.orders = Orders(role.line, self.engine, heart)
        self._step_s = 0.0  # what the present step may take
        self._ended = False
        self._turning = asyncio.run_coroutine_threadsafe(self._turn(), self.engine.loop)

    async def _turn(self) -> None:
        """Send the heartbeat of the loop that runs the messages."""
        while not self._ended:
            self.heart.beat()
            await asyncio.sleep(TURN_S)

    def serve(self) -> None:
        """Carry out orders until told to end; faults of the instrument end the process."""
        self.orders.listen()
        self.line.say("ready", epoch=self.epoch)
        going_on = True
        while going_on and (order := self.orders.following())["do"] != "end":
            going_on = self._measured(order["sample"])
            gc.collect()  # else cycles of a thousand exposures pile up between two rounds
        self._ended = True
        self._turning.result(END_S)  # the file of the heartbeats must not be closed under it

    def _measured(self, sample_id: str) -> bool:
        """Measure one sample and say how it ended; False when this process should not go on."""
        going_on = True
        said: dict[str, Any] = {"said": "measured", "sample": sample_id}
        self._takes(PREPARE_S)
        self.heart.phase("busy")
        try:
            campaign = self._prepared(sample_id)
            self.orders.campaign = campaign
            if not campaign.finished:
                self._drive(campaign)
        except BaseException as error:
            fault = fault_of(error)
            log.exception("sample %s", sample_id)
            going_on = self._left_safe() and fault["class"] != "infrastructure"
            said = {"said": "fault", "sample": sample_id, "fault": fault, "ends": not going_on}
        unpaused = self.orders.pausing and said["said"] == "measured"
        self.orders.done()
        self.heart.phase("idle")
        if unpaused:
            self.line.say("unpaused")
        self.line.say(**said)
        return going_on

    def _left_safe(self) -> bool:
        """Bring the instrument into its safe state after a plan cut short; True if that worked."""
        failed = safe_state(self.instrument)
        for words in failed:
            self._report("critical", words)
        return not failed

    def _prepared(self, sample_id: str) -> Campaign:
        """The sample's campaign: new, or rebuilt from what the ledger has of it."""
        queued = queue.sample(self.ledger, sample_id)
        entry = SheetEntry.model_validate(queued.body)
        folder = self.site / "profiles" / self.profile.name
        if queued.job_id is None:
            seed = zlib.crc32(sample_id.encode())  # the same whenever the sheet is the same
            job = jobs.job_of(entry, self.profile, folder, seed)
            build.check(job)
            queue.assign(self.ledger, sample_id, job)
        else:
            job = self.ledger.job(queued.job_id)
            close_torn_runs(self.ledger, job.job_id)
        if self.profile.simulated_by is not None:
            counted = self.ledger.observations(job.job_id)
            scene = jobs.scene_of(entry, job, self.profile)
            if scene is not None:
                simulated_changer.put(self.data.scenes, job, scene, counted)
        campaign = Campaign.resume(job.job_id, self.ledger)
        campaign.listeners.append(self._decided)
        return campaign

    def _takes(self, seconds: float) -> None:
        """Expect the step that begins now, and each further attempt at it, to take so long."""
        self._step_s = seconds
        self.heart.progress(seconds)

    def _decided(self, decision: Decision) -> None:
        following = decision.next
        travel = 0.0 if following is None else abs(following.start - decision.proposal.stop)
        self._takes(self._expected_s(following, travel) + decision.seconds_deciding)

    def _expected_s(self, following: Proposal | None, travel: float) -> float:
        """Wall clock of a step: `travel` [unit of the axis] to it, counting, settling."""
        if following is None:
            return 1.0
        technique = self.orders.campaign.job.sample.technique  # type: ignore[union-attr]
        motion = self.profile.section(technique).motion
        seconds = following.points * following.count_time_s + motion.settle_s
        seconds += (travel + abs(following.stop - following.start)) / motion.velocity
        return max(1.0, float(seconds) / self.profile.speed)

    def _drive(self, campaign: Campaign) -> None:
        heard = (self.ledger, self._report, self._visits)
        sentry = self.orders.sentry = sentry_of(self.profile, campaign, self.instrument, *heard)
        hearing = [campaign.receive, self._got_on, self.orders.started]
        tokens = [
            self.engine.subscribe(e) for e in (*hearing, *([sentry.receive] if sentry else []))
        ]
        terms: dict[str, Any] = {"epoch": self.epoch, "report": self._report}
        terms |= {"armed": self.profile.night.needs_guard, "guard_fresh": self._guard_is_fresh}
        terms["held"] = partial(waits_for, campaign, sentry)
        of = campaign, self.instrument, self.profile
        gate = gate_for(*of, **terms)
        run = partial(self.engine, plan_for(*of, gate, sentry))
        first, grid = campaign.ask(), campaign.axis.grid
        self._takes(self._expected_s(first, float(grid[-1] - grid[0])) + MOUNT_S)
        try:
            while True:
                if self.orders.aborted:
                    raise Interrupted(f"aborted before it began, {self.orders.why_aborted}")
                with self._interruptions():
                    run()
                    return
                self.orders.wait_for_resume(gate)
                run = self.engine.resume
        finally:
            for token in tokens:
                self.engine.unsubscribe(token)

    def _visits(self, seconds: float) -> None:
        """Expect a visit to take `seconds` on top of the step that it comes before."""
        self.heart.progress(self._step_s + seconds)

    def _guard_is_fresh(self) -> bool:
        """Return True if the guard is alive or not needed; else nobody would close the shutter."""
        if not self.profile.night.needs_guard:
            return True
        beat = heartbeats.read(self.data.path / "run" / "guard.beat")
        return beat is not None and beat.loop_age_s() < self.profile.night.loop_limit_s

    def _report(self, kind: str, words: str) -> None:
        """Report a hold, its end, a void point or a retry: for people, and no cause to be ended."""
        if kind == "hold":
            self.heart.phase("holding")
        elif kind == "resumed":
            self.heart.phase("busy")
            if self.orders.sentry:
                self.orders.sentry.after_hold()
        else:
            self.heart.progress(self._step_s + RETRY_S)
        self.line.say("condition", kind=kind, words=words)

    def _got_on(self, name: str, document: Mapping[str, Any]) -> None:
        """Take a document as progress, too, within the step that was expected."""
        if name in ("event", "event_page"):
            self.heart.beat()

    @contextlib.contextmanager
    def _interruptions(self) -> Iterator[None]:
        from bluesky.utils import RunEngineInterrupted

        try:
            yield
        except RunEngineInterrupted:
            if self.orders.aborted and str(self.engine.state) == "idle":
                raise Interrupted(f"aborted {self.orders.why_aborted}") from None


def main() -> None:
    """`python -m materialsdock.night.processes.worker`: started by the daemon only."""
    with child("worker") as role, Ledger(role.data.ledger) as ledger:
        try:
            instrument = build_instrument(role.profile)
            plans.check(role.profile)
            epoch = take_over(instrument, ledger)
        except MaterialsDockError as error:
            role.line.say("unready", words=str(error))
            raise
        with Heart(role.beat / "worker.beat", epoch) as heart:
            worker = Worker(role, instrument, heart, ledger, epoch)
            role.line.listen()
            worker.serve()
            release(instrument)


if __name__ == "__main__":
    main()
