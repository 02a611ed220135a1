"""The queue of samples: all or none, one claim each, the order people asked for."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from materialsdock.errors import InputError, Refused
from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue
from materialsdock.night.queue import states as jobs


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        yield found


def submitted(ledger, *ids, priority=0, **more):
    queue.submit(ledger, [(name, priority, {"name": name}) for name in ids], **more)


def order(ledger, *states):
    return [s.sample_id for s in queue.samples(ledger, *(states or ("queued", "submitted")))]


def test_samples_wait_in_the_order_of_the_sheet(ledger):
    submitted(ledger, "b", "a")
    submitted(ledger, "c")
    assert order(ledger) == ["b", "a", "c"]
    assert queue.sample(ledger, "a").body == {"name": "a"}
    assert queue.counts(ledger) == {"queued": 3}
    assert [n.kind for n in queue.log(ledger)] == ["submitted", "submitted"]


@pytest.mark.parametrize("ids", [["c", "a"], ["c", "c"], ["a", "b", "a"]])
def test_a_sheet_is_queued_whole_or_not_at_all(ledger, ids):
    submitted(ledger, "a", "b")
    with pytest.raises(InputError, match="already there") as refused:
        submitted(ledger, *ids)
    assert all(name in refused.value.what for name in set(ids) & {"a", "b"})
    assert order(ledger) == ["a", "b"]
    assert len(queue.log(ledger)) == 1


def test_what_needs_approval_is_not_claimed(ledger):
    submitted(ledger, "a", approved=False)
    assert queue.claim(ledger) is None
    queue.advance(ledger, "a", "approve")
    assert queue.claim(ledger).sample_id == "a"


def test_priority_goes_before_rank(ledger):
    submitted(ledger, "a", "b")
    submitted(ledger, "high", priority=5)
    submitted(ledger, "low", priority=-1)
    claimed = [queue.claim(ledger) for _ in range(5)]
    assert [c and c.sample_id for c in claimed] == ["high", "a", "b", "low", None]
    assert all(c.state == "measuring" and c.attempt == 1 for c in claimed[:4])


def test_those_whose_retry_is_not_due_are_passed_over(ledger):
    submitted(ledger, "a", "b")
    assert queue.claim(ledger, besides=["a"]).sample_id == "b"
    assert queue.claim(ledger, besides=["a"]) is None


def test_an_illegal_transition_changes_nothing(ledger):
    submitted(ledger, "a")
    before = queue.sample(ledger, "a"), queue.log(ledger)
    with pytest.raises(Refused, match=r"a: finish is not possible while queued.*claim, hold"):
        queue.advance(ledger, "a", "finish", attempt=9)
    assert (queue.sample(ledger, "a"), queue.log(ledger)) == before
    with pytest.raises(InputError, match=r"no sample 'b'.*latest: a"):
        queue.advance(ledger, "b", "hold")


def test_every_transition_is_in_the_log(ledger):
    submitted(ledger, "a")
    queue.claim(ledger)
    queue.advance(ledger, "a", "fault", "motor stuck", severity="critical", failures=1)
    last = queue.log(ledger)[-1]
    assert (last.sample_id, last.severity) == ("a", "critical")
    assert last.body == {
        "event": "fault",
        "from": "measuring",
        "to": "held",
        "reason": "motor stuck",
    }
    found = queue.sample(ledger, "a")
    assert (found.state, found.reason, found.failures) == ("held", "motor stuck", 1)


def test_a_hold_stops_claims_until_released(ledger):
    submitted(ledger, "a", "b")
    assert queue.claim(ledger).sample_id == "a"
    queue.hold_all(ledger, "three samples failed")
    assert queue.claim(ledger) is None
    assert queue.sample(ledger, "a").state == "measuring"  # goes on
    queue.release_all(ledger)
    assert queue.claim(ledger).sample_id == "b"


def test_what_a_dead_process_had_in_hand_waits_again(ledger):
    submitted(ledger, "a", "b", "c", "d", "e")
    for _ in range(3):
        queue.claim(ledger)
    queue.advance(ledger, "b", "measured")
    queue.advance(ledger, "b", "analyse")
    queue.advance(ledger, "c", "measured")
    assert queue.recover(ledger) == ["a", "b"]
    states = {s.sample_id: s.state for s in queue.samples(ledger)}
    assert states == {"a": "queued", "b": "measured", "c": "measured", "d": "queued", "e": "queued"}
    assert queue.recover(ledger) == []
    again = queue.claim(ledger)
    assert (again.sample_id, again.attempt) == ("a", 2)  # in its old place


CLAIMER = """
import sys
from pathlib import Path
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue
with Ledger(Path(sys.argv[1])) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    while (found := queue.claim(ledger)) is not None:
        print(found.sample_id, flush=True)
