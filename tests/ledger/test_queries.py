"""Questions to the ledger: of a job, of samples, of the night's log, of what people asked."""

from __future__ import annotations

import pytest

from materialsdock.ledger import control_rows, facts, night_log, queries, sample_rows
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.sample_rows import SampleRow
from materialsdock.model import Job, Observation, Sample


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as made:
        yield made


@pytest.fixture
def measured(ledger):
    """The ledger with one job that has a run of two points."""
    ledger.add_job(Job("j", Sample("rust", "xas")))
    ledger.add_documents("j", [("start", {"uid": "r", "time": 1.0})])
    for n in range(2):
        event = ("event", {"descriptor": "d", "time": 2.0 + n, "run_start": "r"})
        ledger.add_documents("j", [event], [Observation(f"r/{n}", n, 1.0, 2.0, 0.1, 1.0, "r")])
    return ledger


def test_of_a_job_its_documents_counts_and_rows(measured):
    assert [d.name for d in queries.documents_of_job(measured, "j")] == ["start", "event", "event"]
    assert [d.document["time"] for d in queries.documents_of_job(measured, "j", "event")] == [2, 3]
    assert queries.last_document_of_job(measured, "j")["time"] == 3.0
    assert queries.last_document_of_job(measured, None) is None
    assert queries.number_of_observations(measured) == 2
    assert queries.number_of_observations_of_job(measured, "j") == 2
    assert queries.number_of_observations_of_job(measured, None) == 0
    assert queries.last_decision(measured, "j") is None
    assert queries.job_created(measured, "j") > 1e9
    kept = list(queries.rows_as_kept(measured, "j", "observations", "decisions"))
    assert [row[:14] for row in kept] == ['{"uid": "r/0",', '{"uid": "r/1",']


def test_samples_by_state_id_and_job_in_the_order_of_measuring(measured):
    for name, rank, priority, state in (
        ("a", 1.0, 0, "queued"),
        ("b", 2.0, 5, "queued"),
        ("c", 3.0, 0, "held"),
    ):
        row = SampleRow(name, rank, priority, state, 0, 0, None, "", {"name": name})
        sample_rows.add_sample(measured, row)
    assert [s.sample_id for s in sample_rows.samples_in(measured, "queued")] == ["b", "a"]
    assert [s.sample_id for s in sample_rows.samples_in(measured)] == ["b", "a", "c"]
    assert sample_rows.sample_of_id(measured, "d") is None
    sample_rows.change_sample(measured, "a", job_id="j", reason="because")
    (found,) = sample_rows.samples_of_job(measured, "j")
    assert found == sample_rows.sample_of_id(measured, "a")
    assert (found.reason, found.body) == ("because", {"name": "a"})
    assert sample_rows.sample_ids(measured) == {"a", "b", "c"}
    assert sample_rows.last_rank(measured) == 3.0
    assert sample_rows.number_by_state(measured) == {"queued": 2, "held": 1}
    seqs = [night_log.add_line(measured, 1.0, "sample", "info", name, {}) for name in "abc"]
    assert {(s.sample_id, s.counted_s) for s in sample_rows.counted_samples(measured)} == {
        ("a", 0.0),
        ("b", 0.0),
        ("c", 0.0),
    }
    assert [s.sample_id for s in sample_rows.counted_samples(measured, seqs[1])] == ["c"]


def test_the_log_by_kind_severity_and_sample(ledger):
    assert (night_log.last_seq(ledger), night_log.last_hold(ledger)) == (0, "")
    said = [
        ("sample", "info", "a", {"event": "claim"}),
        ("condition", "warn", "a", {"kind": "hold", "words": "no beam"}),
        ("condition", "info", "b", {"kind": "flag", "words": "weak"}),
    ]
    for at, (kind, severity, sample_id, body) in enumerate(said, 10):
        night_log.add_line(ledger, float(at), kind, severity, sample_id, body)
    assert [line.seq for line in night_log.lines_after(ledger, 1, 1)] == [2]
    assert [n.seq for n in night_log.lines_of_kinds(ledger, ["condition"], after_seq=2)] == [3]
    assert [n.seq for n in night_log.lines_of_severities(ledger, ["warn"])] == [2]
    assert night_log.last_line_of_kinds(ledger, ["sample", "condition"]).seq == 3
    assert night_log.last_line_of_kinds(ledger, ["daemon"]) is None
    assert night_log.last_seq(ledger) == 3
    assert night_log.first_time_after(ledger, 1) == 11.0
    assert night_log.first_time_after(ledger, 3) is None
    assert night_log.any_sample_changed_after(ledger, 0)
    assert not night_log.any_sample_changed_after(ledger, 1)
    assert night_log.last_claimed_at(ledger, "a") == 10.0
    assert night_log.last_claimed_at(ledger, "b") == 0.0
    assert night_log.last_hold(ledger) == "no beam"
    assert night_log.conditions_of_sample(ledger, "b") == [{"kind": "flag", "words": "weak"}]


def test_an_intent_is_settled_once_and_the_gravest_halt_is_found(ledger):
    first = control_rows.add_intent(ledger, 5.0, "stop", {"who": "a@b"})
    second = control_rows.add_intent(ledger, 6.0, "abort", {"who": "c@d"})
    assert [i.seq for i in control_rows.intents_in(ledger, "pending")] == [first, second]
    assert control_rows.settle_intent(ledger, first, "done", "ended")
    assert not control_rows.settle_intent(ledger, first, "refused", "too late")
    assert control_rows.intent_of_seq(ledger, first).answer == "ended"
    assert control_rows.last_asked(ledger, ["stop", "abort"], 0.0) == ("abort", {"who": "c@d"})
    assert control_rows.last_asked(ledger, ["stop"], 5.5) is None
    control_rows.settle_intent(ledger, second, "refused", "no")
    assert control_rows.last_asked(ledger, ["stop", "abort"], 0.0).verb == "stop"


def test_the_audit_comes_oldest_first(ledger):
    assert control_rows.last_audit_hash(ledger) is None
    for n in range(3):
        control_rows.add_audit_row(ledger, f"hash {n}", f"body {n}")
    assert control_rows.last_audit_hash(ledger) == "hash 2"
    assert [row.seq for row in control_rows.audit_rows(ledger)] == [1, 2, 3]
    assert [row.body for row in control_rows.latest_audit_rows(ledger, 2)] == ["body 1", "body 2"]


def test_facts_are_replaced_and_forgotten(ledger):
    facts.set_fact(ledger, "hold", "why")
    facts.set_fact(ledger, "hold", {"other": 1})
    assert facts.fact(ledger, "hold") == {"other": 1}
    facts.forget_facts(ledger, "hold", "never set")
    assert facts.fact(ledger, "hold") is None
