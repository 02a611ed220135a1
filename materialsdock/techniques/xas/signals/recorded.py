"""The counts of a finished job, by its signal, for files that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from materialsdock.ledger.finished import FinishedJob
from materialsdock.model import FloatArray, Job
from materialsdock.techniques.xas.signals import ELECTRON_YIELD, FLUORESCENCE, TRANSMISSION
from materialsdock.techniques.xas.signals.elements import KEYS, numbers_of


@dataclass(frozen=True)
class Kind:
    """The names of a signal in files.

    key : of an event, None: made of the elements; called : by people; mode : of NXxas
    counts, mu : columns of XDI
    """

    key: str | None
    called: str
    mode: str
    counts: str
    mu: str


KINDS: Mapping[str, Kind] = {
    TRANSMISSION: Kind("it", "It", "Transmission", "itrans", "mutrans"),
    FLUORESCENCE: Kind(None, "the elements", "Fluorescence Yield", "ifluor", "mufluor"),
    ELECTRON_YIELD: Kind("iey", "Iey", "Total Electron Yield", "iey", "muey"),
}


@dataclass(frozen=True, eq=False)
class SignalCounts:
    """(n,) counts of the beam and of the signal for each observation of a job.

    signal : as read; of fluorescence the sum of all elements, corrected for dead time, that went
    into the observations; elements : "roi", "icr", "ocr" -> (n,) of each element, by `numbers`
    """

    kind: Kind
    i0: FloatArray
    signal: FloatArray
    numbers: tuple[int, ...] = ()
    elements: Mapping[str, list[FloatArray]] = field(default_factory=dict)


def kind_of(job: Job) -> Kind:
    """The names of the signal of a job."""
    return KINDS[job.settings.get("signal", TRANSMISSION)]


def counted(source: FinishedJob) -> SignalCounts | None:
    """Return what was counted; None where the ledger has not all of it."""
    kind, i0 = kind_of(source.outcome.job), source.raw("i0")
    if i0 is None:
        return None
    if kind.key is not None:
        found = source.raw(kind.key)
        return None if found is None else SignalCounts(kind, i0, found)
    numbers = numbers_of(source.readings[source.observations[0].uid])
    columns = {key: [source.raw(f"{key}{n}") for n in numbers] for key in KEYS}
    if not numbers or any(each is None for shown in columns.values() for each in shown):
        return None
    elements = {key: [np.asarray(each) for each in shown] for key, shown in columns.items()}
    return SignalCounts(kind, i0, source.column("y") * i0, numbers, elements)
