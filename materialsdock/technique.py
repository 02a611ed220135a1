"""The seam: a technique of measuring as plain facts, and its parts, loaded when first asked for.

A technique is one folder, found through the entry-point group `materialsdock.techniques`; nobody
outside it asks which one it is.  Whoever needs a part asks here, `technique.named(job.sample
.technique).learner()(job)`, and every part keeps the laws of materialsdock.testing.technique_laws.
"""

from __future__ import annotations

import importlib.metadata
import pkgutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from materialsdock.errors import InputError

if TYPE_CHECKING:  # model needs numpy, and every `--help` asks which techniques there are
    from materialsdock.model import Job
    from materialsdock.protocols import Counted, Observer, Reading

GROUP = "materialsdock.techniques"
ORDINARY = "materialsdock.techniques.ordinary"  # the parts of one that brings none of its own


@dataclass(frozen=True)
class Part:
    """The dotted name "package.module" or "package.module:object"; called, it gives the object."""

    dotted: str

    def __call__(self) -> Any:
        return resolved(self.dotted)


@dataclass(frozen=True)
class ReadingKeys:
    """Data keys of a recorded event: position, counts behind the sample, counts before it."""

    position: str
    signal: str
    monitor: str


@dataclass(frozen=True)
class Way:
    """One way to measure with a technique: what detects, and what its events say.

    keys, counter : as of a Technique
    observer : function (job) -> protocols.Observer; None: the technique's `observe`, as its
        events tell nothing of each other
    """

    keys: ReadingKeys
    counter: str
    observer: Part | None = None


@dataclass(frozen=True)
class EachByItself:
    """An Observer of events that tell nothing of each other; observe : (data) -> Counted."""

    observe: Callable[[Reading], Counted]
    remarks: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, data: Reading) -> Counted:
        """The observation of an event."""
        return self.observe(data)

    def remember(self, data: Reading) -> None:
        """Remember nothing."""


@dataclass(frozen=True)
class Technique:
    """One technique; `Part`s marked "module" are modules that hold the names listed.

    A technique brings what only it can know: observe, demo, analysis.  Where it leaves out another
    part, that of materialsdock.techniques.ordinary takes its place, which is for count rates along
    one axis; a part of its own may take over names from there.  cli and refine it may go without.

    name : as samples, sheets, recipes and profiles say it, e.g. xas
    title : as people read it; axis : name of the scanned axis, e.g. two_theta
    unit, symbol : of that axis, in data ("deg") and in text ("°")
    keys : what events call position and counts
    counter : role of the device that counts at a single place
    ways : other ways to measure by name, which a job's setting `signal` chooses; the plans of such
        a job are called with `counter`, the role of its device

    observe : function (data of an event) -> protocols.Counted
    demo : function () -> (Measured, Sample)
    analysis : module; Measurement (class of an Outcome's measured and curve), Found (frozen
        dataclass, an Outcome's found), check(job), analyse(campaign, summary, watch, past) ->
        Outcome, remembered(outcome) -> JSON for later jobs ({}: nothing), recalled(kept) -> past;
        where whole files are refined also refine_full(job, measured, watch, past) -> Outcome

    section : pydantic class of the profile's section [name] (a profile.sections.Measuring)
    sheet : module; Columns and RecipeKeys (pydantic classes of optional fields: columns of a
        sheet, keys of [measure] of a recipe with faults() -> sentences), contradictions(row) ->
        (columns, reason), located(row, folder) -> columns with absolute files, applied(section,
        said) -> section with what row or recipe say, scan_of(plan) -> Scan (plan as in
        profile.columns), structures(row, profile), STRUCTURES_IN (the column of these, or ""),
        SETTINGS (columns on which its time depends), FACTS (columns that a job keeps)
    options : module, quick to import; Options (dataclass of command-line options), checks(options,
        measured, sample, profile, profile's folder) -> callables that refuse, changes(options,
        profile's folder) -> changes of the section, of_analysis(options) -> changes of [analysis],
        structures(options), ANEW (options that may change when a job goes on)
    formats : module; read(lines) -> FileColumns | None, is_mine(columns) -> bool,
        checked(columns, lines) -> Measured; columns.technique says whose they are to be; OPTIONS
        and QUANTITIES, where it has them, as in formats.measured
    job : module; scan_of(measured) -> Scan, job(scan, sample, profile, *, stop, seed,
        count_time_s) -> Job
    learner : function (job) -> Learner
    scene : module; scene(measured, job, profile) -> arrays, counted(job, observations) -> arrays,
        stand_in(job) -> Measured, replayed(measured, job) -> Measured
    report : module; drawings(outcome, shared) -> all figures in reading order, the shared ones of
        every report among them, summary(outcome) -> JSON, lines(outcome) -> lines of text,
        warnings(outcome) -> sentences, context(outcome) -> values of the template TEMPLATE (a
        path; it extends "job/page.html" and fills its blocks)
    export : module; FORMATS (name -> ledger.finished.Format); of the NeXus file missing(source) ->
        why there is none, entry(source) and sample(source) -> items, curve(measurement) -> group,
        units(measurement) -> (of the axis, of the values),
        answer(outcome) -> (what is drawn, items) | None
    sentinels : module; visits(job, motion, share) -> places that are counted again, or None,
        dead(recorded, expected), after_sweep(recorded, axis, tolerance), stuck(decisions), each
        -> Alarm | None
    cli : function (app) that mounts the technique's own commands; None: it has none
    refine : module, quick to import, of what can be refined without measuring; Options (a
        dataclass that `options` takes, too), described(options, sample, profile) -> sample,
        settings(options, sample, seed) -> changes of the job's analysis, write(outcome, path
        without ending) -> files by kind; None: nothing can
    order : among all techniques; lists begin with the lowest, which is the default where one is
    """

    name: str
    title: str
    unit: str
    symbol: str
    keys: ReadingKeys
    counter: str
    observe: Part
    demo: Part
    analysis: Part
    section: Part = Part(f"{ORDINARY}.section:Curve")
    sheet: Part = Part(f"{ORDINARY}.sheet")
    options: Part = Part(f"{ORDINARY}.options")
    formats: Part = Part(f"{ORDINARY}.formats")
    job: Part = Part(f"{ORDINARY}.job")
    learner: Part = Part(f"{ORDINARY}.job:learner")
    scene: Part = Part(f"{ORDINARY}.scene")
    report: Part = Part(f"{ORDINARY}.report")
    export: Part = Part(f"{ORDINARY}.export")
    sentinels: Part = Part("materialsdock.soundness.ordinary")
    cli: Part | None = None
    refine: Part | None = None
    order: int = 100
    axis: str = "position"
    ways: Mapping[str, Way] = field(default_factory=dict)

    def way(self, job: Job) -> Way:
        """The way in which `job` is measured; InputError for one that there is not."""
        name = job.settings.get("signal")
        if name is None:
            return Way(self.keys, self.counter)
        if name not in self.ways:
            raise InputError(
                f"no signal {name!r} of {self.name}",
                where=job.job_id,
                remedy=f"available: {', '.join(self.ways) or 'only the usual one'}",
            )
        return self.ways[name]

    def observer(self, job: Job) -> Observer:
        """Return what makes observations of the events of `job`."""
        made = self.way(job).observer
        found: Observer = EachByItself(self.observe()) if made is None else made()(job)
        return found


