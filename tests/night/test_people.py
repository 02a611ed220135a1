"""Commands of a running night: what they say, refuse, record, and how they end."""

from __future__ import annotations

import json
import time

import pytest
import typer
from typer.testing import CliRunner

from materialsdock.cli import app
from materialsdock.cli import night as cli_night
from materialsdock.errors import InputError, LedgerFault, Refused, Unreachable
from materialsdock.ledger.night_log import Noted
from materialsdock.night import people
from materialsdock.night.control import audit, intents
from materialsdock.night.queue import queue

BEN = audit.Actor("ben", "home")
APP = typer.Typer()
cli_night.mount(APP)


@pytest.fixture
def run(tmp_path, night):
    """Runs one command on that folder; its output, or the error that `main` would print."""

    def call(*words, answer=None, code=0):
        done = CliRunner().invoke(APP, [*words, "--out", str(tmp_path)], input=answer)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.output

    return call


def order(ledger):
    return [s.sample_id for s in queue.samples(ledger, "queued")]


# the queue


def test_the_queue_is_listed_by_name(run):
    assert "rust 2" in run("queue", "list")
    rows = json.loads(run("queue", "list", "--json"))
    assert [(row["place"], row["sample_id"]) for row in rows] == [(1, "S1"), (2, "S2"), (3, "S3")]


def test_samples_are_moved_held_retried_and_cancelled_with_their_audit(run, night):
    ledger = night[1]
    run("queue", "move", "S3", "1")
    assert order(ledger) == ["S3", "S1", "S2"]
    assert "S1 held" in run("queue", "hold", "S1", "--reason", "cracked")
    assert queue.sample(ledger, "S1").reason == "cracked"
    assert json.loads(run("queue", "retry", "S1", "--json"))["samples"] == {"S1": "queued"}
    run("queue", "rm", "S1", "S2")
    assert order(ledger) == ["S3"]
    verbs = [(a.verb, a.details.get("samples")) for a in audit.actions(ledger)]
    assert ("queue move", ["S3"]) in verbs
    assert ("queue rm", ["S1", "S2"]) in verbs
    assert audit.verify(ledger).broken_at is None


def test_several_samples_change_together_or_not_at_all(run, night):
    queue.advance(night[1], "S2", "cancel")
    with pytest.raises(Refused, match=r"S2: is cancelled .hold is not possible"):
        run("queue", "hold", "S1", "S2")
    with pytest.raises(InputError, match="no sample 'S9'"):
        run("queue", "rm", "S1", "S9")
    assert order(night[1]) == ["S1", "S3"]
    assert audit.actions(night[1]) == []


@pytest.mark.parametrize(
    ("events", "words", "says"),
    [
        (["claim"], ["hold"], "is measuring .`materialsdock stop` or `abort` ends it"),
        (
            ["claim", "measured", "analyse", "finish"],
            ["rm"],
            "is done .rm is not possible now; possible: `queue retry`",
        ),
        (["cancel"], ["retry"], "is cancelled .retry is not possible"),
        (
            ["hold"],
            ["hold"],
            "is held .hold is not possible now; possible: `queue rm` or `queue retry`",
        ),
        (
            [],
            ["retry"],
            "is queued .retry is not possible now; possible: `queue hold` or `queue rm`",
        ),
    ],
)
def test_a_refusal_names_commands_that_are_possible(run, night, events, words, says):
    for event in events:
        queue.advance(night[1], "S1", event)
    with pytest.raises(Refused, match=f"^S1: {says}"):
        run("queue", *words, "S1")


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        (
            "submitted",
            {"samples": ["S1", "S2"], "state": "queued"},
            "submitted: samples S1 S2, queued",
        ),
        ("daemon", {"started": True, "interrupted": []}, "daemon: begins"),
        ("daemon", {"started": True, "interrupted": ["S1"]}, "daemon: begins, interrupted: S1"),
        ("daemon", {"started": False}, "daemon: ends"),
        ("holding", {"reason": "asked by anna"}, "holding: asked by anna"),
        ("released", {}, "released"),
        (
            "condition",
            {"said": "condition", "kind": "void", "words": "point at 5: closed"},
            "condition: void: point at 5: closed",
        ),
    ],
)
def test_a_line_of_the_log_reads_as_a_sentence(kind, body, says):
    line = Noted(1, 0.0, kind, "info", None, body)
    assert people.log_line(line).endswith(f"   {says}")


