"""A hang, a crash or a hungry call costs one call; the order of results is the order asked."""

from __future__ import annotations

import importlib
import operator
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.places import ROOT

from materialsdock.errors import InputError, ModelFault
from materialsdock.optimisation.executors import trial_executor
from materialsdock.optimisation.processes import GIB, Executor
from materialsdock.profile.sections import Analysis

FEW_SECONDS = 20.0


@pytest.fixture(scope="module")
def pool():
    with Executor(workers=2, time_limit_s=FEW_SECONDS, memory_limit_bytes=GIB) as executor:
        yield executor


def call(pool, *jobs, **options):
    return list(pool.run(operator.call, jobs, **options))


def test_results_come_in_the_order_of_the_arguments(pool):
    calls = ((pow, n, 2) for n in range(7))
    assert call(pool, *calls) == [(n, n**2) for n in range(7)]


def test_a_hang_is_killed_and_the_next_call_works(pool):
    began = time.perf_counter()
    (_, hung), (_, right) = call(pool, (time.sleep, 60), (pow, 2, 5), time_limit_s=0.5)
    assert isinstance(hung, ModelFault)
    assert "0.5 s" in str(hung)
    assert right == 32
    assert time.perf_counter() - began < 10


def test_a_crash_costs_one_call(pool):
    (_, crashed), *others = call(pool, (signal.raise_signal, signal.SIGSEGV), (abs, -1), (abs, -2))
    assert isinstance(crashed, ModelFault)
    assert "SIGSEGV" in str(crashed)
    assert [value for _, value in others] == [1, 2]


def test_a_memory_hog_is_stopped_by_its_limit(pool):
    (_, hog), (_, right) = call(pool, (bytearray, 4 * GIB), (abs, -3))
    assert isinstance(hog, ModelFault)
    assert "1 GiB" in str(hog)
    assert right == 3


def test_what_a_call_raises_comes_as_a_value(pool):
    ((_, error),) = call(pool, (int, "three"))
    assert isinstance(error, ValueError)


def test_arguments_are_drawn_only_when_earlier_results_were_taken(pool):
    taken = []

    def arguments():
        for n in range(8):
            assert len(taken) >= n - 2  # two workers: never more than two in flight
            yield abs, -n

    for _, value in pool.run(operator.call, arguments()):
        taken.append(value)
    assert taken == list(range(8))


def test_workers_use_one_thread_and_the_environment_is_restored(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with Executor(workers=1) as executor:
        ((_, seen),) = executor.run(os.getenv, [("OMP_NUM_THREADS",)])
    assert seen == "1"
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_workers_that_cannot_start_are_one_clear_fault():
    nothing = partial(importlib.import_module, "no_such_module_anywhere")
    with (
        Executor(workers=1, warm_up=nothing) as executor,
        pytest.raises(ModelFault, match="worker process"),
    ):
        list(executor.run(abs, [(1,), (2,)]))


def test_a_profile_that_wants_a_cluster_must_say_which():
    with pytest.raises(ValidationError, match="scheduler_address"):
        Analysis(executor="dask")
    assert Analysis(executor="dask", scheduler_address="tcp://host:8786").storage is None


def test_a_cluster_without_dask_is_one_clear_fault(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "materialsdock.optimisation.dask_executor", raising=False)
    with pytest.raises(InputError, match="distributed") as caught:
        trial_executor(scheduler_address="tcp://host:8786")
    assert "materialsdock[dask]" in caught.value.remedy


PARENT = """
import os, time
from materialsdock.optimisation.processes import Executor
if __name__ == "__main__":
    with Executor(workers=1) as executor:
        ((_, pid),) = executor.run(os.getpid, [()])
        print(pid, flush=True)
        list(executor.run(time.sleep, [(60,)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_workers_die_with_their_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = ROOT
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as parent:
        worker = int(parent.stdout.readline())
        assert running(worker)
        parent.kill()
    deadline = time.monotonic() + 5
    while running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(worker)


def running(pid):
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
