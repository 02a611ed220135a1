"""Halts come true whatever dies: none is lost, and nothing that a person stopped goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from materialsdock.ledger.facts import fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.control import intents
from materialsdock.night.control.audit import Actor
from materialsdock.night.control.dispatch import Desk
from materialsdock.night.queue import queue

ME = Actor("me", "here")


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as made:
        queue.submit(made, [("S1", 0, {}), ("S2", 0, {})])
        yield made


def worker():
    sent = []
    return SimpleNamespace(send=sent.append, sent=sent, kill=lambda: sent.append("killed"))


def state_of(ledger, seq):
    return intents.wait(ledger, seq, 0.0).state


def restarted(ledger):
    """Do what a new daemon does first."""
    Desk(ledger).recover()
    queue.recover(ledger, 2)


def test_an_abort_that_was_taken_when_the_daemon_died_is_not_measured_again(ledger):
    queue.claim(ledger)
    seq = intents.ask(ledger, "abort", ME)
    Desk(ledger).serve(worker(), "S1")
    restarted(ledger)
    assert queue.sample(ledger, "S1").state == "held"
    assert state_of(ledger, seq) == "done"
    assert queue.claim(ledger).sample_id == "S2"


def test_an_abort_that_was_answered_when_the_daemon_died_is_not_measured_again(ledger):
    queue.claim(ledger)
    seq = intents.ask(ledger, "abort", ME)
    desk = Desk(ledger)
    desk.serve(worker(), "S1")
    desk.answered({"said": "done", "seq": seq, "words": "aborted; the shutter closes"})
    restarted(ledger)
    assert queue.sample(ledger, "S1").state == "held"


def test_an_abort_that_was_asked_while_there_was_no_daemon_comes_true(ledger):
    queue.claim(ledger)
    seq = intents.ask(ledger, "abort", ME)
    restarted(ledger)
    assert queue.sample(ledger, "S1").state == "held"
    assert state_of(ledger, seq) == "done"


@pytest.mark.parametrize("verb", ["pause", "stop"])
def test_who_was_to_pause_or_stop_when_the_daemon_died_does_not_go_on_by_himself(ledger, verb):
    queue.claim(ledger)
    intents.ask(ledger, verb, ME)
    restarted(ledger)
    assert queue.sample(ledger, "S1").state == "queued"
    assert "S1" in fact(ledger, "hold")
    assert queue.claim(ledger) is None
    queue.release_all(ledger)
    restarted(ledger)
    assert queue.claim(ledger).sample_id == "S1", "it is asked for once"


def test_a_paused_sample_does_not_go_on_when_its_worker_or_its_daemon_dies(ledger):
    queue.claim(ledger)
    seq = intents.ask(ledger, "pause", ME)
    desk = Desk(ledger)
    desk.serve(worker(), "S1")
    desk.answered({"said": "done", "seq": seq, "words": "pauses at the next point"})
    desk.interrupted("S1", "the worker ended with signal 9")
    assert "S1 was paused when the worker ended" in fact(ledger, "hold")
    queue.release_all(ledger)
    restarted(ledger)
    assert "S1 was paused when the daemon ended" in fact(ledger, "hold")


def test_a_resumed_or_ended_sample_is_no_longer_paused(ledger):
    queue.claim(ledger)
    intents.ask(ledger, "pause", ME)
    desk = Desk(ledger)
    desk.serve(worker(), "S1")
    desk.resumed()
    desk.interrupted("S1", "the worker ended")
    assert fact(ledger, "hold") is None
    intents.ask(ledger, "pause", ME)
    desk.serve(worker(), "S1")
    desk.sample_ended("the measurement has ended")
    desk.interrupted("S1", "the worker ended")
    assert fact(ledger, "hold") is None


def test_a_refused_abort_does_not_make_a_later_fault_an_abort(ledger):
    queue.claim(ledger)
    seq = intents.ask(ledger, "abort", ME)
    desk = Desk(ledger)
    desk.serve(worker(), "S1")
    assert desk.aborting("S1")
    desk.answered({"said": "refused", "seq": seq, "words": "no"})
    assert not desk.aborting("S1")


def test_what_was_asked_before_the_ledger_failed_ends_no_later_worker(ledger, monkeypatch):
    queue.claim(ledger)
    intents.ask(ledger, "abort", ME)
    desk = Desk(ledger)
    desk.serve(worker(), "S1")
    desk.recover()
    queue.recover(ledger, 2)
    following = worker()
    monkeypatch.setattr("materialsdock.night.control.dispatch.UNHEARD_S", -1.0)
    desk.serve(following, "S2")
    assert following.sent == []
    assert not desk.aborting("S2")


def test_a_sample_under_which_daemon_after_daemon_dies_is_set_aside(ledger):
    for failures in (1, 2):
        assert queue.claim(ledger).sample_id == "S1"
        restarted(ledger)
        assert queue.sample(ledger, "S1").failures == failures
    assert queue.claim(ledger).sample_id == "S1"
    restarted(ledger)
    assert queue.sample(ledger, "S1").state == "held"
    assert queue.claim(ledger).sample_id == "S2"


def test_an_end_in_order_is_no_failure(ledger):
    for _ in range(5):
        queue.claim(ledger)
        queue.recover(ledger)
    assert queue.sample(ledger, "S1").failures == 0


def test_a_hold_says_whose_it_is_and_why(ledger):
    for details, measuring, reason, words in (
        ({"reason": "leak"}, "S1", "asked by me@here: leak", "nothing more after this sample"),
        ({}, None, "asked by me@here", "no sample begins"),
    ):
        seq = intents.ask(ledger, "hold_queue", ME, details)
        Desk(ledger).serve(worker(), measuring)
        assert fact(ledger, "hold") == reason
        assert intents.wait(ledger, seq, 0.0).answer == words


def test_a_halt_between_two_samples_names_the_one_that_helps(ledger):
    seqs = [intents.ask(ledger, verb, ME) for verb in ("pause", "veto")]
    Desk(ledger).serve(worker(), None)
    pause, veto = (intents.wait(ledger, seq, 0.0) for seq in seqs)
    assert (pause.state, veto.state) == ("refused", "refused")
    assert "`materialsdock hold`" in pause.answer
    assert veto.answer.startswith("nothing is being measured; `materialsdock status`")
