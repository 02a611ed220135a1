"""What each command does, between the words of the command line and the runner."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from materialsdock import building, config, options, prepare, siteroot
from materialsdock.errors import InputError, Refused
from materialsdock.explain import sentences
from materialsdock.formats import Measured, read_measured
from materialsdock.learning import library
from materialsdock.ledger import Ledger
from materialsdock.model import Job, Outcome, Sample, Technique
from materialsdock.progress import display
from materialsdock.report import overview, summary_json, write_report
from materialsdock.runner import DataDirectory
from materialsdock.runner import measure as run_measure
from materialsdock.simulation import running, save_scene


@dataclass(frozen=True)
class Request:
    """What the user asked for, apart from the sample; None means: as the profile says."""

    profile: str = "sim"
    site: Path | None = None
    out: Path = Path("materialsdock-data")
    stop: Sequence[str] = ()
    trials: int | None = None
    workers: int | None = None
    speed: float | None = None
    seed: int = 0
    count_time_s: float | None = None
    objective: str | None = None
    wanted: Sequence[str] = ()
    esd: float | None = None
    prior: Path | None = None
    standards: Sequence[Path] = ()
    regions: Sequence[str] = ()

    @property
    def given(self) -> tuple[str, ...]:
        """The options that say what a job is to do."""
        words = {
            "--stop": self.stop,
            "--count-time": self.count_time_s,
            "--objective": self.objective,
            "--wanted": self.wanted,
            "--esd": self.esd,
            "--prior": self.prior,
            "--standards": self.standards,
            "--region": self.regions,
        }
        return tuple(word for word, value in words.items() if value not in (None, (), []))

    def check(self, measured: Measured, sample: Sample) -> None:
        """Refuse, all at once, options that say nothing or nothing of this sample."""
        cif = ("--cif",) if sample.structures else ()
        checks: list[Callable[[], object]] = [
            partial(options.fitting, sample.technique, (*cif, *self.given)),
            partial(options.stop_options, self.stop),
        ]
        if sample.technique == "xas":
            scan = float(measured.x[0]), float(measured.x[-1])
            checks.append(partial(options.regions, self.regions, scan))
        xrd = config.load(self.profile, siteroot.activate(self.site)).xrd
        if xrd is not None:
            objective = self.objective or xrd.objective
            checks.append(partial(options.aim, objective, self.wanted, self.esd))
        if self.prior is not None:
            named = self.prior
            checks.append(lambda: library.load(self._prior_file(named)))
        options.together(*checks)

    def load(self) -> tuple[config.Profile, Path]:
        """The profile with the request's changes, and the active site."""
        site = siteroot.activate(self.site)
        profile = config.load(self.profile, site)
        changes = {"trials": self.trials, "workers": self.workers}
        wanted = {key: value for key, value in changes.items() if value is not None}
        analysis_section = profile.analysis.model_copy(update={**wanted, "seeds": (self.seed,)})
        changed = {"analysis": analysis_section, **self._goals(profile)}
        return profile.model_copy(update=changed), site

    def _prior_file(self, named: Path) -> Path:
        folder = siteroot.find(self.site) / "profiles" / self.profile
        return config.prior_file(named, folder, Path())

    def _goals(self, profile: config.Profile) -> dict[str, Any]:
        """The technique sections with what the user wants to know instead of the profile's."""
        # another objective does not keep what the profile wants of its own
        wanted = self.wanted or (None if self.objective is None else ())
        goals: dict[str, Any] = {
            "objective": self.objective,
            "wanted": wanted,
            "wanted_esd": self.esd,
        }
        sections: dict[str, dict[str, Any]] = {
            "xrd": goals,
            "xas": {
                "standards": tuple(self.standards) or None,
                "prior": self.prior and self._prior_file(self.prior),
                "regions": options.regions(self.regions) or None,
            },
        }
        found = {}
        for name, changes in sections.items():
            section = getattr(profile, name)
            asked = {key: value for key, value in changes.items() if value is not None}
            if section is not None and asked:
                found[name] = config.changed(section, asked)
        return found


@dataclass(frozen=True)
class Shown:
    """What a command hands to the user: the outcome, and the page that shows it."""

    outcome: Outcome
    report: Path
    data: DataDirectory = field(repr=False)


def read_sample(
    path: Path, cifs: Sequence[Path], orientations: Sequence[str], technique: Technique | None
) -> tuple[Measured, Sample]:
    """The measured file and the sample it stands for, named after the file."""
    measured = read_measured(path, technique)
    structures = options.structures(cifs, orientations)
    return measured, Sample(path.stem, measured.technique, 0, structures)


