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
from materialsdock.ledger import Ledger
from materialsdock.night import audit, control, queue
from materialsdock.night.audit import Actor

ANNA, BEN = Actor("anna", "hutch"), Actor("ben", "home")
STEERING = [verb for verb in control.VERBS if verb not in control.HALTS]


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        yield found


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that a test turns forward."""
    now = [1000.0]
    monkeypatch.setattr(control.time, "monotonic", lambda: now[0])
    return now


def test_one_holds_the_lease_and_everybody_sees_who(ledger, clock):
    assert control.lease(ledger) is None
    taken = control.take_lease(ledger, ANNA)
    assert control.lease(ledger) == taken
    assert (taken.holder, taken.epoch) == ("anna@hutch", 1)
    with pytest.raises(Refused, match=r"anna@hutch has control for another 600 s.*--force"):
        control.take_lease(ledger, BEN)
    assert control.lease(ledger) == taken


def test_renewing_keeps_the_epoch(ledger, clock):
    first = control.take_lease(ledger, ANNA)
    clock[0] += 500.0
    again = control.take_lease(ledger, ANNA)
    assert again.epoch == first.epoch
    assert again.until == first.until + 500.0
    clock[0] += 599.0
    assert control.lease(ledger) == again


def test_it_ends_by_the_monotonic_clock_alone(ledger, clock, monkeypatch):
    control.take_lease(ledger, ANNA)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert control.lease(ledger) is not None
    clock[0] += control.LEASE_S
    assert control.lease(ledger) is None
    assert control.take_lease(ledger, BEN).epoch == 2


def test_a_lease_of_another_boot_is_void(ledger, clock, monkeypatch):
    control.take_lease(ledger, ANNA)
    monkeypatch.setattr(control, "boot", lambda: "another")
    assert control.lease(ledger) is None
    assert control.take_lease(ledger, BEN).epoch == 2


def test_force_takes_it_and_fences_what_was_asked_before(ledger, clock):
    seq = control.ask(ledger, "veto", ANNA, {"x": 1.0})
    (asked,) = control.pending(ledger)
    assert asked.seq == seq
    assert control.still_holds(ledger, asked)
    assert control.take_lease(ledger, BEN, force=True).epoch == 2
    assert not control.still_holds(ledger, asked)
    last = audit.actions(ledger)[-1]
    assert (last.verb, last.details) == ("lease", {"epoch": 2, "from": "anna@hutch"})


def test_giving_it_back(ledger, clock):
    control.take_lease(ledger, ANNA)
    with pytest.raises(Refused, match="anna@hutch has control, not ben@home"):
        control.give_lease(ledger, BEN)
    control.give_lease(ledger, ANNA)
    assert control.lease(ledger) is None
    with pytest.raises(Refused, match="nobody has control"):
        control.give_lease(ledger, ANNA)
    assert control.take_lease(ledger, BEN).epoch == 2


@pytest.mark.parametrize("verb", sorted(control.HALTS))
def test_halts_need_no_lease(ledger, clock, verb):
    held = control.take_lease(ledger, ANNA)
    control.ask(ledger, verb, BEN)
    (asked,) = control.pending(ledger)
    control.take_lease(ledger, BEN, force=True)
    assert control.still_holds(ledger, asked)
    assert control.lease(ledger).holder != held.holder


@pytest.mark.parametrize("verb", STEERING)
def test_what_lets_it_go_on_needs_the_lease(ledger, clock, verb):
    control.take_lease(ledger, ANNA)
    with pytest.raises(Refused, match="anna@hutch has control"):
        control.ask(ledger, verb, BEN)
    assert control.pending(ledger) == []
    control.ask(ledger, verb, ANNA)
    clock[0] += control.LEASE_S
    control.ask(ledger, verb, BEN)  # nobody has it any more: asking takes it
    assert control.lease(ledger).holder == "ben@home"


def test_an_unknown_verb_is_refused(ledger):
    with pytest.raises(InputError, match="no verb 'dance'"):
        control.ask(ledger, "dance", ANNA)


def test_halts_go_before_what_was_asked_earlier(ledger):
    verbs = ["change", "veto", "abort", "resume", "pause"]
    for verb in verbs:
        control.ask(ledger, verb, ANNA)
    assert [i.verb for i in control.pending(ledger)] == [
        "abort", "pause", "change", "veto", "resume"
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["done", "refused"])
def test_an_intent_is_settled_exactly_once(ledger, end):
    control.ask(ledger, "veto", ANNA, {"x": 7100.0})
    (asked,) = control.pending(ledger)
    assert control.answer(ledger, asked, "taken", "")
    assert control.pending(ledger) == []
    assert [i.seq for i in control.pending(ledger, "taken")] == [asked.seq]
    assert control.answer(ledger, asked, end, "so it is")
    rows = audit.verify(ledger).rows
    for state in ("taken", "done", "refused"):
        assert not control.answer(ledger, asked, state, "once more")
    found = control.wait(ledger, asked.seq, 0.0)
    assert (found.state, found.answer) == (end, "so it is")
    last = audit.actions(ledger)[-1]
    assert (last.who, last.verb, last.answer) == ("anna@hutch", "veto", f"{end}: so it is")
    assert last.details == {"x": 7100.0, "lease_epoch": 1}
    assert audit.verify(ledger).rows == rows


def test_waiting_ends_with_the_answer_or_the_time(ledger):
    seq = control.ask(ledger, "pause", ANNA)
    began = time.monotonic()
    assert control.wait(ledger, seq, 0.15) is None
    assert time.monotonic() - began >= 0.15
    (asked,) = control.pending(ledger)
    answering = threading.Timer(0.1, control.answer, (ledger, asked, "done", "paused"))
    answering.start()
    assert control.wait(ledger, seq, 10.0).answer == "paused"
    answering.join()


def test_the_age_of_an_intent(ledger, clock, monkeypatch):
    control.ask(ledger, "pause", ANNA)
    (asked,) = control.pending(ledger)
    clock[0] += 7.0
    assert control.age_s(asked) == pytest.approx(7.0)
    monkeypatch.setattr(control, "boot", lambda: "another")
    assert control.age_s(asked) == float("inf")


def test_epochs_only_grow_whoever_takes_them(ledger):
    taker = (
        "import sys\nfrom pathlib import Path\nfrom materialsdock.ledger import Ledger\n"
        "from materialsdock.night import control\n"
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
    assert queue.fact(ledger, "epoch") == 20


def test_two_who_ask_at_once_do_not_both_get_it(ledger):
    barrier, got = threading.Barrier(4), []

    def take(who):
        with Ledger(ledger.path) as own:
            barrier.wait()
            try:
                control.take_lease(own, who)
            except Refused:
                return
            got.append(str(who))

    threads = [threading.Thread(target=take, args=(Actor(f"u{i}", "h"),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert control.lease(ledger).holder == got[0]


class Control(RuleBasedStateMachine):
    """Two people, a clock, and a model of who has control."""

    def __init__(self):
        super().__init__()

        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(Path(self.folder.name) / "l.sqlite")
        self.now, self.holder, self.until, self.epoch = 0.0, None, 0.0, 0
        self.real, control.time.monotonic = control.time.monotonic, lambda: self.now

    def teardown(self):
        control.time.monotonic = self.real
        self.ledger.close()
        self.folder.cleanup()

    def current(self):
        return self.holder if self.now < self.until else None

    @rule(who=st.sampled_from((ANNA, BEN)), force=st.booleans())
    def take(self, who, force):
        current = self.current()
        if current not in (None, who) and not force:
            with pytest.raises(Refused):
                control.take_lease(self.ledger, who)
            return
        found = control.take_lease(self.ledger, who, force=force)
        self.epoch += current != who
        self.holder, self.until = who, self.now + control.LEASE_S
        assert found.epoch == self.epoch

    @rule(who=st.sampled_from((ANNA, BEN)))
    def give(self, who):
        if self.current() != who:
            with pytest.raises(Refused):
                control.give_lease(self.ledger, who)
            return
        control.give_lease(self.ledger, who)
        self.holder = None

    @rule(seconds=st.sampled_from((1.0, 300.0, 600.0)))
    def time_passes(self, seconds):
        self.now += seconds

    @invariant()
    def the_ledger_says_the_same(self):
        found = control.lease(self.ledger)
        assert (found and found.holder) == (self.current() and str(self.current()))


TestControl = Control.TestCase
TestControl.settings = settings(max_examples=25, stateful_step_count=20)
