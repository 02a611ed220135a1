"""The learner against its peers: how well a spectrum is known after n points, and after n seconds.

    python tests/benchmarks/learner.py [--quick] [--json] [--jobs 2] [--figure PNG]

Root-mean-square errors (edge step = 1, times 1000) against the truth, on even grids, medians over
seeds.  "learner" knows nothing: 12 even first points, motion for nothing (so sweeps are small), and
only where narrow features may hide.  "learner, as shipped" is what a job is: coarse regions about
an edge known to ± 1.5 eV, the real costs of motion (20 eV/s, 10 over less than 80 eV, 100 over
more than 400; 0.1 s settling, 1 s counting), an expert's grid to fall back on.  The learner's
curve, and that of even scans and of the expert, is the warped Gaussian process through all counts;
other peers have a curve of their own, and ", our GP" is our model through their points.  Times are
of this machine and whatever else runs on it.  Priors from a library: prior.py; cost against grid
and number of points: scaling.py.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import learner_clock as clock
import numpy as np
from learner_figure import save
from learner_runs import blind, learned, shipped
from learner_targets import OUR_GP, OURS, SHIPPED, comparison, targets
from peers import FAST, SLOW, Had, Run, same_gp
from spectra import Problem, Setting, measured, problem, settings
from threadpoolctl import threadpool_limits

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import find_edge

SIZES = (20, 30, 40, 60, 80, 160)
E0_SIZE = 40
LEARNERS = {OURS: blind, SHIPPED: shipped}
QUICK = (
    "simulated XANES, 0.1 %",
    "simulated XANES, 1 %",
    "simulated XANES, 3 %",
    "simulated L2,3, 1 %",
    "simulated broad, 1 %",
    "simulated EXAFS, 1 %",
    "drawn xanes, 1 %",
    "drawn L2,3, 1 %",
    "drawn exafs, 1 %",
)
QUICK_SLOW = ("simulated XANES, 1 %",)


@dataclass(frozen=True)
class Task:
    """One strategy on one spectrum."""

    setting: Setting
    who: str
    seed: int


@dataclass(frozen=True)
class Scores:
    """RMSE x 1000 and E0 error [eV] by (strategy, size), and times [ms]."""

    rmse: dict[tuple[str, int], float]
    e0_error_ev: dict[str, float]
    decision_ms: list[float]
    planning_ms: list[float]


def score(task: Task) -> Scores:
    """Run a strategy and compare its curves with the truth."""
    of = problem(task.setting, task.seed)
    run = strategy(task.who)(of, SIZES)
    truth, rmse, e0 = of.truth(of.axis.grid), {}, {}
    for n, had in run.had.items():
        for name, curve in curves(task.who, of, had).items():
            rmse[name, n] = 1e3 * clock.rms(curve - truth)
            if n == E0_SIZE and task.setting.kind == "XANES":
                e0[name] = e0_error(of, curve)
    return Scores(rmse, e0, run.decision_ms, getattr(run, "planning_ms", []))


def strategy(who: str) -> Callable[[Problem, Sequence[int]], Run]:
    """Return the function that runs a strategy."""
    if who in LEARNERS:
        return lambda of, sizes: learned(of, LEARNERS[who](of), sizes)
    return (FAST | SLOW)[who]


def curves(who: str, of: Problem, had: Had) -> dict[str, FloatArray]:
    """The strategy's own curve (m,) and that of our model, by name."""
    if had.own is None:
        return {who: same_gp(of, had)}
    return {who: had.own, who + OUR_GP: same_gp(of, had)}


def e0_error(of: Problem, curve: FloatArray) -> float:
    """|E0 error| [eV] of a curve (m,); infinite where it has no edge."""
    try:
        return abs(find_edge(of.axis.grid, curve) - of.e0_ev)
    except InputError:
        return float("inf")


# -- tables -----------------------------------------------------------------------------------


