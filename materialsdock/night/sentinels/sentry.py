"""The sentinels of one sample at work: recorded documents in; flags, holds and ends out.

All that it knows comes from recorded documents: after a crash they bring it to the same state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from materialsdock import technique
from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.steering import Steering
from materialsdock.errors import DeviceFault
from materialsdock.ledger.documents import events
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.queries import documents_of_job
from materialsdock.model import Decision, Proposal
from materialsdock.night.sentinels.asked import sentinels_of
from materialsdock.night.sentinels.proofs import brightest, over, still_dead, still_weak
from materialsdock.profile.sections import ConditionSettings, Motion
from materialsdock.protocols import Reading
from materialsdock.soundness import judges
from materialsdock.soundness.judges import Alarm
from materialsdock.soundness.readings import NONE_YET, Readings, expected_counts, spoilt

REFERENCE = "reference"  # the stream of visits and proofs, which no learner receives
TOLD = ("descriptor", "event", "event_page")
WHO = "sentinel"
FIRST_PROOF_S, LAST_PROOF_S = 5.0, 600.0  # pauses between proofs while holding


class Sentry:
    """Judges what was recorded of one sample, and says where to look again.

    report : hears ("flag", words) once for each kind of alarm, and ("alarm", words) of each hold
    progress : hears the seconds that a visit will take
    can_prove : whether the instrument can count single points of this technique

    A hold ends when its own test passes at a place counted anew, or when a person says so; either
    way the result stays flagged.
    """

    def __init__(
        self,
        campaign: Campaign,
        motion: Motion,
        conditions: ConditionSettings,
        report: Callable[[str, str], object],
        *,
        progress: Callable[[float], object] = lambda seconds: None,
        can_prove: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.campaign, self.motion, self.conditions = campaign, motion, conditions
        known = technique.named(campaign.job.sample.technique)
        self._keys, self._sentinels = known.way(campaign.job).keys, sentinels_of(known.name)
        self._observer = known.observer(campaign.job)
        self._report, self._progress, self._clock = report, progress, clock
        self._can_prove = can_prove
        self._streams: dict[str, str] = {}
        self._primary = self._recorded = NONE_YET  # those of the learner; with visits
        self._visits = np.zeros(0, dtype=bool)  # of the recorded ones
        self._expected = np.zeros(0)
        self._since = 0  # the first point that the present beam and detector are judged by
        self.revisits = self._sentinels.visits(campaign.job, motion, conditions.reference_share)
        self._alarm: Alarm | None = None
        self._due = self._pause_s = 0.0
        self._ending: Alarm | None = None
        self._flagged: set[str] = set()
        self._before_hold_hz: float | None = None
        self._to_prove = False  # the reference, after a hold
        campaign.listeners.append(self.decided)

    def recall(self, ledger: Ledger) -> list[str]:
        """Come to the state in which an earlier process left the sample; the flags on the way."""
        told: list[tuple[str, str]] = []
        report, self._report = self._report, lambda *said: told.append(said)
        for name, document in documents_of_job(ledger, self.campaign.job.job_id, *TOLD):
            self.receive(name, document)
        self._report = report
        return [words for kind, words in told if kind == "flag"]

    # what was recorded

    def receive(self, name: str, document: Mapping[str, Any]) -> None:
        """Subscriber of the RunEngine, after the campaign's: what it gets is in the ledger."""
        if name == "descriptor":
            self._streams[document["uid"]] = document["name"]
        stream = self._streams.get(document.get("descriptor", ""))
        if stream not in ("primary", REFERENCE):
            return
        rows = [data for _, data in events(name, document)]
        if stream == "primary":
            self._counted(self._observed(rows, remember=True))
            for kind, words in self._observer.remarks.items():
                self._flag(Alarm(kind, "warn", words, "flag"))
        else:
            self._visit(self._observed(rows, remember=False))

    def _observed(self, rows: Sequence[Reading], *, remember: bool) -> Readings:
        """Read events as the campaign does, which remembers those of its own stream."""
        seen = []
        for data in rows:
            seen.append(self._observer(data))
            if remember:
                self._observer.remember(data)
        return Readings.of(self._keys, rows, seen)

    def _counted(self, new: Readings) -> None:
        if self._alarm is not None:  # in an earlier process a person has let it go on
            self._go_on(self._alarm)
        self._primary += new
        self._seen(new, visits=False)

    def _seen(self, new: Readings, *, visits: bool) -> None:
        """Take in readings and act on what beam and detector do, wherever they are."""
        self._expected = np.r_[self._expected, expected_counts(self._recorded, new)]
        self._recorded += new
        self._visits = np.r_[self._visits, np.full(new.x.size, visits)]
        recent, tolerance = self._recorded[self._since :], self.conditions.i0_tolerance
        expected = self._expected[self._since :]
        alarm = self._back(new) or self._sentinels.dead(recent, expected)
        alarm = alarm or judges.intensity_drift(
            recent.monitor_hz, recent.seconds, tolerance=tolerance
        )
        if alarm is not None:
            self._act(alarm)

    def _back(self, new: Readings) -> Alarm | None:
        """Tell if the beam after a hold is that of before."""
        before, self._before_hold_hz = self._before_hold_hz, None
        if not before:
            return None
        rate, seconds = float(new.monitor_hz[0]), float(new.seconds[0])
        return judges.beam_proof(before, rate, seconds, self.conditions.i0_tolerance)

    def after_hold(self) -> None:
        """Have the reference point counted first when measuring goes on after a hold.

        It, or the next point where there is none yet, shows whether the beam is the same.  After a
        hold of our own a proof does that.
        """
        if self._alarm is None and self._recorded.x.size > self._since:
            self._before_hold_hz = float(np.median(self._recorded.monitor_hz[-3:]))
            self._to_prove = self._can_prove

    def decided(self, decision: Decision) -> None:
        """Judge the learner after a decision, and the sample at the end of a sweep."""
        following = decision.next
        if following is not None:
            self._stuck(self._sentinels.stuck(self.campaign.decisions))
        if following is None or following.sweep != decision.proposal.sweep:
            tolerance = self.conditions.i0_tolerance
            alarm = self._sentinels.after_sweep(self._primary, self.campaign.axis, tolerance)
            self._damaged(alarm, last=following is None)

    def _stuck(self, alarm: Alarm | None) -> None:
        if alarm is not None:
            self._flag(alarm)
            self.campaign.steer(Steering("halt", WHO, alarm.text))

    def _damaged(self, alarm: Alarm | None, *, last: bool = False) -> None:
        if alarm is None:
            return
        if self.revisits is not None:
            alarm = self._explained(alarm, self.revisits.kind)
        self._act(replace(alarm, action="flag") if last else alarm)

    def _explained(self, alarm: Alarm, kind: str) -> Alarm:
        """Turn damage that a moved reference may explain into a flag, which ends nothing."""
        if not any(flagged.startswith(kind) for flagged in self._flagged):
            return alarm
        text = f"{alarm.text}, as the moved {kind} may explain"
        return replace(alarm, action="flag", text=text)

    # what follows

    def _act(self, alarm: Alarm) -> None:
        if alarm.action == "flag":
            self._flag(alarm)
        elif alarm.action == "held":
            self._ending = self._ending or alarm
        elif self._alarm is None:
            self._alarm, self._pause_s = alarm, FIRST_PROOF_S
            self._due = self._clock() + self._pause_s
            self._report("alarm", alarm.text)

    def _flag(self, alarm: Alarm) -> None:
        if alarm.kind not in self._flagged:
            self._flagged.add(alarm.kind)
            self._report("flag", alarm.text)

    def held(self) -> str:
        """Say why nothing may be exposed; "" when it may, and while a proof is due."""
        if self._alarm is None:
            return ""
        waits = self._clock() < self._due or self._proof() is None
        return self._alarm.text if waits else ""

    def ended(self) -> None:
        """Raises DeviceFault when the sample must not be measured any further."""
        if self._ending is not None:
            remedy = "look at the sample; what was measured is in the ledger"
            raise DeviceFault(self._ending.text, where=self._ending.kind, remedy=remedy)

    def release(self, who: str) -> str:
        """A person lets it go on: the beam and the energy of now are the new ones.

        Words for the answer; "" when nothing was held.
        """
        alarm = self._alarm
        if alarm is None:
            return ""
        self._flag(over(alarm, f"{who} let it go on"))
        self._go_on(alarm)
        return f"goes on although {alarm.text}"

    def _go_on(self, alarm: Alarm) -> None:
        """Go on as a person says, who takes what is now as right."""
        if self.revisits is not None and alarm.kind == self.revisits.kind:
            self.revisits.accept()
        self._let_go(alarm)

    def _let_go(self, alarm: Alarm) -> None:
        self._alarm = None
        if alarm.kind == "dead_detector":
            self._forget(spoilt(self._recorded))
        self._since = self._recorded.x.size

    def _forget(self, points: int) -> None:
        """Forget the last `points`: no later test is to rest on them."""
        left = self._recorded.x.size - points
        visits = int(self._visits[left:].sum())
        self._primary = self._primary[: self._primary.x.size - (points - visits)]
        self._recorded, self._visits = self._recorded[:left], self._visits[:left]
        self._expected = self._expected[:left]
        if self.revisits is not None:
            self.revisits.forget(visits)

    # looking again

    def next_visit(self) -> Proposal | None:
        """Return what to count in stream `reference` before the next exposure; None for nothing."""
        if self._alarm is not None:
            return self._proof() if self._clock() >= self._due else None
        if self.revisits is None or not self.campaign.decisions:
            return None
        measured_s = self.campaign.decisions[-1].seconds_measured
        visit = self.revisits.at_reference() if self._to_prove else None
        self._to_prove = False
        visit = visit or self.revisits.due(self._primary, measured_s)
        if visit is not None:
            self._progress(self.revisits.cost_s(visit.start, self._primary))
        return visit

    def _proof(self) -> Proposal | None:
        """A point that shows whether the alarm still holds; None where nothing can."""
        if not self._can_prove or not self._primary.x.size:
            return None
        revisits, alarm = self.revisits, self._alarm
        if revisits is not None and alarm is not None and alarm.kind == revisits.kind:
            return revisits.at_reference()
        return brightest(self._primary)

    def _visit(self, new: Readings) -> None:
        if self._alarm is not None:
            self._proven(self._alarm, new)
            return
        self._seen(new, visits=True)
        if self.revisits is not None:
            alarm = self.revisits.seen(new, self._primary)
            if self._alarm is not None:  # of beam or detector: it says nothing of the sample
                return
            if alarm is not None and alarm.kind == "damage":
                self._damaged(alarm)
            elif alarm is not None:
                self._act(alarm)

    def _proven(self, alarm: Alarm, new: Readings) -> None:
        """The alarm's own test at the point counted anew."""
        if self.revisits is not None and alarm.kind == self.revisits.kind:
            self.revisits.visited += new
        if self._still(alarm, new) is None:
            self._flag(over(alarm, "it has passed"))
            self._let_go(alarm)
        else:
            self._pause_s = min(2 * self._pause_s, LAST_PROOF_S)
            self._due = self._clock() + self._pause_s

    def _still(self, alarm: Alarm, new: Readings) -> Alarm | None:
        if self.revisits is not None and alarm.kind == self.revisits.kind:
            return self.revisits.shifted(new, self._primary)
        recorded = self._recorded[self._since :]
        if alarm.kind == "intensity":
            return still_weak(alarm, recorded, new, self.conditions.i0_tolerance)
        return still_dead(self._sentinels, recorded, self._expected[self._since :], new)
