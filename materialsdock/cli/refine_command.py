"""The command `refine`: a measured pattern, its structures, and how to search for the recipe."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from materialsdock.campaign import analysis, option_words, prepare
from materialsdock.campaign.run import DataDirectory
from materialsdock.cli.measure_command import Request, Shown
from materialsdock.cli.progress import display
from materialsdock.errors import InputError
from materialsdock.knowledge.past_searches import searches
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import keep_outcome
from materialsdock.model import Job, Measured, Outcome, Sample
from materialsdock.protocols import Watch
from materialsdock.techniques.xrd.report.cif import write_cif
from materialsdock.techniques.xrd.search.quantify import Standard, check_standard
from materialsdock.views.report import overview, summary_json, write_report

SEEDS = 3
TRIALS = 50
SEARCHES = "searches.log"


@dataclass(frozen=True)
class How:
    """How to refine; None means: as the profile says, or the defaults here.

    seeds : studies beside each other; range : 2θ limits [deg]; resume : go on with the stored
    search of the same data, structures and range
    texture : "evidence" looks for a preferred orientation, "request" refines those asked for
    standard : a phase of known weight, which tells the amorphous content
    particle_sizes : NAME=UM of every phase, to correct for micro-absorption
    """

    seeds: int = SEEDS
    range: tuple[float, float] | None = None
    resume: bool = False
    texture: str = "evidence"
    standard: Standard | None = None
    particle_sizes: Sequence[str] = ()


def refine(
    request: Request, how: How, measured: Measured, sample: Sample
) -> tuple[Shown, Path | None]:
    """Refine a measured pattern without measuring; the outcome shown, and the CIF written.

    The search begins with what earlier ones in the data folder found, and is kept there for later
    ones.  No CIF is written where phases were sought in a store and none matched.
    """
    request.check_store(sample)
    if how.standard is not None:
        check_standard(how.standard, tuple(s.name for s in sample.structures))
    structures = option_words.particle_sizes(how.particle_sizes, sample.structures)
    sample = replace(sample, structures=structures)
    profile, _ = request.load()
    if not sample.structures and not profile.analysis.store:
        raise InputError(
            "no structure to refine",
            where="--cif",
            remedy="name a CIF file, or a structure store with --store",
        )
    data = DataDirectory(request.out)
    job = prepare.job_for(measured, sample, profile, seed=request.seed)
    job = replace(job, settings={**job.settings, "analysis": _asked(job, request, how, data)})
    analysis.check(job)
    with display(job) as watch:
        outcome = _kept(job, measured, data, watch)
    report = write_report(outcome, data.reports / f"{job.job_id}.html")
    cif = data.reports / f"{job.job_id}.cif"
    return Shown(outcome, report, data), write_cif(outcome, cif) if outcome.found.fit else None


def _kept(job: Job, measured: Measured, data: DataDirectory, watch: Watch) -> Outcome:
    """The outcome of the refinement; job and outcome are in the ledger."""
    with Ledger(data.ledger) as ledger:
        past = searches(ledger, job.sample.technique)
        outcome = analysis.refine_full(job, measured, watch.stage, watch.trial, past)
        ledger.add_job(job)
        keep_outcome(ledger, outcome)
    return outcome


def _asked(job: Job, request: Request, how: How, data: DataDirectory) -> dict[str, Any]:
    asked = dict(job.settings["analysis"])
    kept = (data.reports.parent / SEARCHES).resolve()
    return {
        **asked,
        "trials": request.trials or TRIALS,
        "seeds": [request.seed + i for i in range(how.seeds)],
        "workers": request.workers or os.cpu_count() or asked["workers"],
        "range": how.range,
        "storage": asked.get("storage") or f"journal://{kept}",
        "resume": how.resume,
        "texture": how.texture,
        "standard": None if how.standard is None else asdict(how.standard),
    }


def show(shown: Shown, cif: Path | None, as_json: bool) -> None:
    """Print the outcome: one JSON object, or what a person wants to read first."""
    if as_json:
        said = {**summary_json(shown.outcome), "report": str(shown.report), "cif": cif and str(cif)}
        print(json.dumps(said, allow_nan=False))
        return
    print(overview(shown.outcome))
    print(f"report: {shown.report}")
    if cif is not None:
        print(f"CIF: {cif}")
