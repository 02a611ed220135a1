"""How few points the learner needs on a XANES, and how long a decision takes.

    python tests/benchmarks/learner.py [--quick] [--json]

Root-mean-square error against the simulated truth at equal numbers of points, 1 % noise, over a
usual range and over a short one that leaves little to gain.  Every set of positions is
reconstructed by the same Gaussian process, so the choice of positions is all that differs;
python-adaptive is shown with its own interpolation too.  Times are of this machine, and whatever
else runs on it.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from materialsdock.learning.hyperparameters import best_warped, predict
from materialsdock.learning.learner import SpectrumLearner
from materialsdock.learning.stopping import BudgetRule, rule_from_settings
from materialsdock.model import Axis, FloatArray, Observation
from materialsdock.refinement.xas.simulate import simulate_xanes

RANGES_EV = {"200 eV": (7050.0, 7250.0), "100 eV": (7080.0, 7180.0)}
USUAL = RANGES_EV["200 eV"]
POINTS, RESOLUTION_EV, NOISE, COUNT_TIME_S = 400, 1.5, 0.01, 1.0
NARROW_EV = (7097.0, 7152.0)
SIZES = (20, 30, 40, 80)
INITIAL = 16

Curves = dict[int, float]


def axis(ends_ev: tuple[float, float] = USUAL, points: int = POINTS) -> Axis:
    """An even energy axis about the Fe K edge."""
    return Axis("energy", "eV", np.linspace(*ends_ev, points), RESOLUTION_EV)


def rmse(found: FloatArray, on: Axis) -> float:
    """Root-mean-square error (in units of the edge step) times 1000."""
    return float(1e3 * np.sqrt(np.mean((found - simulate_xanes(on.grid)) ** 2)))


def reconstruct(x: FloatArray, y: FloatArray, on: Axis) -> float:
    """RMSE of the warped Gaussian process through (x, y), each (n,)."""
    noise, mean = np.full(x.size, NOISE**2), y.mean()
    kernel = best_warped(x, y - mean, noise, on.grid, on.resolution)
    return rmse(mean + predict(kernel, x, y - mean, noise, on.grid), on)


def noisy(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One count at each of `x` (n,)."""
    return simulate_xanes(x) + NOISE * rng.standard_normal(x.size)


def learned(seed: int, on: Axis, model: str = "warped") -> Curves:
    """RMSE by size of the learner, wherever in a sweep that size may fall."""
    rng = np.random.default_rng(seed)
    first = np.linspace(*on.grid[[0, -1]], INITIAL)
    learner = SpectrumLearner(on, count_time_s=COUNT_TIME_S, initial=first, model=model)
    told, found = [], {}
    for step in range(max(SIZES)):
        told.append(count(learner, step, rng))
        if step + 1 in SIZES:
            x, y = (np.array([getattr(o, name) for o in told]) for name in ("x", "y"))
            found[step + 1] = reconstruct(x, y, on)
    return found


def count(learner: SpectrumLearner, step: int, rng: np.random.Generator) -> Observation:
    """Measure where the learner asks, and tell it."""
    x = learner.ask().x
    seen = Observation(f"bench/{step}", step, x[0], noisy(x, rng)[0], NOISE, COUNT_TIME_S, "bench")
    learner.tell([seen])
    return seen


def uniform(seed: int, on: Axis) -> Curves:
    """RMSE by size of even scans."""
    rng = np.random.default_rng(seed)
    scans = {n: np.linspace(*on.grid[[0, -1]], n) for n in SIZES}
    return {n: reconstruct(x, noisy(x, rng), on) for n, x in scans.items()}


def bisected(seed: int, on: Axis, *, own: bool) -> Curves:
    """RMSE by size of python-adaptive's Learner1D with its curvature loss."""
    from adaptive import Learner1D
    from adaptive.learner.learner1D import curvature_loss_function

    rng, found = np.random.default_rng(seed), {}
    learner = Learner1D(
        lambda x: float(noisy(np.array([x]), rng)[0]),
        bounds=tuple(on.grid[[0, -1]].tolist()),
        loss_per_interval=curvature_loss_function(),
    )
    for size in range(1, max(SIZES) + 1):
        (x,), _ = learner.ask(1)
        learner.tell(x, learner.function(x))
        if size in SIZES:
            at, y = np.array(sorted(learner.data.items())).T
            found[size] = rmse(np.interp(on.grid, at, y), on) if own else reconstruct(at, y, on)
    return found


