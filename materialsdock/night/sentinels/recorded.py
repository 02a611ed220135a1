"""What the sentinels look at: recorded readings as arrays, and what may be expected of the next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import FloatArray
from materialsdock.night.sentinels import judges
from materialsdock.night.sentinels.judges import Alarm, Reference

NEAREST = 16
STRETCH = 64
LATEST = 200  # points that tests of the latest ones look at
CAUTION = 0.5  # of the lower quartile of the nearest rates: what is expected at the least
WIDTHS = (1.0, 2.0, 4.0, 8.0)  # of the resolution, tried for the slope of the edge
FEWEST_NEAR = 4
SAME_EV = 0.01
FADED_SIGMAS = 5.0
KEYS: Mapping[str, tuple[str, str, str]] = {
    "xrd": ("two_theta", "counts", "monitor"),
    "xas": ("mono_energy", "it", "i0"),
}


@dataclass(frozen=True, eq=False)
class Readings:
    """(n,) positions [unit of the axis], counts behind the sample and before it, seconds."""

    x: FloatArray
    counts: FloatArray
    monitor: FloatArray
    seconds: FloatArray

    @classmethod
    def of(cls, technique: str, rows: Sequence[Mapping[str, Any]]) -> Readings:
        """From the data of recorded events."""
        keys = (*KEYS[technique], "count_time_s")
        return cls(*(np.array([float(row[key]) for row in rows]) for key in keys))

    def __add__(self, other: Readings) -> Readings:
        pairs = zip(self.columns, other.columns, strict=True)
        return Readings(*(np.concatenate(pair) for pair in pairs))

    def __getitem__(self, rows: Any) -> Readings:
        return Readings(*(column[rows] for column in self.columns))

    @property
    def columns(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """The four arrays in order."""
        return self.x, self.counts, self.monitor, self.seconds

    @property
    def monitor_hz(self) -> FloatArray:
        """(n,) rate of the monitor [1/s]."""
        return np.asarray(self.monitor / self.seconds)

    @property
    def mu(self) -> tuple[FloatArray, FloatArray]:
        """(n,) absorption and its standard deviation from counting."""
        mu = np.log(self.monitor / self.counts)
        return mu, np.sqrt(1 / self.monitor + 1 / self.counts)


NONE_YET = Readings(*(np.zeros(0) for _ in range(4)))


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


@dataclass(frozen=True)
class Places:
    """Where an absorption sample is visited again: on the rising edge, at its top and its foot."""

    edge: Reference
    top_ev: float
    foot_ev: float

    @property
    def energies(self) -> tuple[float, float, float]:
        """In the order of visits."""
        return self.edge.energy_ev, self.top_ev, self.foot_ev


def places(recorded: Readings, resolution_ev: float) -> Places | None:
    """The places that the recorded points of an absorption sample offer; None without an edge.

    Each has been counted already, so its first value is that of then.
    """
    mu, sd = recorded.mu
    for width in WIDTHS:
        try:
            edge = judges.reference_point(recorded.x, mu, sd, width * resolution_ev)
        except InputError:
            continue
        before = recorded.x < edge.energy_ev
        if not before.any():
            return None
        foot = recorded.x[before][mu[before].argmin()]
        return Places(edge, float(recorded.x[mu.argmax()]), float(foot))
    return None


def slope(recorded: Readings, known: Places, resolution_ev: float) -> float:
    """Of µ at the reference point [1/eV], from points as near as there are enough of."""
    mu, _ = recorded.mu
    for width in WIDTHS:
        away = recorded.x - known.edge.energy_ev
        near = np.abs(away) <= width * resolution_ev
        if np.unique(np.round(away[near], 2)).size >= FEWEST_NEAR:
            return max(float(np.polyfit(away[near], mu[near], 1)[0]), known.edge.slope)
    return known.edge.slope


def contrast(recorded: Readings, known: Places, *, last: bool) -> float:
    """µ at the top less that at the foot, of their first or last visits."""
    mu, _ = recorded.mu
    top, foot = (np.flatnonzero(np.abs(recorded.x - at) <= SAME_EV)[-1 if last else 0]
                 for at in (known.top_ev, known.foot_ev))  # fmt: skip
    return float(mu[top] - mu[foot])


def spoilt(recorded: Readings) -> int:
    """How many of the latest points show no counts, or the same counts as the last one."""
    other = np.flatnonzero(recorded.counts[::-1] != recorded.counts[-1])
    return int(other[0]) if other.size else recorded.x.size


def faded(recorded: Readings, step: float, limit: float) -> Alarm | None:
    """Whether a pattern is weaker by more than `limit` (relative) than the same places were first.

    The monitor says what the beam has to do with it.
    """
    place = np.round(recorded.x / step).astype(np.int64)
    _, first, inverse = np.unique(place, return_index=True, return_inverse=True)
    last = np.zeros(first.size, dtype=np.int64)
    last[inverse] = np.arange(place.size)  # the latest of each stays
    first, last = first[last != first], last[last != first]
    was, now = recorded.counts[first].sum(), recorded.counts[last].sum()
    if was <= 0:
        return None
    ratio = float(np.sum(recorded.counts[first] / recorded.monitor[first] * recorded.monitor[last]))
    change, noise = now / ratio - 1, np.sqrt(1 / was + 1 / max(now, 1.0))
    if change > -max(limit, FADED_SIGMAS * noise):
        return None
    words = f"{first.size} places scatter {change:+.0%} when visited again"
    return Alarm("damage", "warn", words, "held")


def damage(technique: str, recorded: Readings, tolerance: float) -> Alarm | None:
    """Whether places counted again show something else than at first; see sentinels.

    Rates are those for the median of the monitor, so a beam that changes is no damage.
    """
    if technique == "xas":
        mu, sd = recorded.mu
        return judges.sample_damage(recorded.x, mu, sd, scale="offset", tolerance=tolerance)
    seconds = recorded.monitor / np.median(recorded.monitor_hz)
    sigma = np.sqrt(np.maximum(recorded.counts, 1.0)) / seconds
    return judges.sample_damage(
        recorded.x, recorded.counts / seconds, sigma,
        scale="factor", tolerance=tolerance, count_time_s=seconds,
    )  # fmt: skip


def documents_of(ledger: Ledger, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    """The documents of one job in the order they were recorded."""
    rows = ledger.rows(
        "SELECT name, body FROM documents WHERE job_id = ? "
        "AND name IN ('descriptor', 'event', 'event_page') ORDER BY seq",
        job_id,
    )
    return [(name, json.loads(body)) for name, body in rows]


def flags_of(ledger: Ledger, sample_id: str) -> list[str]:
    """What was flagged while a sample was measured, in words, each once."""
    rows = ledger.rows(
        "SELECT body FROM events WHERE kind = 'condition' AND sample_id = ? ORDER BY seq", sample_id
    )
    found = (json.loads(body) for (body,) in rows)
    return list(dict.fromkeys(each["words"] for each in found if each.get("kind") == "flag"))


def flags_of_job(ledger: Ledger, job_id: str) -> set[str]:
    """What the night's log has as flagged for a job's sample."""
    found = ledger.rows("SELECT sample_id FROM samples WHERE job_id = ?", job_id)
    return {words for (sample_id,) in found for words in flags_of(ledger, sample_id)}
