"""Sections of a profile, and what those of all techniques have in common.

Every section refuses keys that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic.fields import FieldInfo

from materialsdock.errors import InputError

DOTTED = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
SectionT = TypeVar("SectionT", bound="Section")


class Section(BaseModel):
    """Every section refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Device(Section):
    """One role: the class by dotted string and what it is built from."""

    cls: str = Field(alias="class", pattern=DOTTED)
    prefix: str
    options: Mapping[str, Any] = {}


class SimulationSettings(Section):
    """The start of the simulated beamline: of a simulated profile, and of rehearsals of any."""

    module: str = "sim_devices"
    prefix: str = "SIM:"
    speed: float = Field(default=200.0, gt=0)


class Epics(Section):
    """Channel Access: what to call before the first signal, and how long to wait for devices."""

    configure: str = Field(pattern=DOTTED)
    connection_timeout_s: float = Field(default=10.0, gt=0)
    environment: Mapping[str, str] = {}


Dotted = Annotated[str, Field(pattern=DOTTED)]


class Plans(Section):
    """The plans of the site that carry a job out, each "package.module:object".

    learn : the adaptive loop
    attempts : makes of a measuring plan one that saves only what is sound
    conditions, gate : what must hold before an exposure, and what waits for it
    visits : going back to a reference place; hold_for_beam : where there are no conditions
    set_shutter : around a hold of the beam; baselines : other plans that a session offers, by name
    """

    learn: Dotted = "plans.adaptive:learn"
    attempts: Dotted = "plans.attempts:Attempts"
    conditions: Dotted = "plans.guards:ExposureConditions"
    gate: Dotted = "plans.guards:ExposureGate"
    visits: Dotted = "plans.reference:Visits"
    hold_for_beam: Dotted = "plans.stubs:hold_for_beam"
    set_shutter: Dotted = "plans.stubs:set_shutter"
    baselines: Mapping[str, Dotted] = {
        "uniform_energy": "plans.scan:uniform_energy",
        "expert_energy": "plans.scan:expert_energy",
        "uniform_two_theta": "plans.scan:uniform_two_theta",
    }


class Catalog(Section):
    """The place where runs can be read back: a folder (embedded Tiled) or a Tiled server's URI."""

    uri: str | None = None
    api_key_file: Path | None = None


class ConditionSettings(Section):
    """The conditions of every exposure, and how they are won back; see plans.guards.

    hold_proof_s : how long all must hold before measuring goes on
    hysteresis_s : the least that a hold lasts when it begins so soon after the last one ended
    reconnect_limit_s : how long an IOC may be away before the sample is given up
    rereads, retries : of one point after impossible readings, and after failed motion or hangs
    i0_tolerance : relative change of the beam intensity that is let pass
    reference_share : of the time, for going back to the reference point
    """

    heartbeat_stale_s: float = Field(default=3.0, gt=0)
    hold_proof_s: float = Field(default=30.0, ge=0)
    hysteresis_s: float = Field(default=120.0, ge=0)
    reconnect_limit_s: float = Field(default=600.0, gt=0)
    rereads: int = Field(default=2, ge=0)
    retries: int = Field(default=1, ge=0)
    i0_tolerance: float = Field(default=0.2, gt=0, lt=1)
    reference_share: float = Field(default=0.05, ge=0, le=0.5)

    def holding(self) -> dict[str, Any]:
        """Return what plans.guards.ExposureConditions takes of it."""
        return self.model_dump(exclude={"i0_tolerance", "reference_share"})


class NightSettings(Section):
    """The running of the queue by itself.

    approval : whether each proposed point waits for a person; samples : whether each submitted one
    retry_delays_s : pauses before an interrupted sample is measured again; as many retries
    failures_in_a_row : of different samples, before everything is held
    loop_limit_s, progress_margin_s : silence of a worker, and lateness beyond twice the expected
    time of a step, after which it is ended
    warn_hold_after_s : how long beam, permit or IOC may be away before people are told
    notify_file : file with one Apprise URL per line, readable by its owner only
    metrics_port : of Prometheus on loopback; 0: none
    needs_guard : measure only while the guard is alive
    """

    approval: Literal["none", "points", "samples"] = "none"
    retry_delays_s: tuple[float, ...] = (0.0, 30.0)
    failures_in_a_row: int = Field(default=3, ge=2)
    maximum_hours: float | None = Field(default=None, gt=0)
    analysis_limit_s: float = Field(default=3600.0, gt=0)
    loop_limit_s: float = Field(default=3.0, gt=0)
    progress_margin_s: float = Field(default=10.0, gt=0)
    disk_free_gb: float = Field(default=2.0, ge=0)
    warn_hold_after_s: float = Field(default=300.0, gt=0)
    notify_file: Path | None = None
    quiet_hours: tuple[int, int] | None = None
    digest_hour: int | None = Field(default=None, ge=0, le=23)
    metrics_port: int = Field(default=0, ge=0, le=65535)
    needs_guard: bool = True


class Beam(Section):
    """Hold while the ring current is below `minimum_ma`; resume above `resume_ma` for `wait_s`."""

    role: str = "ring"
    minimum_ma: float
    resume_ma: float
    wait_s: float = Field(default=0.0, ge=0)


