"""Series taken apart: errors of shares and of the number of components on planted mixtures.

    python tests/benchmarks/series.py [--quick] --json

Baseline: scikit-learn's NMF as it comes (nndsvda start, no weights, number given).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from itertools import permutations
from pathlib import Path

import numpy as np
from sklearn.decomposition import NMF

sys.path[:0] = [str(Path(__file__).parents[2])]  # the tests' own forward model

from materialsdock.fusion.series.curves import SeriesCurve, prepared  # noqa: E402
from materialsdock.fusion.series.decomposition import decompose  # noqa: E402
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, ZINCITE  # noqa: E402
from materialsdock.testing.planted_powder import PlantedScene, crystal_of, phase_curve  # noqa: E402

TWO_THETA = np.arange(20.0, 90.0, 0.04)
CURVES = 15
COUNTS = (300.0, 4e3, 4e4)


def truths(kind: str, phases: int, seed: int) -> np.ndarray:
    """(15, phases) shares of area: a ramp through pure ends, or never pure."""
    t = np.linspace(0.0, 1.0, CURVES)
    if phases == 1:
        return np.ones((CURVES, 1))
    if kind == "never pure":
        return np.random.default_rng(seed).dirichlet(np.full(phases, 2.0), CURVES)
    if phases == 2:
        return np.column_stack([1 - t, t])
    return np.column_stack(
        [np.maximum(1 - 2 * t, 0), 1 - np.abs(2 * t - 1), np.maximum(2 * t - 1, 0)]
    )


def counted(
    truth: np.ndarray, pure: list[np.ndarray], counts: float, seed: int
) -> list[SeriesCurve]:
    """Counted patterns of the mixtures on a falling background."""
    rng = np.random.default_rng(1000 + seed)
    background = 30 + 20 * np.exp(-TWO_THETA / 30)
    curves = []
    for i, row in enumerate(truth):
        y = sum(share * one for share, one in zip(row, pure, strict=False))
        drawn = rng.poisson(counts * y / pure[0].max() + background).astype(float)
        curves.append(SeriesCurve(str(i), TWO_THETA, drawn, np.sqrt(np.maximum(drawn, 1.0))))
    return curves


def rms(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square error [%] of shares, for the best order of components."""
    orders = permutations(range(truth.shape[1]))
    errors = (np.sqrt(np.mean((found[:, list(order)] - truth) ** 2)) for order in orders)
    return float(100 * min(errors))


def plain_nmf(y: np.ndarray, phases: int) -> np.ndarray:
    """Shares by scikit-learn's NMF as it comes."""
    model = NMF(phases, init="nndsvda", max_iter=1000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = model.fit_transform(np.maximum(y, 0.0)) * model.components_.mean(axis=1)
    return scores / scores.sum(axis=1, keepdims=True)


def run(seeds: int) -> dict[str, object]:
    """All cases; medians over seeds."""
    pure = []
    for structure in (CORUNDUM, ZINCITE, FLUORITE):
        curve = phase_curve(crystal_of(structure), PlantedScene(()), TWO_THETA)
        pure.append(curve / curve.mean())
    results: dict[str, object] = {}
    right = total = 0
    seconds = []
    for kind in ("ramp", "never pure"):
        for counts in COUNTS:
            ours, plain = [], []
            for phases in (1, 2, 3):
                for seed in range(seeds):
                    truth = truths(kind, phases, seed)
                    began = time.perf_counter()
                    curves = counted(truth, pure, counts, seed)
                    series = prepared(curves, subtract_background=True)
                    number = len(decompose(series, distinct=True).loadings)
                    seconds.append(time.perf_counter() - began)
                    total += 1
                    right += number == phases
                    if phases > 1:
                        found = decompose(series, components=phases, distinct=True).shares
                        ours.append(rms(found, truth))
                        plain.append(rms(plain_nmf(series.y, phases), truth))
            name = f"{kind}, {counts:g} counts"
            results[name] = {
                "rms_percent": float(np.median(ours)),
                "worst_percent": max(ours),
                "plain_nmf_rms_percent": float(np.median(plain)),
                "plain_nmf_worst_percent": max(plain),
            }
    results["number_right"] = {"right": right, "of": total}
    results["seconds_median"] = float(np.median(seconds))
    return results


def targets(results: dict) -> list[dict[str, object]]:
    """List what has to hold."""
    limits = {
        "ramp, 4000 counts": 1.0,
        "never pure, 4000 counts": 2.0,
        "ramp, 40000 counts": 1.0,
        "never pure, 40000 counts": 2.0,
    }
    rows: list[dict[str, object]] = [
        {
            "name": f"RMS of shares, {name} (%)",
            "value": results[name]["rms_percent"],
            "target": limit,
            "ok": results[name]["rms_percent"] <= limit,
        }
        for name, limit in limits.items()
    ]
    share = results["number_right"]["right"] / results["number_right"]["of"]
    rows.append(
        {"name": "number of phases right", "value": share, "target": 0.95, "ok": share >= 0.95}
    )
    return rows


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 seeds instead of 10")
    parser.add_argument("--json", action="store_true", help="compact JSON")
    given = parser.parse_args()
    results = run(3 if given.quick else 10)
    answer = {"results": results, "targets": targets(results)}
    print(json.dumps(answer) if given.json else json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