def replay(
    request: Request, measured: Measured, sample: Sample, source: Path | None = None
) -> Shown:
    """Measure `sample` on the simulated beamline, which replays `measured`."""
    request.check(measured, sample)
    profile, site = request.load()
    job = prepare.job_for(
        measured,
        sample,
        profile,
        stop=options.stop_options(request.stop),
        seed=request.seed,
        count_time_s=request.count_time_s,
    )
    building.check(job)
    data = DataDirectory(request.out)
    scene = data.scenes / f"{job.job_id}.npz"
    save_scene(scene, technique=sample.technique, **prepare.scene(measured, job, profile))
    job = replace(job, settings={**job.settings, "scene": str(scene.resolve())})
    if source is not None:
        job = replace(job, settings={**job.settings, "replay": str(source.resolve())})
    return _carry_out(job, job, profile, site, data, request)


def resume(request: Request, job_id: str) -> Shown:
    """Go on with a job of the ledger where it stopped; it keeps its own options."""
    options.unchangeable(request.given)
    data = DataDirectory(request.out)
    with Ledger(data.ledger) as ledger:
        job = ledger.job(job_id)
        counted = ledger.observations(job_id)
    profile, site = replace(request, profile=job.settings["profile"], seed=job.seed).load()
    scene = Path(job.settings["scene"])
    if not scene.is_file():
        raise InputError(f"the scene {scene} is gone", where=job_id, remedy="measure it anew")
    prepare.mark_counted(scene, job, counted)
    return _carry_out(job, job_id, profile, site, data, request)


def _carry_out(
    job: Job,
    what: Job | str,
    profile: config.Profile,
    site: Path,
    data: DataDirectory,
    request: Request,
) -> Shown:
    with _beamline(job, profile, site, request), display(job) as watch:
        print(f"job {job.job_id}", file=sys.stderr, flush=True)
        outcome = run_measure(what, profile, data, watch)
    report = write_report(outcome, data.reports / f"{job.job_id}.html")
    return Shown(outcome, report, data)


@contextmanager
def _beamline(job: Job, profile: config.Profile, site: Path, request: Request) -> Iterator[None]:
    simulation = profile.simulation
    if simulation is None:
        raise Refused(
            f"profile {profile.name!r} is a real instrument and cannot replay a file",
            where="--replay",
            remedy="choose a profile with a [simulation] section",
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
        raise InputError(f"no ledger in {out}", where="--out", remedy="name a data folder")
    return Ledger(out / "ledger.sqlite")


def explain(out: Path, job_id: str) -> list[str]:
    """One sentence for each decision of a job of the ledger."""
    with _existing_ledger(out) as ledger:
        job, decisions = ledger.job(job_id), ledger.decisions(job_id)
    if not decisions:
        raise InputError("nothing has been decided yet", where=job_id, remedy="resume the job")
    objective = job.settings.get("learner", {}).get("objective", "peaks")
    return sentences(decisions, job.settings["axis"]["unit"], objective)


def list_jobs(out: Path) -> list[dict[str, Any]]:
    """Every job of a data folder and how far it came."""
    with _existing_ledger(out) as ledger:
        return [
            {
                "job_id": job.job_id,
                "sample": job.sample.name,
                "technique": job.sample.technique,
                "steps": len(ledger.decisions(job.job_id)),
                "state": "done" if ledger.outcome(job.job_id) else "unfinished",
            }
            for job in ledger.jobs()
        ]


def sim_up(request: Request, port: int, as_json: bool) -> None:
    """Serve the simulated beamline with the demonstration's two samples until interrupted."""
    from materialsdock.demo import scenes

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
        facts = {"port": beamline.port, "prefix": simulation.prefix, "pid": beamline.pid}
        print(
            json.dumps(facts)
            if as_json
            else f"simulated beamline {simulation.prefix}* on port {beamline.port}; for a client:\n"
            f"  export EPICS_CA_ADDR_LIST=127.0.0.1 EPICS_CA_AUTO_ADDR_LIST=NO "
            f"EPICS_CA_SERVER_PORT={beamline.port}\nCtrl-C ends it",
            flush=True,
        )
        _until_interrupted()


def _until_interrupted() -> None:
    signals = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    signal.sigwait(signals)


def show(shown: Shown, as_json: bool) -> None:
    """Print the outcome: one JSON object, or what a person wants to read first."""
    summary = summary_json(shown.outcome)
    if as_json:
        print(json.dumps({**summary, "report": str(shown.report)}, allow_nan=False))
        return
    print(overview(shown.outcome))
    print(f"report: {shown.report}")
