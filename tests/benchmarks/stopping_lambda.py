"""λ as published, and relearned at every step: for tests/benchmarks/stopping.py."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from stopping_runs import measure
from stopping_spectra import FAMILIES, Family

from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.gp.hyperparameters import best_warped
from materialsdock.learning.stopping.rules import (
    PaperRule,
    RobustRule,
    lambda_history,
    rule_from_settings,
)
from materialsdock.model import Evidence

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import published_stops as published


def refit_every_step(seeds: range) -> dict[str, Any]:
    """λ under hyperparameters learned anew at every point: replayed, and with the old numerators.

    jumps : how often λ rises more than threefold from one point to the next
    """
    found = {}
    for name in ("xanes", "L2,3"):
        rows = [refitted(FAMILIES[name], seed) for seed in seeds]
        found[name] = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
    return found


def refitted(family: Family, seed: int, most: int = 100) -> dict[str, float]:
    """One run at 1 % noise; the positions are the learner's own."""
    run = measure(
        family,
        seed,
        0.01,
        rule_from_settings({"mode": "paper", "threshold": 1e-9, "maximum_points": most}),
    )
    told, axis = run.learner.observations, run.learner.axis
    x, y = (np.array([getattr(o, key) for o in told]) for key in ("x", "y"))
    noise = np.full(x.size, 1e-4)
    replayed, mixed = [], []
    for n in range(12, most + 1):
        mean = float(y[:n].mean())
        kernel = best_warped(x[:n], y[:n] - mean, noise[:n], axis.grid, axis.resolution)
        posterior = GridPosterior(axis.grid, kernel, mean)
        for i in range(n):
            posterior.update(int(axis.index(x[i])), float(y[i]), 1e-4)
        s, z2 = (np.array([getattr(i, key) for i in posterior.innovations]) for key in ("s", "z2"))
        evidence = Evidence(s, z2, np.arange(n), quantities={"points": float(n)})
        replayed.append(RobustRule(gates=False).judge(evidence).statistic)
        old = mixed[-1] if mixed else (s[:-1], z2[:-1])
        mixed.append((np.append(old[0], s[-1]), np.append(old[1], z2[-1])))
    history = [
        PaperRule(minimum_points=0)
        .judge(Evidence(s, z2, np.arange(s.size), quantities={"points": float(s.size)}))
        .statistic
        for s, z2 in mixed
    ]
    return {
        "replayed_first_below": first_below(replayed),
        "replayed_jumps": jumps(replayed),
        "mixed_first_below": first_below(history),
        "mixed_jumps": jumps(history),
    }


def first_below(history: list[float | None]) -> float:
    """Points at the first λ ≤ 0.05; infinite when there is none."""
    values = np.array(history, dtype=float)
    low = np.flatnonzero(values <= 0.05)
    return float(low[0] + 12) if low.size else float("inf")


def jumps(history: list[float | None]) -> float:
    """Count how often λ more than trebles."""
    values = np.array(history, dtype=float)
    return float(np.sum(values[1:] > 3 * values[:-1]))


def published_sizes() -> dict[str, Any] | None:
    """Count how many of the paper's thirty stop sizes come out; None where its data are not."""
    if not published.FOLDER.is_dir():
        return None
    random.seed(1)
    found = {}
    for name, (expected, owner) in published.PUBLISHED.items():
        energy, y = published.load(name)
        order = random.sample(range(energy.size), energy.size)
        initial = list(set(random.sample(range(published.POOL), published.INITIAL)))
        theta = np.loadtxt(published.FOLDER / "param" / owner / "params.txt")
        shuffled = (energy[order][: published.POOL], y[order][: published.POOL], initial)
        innovations = published.measure(*shuffled, theta)
        s, z2 = (np.array([getattr(i, key) for i in innovations]) for key in ("s", "z2"))
        quantities = {"initial": published.INITIAL}
        evidence = Evidence(s, z2, np.arange(s.size), quantities=quantities)
        history = lambda_history(evidence, "min", published.WARMUP)
        stops = [published.INITIAL + 1 + int(np.argmax(history <= t)) for t in published.THRESHOLDS]
        found[name] = {"sizes": stops, "published": list(expected)}
    same = sum(a == b for f in found.values() for a, b in zip(*f.values(), strict=True))
    return {"equal": same, "of": 3 * len(found), "spectra": found}
