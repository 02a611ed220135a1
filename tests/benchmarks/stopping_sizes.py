"""Points at the stop against an oracle that sees the truth: for tests/benchmarks/stopping.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from stopping_runs import BUDGET, MOST_POINTS, NOISES, Run, measure, share
from stopping_spectra import Family

from materialsdock.learning.stopping import certificate
from materialsdock.learning.stopping.quantities import cell_widths
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.protocols import StoppingRule

TARGETS_RMSE = (1.0, 1.5, 2.5)  # of the noise, for rules that stop on a target


def sizes(found: Mapping[str, list[Run]]) -> dict[str, Any]:
    """Points at the stop, against the two oracles."""
    return {
        family: {
            "points": float(np.median([r.points for r in many])),
            "oracle_rmse": float(np.median([r.oracle(gap=False) for r in many])),
            "oracle_rmse_and_gap": float(np.median([r.oracle(gap=True) for r in many])),
            "ratio": ratio(many, gap=False),
            "ratio_with_gap": ratio(many, gap=True),
            "bound_over_expected": round(
                float(np.median([r.certificate.rmse_bound / r.certificate.rmse for r in many])), 3
            ),
            "bound_over_expected_of_a_perfect_model": round(
                float(np.median([least_factor(r) for r in many[:4]])), 3
            ),
            "stopped_by_the_rule": share(r.in_budget for r in many),
        }
        for family, many in found.items()
    }


def ratio(many: Iterable[Run], *, gap: bool) -> float:
    """Median of points at the stop over the oracle's."""
    return round(float(np.median([r.points / r.oracle(gap=gap) for r in many])), 3)


def targeted(families: Mapping[str, Family], seeds: range) -> dict[str, Any]:
    """Stop on a target for the rmse alone (mode "target"), gaps left to the user.

    By quantity and target [noise sd]: "rmse_bound", the certified one, or "rmse", the expected
    one, which is no promise: its ratio to the oracle says nothing where `kept` is low
    """
    rows: dict[str, dict[str, list[dict[str, float]]]] = {"rmse_bound": {}, "rmse": {}}
    for family in families.values():
        for s in seeds:
            noise = NOISES[s % len(NOISES)]
            rules = {(q, t): on_target(q, t * noise) for q in rows for t in TARGETS_RMSE}
            run = measure(family, s, noise, rules["rmse_bound", min(TARGETS_RMSE)], watched=rules)
            for (quantity, target), n in run.stops.items():
                if n < MOST_POINTS:
                    row = against_oracle(run, n, target * noise)
                    rows[quantity].setdefault(f"{target:g}", []).append(row)
                    rows[quantity].setdefault("all", []).append(row)
    asked = len(families) * len(seeds)
    return {
        quantity: {
            name: summary(many, asked * (len(TARGETS_RMSE) if name == "all" else 1))
            for name, many in by.items()
        }
        for quantity, by in rows.items()
    }


def against_oracle(run: Run, points: int, limit: float) -> dict[str, float]:
    """One stop at a target rmse."""
    kept = float(run.rmse[points - 1] <= limit)
    return {"points": points, "ratio": points / run.oracle_of(limit), "kept": kept}


def summary(rows: list[dict[str, float]], asked: int) -> dict[str, float]:
    """Of all the stops at one target, out of so many runs."""
    return {
        "stopped": round(len(rows) / asked, 3),
        "points": float(np.median([row["points"] for row in rows])),
        "ratio": round(float(np.median([row["ratio"] for row in rows])), 3),
        "kept": share(bool(row["kept"]) for row in rows),
    }


def on_target(quantity: str, limit: float) -> StoppingRule:
    """Stop when `quantity` is within `limit` and nothing but a gap forbids it."""
    return rule_from_settings(
        {"mode": "target", "gap": False, "targets": {quantity: limit}, **BUDGET}
    )


def least_factor(run: Run, samples: int = 200) -> float:
    """Bound over expected rmse that a model would need that is right in everything.

    The 95 % quantile for curves drawn from the posterior itself.
    """
    posterior, rng = run.learner.present, np.random.default_rng(0)
    width = cell_widths(posterior.grid)
    off = posterior.sample(posterior.grid, samples, rng) - posterior.mean
    rms = np.sqrt(off**2 @ width / width.sum())
    return float(np.quantile(rms, certificate.COVERAGE) / run.certificate.rmse)
