"""Targets for the learner's numbers: the learner against the best of its peers, everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

OURS, SHIPPED, OUR_GP = "learner", "learner, as shipped", ", our GP"
LEAST_SIZE = 30  # targets against peers hold from here on
MARGIN = 1.05
Table = Mapping[str, Mapping[str, float]]  # RMSE x 1000 by strategy and size, of one setting


def peers_of(row: Table, *, strict: bool) -> list[str]:
    """All who are compared; `strict` also what our model makes of their positions."""
    return [who for who in row if not who.startswith(OURS) and (strict or OUR_GP not in who)]


def ratios(
    rmse: Mapping[str, Table], *, strict: bool, who: str = OURS, least: int = LEAST_SIZE
) -> dict[tuple[str, str], tuple[float, str]]:
    """RMSE over that of the best peer, and which peer that is, by (setting, size)."""
    found = {}
    for setting, row in rmse.items():
        for n in (n for n in row[who] if int(n) >= least):
            best = min(peers_of(row, strict=strict), key=lambda peer: row[peer].get(n, np.inf))
            found[setting, n] = (row[who][n] / row[best][n], best)
    return found


def against(rmse: Mapping[str, Table], *, strict: bool, who: str = OURS) -> dict[str, Any]:
    """Count how often RMSE is above the best peer's by more than the margin, and where."""
    found = ratios(rmse, strict=strict, who=who)
    lost = {k: v for k, v in found.items() if v[0] > MARGIN}
    return {
        "cells": len(found),
        "above": len(lost),
        "median ratio": round(float(np.median([r for r, _ in found.values()])), 3),
        "largest ratio": round(max(r for r, _ in found.values()), 3),
        "where": {
            f"{setting}, n = {n}": f"{ratio:.2f} x {peer}"
            for (setting, n), (ratio, peer) in sorted(lost.items(), key=lambda e: -e[1][0])
        },
    }


def comparison(rmse: Mapping[str, Table]) -> dict[str, Any]:
    """The learner, blind and as shipped, against peers as they come and with our model."""
    found = {
        who: {
            "peers as they come": against(rmse, strict=False, who=who),
            "their positions with our GP": against(rmse, strict=True, who=who),
        }
        for who in (OURS, SHIPPED)
    }
    return {**found, "over uniform": over_uniform(rmse)}


def over_uniform(rmse: Mapping[str, Table]) -> dict[str, Any]:
    """RMSE over that of an even scan of as many points: the largest at any size, and where."""
    found = {
        f"{setting}, n = {n}": row[OURS][n] / row["uniform"][n]
        for setting, row in rmse.items()
        for n in row[OURS]
    }
    above = sorted((e for e in found.items() if e[1] > MARGIN), key=lambda e: -e[1])
    return {
        "cells": len(found),
        "median ratio": round(float(np.median(list(found.values()))), 3),
        "largest ratio": round(max(found.values()), 3),
        "where": {name: round(ratio, 2) for name, ratio in above},
    }


def targets(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List what is asked of the numbers, and if they answer."""
    rmse, compared = results["rmse_x1000"], results["against_peers"][OURS]
    fe_k = rmse["simulated XANES, 1 %"][OURS]
    worst = results["against_peers"]["over uniform"]["largest ratio"]
    e0 = results["e0_error_ev_at_40"]["simulated XANES, 1 %"][OURS]
    asked: list[tuple[str, float, str, float]] = []
    for name, found in compared.items():
        said = f"of {found['cells']} settings at n >= {LEAST_SIZE}"
        asked += [
            (f"{name}: above {MARGIN} x the best, {said}", found["above"], "<=", 0),
            (f"{name}: median of rmse / best peer", found["median ratio"], "<=", 1.0),
        ]
    asked += [
        ("Fe K at 1 %, n = 40: rmse x 1000", fe_k["40"], "<=", 9.0),
        ("Fe K at 1 %, n = 80: rmse x 1000", fe_k["80"], "<=", 7.0),
        ("largest rmse / uniform at any n", worst, "<=", MARGIN),
        ("Fe K at 1 %, n = 40: median |E0 error| [eV]", e0, "<=", 0.1),
        *clock(results["clock"]),
    ]
    return [
        {
            "name": name,
            "value": None if not np.isfinite(value) else round(float(value), 3),
            "target": f"{sign} {limit:g}",
            "ok": bool(value <= limit),
        }
        for name, value, sign, limit in asked
    ]


def clock(rows: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, float, str, float]]:
    """Seconds to the target against the faster of an even scan and the expert's grid."""
    never = {True: np.inf, False: 0.0}  # by "lost": the learner, or else no scan got there
    found = [row.get("seconds / fastest scan", never[row["lost"]]) for row in rows.values()]
    yield "clock: median of seconds / fastest scan", float(np.median(found)), "<=", 1.0
    yield "clock: largest seconds / fastest scan", max(found), "<=", MARGIN
