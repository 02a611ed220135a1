"""The work of each command, between the words of the command line and the runner."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from materialsdock import technique
from materialsdock.campaign import analysis, build, option_words, prepare
from materialsdock.campaign.interrupted import Interrupted, interrupted
from materialsdock.campaign.run import measure as run_measure
from materialsdock.cli.progress import display
from materialsdock.cli.request import MeasureRequest
from materialsdock.errors import InputError, Refused
from materialsdock.formats import read_measured
from materialsdock.formats.reading import facts
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.queries import listed_jobs
from materialsdock.model import Job, Measured, Outcome, Sample
from materialsdock.profile import config
from materialsdock.profile.simulation import running, save_scene
from materialsdock.views.explain import sentences
from materialsdock.views.report import overview, summary_json, write_report

ENDING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Shown:
    """The result of a command, for the user: the outcome, and the page that shows it."""

    outcome: Outcome
    report: Path
    data: DataDirectory = field(repr=False)


def read_sample(path: Path, name: str | None, request: MeasureRequest) -> tuple[Measured, Sample]:
    """The measured file and the sample it stands for, named after the file.

    name : of the technique; None: as the file shows
    """
    measured = read_measured(path, name, request.reading)
    structures = ()
    if own := request.own.get(measured.technique):
        structures = technique.named(measured.technique).options().structures(own)
    return measured, Sample(path.stem, measured.technique, 0, structures)


def replay(
    request: MeasureRequest, measured: Measured, sample: Sample, source: Path | None = None
) -> Shown:
    """Measure `sample` on the simulated beamline, which replays `measured`."""
    request.check(measured, sample)
    profile, site = request.load()
    job = prepare.job_for(
        measured,
        sample,
        profile,
        stop=option_words.stop_options(request.stop),
        seed=request.seed,
        count_time_s=request.count_time_s,
    )
    build.check(job)
    analysis.check(job)
    data = DataDirectory(request.out)
    scene = data.scenes / f"{job.job_id}.npz"
    save_scene(scene, technique=sample.technique, **prepare.scene(measured, job, profile))
    job = replace(job, settings={**job.settings, "scene": str(scene.resolve())})
    if source is not None:
        read = facts(measured, source, request.reading)
        more = {"replay": str(source.resolve()), "reading": read}
        job = replace(job, settings={**job.settings, **more})
    return _carry_out(job, job, profile, site, data, request)


def resume(request: MeasureRequest, job_id: str) -> Shown:
    """Go on with a job of the ledger where it stopped.

    Sample, structures and what was to be measured are those it began with; how it is analysed may
    be asked for anew.  Raises InputError for what cannot be changed, and for a job that measured
    nothing.
    """
    option_words.unchangeable(request.given)
    with _existing_ledger(request.out) as ledger:
        job = ledger.job(job_id)
        counted = ledger.observations(job_id)
    if "scene" not in job.settings:
        raise InputError(
            "this job refined a file, it has no measurement to go on with",
            where=job_id,
            remedy="go on with `materialsdock refine FILE --resume`",
        )
    request = replace(request, profile=job.settings["profile"], seed=job.seed)
    request.check_resumed(job.sample)
    data = DataDirectory(request.out)
    job = analysis.with_analysis(job, request.of_analysis)
    analysis.check(job)
    profile, site = request.load()
    scene = Path(job.settings["scene"])
    if not scene.is_file():
        raise InputError(
            f"the file {scene}, which the simulated beamline replays, is gone",
            where=job_id,
            remedy="begin a new measurement with --replay FILE",
        )
    prepare.mark_counted(scene, job, counted)
    return _carry_out(job, job_id, profile, site, data, request)


def _carry_out(
    job: Job,
    what: Job | str,
    profile: config.Profile,
    site: Path,
    data: DataDirectory,
    request: MeasureRequest,
) -> Shown:
    with _beamline(job, profile, site, request), display(job) as watch:
        print(f"job {job.job_id}", file=sys.stderr, flush=True)
        try:
            outcome = run_measure(what, profile, data, watch, request.of_analysis)
        except (Interrupted, KeyboardInterrupt):  # while measuring, or before or after that
            raise interrupted(job.job_id, request.out) from None
    report = write_report(outcome, data.reports / f"{job.job_id}.html")
    return Shown(outcome, report, data)


@contextmanager
def _beamline(
    job: Job, profile: config.Profile, site: Path, request: MeasureRequest
) -> Iterator[None]:
    simulation = profile.simulated_by
    if simulation is None:
        raise Refused(
            f"profile {profile.name!r} is a real instrument and cannot replay a file",
            where="--replay",
            remedy="choose a profile with simulated = true",
        )
    with running(
        simulation.module,
        site,
        {job.sample.position: Path(job.settings["scene"])},
        prefix=simulation.prefix,
        speed=request.speed or simulation.speed,
        seed=job.seed,
    ):
        yield


def _existing_ledger(out: Path) -> Ledger:
    if not (out / "ledger.sqlite").is_file():
        raise InputError(
            f"no ledger in {out}", where="--out", remedy="name the data folder of a measurement"
        )
    return Ledger(out / "ledger.sqlite")


def explain(out: Path, job_id: str) -> list[str]:
    """One sentence for each decision of a job of the ledger."""
    with _existing_ledger(out) as ledger:
        job, decisions = ledger.job(job_id), ledger.decisions(job_id)
    if not decisions:
        raise InputError(
            "this job has no decisions yet",
            where=job_id,
            remedy=f"go on with `materialsdock measure --resume {job_id}`",
        )
    objective = job.settings.get("learner", {}).get("objective", "peaks")
    return sentences(decisions, job.settings["axis"]["unit"], objective)


def list_jobs(out: Path) -> list[dict[str, Any]]:
    """Every job of a data folder and how far it came."""
    with _existing_ledger(out) as ledger:
        return [
            {
                "job_id": job.job_id,
                "sample": job.name,
                "technique": job.technique,
                "steps": job.steps,
                "state": "done" if job.finished else "unfinished",
            }
            for job in listed_jobs(ledger)
        ]


def sim_up(request: MeasureRequest, port: int, as_json: bool) -> None:
    """Serve the simulated beamline with the demonstration's two samples until interrupted."""
    from materialsdock.campaign.demo import scenes

    profile, site = request.load()
    simulation = profile.simulation
    if simulation is None:
        raise Refused(f"profile {profile.name!r} has no [simulation] section")
    with (
        scenes(profile) as files,
        running(
            simulation.module,
            site,
            files,
            prefix=simulation.prefix,
            speed=request.speed or simulation.speed,
            seed=request.seed,
            port=port,
        ) as beamline,
    ):
        # whoever reads that it is up may end it at once
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        facts = {"port": beamline.port, "prefix": simulation.prefix, "pid": beamline.pid}
        print(
            json.dumps(facts)
            if as_json
            else f"simulated beamline {simulation.prefix}* on port {beamline.port}; for a client:\n"
            f"  export EPICS_CA_ADDR_LIST=127.0.0.1 EPICS_CA_AUTO_ADDR_LIST=NO "
            f"EPICS_CA_SERVER_PORT={beamline.port}\nCtrl-C ends it",
            flush=True,
        )
        signal.sigwait(ENDING)


def show(shown: Shown, as_json: bool) -> None:
    """Print the outcome: one JSON object, or what a person wants to read first."""
    summary = summary_json(shown.outcome)
    if as_json:
        print(json.dumps({**summary, "report": str(shown.report)}, allow_nan=False))
        return
    print(overview(shown.outcome))
    print(f"report: {shown.report}")
