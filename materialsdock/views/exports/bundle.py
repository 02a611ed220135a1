"""All results of a job as files: which there are, what makes each, and where they go."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from materialsdock.errors import InputError, MaterialsDockError, Refused
from materialsdock.ledger.finished import Source, source_of
from materialsdock.ledger.ledger import Ledger, plain
from materialsdock.rendering.files import ExportFault, place, replace_whole
from materialsdock.techniques.xas.xdi import xdi
from materialsdock.techniques.xrd.columns import xy, xye
from materialsdock.views.exports.nexus import nexus
from materialsdock.views.report import summary_json
from materialsdock.views.report.page import render_report


@dataclass(frozen=True)
class Format:
    """One kind of file: `made` gives its bytes; `missing` why an outcome has none ("": it has)."""

    suffix: str
    made: Callable[[Source], bytes]
    missing: Callable[[Source], str]


def html(source: Source) -> bytes:
    """The job's page, as the live outcome gives it, and its provenance in a comment at the end."""
    said = json.dumps(source.provenance.as_dict(), sort_keys=True).replace("--", "-\\u002d")
    return f"{render_report(source.outcome)}<!-- {said} -->\n".encode()


def summary(source: Source) -> bytes:
    """The numbers of the outcome as JSON, with their provenance."""
    found = {**summary_json(source.outcome), "provenance": source.provenance.as_dict()}
    text = json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False, default=plain)
    return f"{text}\n".encode()


def cif(source: Source) -> bytes:
    """Structures and pattern as CIF (core and powder dictionaries), with their provenance."""
    from materialsdock.techniques.xrd.report.cif import write_cif

    said = source.provenance
    try:
        with tempfile.TemporaryDirectory() as folder:
            body = write_cif(source.outcome, Path(folder) / "job.cif").read_bytes()
    except OSError as error:
        raise ExportFault(
            f"cannot be written: {error}", where="temporary folder", remedy="free disk space"
        ) from error
    own = {
        "job": said.job_id,
        "begun": said.begun,
        "ledger_sha256": said.ledger_sha256,
        "settings_sha256": said.settings_sha256,
        "software": ", ".join(f"{name} {version}" for name, version in said.software.items()),
    }
    lines = [f"_materialsdock_{name} '{value}'" for name, value in own.items()]
    return body.rstrip() + ("\n" + "\n".join(lines) + "\n").encode()


def _always(_: Source) -> str:
    return ""


def _of(technique: str) -> Callable[[Source], str]:
    def missing(source: Source) -> str:
        own = source.outcome.job.sample.technique
        return "" if own == technique else f"the job is {own}, the format of {technique}"

    return missing


def _refined(source: Source) -> str:
    return _of("xrd")(source) or ("" if source.outcome.fit else "nothing was refined")


def _readings(source: Source) -> str:
    if source.outcome.job.sample.technique == "xas" and source.raw("i0") is None:
        return "the ledger has no readings of I0 and It"
    return ""


FORMATS: Mapping[str, Format] = {
    "nexus": Format(".nxs", nexus, _readings),
    "xdi": Format(".xdi", xdi, _of("xas")),
    "xye": Format(".xye", xye, _of("xrd")),
    "xy": Format(".xy", xy, _of("xrd")),
    "cif": Format(".cif", cif, _refined),
    "html": Format(".html", html, _always),
    "json": Format(".json", summary, _always),
}


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
            remedy=f"there is: {', '.join(FORMATS)}",
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
            left_out.append(str(fault))
            continue
        if names is not None:
            left_out += [f"{job_id}: {name}: {why}" for name, why in missing.items() if why]
    return written, left_out


def _written(source: Source, names: Collection[str], folder: Path) -> list[Path]:
    """Everything is made before anything is written."""
    job_id = source.outcome.job.job_id
    made = [(FORMATS[name].suffix, FORMATS[name].made(source)) for name in names]
    return [replace_whole(place(folder, job_id, suffix), content) for suffix, content in made]