"""


def test_four_processes_never_claim_one_sample_twice(ledger):
    ids = [f"s{i:02d}" for i in range(40)]
    submitted(ledger, *ids)
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, str(ledger.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for each in claimers:
        assert each.stdout.readline() == "ready\n"
    for each in claimers:
        each.stdin.write("go\n")
        each.stdin.flush()
    claimed = [each.communicate(timeout=60)[0].split() for each in claimers]
    assert all(each.returncode == 0 for each in claimers)
    assert sorted(name for found in claimed for name in found) == ids
    for found in claimed:
        assert found == sorted(found)


# -- moving -------------------------------------------------------------------------------------

waiting = st.lists(st.integers(-1, 1), min_size=1, max_size=6)


@settings(max_examples=40)
@given(
    priorities=waiting,
    moves=st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 9)), max_size=12),
)
def test_the_order_after_moves_is_that_of_a_list(priorities, moves):
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "l.sqlite") as ledger:
        for i, priority in enumerate(priorities):
            submitted(ledger, f"s{i}", priority=priority)
        model = order(ledger)
        for number, place in moves:
            moved = f"s{number % len(priorities)}"
            queue.move(ledger, moved, place)
            model.remove(moved)
            model.insert(min(max(place, 1), len(model) + 1) - 1, moved)
            assert order(ledger) == model
        ranked = queue.samples(ledger)
        assert [s.priority for s in ranked] == sorted((s.priority for s in ranked), reverse=True)


def test_any_number_of_moves_to_one_place(ledger):
    """Ranks between two others run out of digits after fifty."""
    submitted(ledger, *"abcd")
    model = list("abcd")
    for _ in range(130):
        moved = model[-1]
        queue.move(ledger, moved, 2)
        model.remove(moved)
        model.insert(1, moved)
        assert order(ledger) == model


def test_only_what_waits_moves(ledger):
    submitted(ledger, "a", "b")
    queue.claim(ledger)
    with pytest.raises(Refused, match="a is measuring"):
        queue.move(ledger, "a", 1)
    queue.move(ledger, "b", 7)
    assert order(ledger) == ["b"]


# -- any use of it ------------------------------------------------------------------------------


class Night(RuleBasedStateMachine):
    """A queue against a dictionary of states, with transitions in any order."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(Path(self.folder.name) / "l.sqlite")
        self.model = {}
        self.held = False

    def teardown(self):
        self.ledger.close()
        self.folder.cleanup()

    @rule(priority=st.integers(0, 2), approved=st.booleans())
    def submit(self, priority, approved):
        name = f"s{len(self.model)}"
        submitted(self.ledger, name, priority=priority, approved=approved)
        self.model[name] = "queued" if approved else "submitted"

    @precondition(lambda self: self.model)
    @rule(data=st.data(), event=st.sampled_from(jobs.EVENTS))
    def advance(self, data, event):
        name = data.draw(st.sampled_from(sorted(self.model)))
        if event in jobs.legal(self.model[name]):
            queue.advance(self.ledger, name, event)
            self.model[name] = jobs.following(self.model[name], event)
        else:
            with pytest.raises(Refused):
                queue.advance(self.ledger, name, event)

    @rule()
    def claim(self):
        expected = None if self.held else next(iter(order(self.ledger, "queued")), None)
        found = queue.claim(self.ledger)
        assert (found and found.sample_id) == expected
        if found:
            self.model[expected] = "measuring"

    @rule()
    def hold(self):
        queue.hold_all(self.ledger, "asked")
        self.held = True

    @rule()
    def release(self):
        queue.release_all(self.ledger)
        self.held = False

    @rule()
    def die_and_start_again(self):
        self.ledger.close()
        self.ledger = Ledger(Path(self.folder.name) / "l.sqlite")
        found = queue.recover(self.ledger)
        back = {"measuring": "queued", "analysing": "measured"}
        assert set(found) == {name for name, state in self.model.items() if state in back}
        self.model = {name: back.get(state, state) for name, state in self.model.items()}

    @invariant()
    def the_ledger_says_the_same(self):
        assert {s.sample_id: s.state for s in queue.samples(self.ledger)} == self.model


TestNight = Night.TestCase
TestNight.settings = settings(max_examples=15, stateful_step_count=20)


def test_facts_are_replaced(ledger):
    assert fact(ledger, "epoch") is None
    for value in (1, {"a": [1.5, None]}, "x"):
        set_fact(ledger, "epoch", value)
        assert fact(ledger, "epoch") == value


def test_the_log_is_read_in_parts(ledger, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 5.0)
    numbers = [queue.note(ledger, "k", {"i": i}, severity="warn", sample_id=None) for i in range(5)]
    assert numbers == sorted(numbers)
    first = queue.log(ledger, limit=2)
    rest = queue.log(ledger, first[-1].seq)
    assert [n.body["i"] for n in first + rest] == list(range(5))
    assert {(n.at, n.severity, n.kind) for n in rest} == {(5.0, "warn", "k")}
    assert json.dumps(rest[0].body)
