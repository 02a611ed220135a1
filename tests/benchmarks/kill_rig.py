"""Random SIGKILLs of every process of a night, while a queue of samples is measured.

    python tests/benchmarks/kill_rig.py [--quick] [--json] [--kills 200] [--rigs 4] [--seed 1]

Roles, pauses and so the phases are drawn with a fixed seed.  Afterwards the checker of the fault
tests reads the ledger and the IOC's log, and an undisturbed night measures the same sheet: every
job's observations and decisions should be those of the night that was killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from night_runs import pool_of
from support.faults.checker import breaks
from support.faults.rig import Rig, TooLate, profile, rig, until

from materialsdock.night.queue import queue

ROLES = ("worker", "worker", "worker", "guard", "daemon", "analyst", "librarian", "up", "ioc")
POINTS = 40
PAUSE_S = (0.3, 5.0)
AGAIN_S = 90.0
# A point that was under way when something died is void and is counted again.  Its new counts are
# as good, but others, and so may be what follows: here nature shows the same counts at every visit.
SAME_COUNTS = """

_counted = Absorbing.absorption


def _alike(self, *where):
    self.visits.clear()
    self.scene.visits.clear()
    return _counted(self, *where)


Absorbing.absorption = _alike
"""
OPTIONS: dict[str, Any] = {
    "changes": profile(margin_s=10.0),
    "patches": {"sim_devices/scenes/xas.py": SAME_COUNTS},
}
LOST = ("accepted and is gone", "durable and is gone", "was rewritten", "was answered")


def kill(made: Rig, role: str) -> dict[str, Any]:
    """Kill one role, as a fault does; what it cost where that can be seen from outside."""
    made.seen()
    began, was_open = time.monotonic(), made.closed_at(time.monotonic()) is None
    if not made.signal(role, signal.SIGKILL):
        return {"role": role, "killed": False}
    if role == "ioc":
        made.start_ioc()
    elif role == "up":
        made.start_up()
    found: dict[str, Any] = {"role": role, "killed": True, "amid": was_open}
    if role in ("worker", "daemon", "up"):
        until(lambda: made.closed_at(began) is not None, AGAIN_S, "shutter closed")
        found["closed_s"] = (made.closed_at(began) or began) - began
    if role not in ("analyst", "librarian") and not finished(made):
        found["again_s"] = until_points(made, began)
    return found


def until_points(made: Rig, began: float) -> float | None:
    """Seconds from `began` until two points more were durable; None when all was measured."""
    goal = made.points() + 2
    until(lambda: made.points() >= goal or finished(made), AGAIN_S, "measuring again")
    return time.monotonic() - began if made.points() >= goal else None


def finished(made: Rig) -> bool:
    """Return True if nothing is left to measure."""
    return not (made.states()["queued"] or made.states()["measuring"])


def sheet(made: Rig, samples: int) -> None:
    """Queue the sheet of this run: the same for both nights."""
    made.submit(made.edges(samples, points=POINTS, threshold=1e-6))


def killed_night(folder: Path, kills: int, samples: int, seed: int, limit_s: float) -> Any:
    """One night with kills; (what happened, what is broken, every job's measurement)."""
    dice = random.Random(seed)
    suffered: list[dict[str, Any]] = []
    faults = []
    with rig(folder, **OPTIONS) as made:
        sheet(made, samples)
        made.measuring(2, AGAIN_S)
        began = time.monotonic()
        while len(suffered) < kills and not finished(made):
            if time.monotonic() - began > limit_s:
                break
            time.sleep(dice.uniform(*PAUSE_S))
            try:
                suffered.append(kill(made, dice.choice(ROLES)))
            except TooLate as late:
                faults.append(str(late))
                break
        try:
            until(made.settled, 60.0 + 8.0 * samples, "every sample settled")
        except TooLate as late:
            faults.append(str(late))
        broken = breaks(made.ledger, made.history)
        return suffered, [*faults, *broken], measured(made)


def measured(made: Rig) -> dict[str, Any]:
    """Of every sample that has a job: (x, y, sigma) of its points, and where it went next."""
    found = {}
    for one in queue.samples(made.ledger):
        if one.job_id is not None:
            points = [(o.x, o.y, o.sigma) for o in made.ledger.observations(one.job_id)]
            steps = [d.next and d.next.start for d in made.ledger.decisions(one.job_id)]
            found[one.sample_id] = {"state": one.state, "points": points, "next": steps}
    return found


def undisturbed(folder: Path, samples: int) -> dict[str, Any]:
    """The same sheet with nothing killed."""
    with rig(folder, **OPTIONS) as made:
        sheet(made, samples)
        until(made.settled, 60.0 + 20.0 * samples, "every sample settled")
        return measured(made)


def statistics(values: list[float]) -> dict[str, Any]:
    """Median, p99 and maximum [s]."""
    if not values:
        return {"n": 0}
    found = {"median": np.median(values), "p99": np.percentile(values, 99), "max": max(values)}
    return {"n": len(values), **{name: round(float(v), 2) for name, v in found.items()}}


def summary(suffered: list[dict[str, Any]]) -> dict[str, Any]:
    """Times by role, of kills that met a sample being measured."""
    found: dict[str, Any] = {}
    for role in sorted({each["role"] for each in suffered}):
        mine = [each for each in suffered if each["role"] == role and each["killed"]]
        found[role] = {
            name: statistics([e[name] for e in mine if e.get(name) is not None and e["amid"]])
            for name in ("closed_s", "again_s")
        }
    return found


def run(kills: int, samples: int, seed: int, limit_s: float) -> dict[str, Any]:
    """Both nights of one rig, compared."""
    with tempfile.TemporaryDirectory(prefix="materialsdock-kill-") as folder:
        suffered, broken, found = killed_night(
            Path(folder) / "killed", kills, samples, seed, limit_s
        )
        plain = undisturbed(Path(folder) / "undisturbed", samples)
    done = [name for name, one in found.items() if one["state"].startswith("done")]
    other = [name for name in done if found[name] != plain.get(name)]
    return {
        "seed": seed,
        "suffered": suffered,
        "samples": samples,
        "done": len(done),
        "states": dict(Counter(one["state"] for one in found.values())),
        "broken": broken,
        "same": len(done) - len(other),
        "other": {name: difference(found[name], plain.get(name)) for name in other},
    }


def runs(rigs: int, kills: int, samples: int, seed: int, limit_s: float) -> dict[str, Any]:
    """Rigs side by side, each with its own seed, and all of them together."""
    began, load = time.monotonic(), os.getloadavg()[0]
    with pool_of(rigs) as pool:
        futures = [
            pool.submit(run, -(-kills // rigs), -(-samples // rigs), seed + n, limit_s)
            for n in range(rigs)
        ]
        each = [future.result() for future in futures]
    suffered = [one for found in each for one in found.pop("suffered")]
    killed = [one["role"] for one in suffered if one["killed"]]
    return {
        "cores": os.cpu_count(),
        "load_at_start": load,
        "wall_s": time.monotonic() - began,
        "kills": len(killed),
        "by_role": dict(Counter(killed)),
        "times": summary(suffered),
        "samples": sum(found["samples"] for found in each),
        "done": sum(found["done"] for found in each),
        "same": sum(found["same"] for found in each),
        "broken": [words for found in each for words in found["broken"]],
        "rigs": each,
    }


def difference(one: dict[str, Any], other: dict[str, Any] | None) -> dict[str, Any]:
    """Find where two measurements of one sample part."""
    pairs = enumerate(zip(one["points"], (other or {"points": []})["points"], strict=False))
    first = next(((n, a, b) for n, (a, b) in pairs if a != b), None)
    return {"points": len(one["points"]), "first_other_point": first}


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """List what the issue asks for."""
    rows = []

    def add(name: str, value: Any, target: str, ok: bool) -> None:
        rows.append({"name": name, "value": value, "target": target, "ok": bool(ok)})

    broken = results["broken"]
    lost = sum(any(words in one for words in LOST) for one in broken)
    twice = sum(one.startswith("I2") for one in broken)
    replay = sum(one.startswith("I12") for one in broken)
    add("acknowledged events lost", lost, "0", lost == 0)
    add("duplicates", twice, "0", twice == 0)
    add("replay faults", replay, "0", replay == 0)
    add("invariant breaks", len(broken), "0", not broken)
    share = results["same"] / max(results["done"], 1)
    add("same observations and decisions", share, "1", share == 1.0)
    add("kills", results["kills"], "reported", True)
    ended = results["done"] == results["samples"]
    add("samples done", f"{results['done']} of {results['samples']}", "all", ended)
    worker = results["times"].get("worker", {})
    if worker.get("closed_s", {}).get("n"):
        closed, again = worker["closed_s"], worker["again_s"]
        add("worker death to shutter closed, maximum", closed["max"], "<= 5 s", closed["max"] <= 5)
        if again["n"]:
            add(
                "worker death to measuring, median",
                again["median"],
                "<= 15 s",
                again["median"] <= 15,
            )
            add("worker death to measuring, p99", again["p99"], "<= 30 s", again["p99"] <= 30)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--samples", type=int)
    parser.add_argument("--rigs", type=int)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    kills = given.kills or (12 if given.quick else 200)
    # a sample takes about as long as the pause between two kills
    samples = given.samples or (10 if given.quick else kills)
    limit_s = 120.0 if given.quick else 7200.0
    results = runs(given.rigs or (1 if given.quick else 4), kills, samples, given.seed, limit_s)
    found = {"results": results, "targets": targets(results)}
    if given.json:
        print(json.dumps(found, allow_nan=False, default=float))
        return
    for row in found["targets"]:
        print(f"{'ok ' if row['ok'] else 'MISSED'} {row['name']}: {row['value']} ({row['target']})")


if __name__ == "__main__":
    main()
