"""The line of progress: the search's best trial is not the answer, and says so."""

from __future__ import annotations

from materialsdock.cli.progress import display
from materialsdock.model import Job, Sample, Trial

SETTINGS = {"full_scan": {"seconds": 10.0}, "analysis": {"trials": 4, "seeds": [0]}}


def trial(number, rwp, violations=()):
    state = "fail" if rwp is None else "complete"
    return Trial(number, 0, rwp, {}, state, violations=violations)


def test_the_best_trial_is_named_as_one(capsys):
    with display(Job("a", Sample("a", "xrd"), SETTINGS, 0)) as watch:
        for made in (
            trial(0, None),
            trial(1, 5.0, ("not physical",)),
            trial(2, 9.5),
            trial(3, 9.1),
        ):
            watch.trial(made)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "  trial 4 of 4: lowest Rwp so far 9.10 %, before the final fit"


def test_trials_that_cannot_be_the_answer_are_none(capsys):
    with display(Job("a", Sample("a", "xrd"), SETTINGS, 0)) as watch:
        for number in range(4):
            watch.trial(trial(number, 5.0, ("not physical",)))
    assert "no acceptable trial yet" in capsys.readouterr().err
