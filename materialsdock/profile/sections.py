"""Sections of a profile besides its techniques; every section refuses keys it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

DOTTED = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


class Section(BaseModel):
    """Every section refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Device(Section):
    """One role: the class by dotted string and what it is built from."""

    cls: str = Field(alias="class", pattern=DOTTED)
    prefix: str
    options: Mapping[str, Any] = {}


class Simulation(Section):
    """How to start the simulated beamline: of a simulated profile, and of rehearsals of any."""

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
    """Which plans of the site carry a job out, each "package.module:object".

    learn : the adaptive loop
    attempts : makes of a measuring plan one that saves only what is sound
    conditions, gate : what must hold before an exposure, and what waits for it
    visits : going back to a reference place; hold_for_beam : where there are no conditions
    set_shutter : around a hold of the beam; baselines : other plans that a session offers, by name
    """

    learn: Dotted = "plans.adaptive:learn"
    attempts: Dotted = "plans.attempts:Attempts"
    conditions: Dotted = "plans.guards:Conditions"
    gate: Dotted = "plans.guards:Gate"
    visits: Dotted = "plans.reference:Visits"
    hold_for_beam: Dotted = "plans.stubs:hold_for_beam"
    set_shutter: Dotted = "plans.stubs:set_shutter"
    baselines: Mapping[str, Dotted] = {
        "uniform_energy": "plans.scan:uniform_energy",
        "expert_energy": "plans.scan:expert_energy",
        "uniform_two_theta": "plans.scan:uniform_two_theta",
    }


class Catalog(Section):
    """Where runs can be read back: a folder (embedded Tiled) or the URI of a Tiled server."""

    uri: str | None = None
    api_key_file: Path | None = None


class Conditions(Section):
    """What must hold before every exposure, and how it is won back; see plans.guards.

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
        """What plans.guards.Conditions takes of it."""
        return self.model_dump(exclude={"i0_tolerance", "reference_share"})


class Night(Section):
    """How the queue runs by itself.

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
