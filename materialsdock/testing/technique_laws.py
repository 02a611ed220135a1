"""Laws that every technique must keep before it has measured anything, those behind the seam.

Needs neither pytest nor hypothesis, and no beamline.  A technique is put to the laws as a
`Subject`, with a profile that has its section, and with what its detector would show:

    subject = Subject(technique.named("reflection"), profile, read)
    for law in LAWS:
        law(subject)

`outcome_laws` go on from there: a whole measurement, its analysis, its report and its files.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from materialsdock import technique
from materialsdock.errors import DeviceFault, InputError
from materialsdock.formats.columns import read_columns
from materialsdock.formats.lines import Lines
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.model import (
    Axis,
    Evidence,
    FloatArray,
    Job,
    Measured,
    Observation,
    Sample,
    Scan,
)
from materialsdock.profile.config import Profile
from materialsdock.profile.sections import Measuring
from materialsdock.protocols import Counted, Learner, Observer, Reading
from materialsdock.technique import Technique
from materialsdock.testing import learner_laws, technique_parts
from materialsdock.testing.checks import near, refused

Read = Callable[[float, float, np.random.Generator], Reading]
NO_COUNTS = (math.nan, math.inf, -1.0)
NOBODY = "no-such-key"


@dataclass(frozen=True)
class Subject:
    """A technique, an instrument that has it, and what that instrument records.

    read : (position, seconds, generator) -> the data of one event, as `keys` name them
    measured, sample : what is measured; None: the technique's demonstration
    steps : how many steps the laws of learners watch
    files : text of files of this technique, which no other may take for its own
    """

    technique: Technique
    profile: Profile
    read: Read
    measured: Measured | None = None
    sample: Sample | None = None
    steps: int = 40
    files: tuple[str, ...] = ()

    @cached_property
    def what(self) -> tuple[Measured, Sample]:
        """The scan that a job stands in for, and the sample."""
        shown, sample = self.technique.demo()()
        return self.measured or shown, self.sample or sample

    def job(self, **options: Any) -> Job:
        """A job of it; options as the job module takes them."""
        measured, sample = self.what
        part = self.technique.job()
        asked = {"stop": {}, **options}
        found: Job = part.job(part.scan_of(measured), sample, self.profile, **asked)
        return found

    @property
    def observer(self) -> Observer:
        """The observer of a job of it, which remembers nothing yet."""
        return self.technique.observer(self.job())

    def count(
        self, x: FloatArray, seconds: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Return what the learner receives for positions (n,): y (n,) and sigma (n,)."""
        observe = self.observer
        found = [observe(self.read(at, seconds, rng)) for at in x.tolist()]
        return np.array([c.y for c in found]), np.array([c.sigma for c in found])


# -- what it is made of --------------------------------------------------------------------------


def it_is_installed_under_its_name(subject: Subject) -> None:
    """Its entry point gives this very technique."""
    found = subject.technique
    assert technique.named(found.name) == found
    for fact in (found.name, found.title, found.unit, found.symbol, found.counter):
        assert fact.strip(), found
    assert len({found.keys.position, found.keys.signal, found.keys.monitor}) == 3


def every_part_has_its_names(subject: Subject) -> None:
    """Modules where the seam says module, with functions that take what they will be given."""
    assert not [*technique_parts.faults(subject.technique)]


# -- what people say -----------------------------------------------------------------------------


def its_section_says_how_it_is_measured(subject: Subject) -> None:
    """A frozen section with plans and motion, which refuses keys that it does not know."""
    section = subject.technique.section()
    assert issubclass(section, Measuring)
    found = subject.profile.section(subject.technique.name)
    assert type(found) is section
    said = found.model_dump()
    assert section.model_validate(said) == found
    try:
        section.model_validate({**said, NOBODY: 1})
    except ValidationError:
        return
    raise AssertionError(f"{section.__name__} takes a key that it does not know")


def a_row_may_leave_out_its_columns(subject: Subject) -> None:
    """A sheet without a single column of the technique contradicts nothing."""
    sheet = subject.technique.sheet()
    for kind in (sheet.Columns, sheet.RecipeKeys):
        assert issubclass(kind, BaseModel)
        kind.model_validate({})
    assert not [*sheet.contradictions(sheet.Columns.model_validate({}))]


def without_options_nothing_changes(subject: Subject) -> None:
    """Ask for nothing, and get what the profile says."""
    options, (measured, sample) = subject.technique.options(), subject.what
    assert is_dataclass(options.Options)
    assert isinstance(options.Options, type)
    asked, folder = options.Options(), Path()
    for check in options.checks(asked, measured, sample, subject.profile, folder):
        check()
    assert not options.changes(asked, folder)
    assert not options.of_analysis(asked)
    assert not options.structures(asked)
    assert set(options.ANEW) <= {field.name for field in fields(options.Options)}