def stops(mode: str, seeds: range) -> dict[str, float]:
    """Median points and RMSE where the rule of `mode` stops, and the largest RMSE."""
    sizes, errors, on = [], [], axis()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        learner = SpectrumLearner(on, count_time_s=COUNT_TIME_S, narrow=NARROW_EV)
        rule = rule_from_settings({"mode": mode, "maximum_points": 300})
        step = 0
        while not step or not rule.judge(learner.evidence()).stop:
            count(learner, step, rng)
            step += 1
        sizes.append(step)
        errors.append(rmse(learner.posterior(on.grid)[0], on))
    return {
        "points_median": float(np.median(sizes)),
        "rmse_median": round(float(np.median(errors)), 2),
        "rmse_largest": round(max(errors), 2),
    }


def decision_ms(points: int, sizes: int = 200) -> dict[str, float]:
    """Time of tell, evidence, judge and ask on a grid of `points`, for the first `sizes` counts."""
    learner = SpectrumLearner(axis(points=points), count_time_s=COUNT_TIME_S)
    rng = np.random.default_rng(0)
    rule, took = BudgetRule(sizes), []
    for step in range(sizes):
        began = time.perf_counter()
        count(learner, step, rng)
        rule.judge(learner.evidence())
        took.append(1e3 * (time.perf_counter() - began))
    return {
        "median": round(float(np.median(took)), 2),
        "mean": round(float(np.mean(took)), 2),
        "largest": round(float(np.max(took)), 1),
    }


def strategies() -> dict[str, Callable[[int, Axis], Curves]]:
    """All that are compared; python-adaptive only where it is installed."""
    found = {
        "learner": learned,
        "learner, stationary": partial(learned, model="stationary"),
        "uniform": uniform,
    }
    if find_spec("adaptive"):
        found["adaptive, same GP"] = partial(bisected, own=False)
        found["adaptive, own lines"] = partial(bisected, own=True)
    return found


def median_rmse(curves: Callable[[int, Axis], Curves], on: Axis, seeds: range) -> dict[str, float]:
    """Median RMSE over seeds, by size."""
    found = [curves(seed, on) for seed in seeds]
    return {str(n): round(float(np.median([each[n] for each in found])), 2) for n in SIZES}


def measure(seeds: range) -> dict[str, Any]:
    """All results."""
    return {
        "seeds": len(seeds),
        "rmse_x1000": {
            name: {who: median_rmse(how, axis(ends), seeds) for who, how in strategies().items()}
            for name, ends in RANGES_EV.items()
        },
        "stop": {mode: stops(mode, seeds) for mode in ("robust", "paper")},
        "decision_ms": {str(m): decision_ms(m) for m in (400, 1200)},
        "adaptive_installed": find_spec("adaptive") is not None,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }


def targets(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is asked of the numbers, and whether they answer."""
    usual, short = (results["rmse_x1000"][name] for name in RANGES_EV)
    ms = results["decision_ms"]["1200"]

    def gain(table: dict[str, Any], over: str, size: int) -> float:
        return table[over][str(size)] / table["learner"][str(size)]

    asked = {
        "200 eV, n = 30: uniform rmse / ours": (gain(usual, "uniform", 30), ">=", 2.0),
        "200 eV, n = 40: uniform rmse / ours": (gain(usual, "uniform", 40), ">=", 2.0),
        "200 eV, n = 80: uniform rmse / ours": (gain(usual, "uniform", 80), ">=", 0.9),
        "100 eV, n = 40: uniform rmse / ours": (gain(short, "uniform", 40), ">=", 0.9),
        "robust stop: largest rmse in units of the noise": (
            results["stop"]["robust"]["rmse_largest"] / (1e3 * NOISE), "<=", 1.0,
        ),
        "median decision at m = 1200, n to 200 [ms]": (ms["median"], "<=", 2.0),
        "mean decision with sweeps and fits [ms]": (ms["mean"], "<=", 20.0),
    }  # fmt: skip
    if results["adaptive_installed"]:
        best = gain(usual, "adaptive, own lines", 40)
        asked["200 eV, n = 40: adaptive's own rmse / ours"] = (best, ">=", 1.0)
    return {
        what: {
            "value": round(value, 3),
            "target": f"{sign} {limit:g}",
            "met": value >= limit if sign == ">=" else value <= limit,
        }
        for what, (value, sign, limit) in asked.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 seeds in place of 10")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    results = measure(range(2 if options.quick else 10))
    report = {"results": results, "targets": targets(results)}
    print(json.dumps(report) if options.json else json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
