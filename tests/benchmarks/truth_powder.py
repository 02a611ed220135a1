"""What powder diffraction says against what is true: weights, cells, verdicts.

    python tests/benchmarks/truth_powder.py [--quick] [--json] [--workers 2] [--keep ROWS.jsonl]

Mixtures: simulated without the engine (truth_powder_scenes), grains of 1 to 10 µm, of which one in
three is measured, to 25 %; refined as `materialsdock refine --trials 2` does: error over combined
esd of weights and cell lengths, at all of the counting and every other one at a tenth of it, too.
Measured: weighed mixtures of the IUCr round robin, cells of LaB6 (NIST SRM 660c) and PbSO4.  Wrong:
other structures, phases left out, a zero of 0.4°, another wavelength, at both lengths of counting:
none may be accepted.  Refused: right structures that end in no confident match, or in a rival.

The long run takes two to three hours of a processor.  --keep adds each row to a file and goes on
from it, and --seconds ends it early with what there is: measured patterns first, then all kinds in
turn.
`results` and `targets` are what truth.py joins.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RIETX_COMPILED_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
import refinement_cases as cases
import truth_powder_work as tasks
from refinement import CELLS
from refinement_mixtures import WEIGHED

SHORT = 0.1  # of the counting
SHARES = (1.0, SHORT)
SEEDS, SEEDS_QUICK = 220, 4
TRIALS, TRIALS_QUICK = 6, 2  # of a measured pattern
QUICK_S = 270.0  # what has not ended by then is left out
ONE_S = 1e5  # of one row, for the longest run
WRONG_QUICK = 8  # every eighth of the wrong claims
RMS = (0.8, 1.2)
FAR, FAR_SHARE = 3.0, 0.01
REFUSED, RMS_WT = 0.03, 0.6

Task = tuple[str, Any, float]  # part, name or seed, share of the counting or number of trials


def listed(quick: bool, seeds: int) -> list[Task]:
    """All the work: measured patterns first, then mixtures and wrong claims in turn."""
    names = [*WEIGHED, *CELLS] if cases.there() else []
    trials = TRIALS_QUICK if quick else TRIALS
    measured = [("measured", name, trials) for name in (names[:1] if quick else names)]
    chosen = range(tasks.FIRST, tasks.FIRST + seeds)
    mixtures = [("mixtures", seed, s) for seed in chosen for s in SHARES[: 2 - seed % 2]]
    claims = tasks.wrong_cases()[:: WRONG_QUICK if quick else 1]
    wrong = [("wrong", name, share) for name, *_ in claims for share in SHARES]
    turns = itertools.zip_longest(mixtures, wrong)
    return [*measured, *(task for turn in turns for task in turn if task is not None)]


def done(task: Task) -> tuple[Task, dict[str, Any]]:
    """One row, and the processor's seconds that it took."""
    part, name, number = task
    began = time.process_time()
    if part == "measured":
        row = tasks.measured(name, int(number))
    else:
        row = {"mixtures": tasks.mixture, "wrong": tasks.wrong}[part](name, number)
    return task, {**row, "seconds": time.process_time() - began}


def rows_of(
    work: Sequence[Task], workers: int, keep: Path | None, seconds: float
) -> dict[Task, dict[str, Any]]:
    """The rows of the work, those kept earlier first; what has not ended in time is left out."""
    kept = _kept(keep)
    rows = {task: kept[task] for task in work if task in kept}
    left = [task for task in work if task not in rows]
    ends = time.monotonic() + seconds
    with multiprocessing.get_context("fork").Pool(workers, maxtasksperchild=20) as pool:
        ended = pool.imap_unordered(done, left)
        for _ in left:
            try:
                task, row = ended.next(timeout=min(ends - time.monotonic(), ONE_S))
            except multiprocessing.TimeoutError:
                break
            rows[task] = row
            _add(keep, task, row)
    return rows


def _kept(keep: Path | None) -> dict[Task, dict[str, Any]]:
    if keep is None or not keep.exists():
        return {}
    lines = [json.loads(line) for line in keep.read_text(encoding="utf-8").splitlines()]
    return {tuple(line["task"]): line["row"] for line in lines}


def _add(keep: Path | None, task: Task, row: Mapping[str, Any]) -> None:
    if keep is not None:
        with keep.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"task": task, "row": row}, default=float) + "\n")


