"""Files of a finished job: columns, and what it has in a NeXus file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from materialsdock.ledger.finished import FinishedJob, Format
from materialsdock.model import Outcome
from materialsdock.rendering.hdf5 import Group, data, with_unit
from one_reflection.analysis import Points

UNITS = ("deg", "1/s")


def columns(source: FinishedJob) -> bytes:
    """Every exposure: 2θ [deg], count rate and its standard deviation [1/s]."""
    head = f"# one reflection, job {source.outcome.job.job_id}\n# two_theta rate sigma\n"
    rows = (f"{o.x:.5f} {o.y:.3f} {o.sigma:.3f}\n" for o in source.observations)
    return (head + "".join(rows)).encode()


FORMATS: Mapping[str, Format] = {"reflection": Format(".reflection.txt", columns)}


def missing(source: FinishedJob) -> str:
    """A NeXus file needs nothing that a job may lack."""
    return ""


def entry(source: FinishedJob) -> Mapping[str, Any]:
    """The exposures in the order they were made."""
    fields = {
        "two_theta": with_unit(source.column("x"), "deg"),
        "rate": with_unit(source.column("y"), "1/s"),
    }
    return {"data": data("rate", "two_theta", fields)}


def sample(source: FinishedJob) -> Mapping[str, Any]:
    """Nothing besides its name."""
    return {}


def curve(points: Points) -> Group:
    """Rates over 2θ."""
    fields = {
        "two_theta": with_unit(points.two_theta, "deg"),
        "rate": with_unit(points.rate, "1/s"),
        "rate_errors": with_unit(points.sigma, "1/s"),
    }
    return data("rate", "two_theta", fields)


def answer(outcome: Outcome) -> None:
    """Nothing besides the curve."""
    return
