"""Orders of a worker: whatever comes, and whenever, an abort and a pause are heard."""

from __future__ import annotations

import contextlib
import queue as queues
import threading
import time
from types import SimpleNamespace

import bluesky.plan_stubs as bps
import pytest

from materialsdock.campaign.interrupted import Interrupted
from materialsdock.night.control.orders import Orders

LIMIT_S = 5.0


class Heart:
    def __init__(self):
        self.phases = []

    def phase(self, name):
        self.phases.append(name)


@pytest.fixture
def orders(RE):
    said = []
    line = SimpleNamespace(
        inbox=queues.SimpleQueue(), say=lambda word, **more: said.append({"said": word, **more})
    )
    made = Orders(line, RE, Heart())
    made.said = said
    made.send = lambda do, **more: line.inbox.put({"do": do, "who": "me", "seq": 1, **more})
    RE.subscribe(made.started)
    made.listen()
    made.waiting = None
    yield made
    made.send("end")
    if made.waiting is not None:
        made.waiting.join(LIMIT_S)
    if str(RE.state) == "paused":
        RE.abort()


def until(what):
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < LIMIT_S
        time.sleep(0.01)


def answered(orders, count=1):
    until(lambda: len([m for m in orders.said if m["said"] in ("done", "refused")]) >= count)
    return [m for m in orders.said if m["said"] in ("done", "refused")][count - 1]


def ticks(times=10_000):
    yield from bps.open_run()
    for _ in range(times):
        yield from bps.checkpoint()
        yield from bps.sleep(0.01)
    yield from bps.close_run()


def run(orders, plan):
    """Run the plan, and return the error that ended it, or None."""
    try:
        orders.engine(plan)
    except BaseException as error:  # noqa: BLE001 - what it is is looked at
        return error
    return None


def test_without_a_sample_nothing_is_asked_of_it(orders):
    for verb in ("abort", "pause", "resume", "stop"):
        orders.send(verb)
    until(lambda: len(orders.said) == 4)
    assert {(m["said"], "nothing is being measured" in m["words"]) for m in orders.said} == {
        ("refused", True)
    }


def test_an_abort_while_the_sample_is_being_prepared_counts(orders):
    orders.send("measure", sample="S1")
    orders.send("abort")
    assert answered(orders)["said"] == "done"
    assert orders.following()["sample"] == "S1"
    assert orders.aborted


def test_an_abort_just_before_the_engine_runs_ends_it_before_anything_moves(orders):
    orders.send("measure", sample="S1")
    orders.send("abort", reason="ice on the window")
    answered(orders)
    moved = []

    def plan():
        yield from bps.open_run()
        moved.append(True)
        yield from bps.close_run()

    error = run(orders, plan())
    assert isinstance(error, Interrupted)
    assert str(error) == "aborted before it began, by me: ice on the window"
    assert not moved


def test_an_approval_that_nothing_waits_for_is_refused(orders):
    orders.send("measure", sample="S1")
    steered = []
    orders.campaign = SimpleNamespace(needs_approval=False, steer=steered.append)
    orders.send("approve")
    said = answered(orders)
    assert (said["said"], "waits for an approval" in said["words"]) == ("refused", True)
    assert not steered


def test_an_abort_is_of_the_sample_that_was_sent_last_and_of_no_other(orders):
    orders.send("measure", sample="S1")
    orders.send("abort")
    answered(orders)
    orders.done()
    orders.send("measure", sample="S2")
    until(lambda: not orders.aborted)
    assert run(orders, ticks(3)) is None


def test_an_abort_ends_what_runs(orders):
    orders.send("measure", sample="S1")
    threading.Timer(0.3, lambda: orders.send("abort")).start()
    assert run(orders, ticks()) is not None
    assert orders.aborted
    assert answered(orders)["said"] == "done"


def test_a_pause_while_the_sample_is_being_prepared_comes_true(orders):
    orders.send("measure", sample="S1")
    orders.send("pause")
    assert answered(orders)["said"] == "done"
    run(orders, ticks())
    assert str(orders.engine.state) == "paused"


def test_a_pause_that_comes_too_late_is_known(orders):
    orders.send("measure", sample="S1")
    until(lambda: orders._sample == "S1")

    def last():
        yield from bps.open_run()
        orders.send("pause")
        yield from bps.sleep(0.3)
        yield from bps.close_run()

    assert run(orders, last()) is None
    assert orders.pausing


def test_who_hears_an_abort_outlives_whatever_is_asked(orders, monkeypatch):
    orders.send("measure", sample="S1")
    until(lambda: orders._sample == "S1")
    orders.campaign = SimpleNamespace()  # nothing that could be steered
    orders.send("stop")
    assert answered(orders)["said"] == "refused"
    orders.send("abort")
    assert answered(orders, 2)["said"] == "done"


class Gate:
    conditions = SimpleNamespace(hold_proof_s=0.3)

    def __init__(self):
        self.why = ()

    def failing(self):
        return self.why


def paused(orders, gate):
    orders.send("measure", sample="S1")
    orders.send("pause")
    run(orders, ticks())

    def wait():
        with contextlib.suppress(Interrupted):  # the end of the test
            orders.wait_for_resume(gate)

    orders.campaign = SimpleNamespace()
    orders.waiting = threading.Thread(target=wait, daemon=True)
    orders.waiting.start()
    return orders.waiting


def test_a_resume_waits_for_its_proof_and_says_once_why(orders):
    gate, proofs = Gate(), []
    orders.sentry = SimpleNamespace(after_hold=lambda: proofs.append(True))
    waiting = paused(orders, gate)
    gate.why = ("the beam is down",)
    orders.send("resume")
    time.sleep(1.5)
    assert waiting.is_alive()
    assert [m["words"] for m in orders.said if m["said"] == "waiting"] == ["the beam is down"]
    gate.why = ()
    waiting.join(LIMIT_S)
    assert not waiting.is_alive()
    assert orders.said[-1]["said"] == "resumed"
    assert proofs, "the beam after a pause is compared with that before it"


def test_a_pause_takes_a_resume_back_that_waits_for_its_proof(orders):
    gate = Gate()
    waiting = paused(orders, gate)
    gate.why = ("the beam is down",)
    orders.send("resume")
    answered(orders, 2)
    orders.send("pause")
    assert answered(orders, 3)["words"] == "stays paused"
    gate.why = ()
    time.sleep(1.0)
    assert waiting.is_alive()
    orders.send("resume")
    waiting.join(LIMIT_S)
    assert not waiting.is_alive()
