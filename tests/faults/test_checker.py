"""The checker can fail: every invariant is broken once, and only that one is reported."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from support.faults import checker
from support.faults.checker import breaks
from support.faults.history import History
from support.faults.rig import edge_mu, write_edge
from support.places import ROOT

from materialsdock.campaign import option_words, prepare
from materialsdock.campaign.campaign import Campaign
from materialsdock.formats import read_measured
from materialsdock.ledger import packing
from materialsdock.ledger.documents import close_torn_runs
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Sample
from materialsdock.night.control import audit, intents
from materialsdock.night.queue import queue
from materialsdock.profile import config

PROFILE = config.load("sim", ROOT)
I0 = 1e6
TESTER = audit.Actor("tester", "here")
WALL = 1.8e9


def put(mono, pv, value, client="127.0.0.1:1"):
    return {
        "kind": "put",
        "pv": f"SIM:{pv}",
        "value": value,
        "client": client,
        "mono": mono,
        "wall": WALL + mono,
    }


def said(mono, kind, **more):
    return {"kind": kind, "mono": mono, "wall": WALL + mono, **more}


SOUND = [
    said(0.0, "ioc"),
    put(0.1, "owner:epoch", 1),
    put(0.2, "sample.VAL", 3),
    put(0.3, "shutter:Open", 1),
    said(0.4, "shutter", value=1),
    put(1.0, "bragg.VAL", 16.0),
    put(2.0, "scaler1.CNT", 1),
    put(5.0, "scaler1.CNT", 1),
    put(6.0, "shutter:Close", 1),
    said(6.1, "shutter", value=0),
]


def measured(ledger, folder):
    """A sample of the queue, measured without a beamline to 12 points and held by an abort."""
    source = write_edge(folder / "edge.dat")
    spectrum = read_measured(source, technique="xas")
    stop = option_words.stop_options(["maximum_points=12"])
    job = prepare.job_for(spectrum, Sample("a", "xas", 3), PROFILE, stop=stop, seed=1)
    queue.submit(ledger, [("a", 0, {"technique": "xas", "replay": str(source)})])
    queue.claim(ledger)
    queue.assign(ledger, "a", job)
    count(ledger, job)
    seq = intents.ask(ledger, "abort", TESTER)
    intents.answer(ledger, intents.pending(ledger)[0], "done", "")
    queue.advance(ledger, "a", "aborted")
    return seq


def count(ledger, job):
    campaign, rng = Campaign(job, ledger), np.random.default_rng(0)
    campaign.receive("start", {"uid": "r", "time": WALL})
    campaign.receive("descriptor", {"uid": "d", "name": "primary", "run_start": "r"})
    proposal, number = campaign.ask(), 0
    while proposal is not None:
        number += 1
        it = I0 * np.exp(-edge_mu(np.array([proposal.start]))[0])
        data = {
            "mono_energy": proposal.start,
            "i0": float(rng.poisson(I0)),
            "it": float(rng.poisson(it)),
            "count_time_s": 1.0,
        }
        event = {"uid": f"e{number}", "descriptor": "d", "seq_num": number, "data": data}
        campaign.receive("event", {**event, "time": WALL})
        proposal = campaign.judge(proposal).next


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    with Ledger(folder / "ledger.sqlite") as ledger:
        seq = measured(ledger, folder)
    return folder, seq


@pytest.fixture
def night(sound, tmp_path):
    """A copy of the sound night: its ledger and its history."""
    folder, seq = sound
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    history = History(tmp_path / "puts.jsonl", ["a"], {seq: ("done", 6.2)})
    write(history, SOUND)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        history.look(ledger)
        yield ledger, history


def write(history, lines):
    ordered = sorted(lines, key=lambda line: line["mono"])
    history.puts.write_text("".join(f"{json.dumps(line)}\n" for line in ordered))
    history.reread()


def change(ledger, statement, *values):
    with ledger.transaction() as db:
        db.execute(statement, values)


def rewrite(ledger, table, where, **changes):
    """Change words in the JSON body of one row."""
    ((row, body),) = ledger.rows(f"SELECT rowid, body FROM {table} WHERE {where} LIMIT 1")
    new = json.dumps({**json.loads(body), **changes})
    change(ledger, f"UPDATE {table} SET body = ? WHERE rowid = ?", new, row)


def told(night):
    return {words.split(":")[0] for words in breaks(*night)}


def test_a_sound_night_has_no_breaks(night):
    assert breaks(*night) == []


def test_a_torn_last_line_of_the_log_is_no_break(night):
    with night[1].puts.open("a") as file:
        file.write('{"kind": "pu')
    assert breaks(*night) == []


def test_an_accepted_sample_that_is_gone(night):
    night[1].samples.append("b")
    assert told(night) == {"I1"}


def test_an_observation_that_was_there(night):
    change(night[0], "DELETE FROM observations WHERE seq = (SELECT MAX(seq) FROM observations)")
    assert told(night) == {"I1", "I2", "I12", "I13"}


def test_an_answer_that_was_taken_back(night):
    change(night[0], "UPDATE intents SET state = 'taken'")
    assert told(night) == {"I1"}


def test_an_observation_without_a_decision(night):
    ledger, _ = night
    (job,) = ledger.jobs()
    more = replace(ledger.observations(job.job_id)[3], uid="again/1")
    ledger.add_documents(job.job_id, [], [more])
    assert "I2" in told(night)


def test_a_decision_that_is_missing(night):
    change(night[0], "DELETE FROM decisions WHERE step = 5")
    assert {"I1", "I2"} <= told(night)


@pytest.mark.parametrize(
    ("drop", "more"),
    [
        (("shutter:Close",), [said(20.0, "shutter", value=0)]),
        ((), [said(9.0, "shutter", value=1), put(15.0, "faults:beam_dump", 1)]),
    ],
)
def test_an_open_shutter_with_nobody_at_work(night, drop, more):
    ended = [line for line in SOUND if line["kind"] != "shutter" or line["value"]]
    kept = [line for line in ended if not line.get("pv", "").endswith(drop or ("nothing",))]
    write(night[1], [*kept, *more])
    assert told(night) == {"I3"}


def test_an_open_shutter_that_is_fed_but_has_nothing_to_do(night):
    fed = [put(6.5 + n / 2, "deadman:HB", n) for n in range(20)]
    ended = [line for line in SOUND if line["kind"] != "shutter" or line["value"]]
    write(night[1], [*ended, *fed, said(16.0, "shutter", value=0)])
    assert breaks(*night) == []
    fed = [put(6.5 + n / 2, "deadman:HB", n) for n in range(40)]
    write(night[1], [*ended, *fed, said(27.0, "shutter", value=0)])
    assert told(night) == {"I3"}


def test_an_open_shutter_is_excused_while_it_is_the_fault_itself(night):
    ended = [line for line in SOUND if line["kind"] != "shutter" or line["value"]]
    write(night[1], [*ended, said(20.0, "shutter", value=0)])
    night[1].excused = [(6.0, 19.0, "stuck")]
    assert breaks(*night) == []


@pytest.mark.parametrize(
    "second",
    [
        [put(2.5, "scaler1.CNT", 1, "b"), put(3.0, "scaler1.CNT", 1)],
        [put(1.5, "owner:epoch", 2, "b")],
    ],
)
def test_two_drivers(night, second):
    write(night[1], [*SOUND, *second])
    assert told(night) == {"I4"}


def test_a_driver_that_follows_another_is_none_of_two(night):
    second = [put(5.1, "owner:epoch", 2, "b"), put(5.2, "scaler1.CNT", 1, "b")]
    write(night[1], [*SOUND, *second])
    assert breaks(*night) == []


def test_a_sample_that_never_ends(night):
    change(night[0], "UPDATE samples SET state = 'measuring'")
    assert told(night) == {"I5"}


def test_a_transition_that_there_is_not(night):
    body = {"event": "finish", "from": "held", "to": "done", "reason": ""}
    queue.note(night[0], "sample", body, sample_id="a")
    change(night[0], "UPDATE samples SET state = 'done'")
    assert told(night) == {"I5"}


def test_motion_after_an_abort(night):
    write(night[1], [*SOUND, put(8.0, "bragg.VAL", 15.0)])
    assert told(night) == {"I6"}


def test_an_aborted_sample_that_is_measured_again(night):
    change(night[0], "UPDATE samples SET state = 'queued'")
    queue.claim(night[0])
    assert any("measured again unasked" in words for words in breaks(*night))


@pytest.mark.parametrize(("pv", "value"), [("bragg", 85.5), ("sample.VAL", -1), ("tth", 166.0)])
def test_a_put_beyond_the_limits(night, pv, value):
    write(night[1], [*SOUND, put(1.5, pv, value)])
    assert told(night) == {"I7"}


def test_files_that_differ_from_time_to_time(night, monkeypatch):
    ledger, _ = night
    made = iter(range(10))

    def export_all(_, job_id, folder):
        (folder / job_id).write_text(str(next(made)))
        return [folder / job_id]

    monkeypatch.setattr(checker, "export_all", export_all)
    assert told(night) == set()  # nothing is finished yet
    ledger.add_outcome(ledger.jobs()[0].job_id, {})
    assert told(night) == {"I8"}


def test_an_audit_that_was_changed(night):
    rewrite(night[0], "audit", "1", who="nobody@here")
    assert told(night) == {"I9"}


def test_an_answer_without_an_audit_row(night):
    change(night[0], "DELETE FROM audit")
    assert told(night) == {"I9", "I13"}


def test_more_points_than_the_budget(night):
    ledger, _ = night
    body = json.loads(ledger.rows("SELECT body FROM jobs")[0][0])
    body["settings"]["stop"]["maximum_points"] = 9
    change(ledger, "UPDATE jobs SET body = ?", json.dumps(body))
    assert "I10" in told(night)


def test_a_value_that_is_not_that_of_the_sample(night):
    ledger, history = night
    (job,) = ledger.jobs()
    wrong = ledger.observations(job.job_id)[6]
    rewrite(ledger, "observations", f"uid = '{wrong.uid}'", y=wrong.y + 8 * wrong.sigma)
    history.look(ledger)
    assert "I11" in told(night)


def test_a_sound_night_that_is_packed_has_no_breaks(night):
    ledger, _ = night
    close_torn_runs(ledger)
    assert packing.pack_job(ledger, ledger.jobs()[0].job_id) == 1
    assert breaks(*night) == []


def test_decisions_that_do_not_come_out_again(night):
    ledger, history = night
    decision = ledger.decisions(ledger.jobs()[0].job_id)[4]
    body = {"start": decision.next.start + 3.0, "stop": decision.next.start + 3.0}
    row = json.loads(ledger.rows("SELECT body FROM decisions WHERE step = 4")[0][0])
    rewrite(ledger, "decisions", "step = 4", next={**row["next"], **body})
    history.look(ledger)
    assert told(night) == {"I12"}
