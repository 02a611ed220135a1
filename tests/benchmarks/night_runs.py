"""Nights with real processes for the benchmark of nights: sheets, faults, and what came of them."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from materialsdock.ledger.facts import fact

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from night_memory import ROLES, courses, resident_mb, slopes
from support.faults.rig import Rig, rig, until, write_edge

from materialsdock.ledger.outcomes import outcome_of
from materialsdock.night.queue import estimate, history, queue
from materialsdock.night.system.process import die_with
from materialsdock.techniques.xrd import demo
from materialsdock.views.report import summary_json

SPEED = 2000.0
POINTS = 20  # of the edges of `duty`
AROUND_EV = (22.0, 28.0)  # of an edge: few points, and enough for its own stop
XRD_EVERY, FIRST_XRD = 40, 3
CELL_A = 9.3733  # of the demo's fluorapatite, all of its pattern refined [Å]
BATCH = 80  # positions of the changer that are used
BROKEN = ("worker", "daemon", "guard", "analyst", "ioc", "beam", "nan", "stall")
SETTLED = ("done", "done_with_warnings", "held", "failed")
CHANGES = {
    "hysteresis_s": "0.5",
    "trials": "4",
    "[night]": "retry_delays_s = [0.0, 0.5, 1.0]\ndisk_free_gb = 0.1\nprogress_margin_s = 5.0",
}


def pool_of(rigs: int) -> ProcessPoolExecutor:
    """Processes for so many rigs at once; they end with this one, and their nights with them."""
    return ProcessPoolExecutor(
        rigs, mp_context=get_context("spawn"), initializer=die_with, initargs=(os.getpid(),)
    )


def edge(folder: Path, number: int) -> dict[str, Any]:
    """A row of a sheet: an edge at one of seven energies; its truth is in the comment."""
    e0 = 7112.0 + (number % 7) * 0.5
    source = folder / f"edge{number % 7}.dat"
    if not source.is_file():
        write_edge(source, e0)
    return {
        "technique": "xas",
        "replay": str(source),
        "energy_start_ev": e0 - AROUND_EV[0],
        "energy_stop_ev": e0 + AROUND_EV[1],
        "threshold": 0.2,
        "comment": f"{e0:.2f}",
    }


def pattern() -> dict[str, Any]:
    """A row of a sheet: part of the demo's measured powder pattern, refined by its structure."""
    return {
        "technique": "xrd",
        "replay": str(demo.examples() / "FAP.XRA"),
        "phases": str(demo.examples() / "fluorapatite.cif"),
        "two_theta_start": 25.0,
        "two_theta_stop": 60.0,
    }


def rows(folder: Path, first: int, count: int) -> list[dict[str, Any]]:
    """Rows of a sheet."""
    return [
        {
            "sample_id": f"S{number:05d}",
            "name": f"sample {number}",
            "position": number % BATCH,
            **(pattern() if number % XRD_EVERY == FIRST_XRD else edge(folder, number)),
        }
        for number in range(first, first + count)
    ]


