"""The display for a person while a job runs: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from materialsdock.model import Decision, Job, Trial
from materialsdock.protocols import RunWatch

LINE_EVERY_S = 2.0


@contextmanager
def display(job: Job) -> Iterator[RunWatch]:
    """A Watch that shows stages, measured share of the full scan, λ against its threshold, Rwp."""
    console = Console(stderr=True)
    full = float(job.settings["full_scan"]["seconds"])
    search = job.settings.get("analysis", {})
    trials = int(search.get("trials", 0)) * len(search.get("seeds", (0,)))
    if not console.is_terminal:
        yield _plain(full, trials)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _live(progress, full, trials)


def _measured_note(decision: Decision, full: float) -> str:
    share = decision.seconds_measured / full
    if decision.lambda_t is None:
        stop = "error ratio λ not known yet"
    else:
        limit = decision.verdict.threshold
        stop = f"error ratio λ {decision.lambda_t:.3f}"
        stop += "" if limit is None else f" (stops at {limit:.3f})"
    return f"step {decision.step + 1}: {share:.0%} of the full scan's time, {stop}"


def _words(best: Trial | None) -> str:
    """The best of the search, whose answer is refined further: its Rwp is another number."""
    if best is None or best.rwp is None:
        return "no acceptable trial yet"
    return f"best trial so far: Rwp {best.rwp:.2f} %, before the final fit"


def _better(best: Trial | None, trial: Trial) -> Trial | None:
    """The better of two, by what the search goes by, of trials that could be the answer."""
    if trial.rwp is None or trial.violations:
        return best
    return trial if best is None or _rank(trial) < _rank(best) else best


def _rank(trial: Trial) -> float:
    found = trial.rwp if trial.objective is None else trial.objective
    return math.inf if found is None else found


def _live(progress: Progress, full: float, trials: int) -> RunWatch:
    task = progress.add_task("starting", total=None, note="")
    best: list[Trial | None] = [None]

    def stage(words: str) -> None:
        nonlocal task
        progress.update(task, total=1.0, completed=1.0)
        total = {"measuring": full, "refining": float(trials)}.get(words)
        task = progress.add_task(words, total=total, note="")

    def decision(d: Decision) -> None:
        note = _measured_note(d, full)
        progress.update(task, completed=d.seconds_measured, note=note)

    def trial(t: Trial) -> None:
        best[0] = _better(best[0], t)
        progress.update(task, advance=1.0, note=_words(best[0]))

    return RunWatch(stage, decision, trial)


def _plain(full: float, trials: int) -> RunWatch:
    last, ended = [0.0], [0]
    best: list[Trial | None] = [None]

    def say(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    def decision(d: Decision) -> None:
        if d.verdict.stop or time.monotonic() - last[0] > LINE_EVERY_S:
            last[0] = time.monotonic()
            say(f"  {_measured_note(d, full)}")

    def trial(t: Trial) -> None:
        best[0] = _better(best[0], t)
        ended[0] += 1
        if time.monotonic() - last[0] > LINE_EVERY_S or ended[0] == trials:
            last[0] = time.monotonic()
            say(f"  trial {ended[0]} of {trials}: {_words(best[0])}")

    return RunWatch(say, decision, trial)