def test_a_failed_analysis_is_done_again_and_faults_are_forgiven(run, night):
    ledger = night[1]
    for event in ("claim", "measured", "analyse", "fail"):
        queue.advance(ledger, "S1", event, failures=2)
    assert run("queue", "retry", "S1").strip() == "S1: its analysis will be repeated"
    assert queue.sample(ledger, "S1").failures == 0


def test_submitted_samples_wait_for_a_word(run, night):
    queue.submit(night[1], [("T1", 0, {}), ("T2", 0, {})], approved=False)
    assert "T1 queued" in run("queue", "approve", "T1")
    assert "T2 queued" in run("queue", "approve", "--all")
    with pytest.raises(Refused, match="no sample waits for approval"):
        run("queue", "approve", "--all")
    with pytest.raises(InputError, match="no sample is named"):
        run("queue", "approve")


def test_what_goes_on_needs_the_lease_what_halts_does_not(run, night):
    ledger = night[1]
    intents.take_lease(ledger, BEN)
    run("queue", "hold", "S1")
    for words in (("retry", "S1"), ("move", "S3", "1"), ("approve", "S1")):
        with pytest.raises(Refused, match="ben@home has control"):
            run("queue", *words)
    run("lease", "take", "--force")
    run("queue", "retry", "S1")


# halts and steering


@pytest.mark.parametrize("verb", ["pause", "stop", "hold"])
def test_halts_without_a_daemon_are_recorded_and_said(run, night, verb):
    with pytest.raises(Unreachable, match=r"is recorded.*safe-state.*materialsdock up") as error:
        run(verb)
    assert error.value.exit_code == 4
    (intent,) = intents.pending(night[1])
    assert intent.verb == {"hold": "hold_queue"}.get(verb, verb)


@pytest.mark.parametrize("words", [("resume",), ("release",), ("veto", "7112"), ("approve-point",)])
def test_nothing_else_is_recorded_without_a_daemon(run, night, words):
    with pytest.raises(Unreachable, match="no daemon runs"):
        run(*words)
    assert intents.pending(night[1]) == []
    assert intents.lease(night[1]) is None


def test_an_answer_is_waited_for_and_shown(run, desk):
    assert run("hold").strip() == "so it is"
    desk.update(state="refused", words="nothing is being measured")
    with pytest.raises(Refused, match="pause: nothing is being measured") as refused:
        run("pause")
    assert refused.value.exit_code == 3
    desk.update(state=None)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer to \w+ after 0\.3 s; it is recorded"):
        run("pause", "--limit", "0.3")
    assert time.monotonic() - began < 3.0


def test_what_comes_of_it_is_waited_for_too(run, desk, night):
    ledger = night[1]
    queue.claim(ledger)
    desk["then"] = lambda intent: queue.advance(ledger, "S1", "aborted")
    answer = json.loads(run("abort", "--yes", "--json", "--reason", "smoke"))
    assert answer == {"verb": "abort", "answer": "so it is", "came": "rust 1 (S1): held"}
    assert audit.actions(ledger)[-1].details == {"reason": "smoke"}


def test_an_abort_names_the_sample_and_asks(run, desk, night):
    queue.claim(night[1])
    with pytest.raises(Refused, match="nothing was aborted"):
        run("abort", answer="n\n")
    assert not audit.actions(night[1])
    desk["then"] = lambda intent: queue.advance(night[1], "S1", "aborted")
    said = run("abort", answer="y\n")
    assert "Abort rust 1 (S1)?" in said
    assert "S1): held" in said
    with pytest.raises(InputError, match="--yes"):
        run("abort", "--json")


def test_an_abort_that_was_confirmed_for_another_sample_is_refused(desk, night):
    from materialsdock.night import people

    queue.claim(night[1])
    with pytest.raises(Refused, match="S3 is no longer in the beam"):
        people.ask(night[0].path, "abort", only="S3")


