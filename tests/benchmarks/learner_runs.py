"""Runs of the spectrum learner against spectra with known truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from peers import Had, Run
from spectra import Problem

from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.model import FloatArray, Observation

COUNT_S, SETTLE_S = 1.0, 0.1
AT_ONCE = 1e4  # eV/s: motion costs nothing, so sweeps are small


@dataclass
class LearnerRun(Run):
    """Also the time [ms] to plan each sweep while its last point before is counted."""

    planning_ms: list[float] = field(default_factory=list)


def blind(problem: Problem) -> SpectrumLearner:
    """Twelve even first points, motion for nothing, no expert; features may hide about the edge."""
    return SpectrumLearner(
        problem.axis,
        count_time_s=COUNT_S,
        initial=problem.first,
        velocity=AT_ONCE,
        settle_s=SETTLE_S,
        narrow=problem.family.narrow_ev,
    )


def shipped(problem: Problem, count_s: float = COUNT_S, *, expert: bool = True) -> SpectrumLearner:
    """As a job has it: coarse regions first, what motion costs, an expert's grid to fall back on.

    The edge is known to ± 1.5 eV.
    """
    return SpectrumLearner(
        problem.axis,
        count_time_s=count_s,
        initial=problem.started,
        widest=problem.widest,
        velocity=problem.velocity,
        settle_s=SETTLE_S,
        narrow=problem.family.narrow_ev,
        expert=problem.expert if expert else None,
    )


def counted(problem: Problem, learner: SpectrumLearner, n: int) -> tuple[FloatArray, FloatArray]:
    """The first `n` positions and counts, each (n,), as the learner asks for them."""
    rng = np.random.default_rng(problem.seed)
    x, y = np.empty(n), np.empty(n)
    for step in range(n):
        x[step] = learner.ask().start
        y[step] = problem.read(x[step : step + 1], rng)[0]
        learner.tell([_seen(problem, learner, step, x[step], y[step])])
    return x, y


def _seen(problem: Problem, learner: SpectrumLearner, step: int, x: float, y: float) -> Observation:
    time_s = learner.costs.count_time_s
    return Observation(f"bench/{step}", step, float(x), float(y), problem.noise, time_s, "bench")


def learned(problem: Problem, learner: SpectrumLearner, sizes: Sequence[int]) -> LearnerRun:
    """Run the learner; return what it had at each size, wherever in a sweep, and its times.

    A decision is tell, evidence, judge and ask; a sweep is planned while its last point before is
    counted, as the daemon does.
    """
    rng, run, rule = np.random.default_rng(problem.seed), LearnerRun(), rule_from_settings({})
    x, y = np.empty(max(sizes)), np.empty(max(sizes))
    proposal = learner.ask()
    for step in range(max(sizes)):
        x[step] = proposal.start
        began = time.perf_counter()
        learner.look_ahead()
        planned = time.perf_counter()
        y[step] = problem.read(x[step : step + 1], rng)[0]
        seen = _seen(problem, learner, step, x[step], y[step])
        counted_at = time.perf_counter()
        learner.tell([seen])
        rule.judge(learner.evidence())
        proposal = learner.ask()
        run.decision_ms.append(1e3 * (time.perf_counter() - counted_at))
        run.planning_ms.append(1e3 * (planned - began))
        if (n := step + 1) in sizes:
            run.had[n] = Had(x[:n].copy(), y[:n].copy())
    return run
