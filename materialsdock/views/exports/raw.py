"""What the NeXus application definitions NXmonopd and NXxas ask of an entry: the raw data."""

from __future__ import annotations

import numpy as np

from materialsdock.errors import Refused
from materialsdock.ledger.finished import Source
from materialsdock.model import FloatArray
from materialsdock.rendering.hdf5 import Field, Group, Link, data, with_unit
from materialsdock.techniques.xrd.model import Diffractometer, Pattern

Items = dict[str, Field | Group | Link]
DETECTOR = "/entry/instrument/detector"
BEAMS = "/entry/instrument"


def diffraction(source: Source) -> Items:
    """Instrument, monitor and data of NXmonopd: counts over 2θ [deg] as they were counted.

    A pattern that came from a file, whose exposures nobody recorded, stands as it was read.
    """
    two_theta, counts, seconds = _counted(source)
    instrument: Items = {
        "source": _source(source, len(_wavelengths(source)) > 1),
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
        "instrument": _instrument(source, instrument),
        "monitor": Group(
            "NXmonitor",
            {
                "mode": Field("timer"),
                "preset": with_unit(_full_time_s(source), "s"),
                "integral": with_unit(total, "s"),
            },
        ),
        "data": data("data", "polar_angle", fields),
    }


def rotation(source: Source) -> Items:
    """The sample's angle [deg], which NXmonopd asks for: θ where θ and 2θ are coupled, else NaN."""
    if not isinstance(source.outcome.measured, Pattern):
        return {}
    two_theta, _, _ = _counted(source)
    of = Diffractometer.of(source.outcome.job.settings["diffractometer"])
    coupled = of.geometry == "bragg_brentano"
    angle = two_theta / 2 if coupled else np.full(two_theta.size, np.nan)
    return {"rotation_angle": with_unit(angle, "degree")}


def absorption(source: Source) -> Items:
    """Instrument, monitor and data of NXxas: both ion chambers over energy, as they were read.

    Raises Refused where the ledger has no readings of the chambers.
    """
    i0, it = source.raw("i0"), source.raw("it")
    if i0 is None or it is None:
        raise Refused(
            "the ledger has no readings of I0 and It, which NXxas asks for",
            where=source.outcome.job.job_id,
            remedy="export it as xdi or json",
        )
    seconds = source.column("count_time_s")
    instrument: Items = {
        "source": _source(source, tube=False),
        "monochromator": _monochromator(source),
        "incoming_beam": Group("NXdetector", {"data": with_unit(i0, "counts")}),
        "absorbed_beam": Group(
            "NXdetector", {"data": with_unit(it, "counts"), "count_time": with_unit(seconds, "s")}
        ),
    }
    fields: dict[str, Field | Link] = {
        "energy": Link(f"{BEAMS}/monochromator/energy"),
        "absorbed_beam": Link(f"{BEAMS}/absorbed_beam/data"),
        "mode": Field("Transmission"),
    }
    return {
        "definition": Field("NXxas"),
        "collection_time": with_unit(float(seconds.sum()), "s"),
        "instrument": _instrument(source, instrument),
        "monitor": Group(
            "NXmonitor",
            {
                "mode": Field("timer"),
                "preset": with_unit(_full_time_s(source), "s"),
                "data": Link(f"{BEAMS}/incoming_beam/data"),
            },
        ),
        "data": data("absorbed_beam", "energy", fields),
    }


def _monochromator(source: Source) -> Group:
    """Its energies, and its crystals where the job tells of them."""
    energy: Items = {"energy": with_unit(source.column("x"), "eV")}
    d_spacing = source.outcome.job.settings.get("d_spacing_angstrom")
    if d_spacing is None:
        return Group("NXmonochromator", energy)
    crystal = Group("NXcrystal", {"d_spacing": with_unit(float(d_spacing), "angstrom")})
    return Group("NXmonochromator", {**energy, "crystal": crystal})


def _counted(source: Source) -> tuple[FloatArray, FloatArray, FloatArray]:
    """2θ [deg], counts (integers where they are) and count time [s] of every exposure."""
    if source.observations:
        x, seconds = source.column("x"), source.column("count_time_s")
        raw = source.raw("counts")
        counts = source.column("y") * seconds if raw is None else raw
    else:
        measured = source.outcome.measured
        assert isinstance(measured, Pattern)
        x, seconds = measured.two_theta, measured.count_time_s
        counts = measured.intensity * seconds
    whole = np.rint(counts)
    if np.allclose(counts, whole, rtol=0.0, atol=1e-6):
        counts = whole.astype(np.int64)
    return x, counts, seconds


def _instrument(source: Source, items: Items) -> Group:
    name = str(source.outcome.job.settings.get("profile") or "unnamed")
    return Group("NXinstrument", {"name": Field(name), **items})


def _source(source: Source, tube: bool) -> Group:
    """The X-ray source, as far as the job tells: a doublet of lines is a tube's."""
    profile = source.outcome.job.settings.get("profile") or "unnamed"
    return Group(
        "NXsource",
        {
            "type": Field("Fixed Tube X-ray" if tube else "Synchrotron X-ray Source"),
            "name": Field(f"source of profile {profile}"),
            "probe": Field("x-ray"),
        },
    )


def _wavelengths(source: Source) -> FloatArray:
    of = Diffractometer.of(source.outcome.job.settings["diffractometer"])
    return np.array(of.wavelengths_angstrom, dtype=float)


def _full_time_s(source: Source) -> float:
    return float(source.outcome.job.settings["full_scan"]["full_time_s"])
