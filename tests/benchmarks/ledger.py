"""A ledger of years: bytes of a measured point, and how long people and a start wait for it.

    python tests/benchmarks/ledger.py [--quick] [--json]

Ledgers of 10^4, 10^5 and 10^6 observations of absorption (quick: 10^5), each with its queue, are
asked as they were written, row by row, and again when their runs are packed; and one pattern is
packed.  Times are of the commands' work in this process, from opening the file to the lines of
the answer; starting Python comes on top.  The whole takes half an hour, most of it to pack 10^6.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ledger_rows import PATTERN, SPECTRUM, a_job, a_pattern, a_spectrum, queue_of

from materialsdock.cli import app, night
from materialsdock.ledger import packing, upkeep
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Observation
from materialsdock.night.status.snapshot import snapshot

SIZES, QUICK = (10_000, 100_000, 1_000_000), (100_000,)
TIMES = 3
COMMITS = 200
LISTING_S, LOOK_S = 0.3, 0.5
PATTERN_BYTES, SPECTRUM_BYTES = 150, 300


def seconds(work: Callable[[], Any]) -> float:
    """Wall clock [s] of one of several goes: their median."""
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        took.append(time.perf_counter() - began)
    return round(statistics.median(took), 4)


def look(data: DataDirectory) -> None:
    """What a start does before it measures: open the ledger and look for torn runs."""
    with Ledger(data.ledger) as ledger:
        assert ledger.torn_runs() == []


def asked(data: DataDirectory, job_id: str) -> dict[str, float]:
    """How long each question takes [s]."""
    with Ledger(data.ledger) as ledger:
        found = {
            "observations of a job": seconds(lambda: ledger.observations(job_id)),
            "documents of a job": seconds(lambda: ledger.documents(ledger.last_document() - 99)),
        }
    return {
        "status": seconds(lambda: snapshot(data)),
        "jobs": seconds(lambda: app.jobs(data.path)),
        "jobs --json": seconds(lambda: app.jobs(data.path, as_json=True)),
        "queue list": seconds(lambda: night.queue_list(data.path)),
        "queue list --json": seconds(lambda: night.queue_list(data.path, as_json=True)),
        "look for torn runs": seconds(lambda: look(data)),
        **found,
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
        before, began = upkeep.extent(ledger), time.perf_counter()
        while packing.pack_next(ledger):
            pass
        took = time.perf_counter() - began
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


def spectra(folder: Path, size: int) -> dict[str, Any]:
    """A ledger of `size` observations of absorption: asked, packed, and asked again."""
    data, rng = DataDirectory(folder / f"xas{size}"), np.random.default_rng(size)
    with Ledger(data.ledger) as ledger:
        jobs = [a_spectrum(ledger, n, rng) for n in range(size // SPECTRUM)]
        queue_of(ledger, jobs)
    rows = asked(data, jobs[0].job_id)
    packed = packed_of(data, SPECTRUM)
    return {"rows": rows, "packed": packed, "pages": asked(data, jobs[0].job_id)}


def pattern(folder: Path) -> dict[str, Any]:
    """One pattern."""
    data, rng = DataDirectory(folder / "xrd"), np.random.default_rng(0)
    with Ledger(data.ledger) as ledger:
        job = a_pattern(ledger, 0, rng)
    packed = packed_of(data, PATTERN)
    return {"packed": packed, "pages": asked(data, job.job_id)}


def measured(sizes: tuple[int, ...]) -> dict[str, Any]:
    """Everything."""
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {"pattern": pattern(Path(folder))}
        with Ledger(Path(folder) / "commits.sqlite") as ledger:
            found["pattern"]["commit of one point [ms]"] = point_ms(ledger)
        for size in sizes:
            found[f"spectra {size}"] = spectra(Path(folder), size)
        return found


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """What is asked of the numbers."""
    largest = results[list(results)[-1]]
    bytes_each = {"pattern": PATTERN_BYTES, "spectra": SPECTRUM_BYTES}
    rows = [
        (
            f"bytes an observation of {name}",
            found["packed"]["bytes_each"],
            bytes_each[name.split()[0]],
        )
        for name, found in results.items()
    ]
    waits = {"status": LISTING_S, "jobs": LISTING_S, "queue list": LISTING_S}
    for how in ("rows", "pages"):
        for what, most in {**waits, "look for torn runs": LOOK_S}.items():
            rows.append((f"{what} of {how} [s]", largest[how][what], most))
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
