"""The command `safe-state`: at once, whatever the night is about, and not left again by it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from materialsdock.errors import LedgerFault
from materialsdock.night.control import audit, intents
from materialsdock.night.queue import queue


@pytest.fixture
def made_safe(tmp_path, monkeypatch, night):
    """`safe_state` of an instrument that is none; each time that it was reached."""
    from materialsdock.cli import serve_command

    reached = []
    (tmp_path / "run").mkdir(exist_ok=True)
    (tmp_path / "run" / "port").write_text("1")
    monkeypatch.setenv("EPICS_CA_SERVER_PORT", "1")
    monkeypatch.setattr(serve_command, "build_instrument", lambda profile: "instrument")
    monkeypatch.setattr(serve_command, "release", lambda instrument: None)
    reach = lambda instrument: reached.append(len(intents.pending(night[1], "done"))) or []  # noqa: E731
    monkeypatch.setattr(serve_command.guarding, "safe_state", reach)
    return lambda: (serve_command.safe_state("sim", None, tmp_path), reached)


def test_a_safe_state_is_not_left_again_by_a_night_that_runs(made_safe, night, desk):
    queue.claim(night[1])
    desk["then"] = lambda intent: (
        queue.advance(night[1], "S1", "measured") if intent.verb == "pause" else None
    )
    said, reached = made_safe()
    assert said["safe"]
    assert "release" in said["night"]
    assert reached == [0, 2]  # at once, and again when the night has heard
    asked = [(a.verb, a.details) for a in audit.actions(night[1])]
    assert asked == [
        ("hold_queue", {"reason": "safe-state"}),
        ("pause", {"reason": "safe-state"}),
        ("safe_state", {}),
    ]


def test_a_safe_state_needs_no_night(made_safe, night):
    said, reached = made_safe()
    assert (said["safe"], said["night"], said["untold"], reached) == (True, "", [], [0])
    assert not intents.pending(night[1])  # the next night is not held by it


def test_a_ledger_that_cannot_be_written_does_not_hide_a_closed_shutter(made_safe, monkeypatch):
    from materialsdock.cli import serve_command

    def full(*_):
        raise LedgerFault("disk full")

    monkeypatch.setattr(serve_command.audit, "record", full)
    said, _ = made_safe()
    assert said["safe"]
    words = serve_command.made_safe(said)
    assert words.startswith("shutter closed and verified")
    assert "not recorded in the audit: disk full" in words


def test_a_halt_does_not_wait_for_what_analyses_to_be_imported():
    heavy = ("scipy", "numba", "bluesky", "torch", "rietx")
    program = (
        "import sys, materialsdock.cli.app, materialsdock.cli.serve_command\n"
        "import materialsdock.night.people\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
