"""Absorption spectra as XDI/1.0 (XAS Data Interchange, Ravel et al. 2012, J. Synchrotron Rad. 19,
869): `# Namespace.tag: value` lines, `# ///`, comments, `#---`, then named columns."""

from __future__ import annotations

import numpy as np

import materialsdock
from materialsdock.errors import ModelFault
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.ledger.finished import FinishedJob
from materialsdock.model import FloatArray, Job
from materialsdock.techniques.xas.signals import CALLED, TRANSMISSION
from materialsdock.techniques.xas.signals.recorded import SignalCounts, counted, kind_of

Column = tuple[str, str, FloatArray]


def xdi(source: FinishedJob) -> bytes:
    """The merged spectrum: energy [eV], µ, its standard deviation, I0 and signal, time [s].

    Counts and the counting time are summed over repeat visits; of a fluorescence detector those of
    each element, too, as read, with its photons in and pulses out.
    """
    measured: Spectrum = source.outcome.measured
    job, mu = source.outcome.job, kind_of(source.outcome.job).mu
    columns = [
        ("energy", "eV", measured.energy_ev),
        (mu, "", measured.mu),
        (f"{mu}_sd", "", measured.sigma),
        *_summed(source, measured),
    ]
    names = [f"Column.{i}: {name} {unit}".rstrip() for i, (name, unit, _) in enumerate(columns, 1)]
    tags = [f"# {line}" for line in (*names, *_metadata(source))]
    labels = " ".join(name for name, _, _ in columns)
    rows = np.column_stack([values for _, _, values in columns])
    body = [" ".join((f"{row[0]:.6f}", *(f"{value:.9g}" for value in row[1:]))) for row in rows]
    head = [f"# XDI/1.0 materialsdock/{materialsdock.__version__}", *tags, "# ///"]
    name = job.settings.get("signal", TRANSMISSION)
    signal = CALLED.get(name, name)
    comment = [f"# {signal}; repeat visits are merged by their precision", "#" + "-" * 40]
    return ("\n".join([*head, *comment, f"# {labels}", *body]) + "\n").encode("ascii")


def _summed(source: FinishedJob, measured: Spectrum) -> list[Column]:
    """Sum the counts at each energy of the merged spectrum, as far as the ledger has them."""
    if not source.observations:
        return []
    shown = counted(source)
    seconds = source.summed(source.column("count_time_s"))
    if seconds.size != measured.energy_ev.size:
        raise ModelFault(
            f"{seconds.size} energies were observed, {measured.energy_ev.size} are in the outcome",
            where=source.outcome.job.job_id,
            remedy="analyse the job again",
        )
    found: list[Column] = [("count_time", "s", seconds)]
    if shown is None:
        return found
    both = (("i0", shown.i0), (shown.kind.counts, shown.signal))
    beams: list[Column] = [(name, "counts", source.summed(values)) for name, values in both]
    return [*beams, *found, *_of_elements(source, shown)]


def _of_elements(source: FinishedJob, shown: SignalCounts) -> list[Column]:
    """Counts in the region, photons in and pulses out of each element, as they were read.

    Their names are those of no format, so that nobody takes their sum for the signal: where an
    element was left out it is not.
    """
    seconds = source.column("count_time_s")
    found: list[Column] = []
    for at, number in enumerate(shown.numbers):
        for key, values in shown.elements.items():
            counts = values[at] if key == "roi" else values[at] * seconds
            found.append((f"element_{number}_{key}", "counts", source.summed(counts)))
    return found


def _metadata(source: FinishedJob) -> list[str]:
    job, said = source.outcome.job, source.provenance
    tags = {
        **_element(job),
        "Scan.start_time": said.begun,
        "Sample.name": job.sample.name,
        "Beamline.name": job.settings.get("profile"),
        "Mono.d_spacing": job.settings.get("d_spacing_angstrom"),
        **_detectors(source),
        "materialsdock.job": said.job_id,
        "materialsdock.seed": said.seed,
        "materialsdock.ledger_sha256": said.ledger_sha256,
        "materialsdock.settings_sha256": said.settings_sha256,
        "materialsdock.software": ", ".join(f"{k} {v}" for k, v in said.software.items()),
        "materialsdock.exposures": said.observations,
    }
    return [f"{name}: {_line(value)}" for name, value in tags.items() if value not in (None, "")]


def _detectors(source: FinishedJob) -> dict[str, object]:
    """Name the elements, and those that were left out; {} but for fluorescence."""
    said = source.outcome.summary.get("signal") or {}
    if "elements" not in said:
        return {}
    left_out = [f"{n} at {points} exposures" for n, points in said["left_out"].items()]
    tags: dict[str, object] = {
        "Detector.if": f"{len(said['elements'])}-element detector, corrected for dead time",
        "materialsdock.elements": " ".join(map(str, said["elements"])),
        "materialsdock.elements_left_out": ", ".join(left_out),
    }
    if said["dead_time"] is not None:
        low, high = said["dead_time"]
        tags["materialsdock.dead_time"] = f"{low:.4f} to {high:.4f}"
    return tags


def _element(job: Job) -> dict[str, object]:
    """Element and edge, where the edge is a tabulated one ("Fe K"), and its energy [eV]."""
    symbol, _, edge = str(job.settings.get("edge", "")).partition(" ")
    energy = job.settings.get("learner", {}).get("edge_ev")
    named = {"Element.symbol": symbol, "Element.edge": edge} if edge else {}
    return {**named, "Scan.edge_energy": None if energy is None else f"{energy:.2f} eV"}


def _line(value: object) -> str:
    """A value on one line of ASCII."""
    return " ".join(str(value).encode("ascii", "backslashreplace").decode().split())