# -- files ---------------------------------------------------------------------------------------


def it_takes_its_own_scan(subject: Subject) -> None:
    """Bare columns that it measured are, on request, a scan of its own with the same numbers."""
    measured, _ = subject.what
    lines = as_lines(measured)
    columns = replace(read_columns(lines), technique=subject.technique.name)
    found = subject.technique.formats().checked(columns, lines)
    assert isinstance(found, Measured)
    assert subject.technique.name == found.technique
    np.testing.assert_allclose(found.x, measured.x)
    np.testing.assert_allclose(found.y, measured.y)


def it_never_claims_the_scan_of_another(subject: Subject) -> None:
    """Bare columns of any other technique, as its demonstration measures them."""
    for name, other in technique.known().items():
        if name == subject.technique.name:
            continue
        measured, _ = other.demo()()
        lines, formats = as_lines(measured), subject.technique.formats()
        assert formats.read(lines) is None, f"bare columns of {name}"
        assert not formats.is_mine(read_columns(lines)), f"bare columns of {name}"


def no_other_claims_its_files(subject: Subject) -> None:
    """Files in its own format are read by it, and by nobody else."""
    for text in subject.files:
        lines = Lines("its own", text.splitlines())
        assert _read_by(subject.technique, lines), text[:60]
        formats, name = subject.technique.formats(), subject.technique.name
        found = replace(formats.read(lines), technique=name)
        assert name == formats.checked(found, lines).technique
        for name, other in technique.known().items():
            if name != subject.technique.name:
                assert not _read_by(other, lines), f"{name} reads {text[:60]!r}"


def _read_by(other: Technique, lines: Lines) -> bool:
    try:
        found = other.formats().read(lines)
    except InputError:
        return False
    return found is not None and found.technique in ("", other.name)


def as_lines(measured: Measured) -> Lines:
    """A scan as a file of two columns."""
    rows = zip(measured.x.tolist(), measured.y.tolist(), strict=True)
    return Lines("columns", [f"{x!r} {y!r}" for x, y in rows])


# -- events --------------------------------------------------------------------------------------