def results(
    quick: bool,
    workers: int = 2,
    seeds: int | None = None,
    keep: Path | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Everything that was tried; rows of numbers, verdicts and seconds."""
    began = time.perf_counter()
    work = listed(quick, seeds or (SEEDS_QUICK if quick else SEEDS))
    found = rows_of(work, workers, keep, seconds or (QUICK_S if quick else math.inf))
    rows: dict[str, list[dict[str, Any]]] = {"mixtures": [], "measured": [], "wrong": []}
    for (part, *_), row in found.items():
        rows[part].append(row)
    numbers = [p for part in ("mixtures", "measured") for row in rows[part] for p in row["pulls"]]
    return {
        "quick": quick,
        "seconds": time.perf_counter() - began,
        "left_out": len(work) - len(found),
        "summary": {kind: _summary(numbers, kind) for kind in ("weight", "cell")},
        "by_counting": {
            f"{share:g}": _by(rows["mixtures"], lambda row, s=share: row["counting"] == s)
            for share in SHARES
        },
        "sized": _by(rows["mixtures"], lambda row: row["sized"]),
        "verdicts": _verdicts(rows["mixtures"]),
        **rows,
    }


def _by(rows: Sequence[Mapping[str, Any]], keep: Callable[[Any], bool]) -> dict[str, Any]:
    kept = [p for row in rows if keep(row) for p in row["pulls"]]
    return {kind: _summary(kept, kind) for kind in ("weight", "cell")}


def _summary(rows: Sequence[Mapping[str, Any]], kind: str) -> dict[str, Any]:
    """The rms of error/esd, how many are far off, and the rms error [wt% or Å]."""
    kept = [row for row in rows if row["kind"] == kind]
    pull = np.array([row["pull"] for row in kept])
    if not kept:
        return {"count": 0}
    bare = [row["error"] / row["statistical"] for row in kept if row["statistical"]]
    return {
        "count": len(kept),
        "rms_pull": float(np.sqrt(np.mean(pull**2))),
        "rms_statistical_pull": float(np.sqrt(np.mean(np.square(bare)))) if bare else None,
        "far": float(np.mean(np.abs(pull) > FAR)),
        "largest": float(np.abs(pull).max()),
        "rms_error": float(np.sqrt(np.mean([row["error"] ** 2 for row in kept]))),
    }


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {}
    for row in rows:
        words = counted.setdefault(f"{row['counting']:g}", {})
        words[row["verdict"]] = words.get(row["verdict"], 0) + 1
    return counted


def targets(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each promise: name, value, target, ok."""
    return [
        {"name": name, "value": value, "target": target, "ok": bool(ok)}
        for name, value, target, ok in _rows(found)
    ]


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, bool]]:
    low, high = RMS
    # few mixtures scatter: the rms of n pulls is known to 1/√(2n)
    for kind, what in (("weight", "weights"), ("cell", "cell lengths")):
        got = found["summary"][kind]
        if not got["count"]:
            yield f"powder: {what}", 0, "some", False
            continue
        slack = 2 / math.sqrt(2 * got["count"]) if found["quick"] else 0.0
        name = f"powder: {got['count']} {what}, rms of error over combined esd"
        ok = low - slack <= got["rms_pull"] <= high + slack
        yield name, got["rms_pull"], f"{low:g} to {high:g}", ok
        yield (
            f"powder: {what} beyond {FAR:g} combined esds",
            got["far"],
            f"<= {FAR_SHARE:.0%}",
            got["far"] * got["count"] <= max(FAR_SHARE * got["count"], 1 if found["quick"] else 0),
        )
    accepted = [f"{row['name']} ({row['counting']:g})" for row in found["wrong"] if row["accepted"]]
    tried = len(found["wrong"])
    yield f"powder: wrong answers accepted, of {tried}", accepted or "none", "none", not accepted
    for share in SHARES:
        rows = [row for row in found["mixtures"] if row["counting"] == share]
        if share == 1:
            rows = [*rows, *found["measured"]]
        refused = sum(row["refused"] for row in rows) / max(len(rows), 1)
        yield (
            f"powder: right answers refused, {share:.0%} of the counting, {len(rows)} tried",
            refused,
            f"<= {REFUSED:.0%}",
            refused <= REFUSED,
        )
    weighed = [
        p["error"] for row in found["measured"] for p in row["pulls"] if p["kind"] == "weight"
    ]
    if weighed:
        rms = float(np.sqrt(np.mean(np.square(weighed))))
        name = "powder: weighed mixtures of the round robin, rms error"
        yield name, rms, f"<= {RMS_WT:g} wt%", rms <= RMS_WT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, help="simulated mixtures")
    parser.add_argument("--keep", type=Path, help="file of rows to go on from, a JSON a line")
    parser.add_argument("--seconds", type=float, help="after which it ends with what there is")
    given = parser.parse_args()
    found = results(given.quick, given.workers, given.seeds, given.keep, given.seconds)
    rows = targets(found)
    if given.json:
        print(json.dumps({"results": found, "targets": rows}, default=float))
        return
    for row in rows:
        print(f"{'ok ' if row['ok'] else 'MISSED'} {row['name']}: {row['value']} ({row['target']})")
    if found["left_out"]:
        print(f"not ended in time: {found['left_out']} of the rows")


if __name__ == "__main__":
    main()
