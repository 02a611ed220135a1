"""Recorded readings as arrays, and how many counts may be expected of the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.protocols import Counted
from materialsdock.technique import ReadingKeys

NEAREST = 16
STRETCH = 64
LATEST = 200  # points that tests of the latest ones look at
CAUTION = 0.5  # of the lower quartile of the nearest rates: what is expected at the least


@dataclass(frozen=True, eq=False)
class Readings:
    """(n,) positions [unit of the axis], counts behind the sample and before it, seconds.

    value, sigma : (n,) what an observer makes of them, and its standard deviation
    """

    x: FloatArray
    counts: FloatArray
    monitor: FloatArray
    seconds: FloatArray
    value: FloatArray
    sigma: FloatArray

    @classmethod
    def of(
        cls, keys: ReadingKeys, rows: Sequence[Mapping[str, Any]], observed: Sequence[Counted]
    ) -> Readings:
        """Collect the data of recorded events, named by these keys, and what was observed."""
        names = (keys.position, keys.signal, keys.monitor, "count_time_s")
        shown = (np.array([float(row[name]) for row in rows]) for name in names)
        seen = np.array([(each.y, each.sigma) for each in observed]).reshape(-1, 2)
        return cls(*shown, *seen.T)

    def __add__(self, other: Readings) -> Readings:
        pairs = zip(self.columns, other.columns, strict=True)
        return Readings(*(np.concatenate(pair) for pair in pairs))

    def __getitem__(self, rows: Any) -> Readings:
        return Readings(*(column[rows] for column in self.columns))

    @property
    def columns(self) -> tuple[FloatArray, ...]:
        """The arrays in order."""
        return self.x, self.counts, self.monitor, self.seconds, self.value, self.sigma

    @property
    def monitor_hz(self) -> FloatArray:
        """(n,) rate of the monitor [1/s]."""
        return np.asarray(self.monitor / self.seconds)


NONE_YET = Readings(*(np.zeros(0) for _ in range(6)))


def expected_counts(known: Readings, new: Readings) -> FloatArray:
    """(n,) counts that a living detector shows at the least at the positions of `new`.

    Between recorded points: from the lower quartile of the rates nearest to each.  Beyond them:
    from the weakest stretch of all; 0 where too little is known.  Points without counts at the
    end of `known` are left out: they may be those of a dead detector.
    """
    seen = np.flatnonzero(known.counts > 0)
    alive = known[: seen[-1] + 1] if seen.size else NONE_YET
    if alive.x.size < NEAREST:
        return np.zeros(new.x.size)
    rates = alive.counts / alive.seconds
    aside = new.x[:, None] - alive.x
    near = np.abs(aside).argpartition(NEAREST - 1, axis=1)[:, :NEAREST]
    aside = np.take_along_axis(aside, near, axis=1)
    between = (aside.min(axis=1) <= 0) & (aside.max(axis=1) >= 0)
    lowest = np.where(between, np.quantile(rates[near], 0.25, axis=1), _weakest(alive))
    return np.asarray(CAUTION * lowest * new.seconds)


def _weakest(alive: Readings) -> float:
    """The lowest mean rate [1/s] of STRETCH neighbouring points; 0 for fewer."""
    order = np.argsort(alive.x)[: alive.x.size // STRETCH * STRETCH].reshape(-1, STRETCH)
    if not order.size:
        return 0.0
    return float((alive.counts[order].sum(axis=1) / alive.seconds[order].sum(axis=1)).min())


def spoilt(recorded: Readings) -> int:
    """Count the latest points that show no counts, or the same counts as the last one."""
    other = np.flatnonzero(recorded.counts[::-1] != recorded.counts[-1])
    return int(other[0]) if other.size else recorded.x.size
