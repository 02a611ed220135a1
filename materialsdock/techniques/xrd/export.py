"""A powder pattern as files: NeXus entry, columns for refinement programs, CIF."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.ledger.finished import FinishedJob, Format
from materialsdock.model import FloatArray, Outcome
from materialsdock.rendering.files import ExportFault
from materialsdock.rendering.hdf5 import Field, Group, Link, data, with_unit
from materialsdock.techniques.shared import nexus as nexus_parts
from materialsdock.techniques.shared.nexus import Items
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.report import uncertainty

DETECTOR = "/entry/instrument/detector"


def missing(source: FinishedJob) -> str:
    """Say why there is no NeXus entry: always "", as counts are kept with every pattern."""
    return ""


def entry(source: FinishedJob) -> Items:
    """Instrument, monitor and data of NXmonopd: counts over 2θ [deg] as they were counted.

    A pattern that came from a file, whose exposures nobody recorded, stands as it was read.
    """
    two_theta, counts, seconds = _counted(source)
    instrument: Items = {
        "source": _source(source),
        "crystal": Group("NXcrystal", {"wavelength": with_unit(_wavelengths(source), "angstrom")}),
        "detector": Group(
            "NXdetector",
            {
                "polar_angle": with_unit(two_theta, "degree"),
                "data": with_unit(counts, "counts"),
                "count_time": with_unit(seconds, "s"),
            },
        ),
    }
    total = float(seconds.sum())
    fields = {
        "polar_angle": Link(f"{DETECTOR}/polar_angle"),
        "data": Link(f"{DETECTOR}/data"),
    }
    return {
        "definition": Field("NXmonopd"),
        "collection_time": with_unit(total, "s"),
        "instrument": nexus_parts.instrument(source, instrument),
        "monitor": Group(
            "NXmonitor",
            {
                "mode": Field("timer"),
                "preset": with_unit(nexus_parts.full_time_s(source), "s"),
                "integral": with_unit(total, "s"),
            },
        ),
        "data": data("data", "polar_angle", fields),
    }


def sample(source: FinishedJob) -> Items:
    """The sample's angle [deg], which NXmonopd asks for: θ where θ and 2θ are coupled, else NaN."""
    two_theta, _, _ = _counted(source)
    of = Diffractometer.of(source.outcome.job.settings["diffractometer"])
    coupled = of.geometry == "bragg_brentano"
    angle = two_theta / 2 if coupled else np.full(two_theta.size, np.nan)
    return {"rotation_angle": with_unit(angle, "degree")}


def curve(pattern: Pattern) -> Group:
    """The pattern, or what the model makes of it, over 2θ."""
    fields = {
        "two_theta": with_unit(pattern.two_theta, "degree"),
        "intensity": with_unit(pattern.intensity, "counts/s"),
        "intensity_errors": with_unit(pattern.sigma, "counts/s"),
        "count_time": with_unit(pattern.count_time_s, "s"),
    }
    return data("intensity", "two_theta", fields)


def units(pattern: Pattern) -> tuple[str, str]:
    """Return the units of the axis, and of the values."""
    return "degree", "counts/s"


def answer(outcome: Outcome) -> tuple[str, Items] | None:
    """The fit under the name of what is drawn first of it; None where nothing was refined."""
    fit, measured = outcome.found.fit, outcome.measured
    if fit is None:
        return None
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
    systematic = uncertainty.spread(outcome)
    for number, phase in enumerate(fit.phases, 1):
        known = uncertainty.of_phase(phase, systematic)
        numbers[f"phase_{number}_name"] = Field(phase.name)
        numbers[f"phase_{number}_space_group"] = Field(phase.space_group)
        numbers[f"phase_{number}_weight_percent"] = nexus_parts.with_esd(
            phase.weight_fraction, known[uncertainty.WEIGHT].combined
        )
        for name, parameter in phase.cell.items():
            numbers[f"phase_{number}_{name}"] = nexus_parts.with_esd(
                parameter.value, known[name].combined
            )
    return "profile", {
        "profile": data("calculated", "two_theta", fields),
        "parameters": Group("NXparameters", numbers),
    }


def xye(source: FinishedJob) -> bytes:
    """2θ [deg], counts and their standard deviation.

    Positions are counted for different times, so counts are those of the full scan's time per
    point: rate times that time.
    """
    pattern, seconds = _pattern(source)
    columns = (pattern.intensity * seconds, pattern.sigma * seconds)
    return _rows(source, seconds, "sigma", pattern.two_theta, columns)


def xy(source: FinishedJob) -> bytes:
    """2θ [deg] and counts, as `xye` without the standard deviation."""
    pattern, seconds = _pattern(source)
    return _rows(source, seconds, "", pattern.two_theta, (pattern.intensity * seconds,))


def _pattern(source: FinishedJob) -> tuple[Pattern, float]:
    """The merged pattern, and the full scan's time per point [s]."""
    return source.outcome.measured, nexus_parts.full_time_s(source)


def cif(source: FinishedJob) -> bytes:
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


def _refined(source: FinishedJob) -> str:
    """Say why there is no CIF; "" when there is one."""
    return "" if source.outcome.found.fit else "nothing was refined"


FORMATS: Mapping[str, Format] = {
    "xye": Format(".xye", xye),
    "xy": Format(".xy", xy),
    "cif": Format(".cif", cif, _refined),
}


def _counted(source: FinishedJob) -> tuple[FloatArray, FloatArray, FloatArray]:
    """2θ [deg], counts (integers where they are) and count time [s] of every exposure."""
    if source.observations:
        x, seconds = source.column("x"), source.column("count_time_s")
        raw = source.raw("counts")
        counts = source.column("y") * seconds if raw is None else raw
    else:
        measured = source.outcome.measured
        x, seconds = measured.two_theta, measured.count_time_s
        counts = measured.intensity * seconds
    whole = np.rint(counts)
    if np.allclose(counts, whole, rtol=0.0, atol=1e-6):
        counts = whole.astype(np.int64)
    return x, counts, seconds


def _source(source: FinishedJob) -> Group:
    """The X-ray source, as far as the job says: a doublet of lines is a tube's."""
    tube = len(_wavelengths(source)) > 1
    kind = "Fixed Tube X-ray" if tube else "Synchrotron X-ray Source"
    return nexus_parts.xray_source(source, kind)


def _wavelengths(source: FinishedJob) -> FloatArray:
    of = Diffractometer.of(source.outcome.job.settings["diffractometer"])
    return np.array(of.wavelengths_angstrom, dtype=float)


def _rows(
    source: FinishedJob, seconds: float, last: str, x: FloatArray, columns: Sequence[FloatArray]
) -> bytes:
    said = source.provenance
    versions = ", ".join(f"{name} {version}" for name, version in said.software.items())
    sample = source.outcome.job.sample.name.encode("ascii", "backslashreplace").decode()
    head = [
        f"# sample {sample.splitlines()[0] if sample else ''}",
        f"# job {said.job_id}, seed {said.seed}, begun {said.begun}",
        f"# ledger sha256 {said.ledger_sha256}",
        f"# settings sha256 {said.settings_sha256}",
        f"# {versions}",
        f"# two_theta_deg counts_in_{seconds:g}_s {last}".rstrip(),
    ]
    rows = np.column_stack((x, *columns))
    body = [" ".join((f"{row[0]:.6f}", *(f"{value:.9g}" for value in row[1:]))) for row in rows]
    return ("\n".join([*head, *body]) + "\n").encode("ascii")
