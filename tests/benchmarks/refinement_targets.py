"""The targets of the refinement benchmark, judged on its results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

RWP = {"Y2O3": 4.3, "DSMO": 9.15, "LiCoO2": 7.0}
RMS_WT = 0.6
WITHIN_ESD = 2.0
RIGHT_SHARE = 0.9
SPEED_UP = 3.0
SECONDS_100 = 120.0


def targets(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each target of which the results say something."""
    return [
        {"name": name, "value": value, "target": target, "ok": bool(ok)}
        for name, value, target, ok in _rows(results)
    ]


def _rows(results: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, bool]]:
    for name, found in results.get("search", {}).items():
        rwp, n = found["rwp_by_trial_50_median"], min(50, found["trials_per_seed"])
        limit = RWP[name]
        yield (
            f"{name}: median over seeds of the best physical Rwp by trial {n}",
            rwp,
            f"<= {limit} %",
            round(rwp, 2) <= limit,
        )
        yield (
            f"{name}: chosen solution breaks no physical constraint",
            found["violations"],
            "none",
            not found["violations"],
        )
        if n == 50:
            per_100 = 100 * found["seconds"] / (len(found["seeds"]) * found["trials_per_seed"])
            yield (
                f"{name}: 100 trials, {results['workers']} workers, final fits included",
                per_100,
                f"<= {SECONDS_100:g} s on 4 cores",
                per_100 <= SECONDS_100,
            )
    for name, found in results.get("cells", {}).items():
        worst = max(abs(row["off_in_esd_with_spread"]) for row in found["cell"].values())
        yield (
            f"{name}: cell against its reference, esd with the spread over position corrections",
            worst,
            f"<= {WITHIN_ESD:g} esd",
            worst <= WITHIN_ESD,
        )
        bare = max(abs(row["off_in_esd"]) for row in found["cell"].values())
        yield (
            f"{name}: cell against its reference, esds of fit and reference alone",
            bare,
            f"<= {WITHIN_ESD:g} esd",
            bare <= WITHIN_ESD,
        )
    for name, found in results.get("mixtures", {}).items():
        rms = found["rms_wt"]
        yield f"{name}: weight fractions, RMS", rms, f"<= {RMS_WT} wt%", rms <= RMS_WT
    if drawn := results.get("unseen"):
        rms = math.sqrt(sum(row["rms_wt"] ** 2 for row in drawn.values()) / len(drawn))
        yield (
            f"{len(drawn)} unseen mixtures: weight fractions, RMS",
            rms,
            f"<= {RMS_WT} wt%",
            rms <= RMS_WT,
        )
    for name, found in {**results.get("mixtures", {}), **results.get("unseen", {})}.items():
        worst = found["worst_in_combined_esd"]
        yield (
            f"{name}: weights against the truth, esd with the spread over choices where known",
            worst,
            f"<= {WITHIN_ESD:g} esd",
            worst <= WITHIN_ESD,
        )
    if rows := results.get("widths"):
        ratio = rows["own"]["objective"] / rows["shared"]["objective"]
        yield "TiO2 + MnO: own peak widths pay (ratio of the objective)", ratio, "< 1", ratio < 1
    if trapped := results.get("traps"):
        wrong = trapped["wrongly_accepted"]
        yield "wrong structures accepted", wrong, "none", not wrong
        share = trapped["right_share"]
        yield "right verdicts", share, f">= {RIGHT_SHARE:.0%}", share >= RIGHT_SHARE
    if fast := results.get("speed"):
        yield (
            f"speed-up on 4 workers (load before {fast['load_before']:.1f})",
            fast["speed_up"],
            f">= {SPEED_UP:g}",
            fast["speed_up"] >= SPEED_UP,
        )
    if bad := results.get("bad_input"):
        failed = [name for name, row in bad.items() if not row["ok"]]
        yield "bad input ends in one error or verdict", failed or "all", "all", not failed
