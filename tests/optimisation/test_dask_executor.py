"""A Dask cluster keeps the laws of the local pool, and outlives its workers."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.places import ROOT

pytest.importorskip("distributed", reason="the extra `dask` is not installed")

from distributed import LocalCluster
from support.structures import Pretender, simulated

import materialsdock
from materialsdock.errors import InputError, ModelFault, Unreachable
from materialsdock.optimisation import dask_executor
from materialsdock.optimisation.dask_executor import DaskExecutor
from materialsdock.optimisation.executors import trial_executor
from materialsdock.optimisation.processes import GIB, Executor
from materialsdock.profile.simulation import free_port
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.search.search import search
from materialsdock.testing.crystals import FLUORITE

FEW_SECONDS = 20.0


def local_cluster(n_workers=2, **options):
    return LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        silence_logs="CRITICAL",
        **options,
    )


@pytest.fixture(scope="module")
def cluster():
    with local_cluster() as found:
        yield found


@pytest.fixture(scope="module")
def pool(cluster):
    with DaskExecutor(
        cluster.scheduler_address, time_limit_s=FEW_SECONDS, memory_limit_bytes=GIB
    ) as executor:
        yield executor


def call(pool, *jobs, **options):
    return list(pool.run(operator.call, jobs, **options))


def kill_the_dask_worker(marker):
    """Called in a pool's process, whose parent is the Dask worker; only once per marker."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return "done elsewhere"


def test_results_come_in_the_order_of_the_arguments(pool):
    delays = [(time.sleep, 0.2), (pow, 2, 3), (time.sleep, 0.1), (pow, 2, 4)]
    assert call(pool, *delays) == [(0, None), (1, 8), (2, None), (3, 16)]


def test_equal_calls_give_what_the_local_pool_gives(pool):
    jobs = [(divmod, n, 3) for n in range(6)] + [(divmod, 1, 0), (int, "three")]
    with Executor(workers=2) as local:
        here = call(local, *jobs, ahead=1)
    there = call(pool, *jobs, ahead=1)
    assert repr(there) == repr(here)


def test_a_search_on_the_cluster_is_the_search_here(pool):
    def facts(**options):
        found = search(
            pattern,
            (FLUORITE,),
            Diffractometer(),
            engine=Pretender(),
            trials=6,
            seeds=(1, 2),
            workers=2,
            hold_out=False,
            **options,
        )
        return [(t.seed, t.number, t.state, t.rwp, t.recipe) for t in found.trials]

    pattern = simulated(((FLUORITE, 1.0),))
    assert facts(executor=pool) == facts()


def test_a_hung_native_call_is_killed_and_the_next_call_works(pool):
    forever = (pow, 3, 10**9)  # one C call that never looks at signals
    began = time.perf_counter()
    (_, hung), (_, right) = call(pool, forever, (pow, 2, 5), time_limit_s=0.5)
    assert isinstance(hung, ModelFault)
    assert "0.5 s" in str(hung)
    assert right == 32
    assert time.perf_counter() - began < 10


def test_a_crash_and_a_memory_hog_cost_one_call_each(pool):
    jobs = (signal.raise_signal, signal.SIGSEGV), (bytearray, 4 * GIB), (abs, -1), (abs, -2)
    (_, crashed), (_, hog), *others = call(pool, *jobs)
    assert isinstance(crashed, ModelFault)
    assert "SIGSEGV" in str(crashed)
    assert isinstance(hog, ModelFault)
    assert "1 GiB" in str(hog)
    assert [value for _, value in others] == [1, 2]


def test_arguments_are_drawn_only_when_earlier_results_were_taken(pool):
    taken = []

    def arguments():
        for n in range(8):
            assert len(taken) >= n - 2  # two workers: never more than two in flight
            yield abs, -n

    for _, value in pool.run(operator.call, arguments()):
        taken.append(value)
    assert taken == list(range(8))


def test_the_calls_of_a_killed_dask_worker_run_on_another(pool, tmp_path):
    jobs = [(kill_the_dask_worker, str(tmp_path / "once")), *((abs, -n) for n in range(4))]
    assert call(pool, *jobs) == [(0, "done elsewhere"), *((n + 1, n) for n in range(4))]


@pytest.mark.slow
def test_a_call_that_kills_every_dask_worker_costs_one_call(tmp_path):
    with (
        local_cluster(scheduler_kwargs={"allowed_failures": 0}) as cluster,
        DaskExecutor(cluster.scheduler_address, workers=1, time_limit_s=FEW_SECONDS) as executor,
    ):
        jobs = (kill_the_dask_worker, str(tmp_path / "once")), (abs, -1), (abs, -2)
        (_, killed), *others = call(executor, *jobs)
    assert isinstance(killed, ModelFault)
    assert "Dask worker died (1 of them" in str(killed)
    assert [value for _, value in others] == [1, 2]


def test_no_scheduler_is_one_clear_fault(monkeypatch):
    monkeypatch.setattr(dask_executor, "CONNECT_S", 0.5)
    with (
        pytest.raises(Unreachable, match="no Dask scheduler answers"),
        DaskExecutor("tcp://127.0.0.1:9"),
    ):
        pass


def test_a_cluster_without_workers_is_given_up():
    with (
        local_cluster(n_workers=0) as cluster,
        DaskExecutor(cluster.scheduler_address, patience_s=1.0) as executor,
        pytest.raises(Unreachable, match="had no worker for 1 s"),
    ):
        call(executor, (abs, -1))


def test_workers_of_another_version_are_refused(cluster, monkeypatch):
    monkeypatch.setattr(materialsdock, "__version__", "0.0")  # here, not in the workers
    with (
        pytest.raises(InputError, match=r"has materialsdock [\d.]+\S* \(here 0.0\)"),
        DaskExecutor(cluster.scheduler_address),
    ):
        pass


def test_the_address_chooses_the_executor(cluster):
    assert isinstance(trial_executor(), Executor)
    there = trial_executor(scheduler_address=cluster.scheduler_address, workers=3)
    assert isinstance(there, DaskExecutor)
    assert there.workers == 3


def dask(command, *arguments):
    """A process of Dask's command line, as a site would start it."""
    program = [sys.executable, "-m", f"distributed.cli.dask_{command}", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    root = str(ROOT)
    return subprocess.Popen(program, env={**os.environ, "PYTHONPATH": root}, **quiet)


@pytest.fixture
def deployed():
    """(scheduler process, its address) of a cluster started by command lines, one worker."""
    address = f"tcp://127.0.0.1:{free_port()}"
    options = ("--no-dashboard", "--dashboard-address", ":0")
    with dask("scheduler", "--host", address, *options) as scheduler:
        with dask("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard") as worker:
            yield scheduler, address
            worker.terminate()
        scheduler.terminate()


@pytest.mark.slow
def test_a_scheduler_that_dies_is_one_clear_fault(deployed):
    scheduler, address = deployed
    with DaskExecutor(address, workers=1, patience_s=2.0) as executor:
        results = executor.run(operator.call, [(abs, -1), (time.sleep, 60)])
        assert next(results) == (0, 1)
        scheduler.kill()
        with pytest.raises(Unreachable, match="scheduler"):
            next(results)
