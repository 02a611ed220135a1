"""The live view of a night: what it shows, when it is stale, and how it ends."""

from __future__ import annotations

import dataclasses
import io
import json
import time

import pytest
from rich.console import Console

from materialsdock.errors import LedgerFault
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import estimate, queue
from materialsdock.night.queue.states import STATES
from materialsdock.night.status import snapshot, state
from materialsdock.night.status import terminal as status_view
from materialsdock.night.system.heartbeats import Heart


@pytest.fixture
def night(tmp_path):
    """A ledger with three waiting samples."""
    data = DataDirectory(tmp_path)
    with Ledger(data.ledger) as ledger:
        rows = [(f"S{n}", 0, {"name": f"rust {n}", "recipe": "xanes"}) for n in (1, 2, 3)]
        queue.submit(ledger, rows)
        yield data, ledger


class Rounds:
    """Lets a live view turn so many times, doing something before each."""

    def __init__(self, *acts):
        self.acts = list(acts)

    def __call__(self):
        if not self.acts:
            return False
        self.acts.pop(0)()
        return True


def nothing():
    return


def watched(night, *acts, terminal, read=None):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, color_system=None)
    read = read or (lambda: snapshot.snapshot(*night))
    status_view.watch(read, console, every_s=0.0, go_on=Rounds(*acts))
    return out.getvalue()


def test_without_a_terminal_a_line_tells_each_change(night):
    held = lambda: queue.advance(night[1], "S1", "hold")  # noqa: E731
    said = watched(night, nothing, nothing, held, nothing, terminal=False)
    first, second = said.splitlines()
    assert "3 queued" in first
    assert "1 held" in second
    assert "\x1b" not in said


def test_on_a_terminal_it_is_live(night):
    claim = lambda: queue.claim(night[1])  # noqa: E731
    said = watched(night, nothing, claim, terminal=True)
    assert "rust 1" in said
    assert "measuring" in said


@pytest.mark.parametrize("terminal", [True, False])
def test_a_view_that_cannot_be_read_any_more_is_stale(night, terminal):
    found = [snapshot.snapshot(*night)]

    def read():
        if not found:
            raise LedgerFault("cannot be read: disk I/O error")
        return found.pop()

    said = watched(night, nothing, nothing, terminal=terminal, read=read)
    assert "STALE" in said
    assert "disk I/O error" in said


def test_a_watched_status_may_be_json_lines(night):
    found = [snapshot.snapshot(*night)]

    def read():
        if not found:
            raise LedgerFault("cannot be read: disk I/O error")
        return found.pop()

    out = io.StringIO()
    rounds = Rounds(nothing, nothing, pressed)
    status_view.json_lines(read, Console(file=out), every_s=0.0, go_on=rounds)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert first["counts"] == {"queued": 3}
    assert second["error"]["code"] == "ledger_fault"


def pressed():
    raise KeyboardInterrupt


def test_ctrl_c_ends_a_view_in_order(night):
    assert "rust 1" in watched(night, nothing, pressed, terminal=True)
    assert "queued" in watched(night, nothing, pressed, terminal=False)


def test_a_silent_daemon_makes_the_view_stale(night, monkeypatch):
    with Heart(night[0].path / "run" / "daemon.beat") as heart:
        heart.phase("busy")
        later = time.monotonic() + 9.0
        with monkeypatch.context() as patch:
            patch.setattr(state.heartbeats.time, "monotonic", lambda: later)
            now = snapshot.snapshot(*night)
    out = io.StringIO()
    Console(file=out, width=120).print(status_view.view(now))
    assert "STALE: daemon without heartbeat for 9 s" in out.getvalue()


def test_names_are_shown_as_they_are(night):
    queue.submit(night[1], [("S9", 0, {"name": "[red]\x1b[2J evil"})])
    out = io.StringIO()
    Console(file=out, width=120).print(status_view.view(snapshot.snapshot(*night)))
    assert "[red]?[2J evil" in out.getvalue()


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (4.21, "4.2 s"), (42.0, "42 s"), (720.0, "12 min"), (11100.0, "3 h 05 min")],
)
def test_durations_are_for_people(value, words):
    assert status_view.seconds(value) == words