def an_event_becomes_finite_numbers(subject: Subject) -> None:
    """Position, value, a positive sd and the count time of what the detector shows."""
    measured, _ = subject.what
    at = float(measured.x[measured.x.size // 2])
    found = subject.observer(subject.read(at, 0.5, np.random.default_rng(0)))
    assert isinstance(found, Counted)
    assert all(math.isfinite(value) for value in found), found
    assert near(found.x, at, abs=1e-3)
    assert found.sigma > 0
    assert near(found.count_time_s, 0.5)


def impossible_counts_are_a_fault_of_the_device(subject: Subject) -> None:
    """Counts that no counter can have shown are a DeviceFault and no observation."""
    measured, _ = subject.what
    fair = subject.read(float(measured.x[0]), 1.0, np.random.default_rng(0))
    keys = subject.technique.way(subject.job()).keys
    for value in NO_COUNTS:
        with refused(DeviceFault):
            subject.observer({**fair, keys.signal: value})


# -- the job -------------------------------------------------------------------------------------


def its_job_is_plain_json(subject: Subject) -> None:
    """Settings that the ledger gives back as they were, with all that others ask of them."""
    job = subject.job()
    again = json.loads(json.dumps(dict(job.settings), allow_nan=False))
    axis = Axis.of(again["axis"])
    measured, sample = subject.what
    assert axis.unit == subject.technique.unit
    assert axis.grid[0] >= measured.x[0] - axis.resolution
    assert axis.grid[-1] <= measured.x[-1] + axis.resolution
    assert again["profile"] == subject.profile.name
    assert set(again["full_scan"]) >= {"points", "seconds", "full_time_s"}
    assert again["full_scan"]["seconds"] > 0
    rule_from_settings(again["stop"])
    assert job.sample == sample
    assert subject.job().job_id != job.job_id


def a_job_is_rebuilt_from_its_settings(subject: Subject) -> None:
    """The learner of a job that the ledger gave back begins where the first one did."""
    job = subject.job(seed=3)
    again = replace(job, settings=json.loads(json.dumps(dict(job.settings))))
    make = subject.technique.learner()
    first, second = make(job), make(again)
    assert isinstance(first, Learner)
    assert first.ask() == second.ask() is not None


def what_is_asked_of_a_job_is_in_it(subject: Subject) -> None:
    """The seed, the counting time, and when to stop."""
    job = subject.job(seed=7, count_time_s=2.5, stop={"maximum_points": 77})
    assert job.seed == 7
    assert job.settings["stop"]["maximum_points"] == 77
    assert job.settings["full_scan"]["full_time_s"] == 2.5


def it_takes_no_longer_than_the_full_scan_unless_asked(subject: Subject) -> None:
    """The time of the full scan ends a job; whoever asks for more seconds gets them."""
    job = subject.job()
    seconds = float(job.settings["full_scan"]["seconds"])
    spent = {"points": 1.0, "count_seconds": 0.0, "seconds": seconds}
    used_up = Evidence(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64), quantities=spent)
    assert rule_from_settings(job.settings["stop"]).judge(used_up).stop
    more = subject.job(stop={"maximum_seconds": 2 * seconds})
    assert not rule_from_settings(more.settings["stop"]).judge(used_up).stop


def its_learner_keeps_the_laws_of_learners(subject: Subject) -> None:
    """Check all laws of learners, on what the instrument of the subject records."""
    job = subject.job(seed=1)
    make = subject.technique.learner()
    axis = Axis.of(job.settings["axis"])
    case = learner_laws.Case(lambda: make(job), axis, subject.count, subject.steps)
    for law in learner_laws.LAWS:
        law(case)


# -- the simulation ------------------------------------------------------------------------------


def its_scene_is_arrays(subject: Subject) -> None:
    """The simulated beamline reads them without pickle; a stand-in has a scene, too."""
    part, job, (measured, _) = subject.technique.scene(), subject.job(), subject.what
    for shown in (measured, part.stand_in(job)):
        assert subject.technique.name == shown.technique
        assert _through_npz(part.scene(shown, job, subject.profile))
    assert subject.technique.name == part.replayed(measured, job).technique


def a_stand_in_covers_the_job(subject: Subject) -> None:
    """A rehearsal can count wherever the job may go."""
    job = subject.job()
    axis, shown = Axis.of(job.settings["axis"]), subject.technique.scene().stand_in(job)
    assert shown.x[0] <= axis.grid[0] + axis.resolution
    assert shown.x[-1] >= axis.grid[-1] - axis.resolution


def what_was_counted_is_told_to_a_fresh_scene(subject: Subject) -> None:
    """Arrays beside those of the scene, of nothing and of three counts."""
    part, job, (measured, _) = subject.technique.scene(), subject.job(), subject.what
    scene = _through_npz(part.scene(measured, job, subject.profile))
    proposal = subject.technique.learner()(job).ask()
    at = proposal.x[:1].repeat(3)
    y, sigma = subject.count(at, proposal.count_time_s, np.random.default_rng(0))
    rows = zip(at.tolist(), y.tolist(), sigma.tolist(), strict=True)
    told = [
        Observation(f"r/{i}", i, *row, proposal.count_time_s, "r") for i, row in enumerate(rows)
    ]
    for observations in ((), told):
        more = _through_npz(part.counted(job, observations))
        assert not set(more) & set(scene)
    assert more, "a resumed replay would draw the same counts again"


def _through_npz(arrays: Mapping[str, Any]) -> dict[str, Any]:
    assert "technique" not in arrays
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def its_demonstration_is_a_scan(subject: Subject) -> None:
    """Measured points and a sample of this technique, of which a scan can be made."""
    measured, sample = subject.technique.demo()()
    assert isinstance(measured, Measured)
    assert isinstance(sample, Sample)
    assert {measured.technique, sample.technique} == {subject.technique.name}
    scan = subject.technique.job().scan_of(measured)
    assert isinstance(scan, Scan)
    assert subject.technique.name == scan.technique
    assert (np.diff(scan.x) > 0).all()


LAWS: tuple[Callable[[Subject], None], ...] = (
    it_is_installed_under_its_name,
    every_part_has_its_names,
    its_section_says_how_it_is_measured,
    a_row_may_leave_out_its_columns,
    without_options_nothing_changes,
    it_takes_its_own_scan,
    it_never_claims_the_scan_of_another,
    no_other_claims_its_files,
    an_event_becomes_finite_numbers,
    impossible_counts_are_a_fault_of_the_device,
    its_job_is_plain_json,
    a_job_is_rebuilt_from_its_settings,
    what_is_asked_of_a_job_is_in_it,
    it_takes_no_longer_than_the_full_scan_unless_asked,
    its_learner_keeps_the_laws_of_learners,
    its_scene_is_arrays,
    a_stand_in_covers_the_job,
    what_was_counted_is_told_to_a_fresh_scene,
    its_demonstration_is_a_scan,
)
