"""The parts that the NeXus entries of all techniques have alike."""

from __future__ import annotations

import math

from materialsdock.ledger.finished import FinishedJob
from materialsdock.rendering.hdf5 import Field, Group, Link

Items = dict[str, Field | Group | Link]


def instrument(source: FinishedJob, items: Items) -> Group:
    """The instrument under the name of its profile."""
    name = str(source.outcome.job.settings.get("profile") or "unnamed")
    return Group("NXinstrument", {"name": Field(name), **items})


def xray_source(source: FinishedJob, kind: str) -> Group:
    """The X-ray source; kind : as NXsource names it."""
    profile = source.outcome.job.settings.get("profile") or "unnamed"
    return Group(
        "NXsource",
        {
            "type": Field(kind),
            "name": Field(f"source of profile {profile}"),
            "probe": Field("x-ray"),
        },
    )


def full_time_s(source: FinishedJob) -> float:
    """Seconds per position of the full scan."""
    return float(source.outcome.job.settings["full_scan"]["full_time_s"])


def with_esd(value: float, esd: float | None) -> Field:
    """A number with its standard deviation as an attribute, where it is known."""
    known = {} if esd is None or not math.isfinite(esd) else {"esd": float(esd)}
    return Field(float(value), known)
