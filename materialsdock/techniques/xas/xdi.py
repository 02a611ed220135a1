"""Absorption spectra as XDI/1.0 (XAS Data Interchange, Ravel et al. 2012, J. Synchrotron Rad. 19,
869): `# Namespace.tag: value` lines, `# ///`, comments, `#---`, then named columns."""

from __future__ import annotations

import numpy as np

import materialsdock
from materialsdock.errors import ModelFault
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.ledger.finished import FinishedJob
from materialsdock.model import FloatArray, Job

Column = tuple[str, str, FloatArray]


def xdi(source: FinishedJob) -> bytes:
    """The merged spectrum: energy [eV], µ, its standard deviation, I0 and It [counts], time [s].

    I0, It and the counting time are summed over repeat visits.
    """
    measured: Spectrum = source.outcome.measured
    columns = [
        ("energy", "eV", measured.energy_ev),
        ("mutrans", "", measured.mu),
        ("mutrans_sd", "", measured.sigma),
        *_summed(source, measured),
    ]
    names = [f"Column.{i}: {name} {unit}".rstrip() for i, (name, unit, _) in enumerate(columns, 1)]
    tags = [f"# {line}" for line in (*names, *_metadata(source))]
    labels = " ".join(name for name, _, _ in columns)
    rows = np.column_stack([values for _, _, values in columns])
    body = [" ".join((f"{row[0]:.6f}", *(f"{value:.9g}" for value in row[1:]))) for row in rows]
    head = [f"# XDI/1.0 materialsdock/{materialsdock.__version__}", *tags, "# ///"]
    comment = ["# transmission; repeat visits are merged by their precision", "#" + "-" * 40]
    return ("\n".join([*head, *comment, f"# {labels}", *body]) + "\n").encode("ascii")


def _summed(source: FinishedJob, measured: Spectrum) -> list[Column]:
    """Sum the counts at each energy of the merged spectrum, as far as the ledger has them."""
    i0, it = source.raw("i0"), source.raw("it")
    if not source.observations:
        return []
    seconds = source.summed(source.column("count_time_s"))
    if seconds.size != measured.energy_ev.size:
        raise ModelFault(
            f"{seconds.size} energies were observed, {measured.energy_ev.size} are in the outcome",
            where=source.outcome.job.job_id,
            remedy="analyse the job again",
        )
    found: list[Column] = [("count_time", "s", seconds)]
    if i0 is not None and it is not None:
        found = [
            ("i0", "counts", source.summed(i0)),
            ("itrans", "counts", source.summed(it)),
            *found,
        ]
    return found


def _metadata(source: FinishedJob) -> list[str]:
    job, said = source.outcome.job, source.provenance
    tags = {
        **_element(job),
        "Scan.start_time": said.begun,
        "Sample.name": job.sample.name,
        "Beamline.name": job.settings.get("profile"),
        "Mono.d_spacing": job.settings.get("d_spacing_angstrom"),
        "materialsdock.job": said.job_id,
        "materialsdock.seed": said.seed,
        "materialsdock.ledger_sha256": said.ledger_sha256,
        "materialsdock.settings_sha256": said.settings_sha256,
        "materialsdock.software": ", ".join(f"{k} {v}" for k, v in said.software.items()),
        "materialsdock.exposures": said.observations,
    }
    return [f"{name}: {_line(value)}" for name, value in tags.items() if value not in (None, "")]


def _element(job: Job) -> dict[str, object]:
    """Element and edge, where the edge is a tabulated one ("Fe K"), and its energy [eV]."""
    symbol, _, edge = str(job.settings.get("edge", "")).partition(" ")
    energy = job.settings.get("learner", {}).get("edge_ev")
    named = {"Element.symbol": symbol, "Element.edge": edge} if edge else {}
    return {**named, "Scan.edge_energy": None if energy is None else f"{energy:.2f} eV"}


def _line(value: object) -> str:
    """A value on one line of ASCII."""
    return " ".join(str(value).encode("ascii", "backslashreplace").decode().split())
