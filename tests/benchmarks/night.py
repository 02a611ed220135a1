"""Simulated nights with real processes on loopback: how many samples end well, and at what cost.

    python tests/benchmarks/night.py [--quick] [--json] [--samples 1000] [--only clean faults ...]

clean: a queue of absorption edges from sheet to report, nothing broken.
faults: the same with about one fault in a hundred samples: SIGKILL of worker, daemon, guard,
analyst or IOC, a beam dump, NaN from the detector, a motor that stalls.
Wrong results: an E0 more than 5 of its sd and 0.5 eV from the truth although the sample is said to
be done.  Memory: slope of the resident sets over the samples, for a night of 10 h.
duty: seconds of the instrument over wall clock times speed; the limit is what the same steps take
without any overhead.  eta: nights drawn from the durations that were measured here, how often the
P90 of the estimate covers the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
import numpy as np
import psutil
from rig import Rig, rig, write_edge

from materialsdock.night import eta, queue
from materialsdock.night.history import Spent

PARTS = ("clean", "faults", "eta")
SPEED = 2000.0
POINTS = 60
BATCH = 80  # positions of the changer that are used
ROLES = ("daemon", "worker", "analyst", "guard", "librarian")
NIGHT_H = 10.0
BROKEN = (
    "worker", "daemon", "guard", "analyst", "ioc", "beam", "nan", "stall",
)  # fmt: skip
CHANGES = {
    "hysteresis_s": "0.5",
    "[night]": "retry_delays_s = [0.0, 0.5, 1.0]\ndisk_free_gb = 0.1\nprogress_margin_s = 5.0",
}


def rows(folder: Path, first: int, count: int) -> list[dict[str, Any]]:
    """Rows of a sheet: edges at slightly different energies, whose truth is in the comment."""
    found = []
    for number in range(first, first + count):
        e0 = 7112.0 + (number % 7) * 0.5
        source = folder / f"edge{number % 7}.dat"
        if not source.is_file():
            write_edge(source, e0)
        found.append(
            {
                "sample_id": f"S{number:05d}",
                "name": f"edge {number}",
                "position": number % BATCH,
                "technique": "xas",
                "replay": str(source),
                "maximum_points": POINTS,
                "threshold": 0.2,
                "comment": f"{e0:.2f}",
            }
        )
    return found


def resident_mb(made: Rig) -> dict[str, float]:
    """Resident memory [MB] of every role that lives."""
    found = {}
    for role in ROLES:
        pid = made.pid(role)
        if pid is not None:
            try:
                found[role] = psutil.Process(pid).memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
    return found


def break_something(made: Rig, what: str) -> None:
    """One fault, and its end where it does not end by itself."""
    if what == "beam":
        made.put("ring:current", 0.0)
        time.sleep(1.0)
        made.put("ring:current", 100.0)
    elif what in ("nan", "stall"):
        switch = {"nan": "faults:detector_nan", "stall": "faults:motor_stall"}[what]
        made.put(switch, 1)
        time.sleep(0.3)
        made.put(switch, 0)
    elif what == "ioc":
        made.signal("ioc", signal.SIGKILL)
        made.start_ioc()
    else:
        made.signal(what, signal.SIGKILL)


def night(samples: int, faults: float, seed: int, limit_s: float) -> dict[str, Any]:
    """One night: batches of samples until all are settled or the time is over."""
    dice = random.Random(seed)
    memory: list[tuple[int, dict[str, float]]] = []
    broken: list[str] = []
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="materialsdock-night-") as folder,
        rig(Path(folder), speed=SPEED, changes=CHANGES) as made,
    ):
        submitted = 0
        next_fault = dice.expovariate(faults) if faults else float("inf")
        while time.monotonic() - began < limit_s:
            states = made.states()
            settled = sum(states[s] for s in ("done", "done_with_warnings", "held", "failed"))
            if submitted < samples and states["queued"] < BATCH // 4:
                more = min(BATCH // 2, samples - submitted)
                made.submit(rows(made.folder, submitted, more))
                submitted += more
            if settled >= next_fault and settled < samples:
                what = dice.choice(BROKEN)
                broken.append(what)
                break_something(made, what)
                next_fault = settled + dice.expovariate(faults)
            if queue.fact(made.ledger, "hold"):
                break
            if settled >= samples:
                break
            memory.append((settled, resident_mb(made)))
            time.sleep(0.5)
        wall_s = time.monotonic() - began
        return {**judged(made, samples, wall_s), "broken": broken,
                "memory_mb_per_h": slopes(memory, samples)}  # fmt: skip


def judged(made: Rig, samples: int, wall_s: float) -> dict[str, Any]:
    """How the samples ended, and whether what is said to be done is right."""
    ended = queue.samples(made.ledger)
    wrong, instrument_s, durations = [], 0.0, []
    for one in ended:
        if one.job_id is None:
            continue
        outcome = made.ledger.outcome(one.job_id)
        if outcome is None:
            continue
        instrument_s += float(outcome["seconds_measured"])
        if not one.state.startswith("done"):
            continue
        off = abs((outcome["e0_ev"] or 0.0) - float(one.body["comment"]))
        if off > max(5 * (outcome["e0_sd_ev"] or 0.0), 0.5):
            wrong.append({"sample": one.sample_id, "off_ev": off, "sd_ev": outcome["e0_sd_ev"]})
    times = {}
    for line in queue.log(made.ledger, limit=1_000_000):
        event = line.body.get("event")
        if event == "claim":
            times[line.sample_id] = line.at
        elif event == "measured" and line.sample_id in times:
            durations.append(line.at - times.pop(line.sample_id))
    done = sum(one.state.startswith("done") for one in ended)
    reasons = {one.sample_id: f"{one.state}: {one.reason}" for one in ended
               if not one.state.startswith("done")}  # fmt: skip
    return {
        "samples": samples,
        "done": done,
        "done_share": done / samples,
        "not_done": reasons,
        "hold": queue.fact(made.ledger, "hold"),
        "wrong": wrong,
        "wall_s": wall_s,
        "seconds_per_sample": wall_s / max(done, 1),
        "measuring_s": np.percentile(durations, (5, 50, 95)).tolist() if durations else None,
        "durations_s": durations,
        "duty": instrument_s / (SPEED * wall_s),
        "points": made.points(),
    }


def slopes(memory: list[tuple[int, dict[str, float]]], samples: int) -> dict[str, float]:
    """Growth [MB/h] by role, as if the samples had been spread over a night; warm-up left out."""
    found = {}
    for role in ROLES:
        series = np.array([(n, m[role]) for n, m in memory if role in m and n > samples * 0.2])
        if len(series) > 10 and np.ptp(series[:, 0]) > 0:
            found[role] = float(np.polyfit(series[:, 0], series[:, 1], 1)[0] * samples / NIGHT_H)
    return found


def estimates(durations: list[float], seed: int, nights: int = 300) -> dict[str, Any]:
    """How often the estimate covers nights drawn from what was measured here.

    Each night has 20 to 60 samples; the estimate is made after 3 to 10 of them.  `mean_covers`:
    the baseline, the mean of the finished ones times how many are left.
    """
    dice = np.random.default_rng(seed)
    covered, half, naive = [], [], []
    for _ in range(nights):
        times = dice.choice(durations, int(dice.integers(20, 61)))
        seen = int(dice.integers(3, 11))
        done = [Spent("S", "xas", "done", float(t), 1.0, 1.0, True, True) for t in times[:seen]]
        left = [eta.Left("xas")] * (times.size - seen)
        found = eta.finish(left, eta.known_from(done, {}), nights=300)
        needed = float(times[seen:].sum())
        covered.append(needed + 1.0 <= (found.p90_s or 0.0))
        half.append(needed + 1.0 <= (found.p50_s or 0.0))
        naive.append(needed <= times[:seen].mean() * len(left))
    return {
        "nights": nights,
        "covered": float(np.mean(covered)),
        "p50_covers": float(np.mean(half)),
        "mean_covers": float(np.mean(naive)),
    }


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """What the issue asks for."""
    rows = []

    def add(name: str, value: Any, target: str, ok: bool) -> None:
        rows.append({"name": name, "value": value, "target": target, "ok": bool(ok)})

    if clean := results.get("clean"):
        add("done without faults", clean["done_share"], ">= 99.9 %", clean["done_share"] >= 0.999)
        add("wrong results without faults", clean["wrong"], "none", not clean["wrong"])
        for role, slope in clean["memory_mb_per_h"].items():
            add(f"memory of the {role}", slope, "< 1 MB/h of the night", slope < 1.0)
    if broken := results.get("faults"):
        add("done with faults", broken["done_share"], ">= 99 %", broken["done_share"] >= 0.99)
        add("wrong results with faults", broken["wrong"], "none", not broken["wrong"])
    if found := results.get("eta"):
        add("P90 of the estimate covers", found["covered"], ">= 88 %", found["covered"] >= 0.88)
    return rows


def run(samples: int, quick: bool, parts: tuple[str, ...]) -> dict[str, Any]:
    results: dict[str, Any] = {
        "python": platform.python_version(), "cores": os.cpu_count(), "speed": SPEED,
        "load_at_start": os.getloadavg()[0],
    }  # fmt: skip
    limit_s = 130.0 if quick else 7200.0
    if "clean" in parts:
        results["clean"] = night(samples, 0.0, 1, limit_s)
    if "faults" in parts:
        # a quick run is too short for one in a hundred
        results["faults"] = night(samples, 0.1 if quick else 0.01, 2, limit_s)
    if "eta" in parts and results.get("clean"):
        results["eta"] = estimates(results["clean"]["durations_s"], 3)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    results = run(given.samples or (30 if given.quick else 1000), given.quick, tuple(given.only))
    found = {"results": results, "targets": targets(results)}
    if given.json:
        print(json.dumps(found, allow_nan=False, default=float))
        return
    for row in found["targets"]:
        print(f"{'ok ' if row['ok'] else 'MISSED'} {row['name']}: {row['value']} ({row['target']})")


if __name__ == "__main__":
    main()
