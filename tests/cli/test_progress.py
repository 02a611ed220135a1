"""The line of progress: the search's best trial is not the answer, and says so."""

from __future__ import annotations

from materialsdock.cli.progress import display
from materialsdock.model import Job, Sample, Trial

SETTINGS = {"full_scan": {"seconds": 10.0}, "analysis": {"trials": 4, "seeds": [0]}}


def trial(number, rwp, violations=(), objective=None):
    state = "fail" if rwp is None else "complete"
    return Trial(number, 0, rwp, {}, state, objective=objective, violations=violations)


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
    assert last == "  trial 4 of 4: best trial so far: Rwp 9.10 %, before the final fit"


def test_trials_that_cannot_be_the_answer_are_none(capsys):
    with display(Job("a", Sample("a", "xrd"), SETTINGS, 0)) as watch:
        for number in range(4):
            watch.trial(trial(number, 5.0, ("not physical",)))
    assert "no acceptable trial yet" in capsys.readouterr().err


def test_the_best_is_what_the_search_goes_by(capsys):
    """A fit with many parameters has a lower Rwp, and is not the answer for that."""
    with display(Job("a", Sample("a", "xrd"), SETTINGS, 0)) as watch:
        for number, (rwp, objective) in enumerate(
            [(9.5, 10.2), (9.3, 9.8), (9.0, 9.9), (9.6, 9.9)]
        ):
            watch.trial(trial(number, rwp, objective=objective))
    assert "trial 4 of 4: best trial so far: Rwp 9.30 %" in capsys.readouterr().err
