"""A job as a NeXus file: NXmonopd for diffraction, NXxas for absorption.

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
from materialsdock.ledger.finished import Source
from materialsdock.ledger.ledger import plain
from materialsdock.model import Decision
from materialsdock.outcome import Outcome
from materialsdock.rendering.hdf5 import Field, Group, Link, as_bytes, data, with_unit
from materialsdock.techniques.xas.model import Spectrum
from materialsdock.techniques.xrd.model import Fit, Pattern
from materialsdock.views.exports.raw import absorption, diffraction, rotation
from materialsdock.views.report import summary_json

Items = dict[str, Field | Group | Link]
UNITS = {"two_theta": "degree", "energy": "eV"}
NUMBERS = ("lambda_t", "s", "z2", "mean", "sd", "seconds_measured", "seconds_deciding")


def nexus(source: Source) -> bytes:
    """The job as HDF5.

    Raises Refused for a spectrum whose readings of I0 and It are not in the ledger.
    """
    outcome = source.outcome
    made = diffraction(source) if isinstance(outcome.measured, Pattern) else absorption(source)
    entry = Group(
        "NXentry",
        {**_head(source), **made, **_sample(source), **_processes(source), **_records(source)},
        {"default": "merged"},
    )
    return as_bytes(Group("NXroot", {"entry": entry}, {"default": "entry"}))


def _head(source: Source) -> Items:
    job = source.outcome.job
    return {
        "title": Field(f"{job.sample.name}, measured autonomously"),
        "start_time": Field(source.provenance.begun),
        "entry_identifier": Field(job.job_id),
        "program_name": Field("materialsdock", {"version": materialsdock.__version__}),
    }


def _sample(source: Source) -> Items:
    sample = source.outcome.job.sample
    known: Items = {
        "name": Field(sample.name or "unnamed"),
        "changer_position": with_unit(int(sample.position), ""),
        **rotation(source),
    }
    if sample.metadata:
        known["description"] = Field(json.dumps(dict(sample.metadata), default=plain))
    found: Items = {"sample": Group("NXsample", known)}
    if owner := sample.metadata.get("owner"):
        found["user"] = Group("NXuser", {"name": Field(str(owner))})
    return found


def _processes(source: Source) -> Items:
    outcome = source.outcome
    found = {"merged": _process(1, source, {"measured": _curve(outcome.measured)}, "measured")}
    if outcome.curve is not None:
        found["learned"] = _process(2, source, {"curve": _curve(outcome.curve)}, "curve")
    if outcome.fit is not None and isinstance(outcome.measured, Pattern):
        found["refined"] = _process(3, source, _refined(outcome, outcome.fit), "profile")
    elif outcome.edge is not None:
        found["refined"] = _process(3, source, _normalised(outcome), "normalised")
    return dict(found)


def _process(index: int, source: Source, items: Items, default: str) -> Group:
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


def _curve(curve: Pattern | Spectrum) -> Group:
    if isinstance(curve, Pattern):
        fields = {
            "two_theta": with_unit(curve.two_theta, "degree"),
            "intensity": with_unit(curve.intensity, "counts/s"),
            "intensity_errors": with_unit(curve.sigma, "counts/s"),
            "count_time": with_unit(curve.count_time_s, "s"),
        }
        return data("intensity", "two_theta", fields)
    fields = {
        "energy": with_unit(curve.energy_ev, "eV"),
        "mu": with_unit(curve.mu, ""),
        "mu_errors": with_unit(curve.sigma, ""),
    }
    return data("mu", "energy", fields)


def _refined(outcome: Outcome, fit: Fit) -> Items:
    measured = outcome.measured
    assert isinstance(measured, Pattern)
    fields = {
        "two_theta": with_unit(measured.two_theta, "degree"),
        "calculated": with_unit(fit.y_calc, "counts/s"),
        "background": with_unit(fit.y_background, "counts/s"),
    }
    numbers: Items = {
        "engine": Field(fit.engine),
        "Rwp_percent": Field(fit.rwp),
        "Rexp_percent": Field(fit.r_exp),
        "goodness_of_fit": Field(fit.gof),
    }
    for number, phase in enumerate(fit.phases, 1):
        numbers[f"phase_{number}_name"] = Field(phase.name)
        numbers[f"phase_{number}_space_group"] = Field(phase.space_group)
        numbers[f"phase_{number}_weight_percent"] = _with_esd(
            phase.weight_fraction, phase.weight_fraction_esd
        )
        for name, parameter in phase.cell.items():
            numbers[f"phase_{number}_{name}"] = _with_esd(parameter.value, parameter.esd)
    return {
        "profile": data("calculated", "two_theta", fields),
        "parameters": Group("NXparameters", numbers),
    }


def _with_esd(value: float, esd: float | None) -> Field:
    known = {} if esd is None or not math.isfinite(esd) else {"esd": float(esd)}
    return Field(float(value), known)


def _normalised(outcome: Outcome) -> Items:
    edge = outcome.edge
    assert edge is not None
    fields = {
        "energy": with_unit(edge.energy_ev, "eV"),
        "normalised": with_unit(edge.flat, ""),
        "pre_edge": with_unit(edge.pre_edge, ""),
        "post_edge": with_unit(edge.post_edge, ""),
    }
    numbers: Items = {
        "e0_ev": _with_esd(edge.e0_ev, edge.e0_sd_ev),
        "edge_step": _with_esd(edge.edge_step, edge.edge_step_sd),
    }
    return {
        "normalised": data("normalised", "energy", fields),
        "parameters": Group("NXparameters", numbers),
    }


def _records(source: Source) -> Items:
    """The decisions, the exposures they rest on, the summary, and where all of it comes from."""
    outcome = source.outcome
    unit = UNITS[outcome.job.settings.get("axis", {}).get("name", "two_theta")]
    summary = json.dumps(summary_json(outcome), default=plain)
    settings = json.dumps(dict(outcome.job.settings), default=plain, sort_keys=True)
    found: Items = {
        "provenance": Group("NXcollection", _provenance(source)),
        "summary": Group("NXcollection", {"json": Field(summary)}),
        "settings": Group("NXcollection", {"json": Field(settings)}),
    }
    if source.observations:
        found["exposures"] = Group("NXcollection", _exposures(source, unit))
    if outcome.decisions:
        found["decisions"] = Group("NXcollection", _decisions(outcome.decisions, unit))
    return found


def _provenance(source: Source) -> Items:
    said = source.provenance.as_dict()
    software: Mapping[str, str] = said.pop("software")
    versions: Items = {name: Field(version) for name, version in software.items()}
    facts: Items = {name: Field(value) for name, value in said.items()}
    return {**facts, "software": Group("NXcollection", versions)}


def _exposures(source: Source, unit: str) -> Items:
    signal = "counts/s" if unit == "degree" else ""
    return {
        "uid": Field([o.uid for o in source.observations]),
        "step": Field(np.array([o.step for o in source.observations], dtype=np.int64)),
        "position": with_unit(source.column("x"), unit),
        "value": with_unit(source.column("y"), signal),
        "value_errors": with_unit(source.column("sigma"), signal),
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
