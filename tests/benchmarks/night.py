"""Simulated nights with real processes on loopback: how many samples end well, and at what cost.

    python tests/benchmarks/night.py [--quick] [--json] [--samples 1000] [--only clean faults ...]

clean: a queue of absorption edges, one sample in 40 a powder pattern, from sheet to report, each
measured until its own stop; nothing broken.
faults: the same with about one fault in a hundred samples: SIGKILL of worker, daemon, guard,
analyst or IOC, a beam dump, NaN from the detector, a motor that stalls.  Both nights run side by
side.
Wrong results, although the sample is said to be done: an E0 more than 5 of its sd and 0.5 eV from
the truth, a cell more than 5 esd and 0.005 Å from the demo's.  Memory: slope of the anonymous pages
over the samples, for a night of 10 h.
duty: a few samples on a hardly accelerated instrument; seconds of counting over wall clock (times
speed), against the limit: counting over counting and travel, without any overhead.
eta: nights drawn from the durations that were measured here, how often the P90 of the estimate
covers the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))
from night_runs import POINTS, SPEED, duty, estimates, night, pool_of, together

PARTS = ("clean", "faults", "duty", "eta")


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """List what the issue asks for."""
    rows = []

    def add(name: str, value: Any, target: str, ok: bool) -> None:
        rows.append({"name": name, "value": value, "target": target, "ok": bool(ok)})

    if clean := results.get("clean"):
        add("done without faults", clean["done_share"], ">= 99.9 %", clean["done_share"] >= 0.999)
        add("wrong results without faults", clean["wrong"], "none", not clean["wrong"])
        all_of = f"all {clean['asked']}"
        add("samples without faults", clean["samples"], all_of, clean["samples"] == clean["asked"])
        # a short night is all warm-up
        slopes = clean["memory_mb_per_h"] if clean["samples"] >= 200 * clean["rigs"] else {}
        for role, slope in slopes.items():
            add(f"memory of the {role}", slope, "< 1 MB/h of the night", slope < 1.0)
    if broken := results.get("faults"):
        add("done with faults", broken["done_share"], ">= 99 %", broken["done_share"] >= 0.99)
        add("wrong results with faults", broken["wrong"], "none", not broken["wrong"])
        all_of = f"all {broken['asked']}"
        add("samples with faults", broken["samples"], all_of, broken["samples"] == broken["asked"])
    if found := results.get("duty"):
        share = found["counting"] / found["limit"]
        add("duty, share of what travel leaves", share, "reported", True)
    if found := results.get("eta"):
        add("P90 of the estimate covers", found["covered"], ">= 88 %", found["covered"] >= 0.88)
    return rows


def run(
    samples: int, rigs: int, limit_s: float, quick: bool, parts: tuple[str, ...]
) -> dict[str, Any]:
    results: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "speed": SPEED,
        "load_at_start": os.getloadavg()[0],
    }
    # a quick run is too short for one in a hundred
    nights = {"clean": (0.0, 1), "faults": (0.1 if quick else 0.01, 100)}
    with pool_of(2 * rigs) as pool:
        made = {
            part: [
                pool.submit(night, -(-samples // rigs), share, seed + n, limit_s)
                for n in range(rigs)
            ]
            for part, (share, seed) in nights.items()
            if part in parts
        }
        for part, futures in made.items():
            results[part] = together([future.result() for future in futures])
    if "duty" in parts:
        results["duty"] = duty(1, 4.0, 20) if quick else duty(3, 2.0, POINTS)
    if "eta" in parts and results.get("clean"):
        results["eta"] = estimates(results["clean"], 3)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--rigs", type=int, help="of each night, side by side")
    parser.add_argument("--limit-min", type=float, help="wall clock after which nights end early")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    samples = given.samples or (12 if given.quick else 1000)
    rigs = given.rigs or (1 if given.quick else 2)
    limit_s = 60.0 * given.limit_min if given.limit_min else (170.0 if given.quick else 10_800.0)
    results = run(samples, rigs, limit_s, given.quick, tuple(given.only))
    found = {"results": results, "targets": targets(results)}
    if given.json:
        print(json.dumps(found, allow_nan=False, default=float))
        return
    for row in found["targets"]:
        print(f"{'ok ' if row['ok'] else 'MISSED'} {row['name']}: {row['value']} ({row['target']})")


if __name__ == "__main__":
    main()
