"""Files of count rates: columns of every exposure, and what is theirs in a NeXus file."""

from __future__ import annotations

from collections.abc import Mapping

from materialsdock import technique
from materialsdock.ledger.finished import FinishedJob, Format
from materialsdock.model import FloatArray, Outcome
from materialsdock.rendering.hdf5 import Field, Group, Link, data, with_unit
from materialsdock.techniques.ordinary.rates import Rates
from materialsdock.techniques.shared import nexus as nexus_parts
from materialsdock.techniques.shared.nexus import Items

PER_SECOND = "1/s"


def columns(source: FinishedJob) -> bytes:
    """Every exposure in the order it was made: position, rate, its sd [1/s], count time [s]."""
    job = source.outcome.job
    known = technique.named(job.sample.technique)
    head = (
        f"# {known.title}, job {job.job_id}\n"
        f"# {known.keys.position} [{known.unit}]  rate [1/s]  sd [1/s]  count time [s]\n"
    )
    rows = (f"{o.x:.9g} {o.y:.9g} {o.sigma:.9g} {o.count_time_s:.9g}" for o in source.observations)
    return (head + "".join(f"{row}\n" for row in rows)).encode()


FORMATS: Mapping[str, Format] = {"columns": Format(".columns.txt", columns)}


def missing(source: FinishedJob) -> str:
    """A NeXus file needs nothing that a job may lack."""
    return ""


def entry(source: FinishedJob) -> Items:
    """Instrument, time and data: the rates in the order they were counted."""
    known = technique.named(source.outcome.job.sample.technique)
    x, seconds = source.column("x"), source.column("count_time_s")
    fields = _fields(known.keys.position, known.unit, x, source.column("y"), source.column("sigma"))
    return {
        "collection_time": with_unit(float(seconds.sum()), "s"),
        "instrument": nexus_parts.instrument(source, {}),
        "data": data("rate", known.keys.position, fields),
    }


def sample(source: FinishedJob) -> Items:
    """Add nothing besides the sample's name."""
    return {}


def curve(rates: Rates) -> Group:
    """Rates, counted or learned, over the axis."""
    fields = _fields(rates.axis, rates.unit, rates.x, rates.rate, rates.sigma)
    return data("rate", rates.axis, fields)


def units(rates: Rates) -> tuple[str, str]:
    """Return the units of the axis, and of the values."""
    return rates.unit, PER_SECOND


def answer(outcome: Outcome) -> None:
    """Add no curve; the numbers stand in the summary."""
    return


def _fields(axis: str, unit: str, *arrays: FloatArray) -> dict[str, Field | Link]:
    x, rate, sigma = arrays
    return {
        axis: with_unit(x, unit),
        "rate": with_unit(rate, PER_SECOND),
        "rate_errors": with_unit(sigma, PER_SECOND),
    }