@pytest.mark.parametrize(
    ("words", "details"),
    [
        (("veto", "7112.5"), {"x": 7112.5}),
        (
            ("veto", "-5.5", "-4.5", "--reason", "glitch"),
            {"low": -5.5, "high": -4.5, "reason": "glitch"},
        ),
        (("force", "7120"), {"x": 7120.0}),
        (
            ("change", "threshold=0.02", "maximum_points=80"),
            {"changes": {"threshold": 0.02, "maximum_points": 80}},
        ),
        (("approve-point",), {}),
    ],
)
def test_steering_becomes_an_intent(run, desk, night, words, details):
    run(*words)
    action = audit.actions(night[1])[-1]
    assert action.verb == words[0].removesuffix("-point")
    assert {k: v for k, v in action.details.items() if k != "lease_epoch"} == details


def test_a_change_that_says_nothing_is_refused_with_what_there_is(run, desk):
    with pytest.raises(InputError, match=r"change: cannot read 'soon'.*threshold=N"):
        run("change", "soon")


# lease, audit, log


def test_the_lease_is_taken_shown_and_given(run, night):
    assert "nobody has control" in run("lease", "show")
    assert f"{audit.me()} has control for another 600 s" in run("lease", "take")
    assert json.loads(run("lease", "show", "--json"))["holder"] == str(audit.me())
    assert "nobody" in run("lease", "give")
    intents.take_lease(night[1], BEN)
    with pytest.raises(Refused, match="--force"):
        run("lease", "take")


def test_the_audit_is_shown_and_verified(run, night):
    run("queue", "hold", "S1")
    assert "queue hold" in run("audit", "tail")
    head = json.loads(run("audit", "verify", "--json"))["head"]
    run("audit", "verify", "--head", head)
    with pytest.raises(LedgerFault, match=r"none of the 1 rows has the check value 0{63}1"):
        run("audit", "verify", "--head", "0" * 63 + "1")
    with night[1].transaction() as db:
        db.execute("UPDATE audit SET body = replace(body, 'hold', 'retry')")
    with pytest.raises(LedgerFault, match="was changed at row 1"):
        run("audit", "verify")


def test_the_log_is_shown_and_followed(run, night):
    queue.note(night[1], "disk_low", {"free_gb": 1.0}, severity="critical")
    lines = run("log", "-n", "1").splitlines()
    assert lines == [line for line in lines if "!! disk_low: free_gb 1" in line]
    assert [json.loads(line)["kind"] for line in run("log", "--json").splitlines()] == [
        "submitted",
        "disk_low",
    ]
    following = people.log_lines(night[0].path, 1, follow=True)
    assert next(following).kind == "disk_low"
    queue.note(night[1], "disk_enough", {})
    assert next(following).kind == "disk_enough"


# the view


def test_a_folder_without_a_ledger_is_refused_and_not_made(tmp_path):
    nowhere = tmp_path / "none"
    done = CliRunner().invoke(APP, ["status", "--out", str(nowhere)])
    assert isinstance(done.exception, InputError)
    assert not nowhere.exists()


def test_the_status_is_shown_and_says_how_to_start_a_daemon(run):
    assert "offline" in run("status", code=4)
    assert "rust 1" in run("status", code=4)
    assert json.loads(run("status", "--json", code=4).splitlines()[0])["daemon"] == "offline"


def test_exit_codes_reach_the_shell(night, tmp_path, monkeypatch, capsys):
    """Not by the test runner: the program itself asks typer not to end the process."""

    def ended(*words):
        monkeypatch.setattr("sys.argv", ["materialsdock", *words])
        with pytest.raises(SystemExit) as error:
            app.main()
        return error.value.code

    assert ended("status", "--out", str(tmp_path)) == 4
    assert "no daemon runs" in capsys.readouterr().err
    unsafe = {"safe": False, "failed": ["the shutter stays"], "untold": [], "night": ""}
    monkeypatch.setattr("materialsdock.cli.serve_command.safe_state", lambda *_: unsafe)
    assert ended("safe-state", "--out", str(tmp_path)) == 5
    assert ended("queue") == 2
    assert capsys.readouterr().err == ""  # the help has said it


def test_the_status_of_a_daemon_that_runs_ends_with_0(run, desk):
    assert "no worker" in run("status")
