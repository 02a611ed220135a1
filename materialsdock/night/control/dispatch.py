"""The dispatcher of people's intents to the running measurement: each is answered exactly once."""

from __future__ import annotations

import time

from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.control import intents
from materialsdock.night.control.intents import Intent
from materialsdock.night.queue import queue
from materialsdock.night.system.process import Child, Message

UNHEARD_S = 1.0
ABORTING, PAUSED = "aborting", "paused"
KEPT = {"abort": ABORTING, "pause": PAUSED}
UNDONE = ("abort", "pause", "stop")  # halts of the sample in the beam
NOTHING = "nothing is being measured"
LATER = "`materialsdock status` shows when a sample is"
UNASKED = f"{NOTHING}; {LATER}"
IDLE = f"{NOTHING}; `materialsdock hold` keeps the next sample from beginning"


class Desk:
    """The dispatcher: passes intents to the worker, and settles them by its answer or end.

    What a halt has come to is a fact of the ledger until the sample has ended: a process that dies
    must not let go on what a person has stopped.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._asked: dict[int, tuple[Intent, float]] = {}

    def aborting(self, sample_id: str) -> bool:
        """Return True if a person has aborted this attempt at it."""
        return bool(fact(self.ledger, ABORTING) == sample_id)

    def resumed(self) -> None:
        """Note that the sample is no longer paused."""
        set_fact(self.ledger, PAUSED, None)

    def recover(self) -> None:
        """Bring about the halts that an earlier daemon did not; refuse what else it took."""
        self._asked.clear()
        with self.ledger.transaction():
            found = queue.samples(self.ledger, "measuring")
            name = found[0].sample_id if found else None
            for intent in intents.pending(self.ledger, "pending", "taken"):
                if name is not None and intent.verb in UNDONE:
                    self._settle(intent, "done", self._halted(intent, name))
                elif intent.state == "taken":
                    self._settle(intent, "refused", "the daemon ended before it was done")
            if name is not None and self.aborting(name):
                queue.advance(self.ledger, name, "aborted", "aborted; the daemon ended meanwhile")
            self.interrupted(name, "the daemon ended")
            for halt in (ABORTING, PAUSED):
                set_fact(self.ledger, halt, None)

    def _halted(self, intent: Intent, name: str) -> str:
        """Settle a halt that no worker will hear any more, and say what becomes of it."""
        if intent.verb == "abort":
            set_fact(self.ledger, ABORTING, name)
            return "aborted: the daemon ended meanwhile"
        queue.hold_all(self.ledger, f"{name} was to {intent.verb} when the daemon ended")
        return "the queue is held instead: the daemon ended meanwhile"

    def interrupted(self, sample_id: str | None, why: str) -> None:
        """Hold the queue if the interrupted sample was paused: it must not go on by itself."""
        if sample_id is not None and fact(self.ledger, PAUSED) == sample_id:
            queue.hold_all(self.ledger, f"{sample_id} was paused when {why}")

    def serve(self, worker: Child | None, measuring: str | None) -> None:
        """Take every intent that waits; end a worker that does not hear an abort."""
        for intent in intents.pending(self.ledger):
            if not intents.still_holds(self.ledger, intent):
                self._settle(intent, "refused", "somebody else has taken control since")
            elif intent.verb == "hold_queue":
                why = f": {intent.body['reason']}" if intent.body.get("reason") else ""
                queue.hold_all(self.ledger, f"asked by {intent.who}{why}")
                words = "nothing more after this sample" if measuring else "no sample begins"
                self._settle(intent, "done", words)
            elif intent.verb == "release_queue":
                queue.release_all(self.ledger)
                self._settle(intent, "done", "samples begin again")
            elif worker is None or measuring is None:
                self._settle(intent, "refused", IDLE if intent.verb in UNDONE else UNASKED)
            else:
                self._pass_on(intent, worker, measuring)
        if worker is not None:
            self._kill_the_deaf(worker)

    def _settle(self, intent: Intent, state: str, words: str) -> None:
        intents.answer(self.ledger, intent, state, words)

    def _pass_on(self, intent: Intent, worker: Child, measuring: str) -> None:
        with self.ledger.transaction():
            self._settle(intent, "taken", "")
            if intent.verb in KEPT:
                set_fact(self.ledger, KEPT[intent.verb], measuring)
        self._asked[intent.seq] = (intent, time.monotonic())
        worker.send({**intent.body, "do": intent.verb, "seq": intent.seq, "who": intent.who})

    def _kill_the_deaf(self, worker: Child) -> None:
        """End a worker that does not take up an abort in time; the guard closes its shutter."""
        late = time.monotonic() - UNHEARD_S
        for intent, asked in list(self._asked.values()):
            if intent.verb == "abort" and asked < late:
                worker.kill()
                del self._asked[intent.seq]
                self._settle(intent, "done", "the worker was stuck and was ended")

    def answered(self, message: Message) -> None:
        """Settle the intent that the worker has answered."""
        if (found := self._asked.pop(message["seq"], None)) is not None:
            self._settle(found[0], message["said"], message["words"])
            if message["said"] == "refused" and found[0].verb in KEPT:
                set_fact(self.ledger, KEPT[found[0].verb], None)

    def sample_ended(self, why: str) -> None:
        """Settle what was asked of a sample that has ended: halts are done, the rest is refused."""
        for intent, _ in self._asked.values():
            came_true = intent.verb in intents.HALTS
            self._settle(intent, "done" if came_true else "refused", why)
        self._asked.clear()
        for halt in (ABORTING, PAUSED):
            if fact(self.ledger, halt) is not None:
                set_fact(self.ledger, halt, None)
