"""The command `refine`: a measured pattern, its structures, and how to search for the recipe."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from materialsdock import technique
from materialsdock.campaign import analysis, option_words, prepare
from materialsdock.campaign.interrupted import Interrupted
from materialsdock.cli.measure_command import Shown
from materialsdock.cli.progress import display
from materialsdock.cli.request import MeasureRequest
from materialsdock.errors import InputError
from materialsdock.formats.reading import facts
from materialsdock.knowledge.past_searches import searches
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import keep_outcome
from materialsdock.model import Job, Measured, Outcome, Sample
from materialsdock.protocols import RunWatch
from materialsdock.views.report import overview, summary_json, write_report

TRIALS = 50
SEARCHES = "searches.log"


def refine(
    request: MeasureRequest, measured: Measured, sample: Sample, source: Path
) -> tuple[Shown, Mapping[str, Path | None]]:
    """Refine a measured pattern without measuring; the outcome shown, and files written by kind.

    The search begins with what earlier ones in the data folder found, and is kept there for later
    ones.  request : own options are those of the technique's part `refine`
    """
    part, own = _part(sample.technique), request.own[sample.technique]
    option_words.fitting(sample.technique, request.of_techniques)
    profile, _ = request.load()
    sample = part.described(own, sample, profile)
    data = DataDirectory(request.out)
    job = prepare.job_for(measured, sample, profile, seed=request.seed)
    asked = {**_asked(job, request, data), **part.settings(own, sample, request.seed)}
    read = facts(measured, source, request.reading)
    job = replace(job, settings={**job.settings, "analysis": asked, "reading": read})
    analysis.check(job)
    with display(job) as watch:
        try:
            outcome = _kept(job, measured, data, watch)
        except KeyboardInterrupt:
            raise _interrupted(sample.name) from None
    report = write_report(outcome, data.reports / f"{job.job_id}.html")
    return Shown(outcome, report, data), part.write(outcome, data.reports / job.job_id)


def _interrupted(name: str) -> Interrupted:
    remedy = "repeat the command with --resume to go on with the search"
    return Interrupted("stopped by Ctrl-C or SIGTERM", where=name, remedy=remedy)


def _part(name: str) -> Any:
    refine = technique.named(name).refine
    if refine is None:
        refining = [key for key, each in technique.known().items() if each.refine is not None]
        raise InputError(
            f"{technique.named(name).title} cannot be refined",
            where="refine",
            remedy=f"name a file of a technique that is refined: {', '.join(refining) or 'none'}",
        )
    return refine()


def _kept(job: Job, measured: Measured, data: DataDirectory, watch: RunWatch) -> Outcome:
    """The outcome of the refinement; job and outcome are in the ledger."""
    with Ledger(data.ledger) as ledger:
        past = searches(ledger, job.sample.technique)
        outcome = analysis.refine_full(job, measured, watch.stage, watch.trial, past)
        ledger.add_job(job)
        keep_outcome(ledger, outcome)
    return outcome


def _asked(job: Job, request: MeasureRequest, data: DataDirectory) -> dict[str, Any]:
    asked = dict(job.settings["analysis"])
    kept = (data.reports.parent / SEARCHES).resolve()
    return {
        **asked,
        "trials": request.trials or TRIALS,
        "workers": request.workers or os.cpu_count() or asked["workers"],
        "storage": asked.get("storage") or f"journal://{kept}",
    }


def show(shown: Shown, written: Mapping[str, Path | None], as_json: bool) -> None:
    """Print the outcome: one JSON object, or what a person wants to read first."""
    files = {kind: path and str(path) for kind, path in written.items()}
    if as_json:
        said = {**summary_json(shown.outcome), "report": str(shown.report), **files}
        print(json.dumps(said, allow_nan=False))
        return
    print(overview(shown.outcome))
    print(f"report: {shown.report}")
    for kind, path in files.items():
        if path is not None:
            print(f"{kind.upper()}: {path}")
