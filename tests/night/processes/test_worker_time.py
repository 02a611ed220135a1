"""The time for a step before the guard ends its worker: never less than the step takes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from materialsdock.model import Decision, Proposal, Verdict
from materialsdock.night.control.orders import Orders
from materialsdock.night.processes import worker as module
from materialsdock.night.processes.worker import Worker

LONG_S = 64 * 2.0  # one segment on a real instrument


class Heart:
    def __init__(self):
        self.expected_s, self.phases = 0.0, []

    def progress(self, seconds):
        self.expected_s = seconds

    def phase(self, name):
        self.phases.append(name)


@pytest.fixture
def worker():
    made = Worker.__new__(Worker)
    made.heart, made._step_s = Heart(), 0.0
    motion = SimpleNamespace(velocity=5.0, settle_s=0.1)
    made.profile = SimpleNamespace(
        speed=1.0, section=lambda name: {"xrd": SimpleNamespace(motion=motion)}[name]
    )
    made.line = SimpleNamespace(say=lambda *_, **__: None)
    made.orders = Orders.__new__(Orders)
    made.orders.sentry = None
    sample = SimpleNamespace(technique="xrd")
    made.orders.campaign = SimpleNamespace(job=SimpleNamespace(sample=sample))
    return made


def segment(start):
    return Proposal(start, start + 63 * 0.02, 2.0, points=64)


def decision(following, deciding_s=0.0):
    verdict = Verdict(stop=False, reason="", statistic=None, threshold=0.1)
    return Decision(
        0,
        segment(20.0),
        ("a/1",),
        verdict,
        None,
        1.0,
        1.0,
        0.0,
        1.0,
        {},
        1.0,
        deciding_s,
        following,
    )


def test_a_step_may_take_its_counting_its_travel_and_as_long_to_decide_as_the_last(worker):
    worker._decided(decision(segment(120.0), deciding_s=7.0))
    travel = 120.0 - segment(20.0).stop
    assert worker.heart.expected_s == pytest.approx(LONG_S + 0.1 + (travel + 1.26) / 5.0 + 7.0)
    worker._decided(decision(None))
    assert worker.heart.expected_s >= 1.0


@pytest.mark.parametrize("kind", ["void", "retry", "late", "moved", "flag"])
def test_one_more_attempt_may_take_as_long_as_the_first(worker, kind):
    worker._decided(decision(segment(22.0)))
    before = worker.heart.expected_s
    worker._report(kind, "words")
    assert worker.heart.expected_s == before + module.RETRY_S
    worker._report(kind, "words")
    assert worker.heart.expected_s == before + module.RETRY_S, "it does not grow"


def test_a_visit_comes_on_top(worker):
    worker._decided(decision(segment(22.0)))
    before = worker.heart.expected_s
    worker._visits(30.0)
    assert worker.heart.expected_s == before + 30.0


def test_a_hold_is_no_step(worker):
    worker._report("hold", "the beam is down")
    worker._report("resumed", "after 40 s")
    assert worker.heart.phases == ["holding", "busy"]
