"""An absorption spectrum as files: NeXus entry, XDI."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from materialsdock.errors import Refused
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.ledger.finished import FinishedJob, Format
from materialsdock.model import Outcome
from materialsdock.rendering.hdf5 import Field, Group, Link, data, with_unit
from materialsdock.techniques.shared import nexus as nexus_parts
from materialsdock.techniques.shared.nexus import Items
from materialsdock.techniques.xas.signals.recorded import SignalCounts, counted, kind_of
from materialsdock.techniques.xas.xdi import xdi

BEAMS = "/entry/instrument"
FORMATS: Mapping[str, Format] = {"xdi": Format(".xdi", xdi)}


def missing(source: FinishedJob) -> str:
    """Say why there is no NeXus entry, "" when there is: NXxas asks for what was counted."""
    return "" if counted(source) is not None else f"the ledger has no {_asked(source)}"


def entry(source: FinishedJob) -> Items:
    """Instrument, monitor and data of NXxas: beam and signal over energy, as they were read.

    Raises Refused where the ledger has no readings of them.
    """
    found = counted(source)
    if found is None:
        raise Refused(
            f"the ledger has no {_asked(source)}, which NXxas asks for",
            where=source.outcome.job.job_id,
            remedy="export it as xdi or json",
        )
    seconds = source.column("count_time_s")
    instrument: Items = {
        "source": nexus_parts.xray_source(source, "Synchrotron X-ray Source"),
        "monochromator": _monochromator(source),
        "incoming_beam": Group("NXdetector", {"data": with_unit(found.i0, "counts")}),
        "absorbed_beam": Group(
            "NXdetector",
            {
                "data": with_unit(found.signal, "counts"),
                "count_time": with_unit(seconds, "s"),
                **_elements(found),
            },
        ),
    }
    fields: dict[str, Field | Link] = {
        "energy": Link(f"{BEAMS}/monochromator/energy"),
        "absorbed_beam": Link(f"{BEAMS}/absorbed_beam/data"),
        "mode": Field(found.kind.mode),
    }
    return {
        "definition": Field("NXxas"),
        "collection_time": with_unit(float(seconds.sum()), "s"),
        "instrument": nexus_parts.instrument(source, instrument),
        "monitor": Group(
            "NXmonitor",
            {
                "mode": Field("timer"),
                "preset": with_unit(nexus_parts.full_time_s(source), "s"),
                "data": Link(f"{BEAMS}/incoming_beam/data"),
            },
        ),
        "data": data("absorbed_beam", "energy", fields),
    }


def _asked(source: FinishedJob) -> str:
    return f"readings of I0 and {kind_of(source.outcome.job).called}"


def _elements(found: SignalCounts) -> Items:
    """Add what each element counted, (n, elements): the data are corrected sums of them."""
    if not found.elements:
        return {}
    return {
        "element_number": Field(np.array(found.numbers, dtype=np.int64)),
        "element_counts": with_unit(np.column_stack(found.elements["roi"]), "counts"),
        "input_count_rate": with_unit(np.column_stack(found.elements["icr"]), "1/s"),
        "output_count_rate": with_unit(np.column_stack(found.elements["ocr"]), "1/s"),
        "countrate_correction_applied": Field(True),
    }


def sample(source: FinishedJob) -> Items:
    """Add nothing: NXxas asks for nothing more of the sample."""
    return {}


def curve(spectrum: Spectrum) -> Group:
    """The spectrum, or what the model makes of it, over energy."""
    fields = {
        "energy": with_unit(spectrum.energy_ev, "eV"),
        "mu": with_unit(spectrum.mu, ""),
        "mu_errors": with_unit(spectrum.sigma, ""),
    }
    return data("mu", "energy", fields)


def units(spectrum: Spectrum) -> tuple[str, str]:
    """Return the units of the axis, and of the values (none)."""
    return "eV", ""


def answer(outcome: Outcome) -> tuple[str, Items] | None:
    """The normalised curve under the name of what is drawn first of it; None without an edge."""
    edge = outcome.found.edge
    if edge is None:
        return None
    fields = {
        "energy": with_unit(edge.energy_ev, "eV"),
        "normalised": with_unit(edge.flat, ""),
        "pre_edge": with_unit(edge.pre_edge, ""),
        "post_edge": with_unit(edge.post_edge, ""),
    }
    numbers: Items = {
        "e0_ev": nexus_parts.with_esd(edge.e0_ev, edge.e0_sd_ev),
        "edge_step": nexus_parts.with_esd(edge.edge_step, edge.edge_step_sd),
    }
    for name, known in edge.numbers.items():
        if name not in ("e0", "edge_step"):  # which stand there already
            key = f"{name}_ev" if known.unit == "eV" else name
            numbers[key] = nexus_parts.with_esd(known.value, known.esd)
    if edge.tabulated_ev is not None:
        numbers["tabulated_ev"] = with_unit(edge.tabulated_ev, "eV")
    return "normalised", {
        "normalised": data("normalised", "energy", fields),
        "parameters": Group("NXparameters", numbers),
    }


def _monochromator(source: FinishedJob) -> Group:
    """Make the monochromator: its energies, and its crystals where the job has them."""
    energy: Items = {"energy": with_unit(source.column("x"), "eV")}
    d_spacing = source.outcome.job.settings.get("d_spacing_angstrom")
    if d_spacing is None:
        return Group("NXmonochromator", energy)
    crystal = Group("NXcrystal", {"d_spacing": with_unit(float(d_spacing), "angstrom")})
    return Group("NXmonochromator", {**energy, "crystal": crystal})
