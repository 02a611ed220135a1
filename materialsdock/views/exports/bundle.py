"""All results of a job as files: which there are, what makes each, and where they go."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from materialsdock import technique
from materialsdock.errors import InputError, MaterialsDockError, Refused
from materialsdock.ledger.finished import FinishedJob, Format, source_of
from materialsdock.ledger.ledger import Ledger, plain
from materialsdock.rendering.files import ExportFault, place, replace_whole
from materialsdock.views.exports.nexus import nexus
from materialsdock.views.report import summary_json
from materialsdock.views.report.page import render_report


def html(source: FinishedJob) -> bytes:
    """The job's page, as the live outcome gives it, and its provenance in a comment at the end."""
    said = json.dumps(source.provenance.as_dict(), sort_keys=True).replace("--", "-\\u002d")
    return f"{render_report(source.outcome)}<!-- {said} -->\n".encode()


def summary(source: FinishedJob) -> bytes:
    """The numbers of the outcome as JSON, with their provenance."""
    found = {**summary_json(source.outcome), "provenance": source.provenance.as_dict()}
    text = json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False, default=plain)
    return f"{text}\n".encode()


def _readings(source: FinishedJob) -> str:
    """Say why there is no NeXus file; "" when there is one."""
    why: str = technique.named(source.outcome.job.sample.technique).export().missing(source)
    return why


def _formats() -> dict[str, Format]:
    """All formats by name: those of every job, and between them those of single techniques."""
    own: dict[str, dict[str, Format]] = {}
    for known, each in technique.known().items():
        for name, form in each.export().FORMATS.items():
            own.setdefault(name, {})[known] = form
    return {
        "nexus": Format(".nxs", nexus, _readings),
        **{name: _of_techniques(forms) for name, forms in own.items()},
        "html": Format(".html", html),
        "json": Format(".json", summary),
    }


def _of_techniques(forms: Mapping[str, Format]) -> Format:
    """A format of these techniques, missing for every other."""

    def missing(source: FinishedJob) -> str:
        own = source.outcome.job.sample.technique
        if own not in forms:
            return f"the job is {own}, the format of {' and '.join(forms)}"
        return forms[own].missing(source)

    def made(source: FinishedJob) -> bytes:
        return forms[source.outcome.job.sample.technique].made(source)

    return Format(next(iter(forms.values())).suffix, made, missing)


FORMATS: Mapping[str, Format] = _formats()


def export_all(ledger: Ledger, job_id: str, folder: Path) -> list[Path]:
    """Write every file that a finished job has into `folder`; the paths in the order of FORMATS.

    Raises Refused for a job that is not finished or was kept by an earlier version, ExportFault
    where the disk refuses: files written before stay whole, the others are as they were.
    """
    source = source_of(ledger, job_id)
    names = [name for name, form in FORMATS.items() if not form.missing(source)]
    return _written(source, names, folder)


def export(ledger: Ledger, job_id: str, names: Collection[str], folder: Path) -> list[Path]:
    """Write the named files of a finished job; Refused, naming all, where it has not all of them.

    Raises what `export_all` raises, and InputError for a format that does not exist.
    """
    known(names)
    source = source_of(ledger, job_id)
    faults = [f"{name}: {why}" for name in names if (why := FORMATS[name].missing(source))]
    if faults:
        has = [name for name, form in FORMATS.items() if not form.missing(source)]
        raise Refused("; ".join(faults), where=job_id, remedy=f"it has: {', '.join(has)}")
    return _written(source, names, folder)


def known(names: Collection[str]) -> None:
    """InputError naming every format that there is not."""
    if odd := [name for name in names if name not in FORMATS]:
        raise InputError(
            f"no format {', '.join(odd)}",
            where="--format",
            remedy=f"available: {', '.join(FORMATS)}",
        )


def export_many(
    ledger: Ledger, job_ids: Collection[str], names: Collection[str] | None, folder: Path
) -> tuple[list[Path], list[str]]:
    """Files of many jobs, and what was left out and why; ExportFault ends it at once."""
    known(names or ())
    written: list[Path] = []
    left_out: list[str] = []
    for job_id in job_ids:
        try:
            source = source_of(ledger, job_id)
            missing = {name: FORMATS[name].missing(source) for name in names or FORMATS}
            written += _written(source, [name for name in missing if not missing[name]], folder)
        except ExportFault:
            raise
        except MaterialsDockError as fault:
            named = fault.where == job_id
            left_out.append(str(fault) if named else f"{job_id}: {fault}")
            continue
        if names is not None:
            left_out += [f"{job_id}: {name}: {why}" for name, why in missing.items() if why]
    return written, left_out


def _written(source: FinishedJob, names: Collection[str], folder: Path) -> list[Path]:
    """Write the files of a job; all are made before any is written."""
    job_id = source.outcome.job.job_id
    made = [(FORMATS[name].suffix, FORMATS[name].made(source)) for name in names]
    return [replace_whole(place(folder, job_id, suffix), content) for suffix, content in made]
