"""A night with waiting samples, and a daemon in place of the real one."""

from __future__ import annotations

import threading

import pytest

from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.control import intents
from materialsdock.night.queue import queue
from materialsdock.night.system.heartbeats import Heart


@pytest.fixture
def night(tmp_path):
    """A ledger with three waiting samples."""
    data = DataDirectory(tmp_path)
    with Ledger(data.ledger) as ledger:
        rows = [(f"S{n}", 0, {"name": f"rust {n}", "recipe": "xanes"}) for n in (1, 2, 3)]
        queue.submit(ledger, rows)
        yield data, ledger


@pytest.fixture
def desk(night):
    """A daemon in place of the real one: answers every intent as a test says."""
    data, ledger = night
    answers = {"state": "done", "words": "so it is", "then": lambda intent: None}
    ended = threading.Event()

    def serve():
        while not ended.wait(0.01):
            for intent in intents.pending(ledger):
                if answers["state"] is not None:
                    intents.answer(ledger, intent, answers["state"], answers["words"])
                    answers["then"](intent)

    thread = threading.Thread(target=serve)
    with Heart(data.path / "run" / "daemon.beat") as heart:
        heart.phase("busy")
        thread.start()
        yield answers
        ended.set()
        thread.join()
