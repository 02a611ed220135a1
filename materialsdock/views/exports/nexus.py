"""A job as a NeXus file, by the application definition of its technique.

/entry holds what the application definition asks for: every exposure in the order it was made.  In
it lies too what the software made of them, each an NXprocess: `merged` (the pattern or spectrum),
`learned` (the curve with its standard deviation), `refined` (the fit); then decisions, exposures
with their uids, summary, settings and provenance.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

import materialsdock
from materialsdock import technique
from materialsdock.ledger.finished import FinishedJob
from materialsdock.ledger.ledger import plain
from materialsdock.model import Decision, Outcome
from materialsdock.rendering.hdf5 import Field, Group, Link, as_bytes, with_unit
from materialsdock.views.report import summary_json

Items = dict[str, Field | Group | Link]
NUMBERS = ("lambda_t", "s", "z2", "mean", "sd", "seconds_measured", "seconds_deciding")


def nexus(source: FinishedJob) -> bytes:
    """The job as HDF5.

    Raises Refused for a spectrum whose readings of I0 and It are not in the ledger.
    """
    made = _part(source.outcome).entry(source)
    entry = Group(
        "NXentry",
        {**_head(source), **made, **_sample(source), **_processes(source), **_records(source)},
        {"default": "merged"},
    )
    return as_bytes(Group("NXroot", {"entry": entry}, {"default": "entry"}))


def _head(source: FinishedJob) -> Items:
    job = source.outcome.job
    return {
        "title": Field(f"{job.sample.name}, measured autonomously"),
        "start_time": Field(source.provenance.begun),
        "entry_identifier": Field(job.job_id),
        "program_name": Field("materialsdock", {"version": materialsdock.__version__}),
    }


def _sample(source: FinishedJob) -> Items:
    sample = source.outcome.job.sample
    known: Items = {
        "name": Field(sample.name or "unnamed"),
        "changer_position": with_unit(int(sample.position), ""),
        **_part(source.outcome).sample(source),
    }
    if sample.metadata:
        known["description"] = Field(json.dumps(dict(sample.metadata), default=plain))
    found: Items = {"sample": Group("NXsample", known)}
    if owner := sample.metadata.get("owner"):
        found["user"] = Group("NXuser", {"name": Field(str(owner))})
    return found


def _processes(source: FinishedJob) -> Items:
    outcome = source.outcome
    part = _part(outcome)
    found = {"merged": _process(1, source, {"measured": part.curve(outcome.measured)}, "measured")}
    if outcome.curve is not None:
        found["learned"] = _process(2, source, {"curve": part.curve(outcome.curve)}, "curve")
    if (answer := part.answer(outcome)) is not None:
        default, items = answer
        found["refined"] = _process(3, source, items, default)
    return dict(found)


def _part(outcome: Outcome) -> Any:
    """Return the part by which the technique of the outcome writes itself."""
    return technique.named(outcome.job.sample.technique).export()


def _process(index: int, source: FinishedJob, items: Items, default: str) -> Group:
    versions = source.provenance.software
    return Group(
        "NXprocess",
        {
            "program": Field("materialsdock"),
            "version": Field(versions["materialsdock"]),
            "sequence_index": Field(np.int64(index)),
            **items,
        },
        {"default": default},
    )


def _records(source: FinishedJob) -> Items:
    """The decisions, the exposures they rest on, the summary, and where all of it comes from."""
    outcome = source.outcome
    unit, of_value = _part(outcome).units(outcome.measured)
    summary = json.dumps(summary_json(outcome), default=plain)
    settings = json.dumps(dict(outcome.job.settings), default=plain, sort_keys=True)
    found: Items = {
        "provenance": Group("NXcollection", _provenance(source)),
        "summary": Group("NXcollection", {"json": Field(summary)}),
        "settings": Group("NXcollection", {"json": Field(settings)}),
    }
    if source.observations:
        found["exposures"] = Group("NXcollection", _exposures(source, unit, of_value))
    if outcome.decisions:
        found["decisions"] = Group("NXcollection", _decisions(outcome.decisions, unit))
    return found


def _provenance(source: FinishedJob) -> Items:
    said = source.provenance.as_dict()
    software: Mapping[str, str] = said.pop("software")
    versions: Items = {name: Field(version) for name, version in software.items()}
    facts: Items = {name: Field(value) for name, value in said.items()}
    return {**facts, "software": Group("NXcollection", versions)}


def _exposures(source: FinishedJob, unit: str, of_value: str) -> Items:
    return {
        "uid": Field([o.uid for o in source.observations]),
        "step": Field(np.array([o.step for o in source.observations], dtype=np.int64)),
        "position": with_unit(source.column("x"), unit),
        "value": with_unit(source.column("y"), of_value),
        "value_errors": with_unit(source.column("sigma"), of_value),
        "count_time": with_unit(source.column("count_time_s"), "s"),
    }


def _decisions(decisions: tuple[Decision, ...], unit: str) -> Items:
    """One row a step; NaN where there is no number."""
    asked = [d.proposal for d in decisions]
    return {
        "step": Field(np.array([d.step for d in decisions], dtype=np.int64)),
        "position": with_unit(np.array([p.start for p in asked]), unit),
        "position_last": with_unit(np.array([p.stop for p in asked]), unit),
        "points": Field(np.array([p.points for p in asked], dtype=np.int64)),
        "sweep": Field(np.array([p.sweep for p in asked], dtype=np.int64)),
        "score": Field(np.array([p.score for p in asked], dtype=float)),
        "count_time": with_unit(np.array([p.count_time_s for p in asked]), "s"),
        **{name: Field(_numbers(decisions, name)) for name in NUMBERS},
        "threshold": Field(_floats([d.verdict.threshold for d in decisions])),
        "stop": Field(np.array([d.verdict.stop for d in decisions], dtype=np.int8)),
        "reason": Field([d.verdict.reason or "-" for d in decisions]),
    }


def _numbers(decisions: tuple[Decision, ...], name: str) -> Any:
    return _floats([getattr(decision, name) for decision in decisions])


def _floats(values: list[Any]) -> Any:
    return np.array([math.nan if value is None else value for value in values], dtype=float)