@cache
def known() -> Mapping[str, Technique]:
    """Every installed technique by name, in their order.

    Raises InputError for an entry point that does not give a Technique of its own name, and for
    two packages that bring the same name: neither may take the place of the other unseen.
    """
    points = importlib.metadata.entry_points(group=GROUP)
    for name, times in Counter(point.name for point in points).items():
        if times > 1:
            packages = ", ".join(sorted(_package(p) for p in points if p.name == name))
            raise InputError(
                f"{times} packages bring a technique {name!r}: {packages}",
                where=f"entry points {GROUP}",
                remedy="uninstall all but one",
            )
    found = [_loaded(point) for point in points]
    return {each.name: each for each in sorted(found, key=lambda each: (each.order, each.name))}


def named(name: str) -> Technique:
    """The technique of that name; InputError lists those there are."""
    try:
        return known()[name]
    except KeyError:
        raise InputError(
            f"no technique {name!r}", where="technique", remedy=f"available: {', '.join(known())}"
        ) from None


@cache
def resolved(dotted: str) -> Any:
    """The module or object that "package.module" or "package.module:object" names.

    Raises InputError when there is none.
    """
    try:
        return pkgutil.resolve_name(dotted)
    except Exception as error:  # code of others may raise anything
        raise InputError(
            f"cannot load {dotted!r}: {error}",
            where="dotted name",
            remedy="name package.module:object that can be imported",
        ) from error


def _loaded(point: importlib.metadata.EntryPoint) -> Technique:
    try:
        found = point.load()
    except Exception as error:  # code of others may raise anything
        raise InputError(
            f"cannot load technique {point.name!r} from {point.value}: {error}",
            where=f"entry point of {_package(point)}",
            remedy="mend or uninstall that package",
        ) from error
    if not isinstance(found, Technique) or found.name != point.name:
        raise InputError(
            f"{point.value} gives {found!r:.60}, no Technique named {point.name!r}",
            where=f"entry point {point.name}",
            remedy="name a materialsdock.technique.Technique",
        )
    return found


def _package(point: importlib.metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"
