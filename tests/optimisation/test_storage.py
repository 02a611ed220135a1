"""Every storage of trials keeps the same promises: journal, SQLite, PostgreSQL, gRPC proxy."""

from __future__ import annotations

import sys
import time

import optuna
import pytest
from support.postgresql import child, wait_for
from support.searcher import Searcher

from materialsdock.errors import InputError, Unreachable
from materialsdock.optimisation import storage
from materialsdock.profile.simulation import free_port

KINDS = ("journal", "sqlite", "postgresql", "grpc")
LONG_S = 3600.0
FAIL, COMPLETE = optuna.trial.TrialState.FAIL, optuna.trial.TrialState.COMPLETE


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """URL of a gRPC proxy, a process of its own in front of SQLite."""
    pytest.importorskip("grpc", reason="the extra `storage` is not installed")
    port = free_port()
    program = (sys.executable, "-m", "materialsdock.optimisation.storage")
    with child(
        program, f"sqlite:///{tmp_path_factory.mktemp('proxy')}/behind.db", "--port", port
    ) as process:
        yield f"grpc://127.0.0.1:{port}"
        process.kill()


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    if request.param == "postgresql":
        found = request.getfixturevalue("postgresql")
        wait_for(found)
        return found
    if request.param == "grpc":
        return request.getfixturevalue("proxy")
    return f"{request.param}://{'' if request.param == 'journal' else '/'}{tmp_path}/trials"


def searched(url, name, seed=3, trials=8):
    with storage.opened(url) as kept:
        study = optuna.create_study(storage=kept, study_name=name, load_if_exists=True)
        for _ in range(trials):
            storage.sign(trial := study.ask())
            drawn = 100 * seed + trial.number
            study.sampler = optuna.samplers.TPESampler(seed=drawn, n_startup_trials=4)
            x, kind = trial.suggest_float("x", 0, 1), trial.suggest_categorical("kind", ("a", "b"))
            study.tell(trial, x + (kind == "a"))
        return [t.params for t in study.get_trials()]


def test_equal_seeds_give_equal_searches_in_every_storage(url):
    remembered = searched(None, "one")
    assert searched(url, f"one {time.time_ns()}") == remembered
    assert searched(url, f"two {time.time_ns()}", seed=4) != remembered


def test_a_search_that_resumes_draws_nothing_twice(url):
    name = f"resumed {time.time_ns()}"
    searched(url, name, trials=4)
    everything = searched(url, name, trials=4)
    assert len({p["x"] for p in everything}) == len(everything) == 8


def test_searchers_share_a_study_and_the_work_of_a_dead_one_is_done_again(url):
    with Searcher(url, 4, "tell") as first, Searcher(url, 4, "tell") as second:
        assert first.heard() == second.heard() == "asked"
    with Searcher(url, 2, "hang") as dead, storage.opened(url) as kept:
        assert dead.heard() == "asked"
        study = optuna.load_study(storage=kept, study_name="shared")
        told = study.get_trials(states=(COMPLETE,))
        assert sorted(t.number for t in told) == list(range(8))
        assert len({t.params["x"] for t in told}) == 8
        assert storage.fail_abandoned(study, LONG_S) == 0  # it lives
        dead.kill()
        assert storage.fail_abandoned(study, LONG_S) == 2
        assert storage.fail_abandoned(study, LONG_S) == 0
        failed = study.get_trials(states=(FAIL,))
        again = [study.ask().suggest_float("x", 0, 1) for _ in failed]
        assert again == [t.params["x"] for t in failed]


def test_trials_of_other_machines_are_given_up_by_age(monkeypatch):
    study = optuna.create_study()
    monkeypatch.setattr(storage, "identity", lambda: "another machine:1")
    trial = study.ask()
    storage.sign(trial)
    unsigned = study.ask()
    assert storage.fail_abandoned(study, LONG_S) == 0
    assert storage.fail_abandoned(study, 0.0) == 2
    assert {t.number for t in study.get_trials(states=(FAIL,))} == {trial.number, unsigned.number}


def test_a_recipe_that_was_lost_twice_is_not_tried_a_third_time():
    study = optuna.create_study()
    for _ in range(2):
        storage.sign(trial := study.ask())
        trial.suggest_float("x", 0, 1)
        assert storage.fail_abandoned(study, 0.0) == 1
    assert study.get_trials(states=(optuna.trial.TrialState.WAITING,)) == []


def test_a_journal_that_was_torn_is_read_up_to_there(tmp_path):
    url = f"journal://{tmp_path}/trials.log"
    before = searched(url, "torn", trials=3)
    with (tmp_path / "trials.log").open("ab") as file:
        file.write(b'{"op_code": 4, "worker_id"')
    assert searched(url, "torn", trials=1)[:3] == before


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://host/name", "no storage of trials"),
        ("trials.db", "no storage of trials"),
        ("journal://trials.log", "no storage of trials"),
        ("grpc://host:port", "[Pp]ort"),
        ("postgresql://user:name@:host:/", "parse|invalid"),
    ],
)
def test_urls_of_no_known_form_are_refused(url, words):
    with pytest.raises(InputError, match=words), storage.opened(url):
        pass


def test_servers_that_do_not_answer_are_one_clear_fault(monkeypatch):
    monkeypatch.setattr(storage, "CONNECT_S", 0.5)
    pytest.importorskip("grpc", reason="the extra `storage` is not installed")
    pytest.importorskip("psycopg", reason="the extra `storage` is not installed")
    with pytest.raises(Unreachable, match="no answer"), storage.opened("grpc://127.0.0.1:9"):
        pass
    there = storage.opened("postgresql://user:secret@127.0.0.1:9/name")
    with pytest.raises(Unreachable, match="does not open") as caught, there:
        pass
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_one_clear_fault(tmp_path):
    (tmp_path / "file").touch()
    for kind in ("journal", "sqlite"):
        there = storage.opened(f"{kind}:///{tmp_path}/file/trials")
        with pytest.raises(Unreachable), there:
            pass


def test_a_journal_is_not_served(tmp_path):
    with pytest.raises(InputError, match="journal"):
        storage.serve(f"journal://{tmp_path}/trials.log")
