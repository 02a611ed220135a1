"""Intents, the lease of control, and epochs: one in control, everybody may halt."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from materialsdock.errors import InputError, Refused
from materialsdock.ledger.facts import fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.control import audit, intents
from materialsdock.night.control.audit import Actor

ANNA, BEN = Actor("anna", "hutch"), Actor("ben", "home")
STEERING = [verb for verb in intents.VERBS if verb not in intents.HALTS]


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        yield found


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that a test turns forward."""
    now = [1000.0]
    monkeypatch.setattr(intents.time, "monotonic", lambda: now[0])
    return now


def test_one_holds_the_lease_and_everybody_sees_who(ledger, clock):
    assert intents.lease(ledger) is None
    taken = intents.take_lease(ledger, ANNA)
    assert intents.lease(ledger) == taken
    assert (taken.holder, taken.epoch) == ("anna@hutch", 1)
    with pytest.raises(Refused, match=r"anna@hutch has control for another 600 s.*--force"):
        intents.take_lease(ledger, BEN)
    assert intents.lease(ledger) == taken


def test_renewing_keeps_the_epoch(ledger, clock):
    first = intents.take_lease(ledger, ANNA)
    clock[0] += 500.0
    again = intents.take_lease(ledger, ANNA)
    assert again.epoch == first.epoch
    assert again.until == first.until + 500.0
    clock[0] += 599.0
    assert intents.lease(ledger) == again


def test_it_ends_by_the_monotonic_clock_alone(ledger, clock, monkeypatch):
    intents.take_lease(ledger, ANNA)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert intents.lease(ledger) is not None
    clock[0] += intents.LEASE_S
    assert intents.lease(ledger) is None
    assert intents.take_lease(ledger, BEN).epoch == 2


def test_a_lease_of_another_boot_is_void(ledger, clock, monkeypatch):
    intents.take_lease(ledger, ANNA)
    monkeypatch.setattr(intents, "boot", lambda: "another")
    assert intents.lease(ledger) is None
    assert intents.take_lease(ledger, BEN).epoch == 2


def test_force_takes_it_and_fences_what_was_asked_before(ledger, clock):
    seq = intents.ask(ledger, "veto", ANNA, {"x": 1.0})
    (asked,) = intents.pending(ledger)
    assert asked.seq == seq
    assert intents.still_holds(ledger, asked)
    assert intents.take_lease(ledger, BEN, force=True).epoch == 2
    assert not intents.still_holds(ledger, asked)
    last = audit.actions(ledger)[-1]
    assert (last.verb, last.details) == ("lease", {"epoch": 2, "from": "anna@hutch"})


def test_giving_it_back(ledger, clock):
    intents.take_lease(ledger, ANNA)
    with pytest.raises(Refused, match="anna@hutch has control, not ben@home"):
        intents.give_lease(ledger, BEN)
    intents.give_lease(ledger, ANNA)
    assert intents.lease(ledger) is None
    with pytest.raises(Refused, match="nobody has control"):
        intents.give_lease(ledger, ANNA)
    assert intents.take_lease(ledger, BEN).epoch == 2


@pytest.mark.parametrize("verb", sorted(intents.HALTS))
def test_halts_need_no_lease(ledger, clock, verb):
    held = intents.take_lease(ledger, ANNA)
    intents.ask(ledger, verb, BEN)
    (asked,) = intents.pending(ledger)
    intents.take_lease(ledger, BEN, force=True)
    assert intents.still_holds(ledger, asked)
    assert intents.lease(ledger).holder != held.holder


@pytest.mark.parametrize("verb", STEERING)
def test_what_lets_it_go_on_needs_the_lease(ledger, clock, verb):
    intents.take_lease(ledger, ANNA)
    with pytest.raises(Refused, match="anna@hutch has control"):
        intents.ask(ledger, verb, BEN)
    assert intents.pending(ledger) == []
    intents.ask(ledger, verb, ANNA)
    clock[0] += intents.LEASE_S
    intents.ask(ledger, verb, BEN)  # nobody has it any more: asking takes it
    assert intents.lease(ledger).holder == "ben@home"


def test_an_unknown_verb_is_refused(ledger):
    with pytest.raises(InputError, match="no verb 'dance'"):
        intents.ask(ledger, "dance", ANNA)


def test_halts_go_before_what_was_asked_earlier(ledger):
    verbs = ["change", "veto", "abort", "resume", "pause"]
    for verb in verbs:
        intents.ask(ledger, verb, ANNA)
    assert [i.verb for i in intents.pending(ledger)] == [
        "abort",
        "pause",
        "change",
        "veto",
        "resume",
    ]


