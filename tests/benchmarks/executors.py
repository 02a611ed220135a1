"""Trials by local processes and by a Dask cluster: seconds, speed-up, equality, a killed worker.

    python tests/benchmarks/executors.py [--quick] --json

The same refinements (recipes drawn at random) by 1, 2 and 4 local workers and by Dask clusters of
2 and 4 worker processes on this machine; the start of the workers and the engine's import are
reported by themselves.  Speed-up is against one local worker; `free_cores` is that of a plain loop
in 4 processes, which no executor can pass on a machine that others use too (see `load_before`).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from distributed import LocalCluster
from support.structures import simulated

from materialsdock.errors import MaterialsDockError
from materialsdock.optimisation.dask_executor import DaskExecutor
from materialsdock.optimisation.processes import Executor
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search.search import search
from materialsdock.testing.crystals import FLUORITE, ZINCITE

CU = Diffractometer()
MIXTURE = (FLUORITE, ZINCITE)
QUICK, FULL = 24, 96
SPEEDUP = 3.0
EFFICIENCY = SPEEDUP / 4
SPINS = 60_000_000


class Dice:
    """A trial that draws at random, as a sampler does."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def suggest_categorical(self, name, choices):
        return choices[self.random.integers(len(choices))]

    def suggest_float(self, name, low, high):
        return self.random.uniform(low, high)

    def suggest_int(self, name, low, high):
        return int(self.random.integers(low, high + 1))


def spin(count):
    """Work that needs a core and nothing else."""
    return sum(range(count))


def cluster(workers):
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        silence_logs="CRITICAL",
    )


def refinements(pattern, count):
    space = SearchSpace.of(pattern, MIXTURE, CU)
    return [(pattern, MIXTURE, CU, space.suggest(Dice(seed))) for seed in range(count)]


def facts(outcome):
    """Return what must be equal, to the last digit."""
    return repr(outcome) if isinstance(outcome, BaseException) else (outcome.rwp, outcome.n_free)


def timed(executor, calls, workers, during=lambda: None):
    """(seconds to start, seconds of the calls, what they gave); every worker is warm before."""
    engine = RietxEngine()
    began = time.perf_counter()
    list(executor.run(engine.refine, [calls[0]] * workers))
    started = time.perf_counter()
    during()
    found = [outcome for _, outcome in executor.run(engine.refine, calls, ahead=1)]
    return started - began, time.perf_counter() - started, found


def local(calls, workers):
    with Executor(workers=workers, warm_up=RietxEngine().warm_up) as executor:
        return timed(executor, calls, workers)


def dask(calls, workers, during=lambda cluster: None):
    warm_up = RietxEngine().warm_up
    with (
        cluster(workers) as found,
        DaskExecutor(found.scheduler_address, workers=workers, warm_up=warm_up) as executor,
    ):
        return timed(executor, calls, workers, during=lambda: during(found))


def kill_one(after_s):
    """Kill a worker process (not its nanny) a while after the calls began."""

    def during(found):
        (pid, *_) = [nanny.pid for nanny in found.workers.values()]
        threading.Timer(after_s, os.kill, (pid, signal.SIGKILL)).start()

    return during


def free_cores():
    """Measure how much faster 4 processes count in a plain loop than one, the most to be had."""
    seconds = {}
    for workers in (1, 4):
        with Executor(workers=workers) as executor:
            list(executor.run(spin, [(1,)] * workers))
            began = time.perf_counter()
            list(executor.run(spin, [(SPINS,)] * 4))
            seconds[workers] = time.perf_counter() - began
    return seconds[1] / seconds[4]


def same_search(pattern, trials):
    """Return True if a search on a cluster repeats the local one, trial by trial."""
    options = {"trials": trials, "seeds": (0, 1), "workers": 2, "hold_out": False}
    warm_up = RietxEngine().warm_up
    here = search(pattern, MIXTURE, CU, **options)
    with (
        cluster(2) as found,
        DaskExecutor(found.scheduler_address, workers=2, warm_up=warm_up) as executor,
    ):
        there = search(pattern, MIXTURE, CU, **options, executor=executor)
    told = [[(t.seed, t.number, t.rwp, t.recipe) for t in r.trials] for r in (here, there)]
    return told[0] == told[1] and here.fit.rwp == there.fit.rwp


def measure(quick):
    pattern = simulated(((FLUORITE, 0.6), (ZINCITE, 0.4)))
    calls = refinements(pattern, QUICK if quick else FULL)
    cores = len(os.sched_getaffinity(0))
    results = {"trials": len(calls), "cores": cores, "load_before": os.getloadavg()[0]}
    results["free_cores"] = free_cores()
    outcomes = {}
    for name, run, workers in (
        ("local_1", local, 1),
        ("local_2", local, 2),
        ("local_4", local, 4),
        ("dask_2", dask, 2),
        ("dask_4", dask, 4),
    ):
        start_s, seconds, outcomes[name] = run(calls, workers)
        results[name] = {"start_s": start_s, "seconds": seconds}
    one = results["local_1"]["seconds"]
    for name in outcomes:
        results[name]["speedup"] = one / results[name]["seconds"]
    reference = [facts(o) for o in outcomes["local_1"]]
    results["equal"] = {n: [facts(o) for o in found] == reference for n, found in outcomes.items()}
    results["equal"]["search_local_2_dask_2"] = same_search(pattern, 4 if quick else 15)
    half_s = results["dask_2"]["seconds"] / 2
    _, seconds, killed = dask(calls, 2, during=kill_one(half_s))
    results["killed_worker"] = {
        "seconds": seconds,
        "extra_s": seconds - results["dask_2"]["seconds"],
        "calls_lost": sum(isinstance(o, MaterialsDockError) for o in killed)
        - sum(isinstance(o, MaterialsDockError) for o in outcomes["local_1"]),
        "equal": [facts(o) for o in killed] == reference,
    }
    return results


def targets(results):
    cores = min(4, results["cores"])
    wanted = EFFICIENCY * cores
    found = [
        (f"{name}: speed-up on 4 workers, {cores} cores", results[name]["speedup"], wanted)
        for name in ("local_4", "dask_4")
    ]
    listed = [{"name": n, "value": v, "target": t, "ok": v >= t} for n, v, t in found]
    lost = results["killed_worker"]["calls_lost"]
    same = sum(not equal for equal in results["equal"].values())
    for name, value, target in (
        ("executors whose results differ", same, 0),
        ("calls lost with a killed Dask worker", lost, 1),
    ):
        listed.append({"name": name, "value": value, "target": target, "ok": value <= target})
    return listed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} trials instead of {FULL}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    results = measure(given.quick)
    report = {"results": results, "targets": targets(results)}
    print(json.dumps(report, indent=None if given.json else 2))


if __name__ == "__main__":
    main()