def rehearse(made: Rig) -> None:
    """`materialsdock simulate` with one edge and one pattern, as operators do before a night."""
    sheet = made.sheet([*rows(made.folder, 0, 1), *rows(made.folder, FIRST_XRD, 1)])
    words = ["simulate", str(sheet), "--seeds", "1", "--no-analyse", "--out", str(made.data)]
    said = made.command(*words, "--site", str(made.site), limit_s=300.0)
    assert said.returncode == 0, said.stderr


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
    kinds = dice.sample(BROKEN, len(BROKEN))  # in turn, so that a long night has all of them
    memory: list[tuple[int, dict[str, float]]] = []
    broken: list[str] = []
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="materialsdock-night-") as folder,
        rig(Path(folder), speed=SPEED, changes=CHANGES, seed=seed) as made,
    ):
        rehearse(made)
        submitted = 0
        next_fault = dice.expovariate(faults) if faults else float("inf")
        while time.monotonic() - began < limit_s:
            states = made.states()
            settled = sum(states[s] for s in SETTLED)
            if submitted < samples and states["queued"] < BATCH // 4:
                more = min(BATCH // 2, samples - submitted)
                made.submit(rows(made.folder, submitted, more))
                submitted += more
                print(f"{settled} settled, {len(broken)} faults", file=sys.stderr, flush=True)
            if settled >= next_fault and settled < samples:
                what = kinds[len(broken) % len(kinds)]
                broken.append(what)
                break_something(made, what)
                next_fault = settled + dice.expovariate(faults)
            if fact(made.ledger, "hold"):
                break
            if settled >= samples:
                break
            memory.append((settled, resident_mb(made)))
            time.sleep(0.5)
        wall_s = time.monotonic() - began
        return {
            **judged(made, samples, wall_s),
            "broken": broken,
            "memory_mb_per_h": slopes(memory),
            "memory_mb": courses(memory),
        }


def together(nights: list[dict[str, Any]]) -> dict[str, Any]:
    """Nights of several rigs as one; of memory, the one that grew most."""
    found = {key: sum(one[key] for one in nights) for key in ("asked", "samples", "done", "points")}
    found |= {key: [x for one in nights for x in one[key]] for key in ("wrong", "broken")}
    found["took"] = [each for one in nights for each in one["took"]]
    found["forecast"] = nights[0]["forecast"]
    found["memory_mb"] = [one["memory_mb"] for one in nights]
    grown = [one["memory_mb_per_h"] for one in nights]
    return {
        **found,
        "rigs": len(nights),
        "done_share": found["done"] / max(found["samples"], 1),
        "not_done": [one["not_done"] for one in nights],
        "holds": [one["hold"] for one in nights if one["hold"]],
        "wall_s": max(one["wall_s"] for one in nights),
        "measuring_s": np.percentile(
            [wall_s for _, wall_s, _ in found["took"]], (5, 50, 95)
        ).tolist(),
        "memory_mb_per_h": {
            role: max(one[role] for one in grown if role in one)
            for role in ROLES
            if any(role in one for one in grown)
        },
    }


def judged(made: Rig, samples: int, wall_s: float) -> dict[str, Any]:
    """Judge how the samples ended, and if what is said to be done is right."""
    ended = queue.samples(made.ledger)
    wrong = [found for one in ended if (found := error_of(made, one)) is not None]
    took = [each for each in history.spent(made.ledger, time.time()) if each.measured]
    done = sum(one.state.startswith("done") for one in ended)
    reasons = {
        one.sample_id: f"{one.state}: {one.reason}"
        for one in ended
        if one.state in SETTLED and not one.state.startswith("done")
    }
    return {
        "asked": samples,
        "samples": sum(one.state in SETTLED for one in ended),
        "done": done,
        "not_done": reasons,
        "hold": fact(made.ledger, "hold"),
        "wrong": wrong,
        "wall_s": wall_s,
        "took": [(each.recipe, each.measuring_s, each.counted_s) for each in took],
        "forecast": fact(made.ledger, estimate.FORECAST),
        "points": made.points(),
    }


def error_of(made: Rig, one: queue.Queued) -> dict[str, Any] | None:
    """Return what is wrong with a sample that is said to be done; None where nothing is."""
    kept = made.ledger.outcome(one.job_id) if one.job_id is not None else None
    if kept is None or one.job_id is None or not one.state.startswith("done"):
        return None
    outcome = summary_json(outcome_of(made.ledger, one.job_id))
    if outcome["technique"] == "xrd":
        phases = outcome["phases"]
        off, sd, least = abs(phases[0]["a"] - CELL_A), phases[0]["a_esd"], 0.005
    else:
        off = abs((outcome["e0_ev"] or 0.0) - float(one.body["comment"]))
        sd, least = outcome["e0_sd_ev"] or 0.0, 0.5
    if off <= max(5 * sd, least):
        return None
    return {"sample": one.sample_id, "technique": outcome["technique"], "off": off, "sd": sd}


def duty(samples: int, speed: float, points: int) -> dict[str, Any]:
    """Seconds of counting over wall clock for a few edges, and what travel alone would leave."""
    with (
        tempfile.TemporaryDirectory(prefix="materialsdock-duty-") as folder,
        rig(Path(folder), speed=speed, changes=CHANGES) as made,
    ):
        count = range(samples)
        short = {"maximum_points": points}
        sheet = [
            {"sample_id": f"S{n}", "position": n, **edge(made.folder, n), **short} for n in count
        ]
        made.submit(sheet)
        until(lambda: not (made.states()["queued"] or made.states()["measuring"]), 600.0)
        told = queue.log(made.ledger, limit=1_000_000)
        began = min(line.at for line in told if line.body.get("event") == "claim")
        ended = max(line.at for line in told if line.body.get("event") == "measured")
        wall_s = (ended - began) * speed
        jobs = [one.job_id for one in queue.samples(made.ledger) if one.job_id is not None]
        counting_s = sum(o.count_time_s for job in jobs for o in made.ledger.observations(job))
        instrument_s = sum(made.ledger.decisions(job)[-1].seconds_measured for job in jobs)
    return {
        "samples": samples,
        "speed": speed,
        "points": points * samples,
        "counting": counting_s / wall_s,
        "limit": counting_s / instrument_s,
        "overhead_s_per_point": (wall_s - instrument_s) / speed / (points * samples),
    }


def estimates(clean: dict[str, Any], seed: int, nights: int = 300) -> dict[str, Any]:
    """Count how often the estimate covers nights drawn from what was measured here.

    Each night has 20 to 60 samples of both techniques, mixed as they came; the estimate is made
    after 3 to 10 of them, with the forecast of one rehearsal.  `mean_covers`: the baseline, the
    mean of the finished ones times how many are left.
    """
    dice = np.random.default_rng(seed)
    took = [
        history.Spent("S", recipe, "done", wall_s, 1.0, counted_s, True, True)
        for recipe, wall_s, counted_s in clean["took"]
    ]
    forecast = {
        recipe: [estimate.Foretold(*each) for each in rows]
        for recipe, rows in clean["forecast"].items()
    }
    covered, half, naive = [], [], []
    for _ in range(nights):
        drawn = [took[n] for n in dice.integers(0, len(took), dice.integers(20, 61))]
        seen = int(dice.integers(3, 11))
        done, rest = drawn[:seen], drawn[seen:]
        known = estimate.known_from(done, forecast, SPEED)
        found = estimate.finish([estimate.Left(each.recipe) for each in rest], known, nights=300)
        needed = sum(each.measuring_s for each in rest)
        covered.append(needed + 1.0 <= (found.p90_s or 0.0))
        half.append(needed + 1.0 <= (found.p50_s or 0.0))
        naive.append(needed <= np.mean([each.measuring_s for each in done]) * len(rest))
    return {
        "nights": nights,
        "covered": float(np.mean(covered)),
        "p50_covers": float(np.mean(half)),
        "mean_covers": float(np.mean(naive)),
    }