class Motion(Section):
    """Cost of moving, for seconds measured and for choosing: velocity [unit/s], settling [s]."""

    velocity: float = Field(gt=0)
    settle_s: float = Field(default=0.0, ge=0)


class Stop(Section):
    """The rules for stopping; the vocabulary of learning.stopping.rules.rule_from_settings.

    Where maximum_seconds is not given, nothing takes longer than the full scan that it replaces.
    """

    mode: Literal["paper", "robust", "target"] = "robust"
    threshold: float = Field(default=0.05, gt=0, lt=1)
    minimum_points: int | None = Field(default=None, ge=1)
    maximum_points: int | None = Field(default=None, ge=1)
    maximum_seconds: float | None = Field(default=None, gt=0)
    maximum_count_seconds: float | None = Field(default=None, gt=0)
    absolute: Literal["sd", "target"] | None = None
    gap: bool | None = None
    targets: Mapping[str, float] = {}


class Measuring(Section):
    """The section of one technique: how a proposal is measured, and when to stop.

    measure : plan that carries out a proposal; visit : plan that counts at a single place
    limits : of the axis [its unit], beyond which no sample of a queue may be measured
    """

    measure: str = Field(pattern=DOTTED)
    visit: str = Field(pattern=DOTTED)
    limits: tuple[float, float] | None = None
    motion: Motion
    stop: Stop = Stop()

    def resolved(self, folder: Path) -> Self:
        """The section with the files that it names taken from `folder`, the profile's."""
        return self


class Analysis(Section):
    """The refinement search that starts by itself after a measurement.

    executor : processes here, or the Dask cluster at `scheduler_address` ("tcp://host:8786")
    storage : URL where trials are kept (optimisation/storage.py); none: in memory
    engine : Rietveld program, "rietx" or "gsas2" where it is installed
    texture : preferred orientation on request only, or also by evidence (search/texture.py)
    warm_start : try first what earlier searches on the instrument found
    store : folder of structures, searched where a sample comes without any
    elements : that they may be made of; none: those of the sample's composition, or all
    energy : ASE calculator "module:Class" of the hybrid analysis, made with energy_arguments
    """

    engine: Literal["rietx", "gsas2"] = "rietx"
    trials: int = Field(default=16, ge=1)
    seeds: tuple[int, ...] = (0,)
    workers: int = Field(default=2, ge=1)
    trial_time_limit_s: float = Field(default=60.0, gt=0)
    executor: Literal["local", "dask"] = "local"
    scheduler_address: str | None = None
    storage: str | None = None
    texture: Literal["request", "evidence"] = "request"
    warm_start: bool = True
    store: str | None = None
    elements: tuple[str, ...] = ()
    energy: str | None = Field(default=None, pattern=DOTTED)
    energy_arguments: Mapping[str, Any] = {}
    energy_trials: int = Field(default=20, ge=1)

    @model_validator(mode="after")
    def _has_a_scheduler(self) -> Self:
        if self.executor == "dask" and self.scheduler_address is None:
            raise ValueError('executor = "dask" needs scheduler_address = "tcp://HOST:8786"')
        return self


def changed(section: SectionT, changes: Mapping[str, Any]) -> SectionT:
    """The section with `changes`, checked as the file is; InputError names every fault."""
    try:
        return type(section).model_validate({**section.model_dump(), **changes})
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {_reason(e)}" for e in error.errors())
        raise InputError(said, where="options", remedy="see materialsdock measure --help") from None


def faults(error: ValidationError) -> str:
    """All faults of a pydantic validation in one line each, with key and value."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc']))} = {e['input']!r}: {_reason(e)}" for e in error.errors()
    )


def _reason(found: Mapping[str, Any]) -> str:
    """The words of a fault, without what pydantic puts before those of a check of ours."""
    return str(found["msg"]).removeprefix("Value error, ")


def joined(
    name: str,
    first: type[SectionT],
    parts: Mapping[str, type[Section]],
    last: type[Section] | None = None,
) -> type[SectionT]:
    """A section with the fields of `first`, of each part, and of `last`.

    parts : by technique; a field that several define alike is one field
    Raises InputError naming both owners of a field that is defined in two ways.
    """
    ends: dict[str, type[Section]] = {"every technique": first, "all techniques": last or first}
    owners: dict[str, str] = {}
    known: dict[str, FieldInfo] = {}
    for owner, part in {**ends, **parts}.items():
        for field, info in part.model_fields.items():
            if _meaning(known.setdefault(field, info)) != _meaning(info):
                raise InputError(
                    f"{field!r} of {owner} and of {owners[field]} have different meanings",
                    where=name,
                    remedy="give one of them another name",
                )
            owners.setdefault(field, owner)
    bases: dict[Any, None] = dict.fromkeys(
        (*([last] if last else []), *reversed(list(parts.values())), first)
    )
    return create_model(  # type: ignore[call-overload,no-any-return]
        name, __base__=tuple(bases), __doc__=first.__doc__, __module__=first.__module__
    )


def _meaning(field: FieldInfo) -> tuple[Any, ...]:
    return field.annotation, field.default, tuple(field.metadata)
