"""Every decision of a job in one sentence, from the ledger alone."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from materialsdock.cli import app, measure_command
from materialsdock.errors import InputError
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Decision, Job, Proposal, Sample, Verdict
from materialsdock.views.explain import sentences

WAITS = Verdict(False, "λ 0.310 > 0.050; largest gap 3 > 1.5", 0.31, 0.05)
STOPS = Verdict(True, "λ 0.040 ≤ 0.050 after 64 points", 0.04, 0.05)


def decision(step, proposal, verdict=WAITS, mean=1.02, sd=0.03, z2=1.44):
    return Decision(
        step,
        proposal,
        (f"run/{step}",),
        verdict,
        verdict.statistic,
        5.0,
        z2,
        mean,
        sd,
        {},
        60.0 + step,
        0.002,
        None if verdict.stop else proposal,
    )


def point(x, sweep, score=0.0):
    return Proposal(x, x, 0.5, score=score, sweep=sweep)


RUN = (
    decision(0, point(7100.0, 0)),
    decision(1, point(7110.0, 0)),
    decision(2, point(7130.5, 1, 0.0123)),
    decision(3, point(7120.2, 1), STOPS),
)


def test_one_sentence_a_decision_with_numbers_and_units():
    found = sentences(RUN, "eV")
    assert len(found) == len(RUN)
    assert found[0] == (
        "Step 0, 7100 eV for 0.5 s: a position of the first sweep, number 1 of sweep 1 on its way "
        "upward; measured 1.2 standard deviations away; not stopping yet: λ 0.310 > 0.050; "
        "largest gap 3 > 1.5."
    )
    assert "lower the uncertainty most (0.0123" in found[2]
    assert "number 1 of sweep 2 on its way downward" in found[2]
    assert "expected 1.02 ± 0.03" in found[2]
    assert "a probe of the largest gap, number 2 of sweep 2" in found[3]
    assert found[3].endswith("stops after 63 s: λ 0.040 ≤ 0.050 after 64 points.")


def test_what_is_missing_is_named_once_lambda_is_low():
    low = Verdict(False, "the largest gap is 3 eV, it must be 1.5 eV or less", 0.031, 0.05)
    (said,) = sentences([decision(2, point(7100.0, 1), low)], "eV")
    assert said.endswith(
        "not stopping yet although the error ratio λ is low enough, 0.031 (limit 0.050): the "
        "largest gap is 3 eV, it must be 1.5 eV or less."
    )
    of_target = replace(decision(2, point(7100.0, 1), low), lambda_t=None)
    assert "not stopping yet: the largest gap" in sentences([of_target], "eV")[0]


def test_segments_of_passes():
    run = (
        decision(0, Proposal(20.0, 21.26, 0.2, points=64)),
        decision(1, Proposal(21.28, 22.0, 0.1, points=37, score=3.2, sweep=1)),
        decision(2, Proposal(24.0, 24.0, 0.1, points=1, sweep=1)),
    )
    first, second, third = sentences(run, "deg")
    assert "20 to 21.26 deg in 64 points for 0.2 s each" in first
    assert "the first pass, which counts everything" in first
    assert "a segment of pass 2, where a peak stands out by 3.2 sd" in second
    assert "24 deg for 0.1 s: a segment of pass 2, number 2 of pass 2" in third


def test_what_is_not_known_is_left_out():
    (only,) = sentences([decision(0, point(7100.0, 0), mean=None, sd=None, z2=None)])
    assert "expected" not in only
    assert "standard deviations" not in only
    (nan,) = sentences([replace(RUN[0], z2=float("nan"))])
    assert "nan" not in nan
    assert sentences([]) == []


def test_sentences_do_not_depend_on_what_came_later():
    late = sentences(RUN, "eV")
    for n in range(2, len(RUN)):
        early = sentences(RUN[:n], "eV")
        assert [line.split(", number")[0] for line in early] == [
            line.split(", number")[0] for line in late[:n]
        ]


@pytest.fixture
def folder(tmp_path):
    job = Job("j-1", Sample("rust", "xas"), {"axis": {"unit": "eV"}})
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_job(job)
        ledger.add_job(replace(job, job_id="j-2"))
        for each in RUN:
            ledger.add_decision("j-1", each)
    return tmp_path


def test_it_reads_the_ledger(folder):
    assert measure_command.explain(folder, "j-1") == sentences(RUN, "eV")


@pytest.mark.parametrize(
    ("out", "job", "says"),
    [
        ("gone", "j-1", "no ledger"),
        (".", "j-3", "latest: j-2, j-1"),
        (".", "j-2", "no decisions yet"),
    ],
)
def test_what_is_not_there_is_refused(folder, out, job, says):
    with pytest.raises(InputError, match=says) as refused:
        measure_command.explain(folder / out, job)
    assert refused.value.exit_code == 2


def test_the_command_prints_lines_or_one_json_object(folder, capsys, monkeypatch):
    words = ["materialsdock", "explain", "j-1", "--out", str(folder)]
    monkeypatch.setattr(sys, "argv", words)
    app.main()
    assert capsys.readouterr().out.splitlines() == sentences(RUN, "eV")
    monkeypatch.setattr(sys, "argv", [*words, "--json"])
    app.main()
    found = json.loads(capsys.readouterr().out)
    assert found == {"job_id": "j-1", "decisions": sentences(RUN, "eV")}
    monkeypatch.setattr(sys, "argv", [*words[:2], "j-9", *words[3:]])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    assert "no job 'j-9'" in capsys.readouterr().err


def test_scores_of_numpy_are_numbers_like_any(folder):
    scored = replace(RUN[2], proposal=replace(RUN[2].proposal, score=np.float64(0.5)))
    assert "(0.5 of variance)" in sentences([scored])[0]


def test_a_position_of_the_experts_grid_is_not_called_a_gain_of_the_learner():
    predicted = replace(RUN[2], hyperparameters={"expert_s": 140.0, "learner_s": 410.0})
    (said,) = sentences([predicted], "eV")
    assert "a position of the expert's grid, predicted to take 140 s, adaptive sweeps 410 s" in said
    assert "lower the uncertainty" not in said
    slower = replace(RUN[2], hyperparameters={"expert_s": 400.0, "learner_s": 410.0})
    assert "lower the uncertainty most" in sentences([slower], "eV")[0]
    endless = replace(RUN[2], hyperparameters={"expert_s": 140.0, "learner_s": np.inf})
    assert "inf" not in sentences([endless], "eV")[0]


@pytest.mark.parametrize(
    ("objective", "says"),
    [
        ("peaks", "a peak stands out by 3.2 sd"),
        ("profile", "longer where the curve is higher"),
        ("fractions", "esd of the weight fractions"),
        ("parameter", "esd of the wanted parameter"),
    ],
)
def test_a_segment_says_what_its_objective_counts_it_for(objective, says):
    segment = Proposal(21.28, 22.0, 0.1, points=37, score=3.2, sweep=1)
    (said,) = sentences([decision(1, segment)], "deg", objective)
    assert says in said
    assert ("stands out" in said) == (objective == "peaks")


@pytest.mark.slow
def test_a_second_look_is_called_one():
    again = replace(RUN[2], proposal=replace(RUN[2].proposal, score=-0.01))
    assert (
        "counted again because the counts lie off the curve"
        in sentences([*RUN[:2], again], "eV")[2]
    )
