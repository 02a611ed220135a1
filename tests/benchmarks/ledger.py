"""A ledger of years: bytes of a measured point, and how long people and a start wait for it.

    python tests/benchmarks/ledger.py [--quick] [--json]

A ledger of 10^4 observations of absorption with its queue, and one of a pattern, are packed; what
a point takes is what observations, documents and decisions take in the file.  The first is then
multiplied (the same jobs under other names) to 10^5 and 10^6 observations (quick: 10^5), as it was
written, row by row, and as it is when packed, and asked what people and a start ask.  Seconds are
those of the processor in this process, from opening the file to the lines of the answer: what one
waits where nothing else runs.  Starting Python comes on top.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ledger_rows import PATTERN, SPECTRUM, a_job, a_pattern, a_spectrum, multiplied, queue_of

from materialsdock.cli import app, night
from materialsdock.ledger import packing, upkeep
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.queries import listed_jobs
from materialsdock.model import Observation
from materialsdock.night.status.snapshot import snapshot

BASE = 10_000
SIZES, QUICK = (10_000, 100_000, 1_000_000), (100_000,)
TIMES = 3
COMMITS = 200
WAITS = {"status": 0.3, "jobs": 0.3, "queue list": 0.3, "look for torn runs": 0.5}  # [s]
PATTERN_BYTES, SPECTRUM_BYTES = 150, 300


def seconds(work: Callable[[], Any]) -> float:
    """Seconds of the processor for one of several goes: their median."""
    took = []
    for _ in range(TIMES):
        began = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        took.append(time.process_time() - began)
    return round(statistics.median(took), 4)


def look(data: DataDirectory) -> None:
    """What a start does before it measures: open the ledger and look for torn runs."""
    with Ledger(data.ledger) as ledger:
        assert ledger.torn_runs() == []


def asked(data: DataDirectory, job_id: str) -> dict[str, float]:
    """How long each question takes [s]."""
    with Ledger(data.ledger) as ledger:
        one = seconds(lambda: ledger.observations(job_id))
    return {
        "status": seconds(lambda: snapshot(data)),
        "jobs": seconds(lambda: app.jobs(data.path)),
        "jobs --json": seconds(lambda: app.jobs(data.path, as_json=True)),
        "queue list": seconds(lambda: night.queue_list(data.path)),
        "queue list --json": seconds(lambda: night.queue_list(data.path, as_json=True)),
        "look for torn runs": seconds(lambda: look(data)),
        "observations of a job": one,
    }


def point_ms(ledger: Ledger) -> dict[str, float]:
    """What it costs to commit one point, durably [ms]."""
    job, took = a_job(0, "xas"), []
    ledger.add_job(replace(job, job_id="commits"))
    for n in range(COMMITS):
        one = Observation(f"commits/{n}", n, 1.0, 2.0, 0.1, 1.0, "commits")
        began = time.perf_counter()
        ledger.add_documents("commits", [("event", {"uid": str(n)})], [one])
        took.append(1e3 * (time.perf_counter() - began))
    p50, p99 = np.percentile(took, [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2)}


def packed_of(data: DataDirectory, per_job: int) -> dict[str, Any]:
    """Pack everything; what each observation takes in the file before and after, and how long."""
    with Ledger(data.ledger) as ledger:
        before, began = upkeep.extent(ledger), time.process_time()
        while packing.pack_next(ledger):
            pass
        took = time.process_time() - began
        if not ledger.vacuum():
            raise RuntimeError("another process has the ledger open")
        after = upkeep.extent(ledger)
        size = rows_bytes(ledger)
    each = before.observations / per_job
    return {
        "observations": before.observations,
        "bytes_each_before": round(before.size_bytes / before.observations, 1),
        "bytes_each_with_jobs_and_queue": round(after.size_bytes / after.observations, 1),
        "bytes_each": round(size / after.observations, 1),
        "pages": after.pages,
        "packing_s_a_run": round(took / each, 3),
    }


def rows_bytes(ledger: Ledger) -> int:
    """Bytes of the file that observations, documents and decisions take, packed or not."""
    names = ("documents", "observations", "decisions", "pages", "packed_runs")
    marks = ", ".join("?" * len(names))
    query = "SELECT SUM(pgsize) FROM dbstat JOIN sqlite_schema USING (name) WHERE tbl_name IN"
    return int(ledger.rows(f"{query} ({marks})", *names)[0][0])


def spectra(folder: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """A ledger of absorption packed; and its file before and after."""
    data, rng = DataDirectory(folder / "xas"), np.random.default_rng(0)
    with Ledger(data.ledger) as ledger:
        queue_of(ledger, [a_spectrum(ledger, n, rng) for n in range(BASE // SPECTRUM)])
        ledger.backup(folder / "rows.sqlite")
    packed = packed_of(data, SPECTRUM)
    return packed, {"rows": folder / "rows.sqlite", "pages": data.ledger}


def large(folder: Path, base: Path, size: int) -> dict[str, float]:
    """What is asked of the ledger `base`, multiplied to `size` observations."""
    data = DataDirectory(folder / "large")
    shutil.copy(base, data.ledger)
    with Ledger(data.ledger) as ledger:
        multiplied(ledger, size // BASE)
        first = listed_jobs(ledger)[0].job_id
    found = asked(data, first)
    shutil.rmtree(data.path)
    return found


def pattern(folder: Path) -> dict[str, Any]:
    """A ledger of one pattern packed."""
    data, rng = DataDirectory(folder / "xrd"), np.random.default_rng(0)
    with Ledger(data.ledger) as ledger:
        a_pattern(ledger, 0, rng)
    return packed_of(data, PATTERN)


def measured(sizes: tuple[int, ...]) -> dict[str, Any]:
    """Everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packed, files = spectra(folder)
        found: dict[str, Any] = {"packed": {"pattern": pattern(folder), "spectra": packed}}
        with Ledger(folder / "commits.sqlite") as ledger:
            found["commit of one point [ms]"] = point_ms(ledger)
        found["asked [s]"] = {
            f"{size}": {how: large(folder, base, size) for how, base in files.items()}
            for size in sizes
        }
        return found


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """What is asked of the numbers."""
    packed, asked_of = results["packed"], results["asked [s]"]
    size = max(asked_of, key=int)
    rows = [
        ("bytes of an exposure of a pattern", packed["pattern"]["bytes_each"], PATTERN_BYTES),
        ("bytes of a point of a spectrum", packed["spectra"]["bytes_each"], SPECTRUM_BYTES),
    ]
    for how, found in asked_of[size].items():
        for what, most in WAITS.items():
            rows.append((f"{what} at {size} observations in {how} [s]", found[what], most))
    return [
        {"name": name, "value": value, "target": target, "ok": value <= target}
        for name, value, target in rows
    ]


def main() -> None:
    """Measure, print, and say which targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="10^5 observations")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = measured(QUICK if given.quick else SIZES)
    report = {"results": results, "targets": targets(results)}
    if given.json:
        print(json.dumps(report))
        return
    print(json.dumps(results, indent=1))
    for row in report["targets"]:
        mark = "ok " if row["ok"] else "NOT"
        print(f"{mark} {row['name']}: {row['value']} (at most {row['target']})")


if __name__ == "__main__":
    main()