def drawn(now, *, width=100, height=50, **more):
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, color_system=None)
    console.print(status_view.view(now, **more))
    return out.getvalue()


def test_what_needs_a_person_is_not_below_the_end_of_the_terminal(night):
    queue.submit(night[1], [(f"M{n}", 0, {"name": f"more {n}"}) for n in range(60)])
    queue.note(night[1], "disk_low", {"free_gb": 0.5}, severity="critical")
    now = snapshot.snapshot(*night)
    short = Console(file=io.StringIO(), width=80, height=20)
    said = drawn(now, width=80, most=status_view.room(now, short))
    assert said.index("disk_low: free_gb 0.5") < said.index("rust 1") < said.index("and 5")
    assert len(said.splitlines()) <= 20
    assert "alarms since the night began (" in said


def test_held_samples_are_said_to_need_a_person(night):
    assert "queue retry" not in drawn(snapshot.snapshot(*night))
    queue.advance(night[1], "S1", "hold")
    assert "`materialsdock queue retry ID`" in drawn(snapshot.snapshot(*night))


def test_states_are_told_in_the_order_of_work_and_in_words(night):
    for name, events in (
        ("S1", ("claim", "measured", "analyse", "finish_with_warnings")),
        ("S2", ("claim",)),
    ):
        for event in events:
            queue.advance(night[1], name, event)
    now = snapshot.snapshot(*night)
    assert status_view.counts_line(now) == "1 measuring, 1 queued, 1 done with warnings"
    assert set(status_view.COUNTED) == set(STATES)
    for name in ("S2", "S3"):
        queue.advance(night[1], name, "interrupted" if name == "S2" else "cancel")
    queue.advance(night[1], "S2", "cancel")
    over = drawn(snapshot.snapshot(*night))
    assert "all samples: `materialsdock queue list`" in over
    assert "owner" not in over  # no heads of an empty table


def test_what_waits_for_approval_is_no_end_of_the_night(night):
    now = dataclasses.replace(snapshot.snapshot(*night), finish=None, counts={"submitted": 2})
    assert status_view.finish_line(now).startswith("2 samples to approve: `materialsdock queue")
    done = dataclasses.replace(now, counts={"done": 2})
    assert status_view.finish_line(done) == "nothing waits"


def test_an_estimate_says_what_it_supposes(night):
    now = snapshot.snapshot(*night)
    assert "3 samples left; no estimate" in status_view.finish_line(now)
    soon = estimate.Finish(60.0, 7200.0, 1, {})
    runs = dataclasses.replace(now, daemon="running", finish=soon)
    assert status_view.finish_line(runs).startswith("1 sample left: 60 s to 2 h 00 min (P50")
    assert status_view.finish_line(runs).endswith(")")
    for stands in (
        dataclasses.replace(runs, daemon="paused"),
        dataclasses.replace(runs, hold="asked by anna"),
    ):
        assert status_view.finish_line(stands).endswith("), if it went on now")


def test_the_sample_in_the_beam_says_why_it_goes_on():
    now = snapshot.Current(
        "S1",
        "rust",
        "xanes",
        "anna",
        1,
        "job",
        43,
        44,
        0.0919,
        0.05,
        62.0,
        10.0,
        0.1,
        "λ 0.092 > 0.050; largest gap 2.8 > 1.5",
    )
    assert "step 44, 44 points, λ 0.0919 (stops at 0.05), 62 s of" in status_view.sample_line(now)


def test_a_decision_says_what_is_missing(night):
    data, ledger = night
    verdict = {"stop": False, "reason": "largest gap 2.8 > 1.5", "threshold": 0.05}
    for stop, missing in ((False, "largest gap 2.8 > 1.5"), (True, "")):
        decided = {"step": 0, "lambda_t": 0.01, "verdict": {**verdict, "stop": stop}}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(snapshot, "last_decision", lambda *_, d=decided: d)
            if not stop:
                queue.claim(ledger)
            now = snapshot.snapshot(data, ledger)
        assert now.current.missing == missing
        assert (f"not stopping yet {missing}" in " ".join(drawn(now).split())) is not stop
