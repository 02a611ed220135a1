"""Where people's intents meet the running measurement: each is answered exactly once."""

from __future__ import annotations

import time

from materialsdock.ledger import Ledger
from materialsdock.night import control, queue
from materialsdock.night.control import Intent
from materialsdock.night.process import Child, Message

UNHEARD_S = 1.0


class Desk:
    """Passes intents to the worker, and settles them when it has answered, or cannot any more."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.aborting = False
        self._asked: dict[int, tuple[Intent, float]] = {}

    def recover(self) -> None:
        """Refuse what an earlier daemon took and did not finish."""
        for intent in control.pending(self.ledger, "taken"):
            control.answer(self.ledger, intent, "refused", "the daemon ended before it was done")

    def serve(self, worker: Child | None, measuring: str | None) -> None:
        """Take every intent that waits; end a worker that does not hear an abort."""
        for intent in control.pending(self.ledger):
            if not control.still_holds(self.ledger, intent):
                self._settle(intent, "refused", "another has taken control since")
            elif intent.verb == "hold_queue":
                queue.hold_all(self.ledger, f"asked by {intent.who}")
                self._settle(intent, "done", "nothing more after this sample")
            elif intent.verb == "release_queue":
                queue.release_all(self.ledger)
                self._settle(intent, "done", "")
            elif worker is None or measuring is None:
                self._settle(intent, "refused", "nothing is being measured")
            else:
                self._pass_on(intent, worker)
        if worker is not None:
            self._kill_the_deaf(worker)

    def _settle(self, intent: Intent, state: str, words: str) -> None:
        control.answer(self.ledger, intent, state, words)

    def _pass_on(self, intent: Intent, worker: Child) -> None:
        self._settle(intent, "taken", "")
        self.aborting = self.aborting or intent.verb == "abort"
        self._asked[intent.seq] = (intent, time.monotonic())
        worker.send({**intent.body, "do": intent.verb, "seq": intent.seq, "who": intent.who})

    def _kill_the_deaf(self, worker: Child) -> None:
        """The guard closes the shutter of a worker that is no more."""
        late = time.monotonic() - UNHEARD_S
        for intent, asked in list(self._asked.values()):
            if intent.verb == "abort" and asked < late:
                worker.kill()
                del self._asked[intent.seq]
                self._settle(intent, "done", "the worker was stuck and was ended")

    def answered(self, message: Message) -> None:
        """The worker has answered one."""
        if (found := self._asked.pop(message["seq"], None)) is not None:
            self._settle(found[0], message["said"], message["words"])

    def sample_ended(self, why: str) -> None:
        """Nothing is measured any more: halts have come true, the rest is too late."""
        for intent, _ in self._asked.values():
            came_true = intent.verb in control.HALTS
            self._settle(intent, "done" if came_true else "refused", why)
        self._asked.clear()
        self.aborting = False
