"""Time to reach, and keep, a root-mean-square error: the learner, even scans, an expert's grid.

Even scans and the expert's grid are taken at each number of points afresh and timed as one pass of
just that number, as if it had been known before; the learner's time is that of its one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from learner_runs import SETTLE_S, counted, shipped
from peers import FAST, Had, same_gp
from spectra import FIRST, SIMULATED, Problem, Setting, problem

from materialsdock.learning.curve.sweeps import Costs
from materialsdock.model import FloatArray

COUNTS_S = (0.5, 2.0)
TARGETS = {0.001: 0.001, 0.01: 0.007}  # RMSE by noise, in edge steps
GROWTH = 1.1  # of the points, between looks at the error
LARGEST = {"EXAFS": 360}  # points of a learner's run; 240 for all others
SCANS = ("uniform", "expert")
OURS, ALONE = "learner", "learner without expert"


@dataclass(frozen=True)
class Job:
    """One strategy on one spectrum."""

    kind: str
    noise: float
    who: str
    count_s: float
    seed: int

    @property
    def name(self) -> str:
        """As results have it."""
        goal = f"to {1e3 * TARGETS[self.noise]:g}e-3"
        return f"{self.kind}, {100 * self.noise:g} %, {self.count_s:g} s a point, {goal}"


@dataclass(frozen=True)
class Reached:
    """Points and seconds to the target (infinite: never); whether the expert's grid went first."""

    points: float
    seconds: float
    expert_first: bool | None = None


def jobs(noises: Sequence[float], counts_s: Sequence[float], seeds: range) -> list[Job]:
    """All strategies on all simulated families."""
    return [
        Job(kind, noise, who, count_s, seed)
        for kind in SIMULATED
        for noise in noises
        for who in (OURS, ALONE, *SCANS)
        for count_s in counts_s
        for seed in seeds
    ]


def run(job: Job) -> Reached:
    """Run the strategy, and return how long it takes."""
    of = problem(Setting("simulated", job.kind, job.noise), job.seed)
    costs = Costs(job.count_s, of.velocity, SETTLE_S)
    if job.who in SCANS:
        had = FAST[job.who](of, looks(of.axis.grid.size)).had
        if job.who == "expert":
            had = {n: h for n, h in had.items() if n <= of.expert.size}
        return reached(of, had, costs)
    learner = shipped(of, job.count_s, expert=job.who == OURS)
    x, y = counted(of, learner, LARGEST.get(job.kind, 240))
    found = reached(of, {n: Had(x[:n], y[:n]) for n in looks(x.size)}, costs)
    choice = learner.choice
    return Reached(found.points, found.seconds, None if choice is None else choice.expert)


def looks(largest: int) -> list[int]:
    """Numbers of points at which the error is looked at."""
    count = round(np.log(largest / FIRST) / np.log(GROWTH)) + 1
    return sorted({round(n) for n in np.geomspace(FIRST, largest, count)})


def reached(of: Problem, had: Mapping[int, Had], costs: Costs) -> Reached:
    """The fewest points from which on the error stays at the target or below, and their time."""
    truth, best = of.truth(of.axis.grid), None
    for n in sorted(had, reverse=True):
        if rms(same_gp(of, had[n]) - truth) > TARGETS[of.noise]:
            break
        best = n
    if best is None:
        return Reached(np.inf, np.inf)
    return Reached(best, costs.seconds(had[best].x))


def rms(error: FloatArray) -> float:
    """Root mean square of (m,)."""
    return float(np.sqrt(np.mean(error**2)))


def table(found: Iterable[tuple[Job, Reached]]) -> dict[str, Any]:
    """Median points and seconds of each strategy; None where the target was not reached."""
    runs = list(found)
    return {name: _row([r for r in runs if r[0].name == name]) for name in _names(runs)}


def _names(runs: Iterable[tuple[Job, Reached]]) -> list[str]:
    return list(dict.fromkeys(job.name for job, _ in runs))


def _row(runs: list[tuple[Job, Reached]]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for who in (OURS, ALONE, *SCANS):
        of = [r for job, r in runs if job.who == who]
        row[who] = {
            "points": _finite(float(np.median([r.points for r in of]))),
            "seconds": _finite(float(np.median([r.seconds for r in of]))),
        }
    chose = [r.expert_first for job, r in runs if job.who == OURS]
    row["expert first"] = f"{sum(map(bool, chose))} of {len(chose)}"
    ours, rivals = row[OURS]["seconds"], [row[who]["seconds"] for who in SCANS]
    fastest = min((s for s in rivals if s is not None), default=None)
    if ours is not None and fastest is not None:
        row["seconds / fastest scan"] = round(ours / fastest, 3)
    row["lost"] = fastest is not None and (ours is None or ours > fastest)
    return row


def _finite(value: float) -> float | None:
    return round(value, 1) if np.isfinite(value) else None