def tables(found: Iterable[tuple[Task, Scores]]) -> dict[str, Any]:
    """Medians over seeds by setting, strategy and size; times by strategy."""
    rmse: dict[str, dict[str, dict[str, list[float]]]] = {}
    e0: dict[str, dict[str, list[float]]] = {}
    times: dict[str, tuple[list[float], list[float]]] = {}
    for task, scores in found:
        row = rmse.setdefault(task.setting.name, {})
        for (who, n), value in scores.rmse.items():
            row.setdefault(who, {}).setdefault(str(n), []).append(value)
        for who, error in scores.e0_error_ev.items():
            e0.setdefault(task.setting.name, {}).setdefault(who, []).append(error)
        decision, planning = times.setdefault(task.who, ([], []))
        decision.extend(scores.decision_ms)
        planning.extend(scores.planning_ms)
    return {
        "rmse_x1000": {
            name: {who: medians(by_size, 3) for who, by_size in row.items()}
            for name, row in rmse.items()
        },
        "e0_error_ev_at_40": {name: medians(row, 4) for name, row in e0.items()},
        "decision_ms": {who: spread(ms) for who, (ms, _) in times.items() if ms},
        "planning_ms_while_counting": {who: spread(ms) for who, (_, ms) in times.items() if ms},
    }


def medians(found: Mapping[str, list[float]], digits: int) -> dict[str, float]:
    """Median of each list."""
    return {name: round(float(np.median(values)), digits) for name, values in found.items()}


def spread(ms: Sequence[float]) -> dict[str, float]:
    """Median, 95 % quantile and largest."""
    middle, high, largest = np.percentile(ms, [50, 95, 100])
    return {"median": round(middle, 3), "p95": round(high, 2), "largest": round(largest, 1)}


# -- all of it --------------------------------------------------------------------------------


def tasks(seeds: int, slow_seeds: int, *, quick: bool) -> list[Task]:
    """All strategies on all settings; slow peers with fewer seeds, and in few settings if quick."""
    chosen = [s for s in settings() if not quick or s.name in QUICK or s.kind == "Fe2O3_rt_01"]
    fast = [
        Task(s, who, seed) for s in chosen for who in (*LEARNERS, *FAST) for seed in range(seeds)
    ]
    slow = [
        Task(s, who, seed)
        for s in chosen
        if not quick or s.name in QUICK_SLOW
        for who in SLOW
        for seed in range(slow_seeds)
    ]
    return fast + slow


def single_threaded() -> None:
    """For workers."""
    threadpool_limits(limits=1)


def measure(*, quick: bool, workers: int) -> dict[str, Any]:
    """All results."""
    seeds, slow_seeds = (3, 1) if quick else (20, 2)
    of_errors = tasks(seeds, slow_seeds, quick=quick)
    noises, counts_s = ((0.01,), (0.5,)) if quick else (tuple(clock.TARGETS), clock.COUNTS_S)
    of_time = clock.jobs(noises, counts_s, range(2 if quick else seeds))
    with ProcessPoolExecutor(workers, initializer=single_threaded) as pool:
        scores = list(pool.map(score, of_errors))
        reached = list(pool.map(clock.run, of_time))
    found = tables(zip(of_errors, scores, strict=True))
    return {
        "seeds": seeds,
        "seeds_of_slow_peers": slow_seeds,
        "slow_peers": list(SLOW),
        "measured_spectra": len(measured()),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        **found,
        "clock": clock.table(zip(of_time, reached, strict=True)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 seeds, fewer settings")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--jobs", type=int, default=2, help="processes, each of one thread")
    parser.add_argument("--figure", type=Path, help="RMSE against n, as PNG or SVG")
    parser.add_argument(
        "--report", type=Path, help="judge and draw an earlier report, measure nothing"
    )
    options = parser.parse_args()
    if options.report:
        results = json.loads(options.report.read_text())["results"]
    else:
        results = measure(quick=options.quick, workers=options.jobs)
    results["against_peers"] = comparison(results["rmse_x1000"])
    report = {"results": results, "targets": targets(results)}
    if options.figure:
        save(results, options.figure)
    print(json.dumps(report) if options.json else json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