@pytest.mark.parametrize("end", ["done", "refused"])
def test_an_intent_is_settled_exactly_once(ledger, end):
    intents.ask(ledger, "veto", ANNA, {"x": 7100.0})
    (asked,) = intents.pending(ledger)
    assert intents.answer(ledger, asked, "taken", "")
    assert intents.pending(ledger) == []
    assert [i.seq for i in intents.pending(ledger, "taken")] == [asked.seq]
    assert intents.answer(ledger, asked, end, "so it is")
    rows = audit.verify(ledger).rows
    for state in ("taken", "done", "refused"):
        assert not intents.answer(ledger, asked, state, "once more")
    found = intents.wait(ledger, asked.seq, 0.0)
    assert (found.state, found.answer) == (end, "so it is")
    last = audit.actions(ledger)[-1]
    assert (last.who, last.verb, last.answer) == ("anna@hutch", "veto", f"{end}: so it is")
    assert last.details == {"x": 7100.0, "lease_epoch": 1}
    assert audit.verify(ledger).rows == rows


def test_waiting_ends_with_the_answer_or_the_time(ledger):
    seq = intents.ask(ledger, "pause", ANNA)
    began = time.monotonic()
    assert intents.wait(ledger, seq, 0.15) is None
    assert time.monotonic() - began >= 0.15
    (asked,) = intents.pending(ledger)
    answering = threading.Timer(0.1, intents.answer, (ledger, asked, "done", "paused"))
    answering.start()
    assert intents.wait(ledger, seq, 10.0).answer == "paused"
    answering.join()


def test_the_age_of_an_intent(ledger, clock, monkeypatch):
    intents.ask(ledger, "pause", ANNA)
    (asked,) = intents.pending(ledger)
    clock[0] += 7.0
    assert intents.age_s(asked) == pytest.approx(7.0)
    monkeypatch.setattr(intents, "boot", lambda: "another")
    assert intents.age_s(asked) == float("inf")


def test_epochs_only_grow_whoever_takes_them(ledger):
    taker = (
        "import sys\nfrom pathlib import Path\nfrom materialsdock.ledger.ledger import Ledger\n"
        "from materialsdock.night.control import intents as control\n"
        "with Ledger(Path(sys.argv[1])) as ledger:\n"
        "    for _ in range(10):\n        print(control.next_epoch(ledger))\n"
    )
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", taker, str(ledger.path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    found = [list(map(int, each.communicate(timeout=60)[0].split())) for each in takers]
    assert all(epochs == sorted(epochs) for epochs in found)
    assert sorted(found[0] + found[1]) == list(range(1, 21))
    assert fact(ledger, "epoch") == 20


def test_two_who_ask_at_once_do_not_both_get_it(ledger):
    barrier, got = threading.Barrier(4), []

    def take(who):
        with Ledger(ledger.path) as own:
            barrier.wait()
            try:
                intents.take_lease(own, who)
            except Refused:
                return
            got.append(str(who))

    threads = [threading.Thread(target=take, args=(Actor(f"u{i}", "h"),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert intents.lease(ledger).holder == got[0]


class Control(RuleBasedStateMachine):
    """Two people, a clock, and a model of who has control."""

    def __init__(self):
        super().__init__()

        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(Path(self.folder.name) / "l.sqlite")
        self.now, self.holder, self.until, self.epoch = 0.0, None, 0.0, 0
        self.real, intents.time.monotonic = intents.time.monotonic, lambda: self.now

    def teardown(self):
        intents.time.monotonic = self.real
        self.ledger.close()
        self.folder.cleanup()

    def current(self):
        return self.holder if self.now < self.until else None

    @rule(who=st.sampled_from((ANNA, BEN)), force=st.booleans())
    def take(self, who, force):
        current = self.current()
        if current not in (None, who) and not force:
            with pytest.raises(Refused):
                intents.take_lease(self.ledger, who)
            return
        found = intents.take_lease(self.ledger, who, force=force)
        self.epoch += current != who
        self.holder, self.until = who, self.now + intents.LEASE_S
        assert found.epoch == self.epoch

    @rule(who=st.sampled_from((ANNA, BEN)))
    def give(self, who):
        if self.current() != who:
            with pytest.raises(Refused):
                intents.give_lease(self.ledger, who)
            return
        intents.give_lease(self.ledger, who)
        self.holder = None

    @rule(seconds=st.sampled_from((1.0, 300.0, 600.0)))
    def time_passes(self, seconds):
        self.now += seconds

    @invariant()
    def the_ledger_says_the_same(self):
        found = intents.lease(self.ledger)
        assert (found and found.holder) == (self.current() and str(self.current()))


TestControl = Control.TestCase
TestControl.settings = settings(max_examples=25, stateful_step_count=20)
