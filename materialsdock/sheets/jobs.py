"""From an entry of a sample sheet to its job, and to what a simulated beamline shows of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from materialsdock import technique
from materialsdock.campaign import analysis, build, prepare
from materialsdock.errors import MaterialsDockError
from materialsdock.formats.options import FileOptions
from materialsdock.formats.reading import facts
from materialsdock.model import Job, Sample, Scan
from materialsdock.profile.config import Profile
from materialsdock.sheets import planning, sheet_files
from materialsdock.sheets.entry import Fault, SheetEntry, refusal

FACTS = ("sample_id", "owner", "hazard", "comment")  # columns that a job keeps as they are

SAMPLE = "sample "  # before its id, the place of a fault where there is no sheet


def job_of(entry: SheetEntry, profile: Profile, profile_folder: Path, seed: int = 0) -> Job:
    """The job that measures and analyses an entry.

    Raises InputError when recipe, files or ranges of the entry do not make one.
    """
    plan = planning.planned(entry, profile, profile_folder)
    sheet = technique.named(plan.technique).sheet()
    metadata = {key: value for key in (*FACTS, *sheet.FACTS) if (value := getattr(entry, key))}
    structures = sheet.structures(entry, plan.profile)
    sample = Sample(entry.known_as, plan.technique, entry.position, structures, metadata)
    count_time_s = plan.said("count_time_s")
    job = prepare.job_for(
        planning.scan_of(plan),
        sample,
        plan.profile,
        stop=plan.stop,
        seed=seed,
        count_time_s=count_time_s,
    )
    more: dict[str, Any] = {"approval": profile.night.approval, "recipe": entry.recipe}
    if entry.replay is not None:
        more["replay"] = str(Path(entry.replay).resolve())
        measured = planning.read(entry.replay, plan.technique, plan.file_options)
        more["reading"] = facts(measured, Path(entry.replay), plan.file_options)
    return replace(job, settings={**job.settings, **more})


def scene_of(entry: SheetEntry, job: Job, profile: Profile) -> dict[str, Any] | None:
    """Return what the simulated beamline replays for an entry; None where nothing lies there.

    Raises InputError for a file that is no longer the one that the job began with.
    """
    if entry.replay is None or profile.simulated_by is None:
        return None
    asked = FileOptions.of(job.settings.get("reading", {}).get("asked", {}))
    measured = planning.read(entry.replay, job.sample.technique, asked)
    part = technique.named(job.sample.technique).scene()
    found: dict[str, Any] = part.scene(part.replayed(measured, job), job, profile)
    return found


def faults(entries: Sequence[SheetEntry], profile: Profile, profile_folder: Path) -> list[Fault]:
    """List what is wrong with any of them, found by making every job once."""
    sound: set[str] = set()
    return [f for e in entries for f in _faults(e, profile, profile_folder, sound)]


def check(entries: Sequence[SheetEntry], profile: Profile, profile_folder: Path) -> None:
    """Make every job once, before anything is queued; InputError lists the faults of all."""
    if found := faults(entries, profile, profile_folder):
        raise refusal(found, f"profile {profile.name}")


def read_sheet(
    path: Path,
    profile: Profile,
    profile_folder: Path,
    faults_of: Callable[[Sequence[SheetEntry], Profile, Path], Sequence[Fault]] = faults,
) -> tuple[SheetEntry, ...]:
    """The entries of a sheet that this instrument can measure.

    faults_of : judges the rows that are clean by themselves
    Raises InputError with every fault: of cells, and of what cannot be measured.
    """
    entries, found, places = sheet_files.examine(path)
    later = [
        _in_sheet(fault, places, (path.resolve().parent, profile_folder))
        for fault in faults_of(entries, profile, profile_folder)
    ]
    if found := (*found, *later):
        raise refusal(found, str(path))
    return entries


def _in_sheet(fault: Fault, places: Mapping[str, str], folders: Sequence[Path]) -> Fault:
    """A fault of an entry by its place in the sheet, files in `folders` named from there."""
    sample_id, reason = fault.place.removeprefix(SAMPLE), fault.reason
    for folder in folders:
        reason = reason.replace(f"{folder}/", "")
    return replace(fault, place=f"{places[sample_id]} ({sample_id})", reason=reason)


def _faults(
    entry: SheetEntry, profile: Profile, profile_folder: Path, sound: set[str]
) -> list[Fault]:
    """All faults of one entry; `sound` remembers settings that others had already."""
    at = f"{SAMPLE}{entry.sample_id}"
    faults = [Fault(at, column, None, words) for column, words in _place_faults(entry, profile)]

    def tried(column: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except MaterialsDockError as error:
            faults.append(Fault(at, column, None, str(error)))
            return None

    plan = tried("recipe", lambda: planning.planned(entry, profile, profile_folder))
    if plan is None:
        return faults
    sheet = technique.named(plan.technique).sheet()
    tried(sheet.STRUCTURES_IN, lambda: sheet.structures(entry, plan.profile))
    scan = None
    if entry.replay or profile.simulated_by is None:
        scan = tried("replay" if entry.replay else "range", lambda: planning.scan_of(plan))
    if scan is not None and (words := _limit_fault(scan, plan)):
        faults.append(Fault(at, "range", None, words))
    if not faults:
        job = tried("", lambda: job_of(entry, profile, profile_folder))
        if job is not None:
            tried("", lambda: _check_job(job, sound))
    return faults


def _place_faults(entry: SheetEntry, profile: Profile) -> Iterator[tuple[str, str]]:
    if profile.positions is not None and entry.position >= profile.positions:
        yield "position", f"{entry.position}: the changer has 0 to {profile.positions - 1}"
    if profile.simulated_by is None and entry.replay is not None:
        yield "replay", f"profile {profile.name!r} is a real instrument and replays nothing"
    if profile.simulated_by is not None and entry.replay is None:
        yield "replay", "is missing: the simulated beamline replays a measured file"


def _limit_fault(scan: Scan, plan: planning.Plan) -> str:
    limits = plan.profile.section(plan.technique).limits
    if limits is None or (limits[0] <= scan.x[0] and scan.x[-1] <= limits[1]):
        return ""
    return (
        f"{scan.x[0]:g} to {scan.x[-1]:g} is beyond the limits of the axis, "
        f"{limits[0]:g} to {limits[1]:g}"
    )


def _check_job(job: Job, sound: set[str]) -> None:
    """Build learner, rule and analysis once for all jobs that differ in nothing they look at."""
    names = [structure.name for structure in job.sample.structures]
    looked_at: Mapping[str, Any] = {k: v for k, v in job.settings.items() if k != "replay"}
    said = json.dumps([looked_at, names, job.sample.metadata.get("composition")], sort_keys=True)
    key = hashlib.sha256(said.encode()).hexdigest()
    if key in sound:
        return
    build.check(job)
    analysis.check(job)
    sound.add(key)
