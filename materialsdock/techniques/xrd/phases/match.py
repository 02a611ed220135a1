"""Match the whole profile of an entry with a pattern, or with what is left of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.phases import powder_lines
from materialsdock.techniques.xrd.phases.cif_files import StoreEntry
from materialsdock.techniques.xrd.phases.screen import (
    BROADEST_DEG,
    MEASURED,
    Leeway,
    Observed,
    screen,
    tabulate,
)

SCREENED = 60
POLISHED = 25
MODEL_ERROR = 0.15
FLOOR = 0.003
SLOW_DEG = 6.0
STEPS = ((0.0008, 0.04), (0.0004, 0.02), (0.0002, 0.01))
WIDTHS = (1.0, 1.5, 2.5, 5.0, 9.0)
LARGEST_ZERO_DEG = 0.3
APART = 1.5


@dataclass(frozen=True)
class _MatchedPlace:
    strain: float
    zero_deg: float
    width: float


@dataclass(frozen=True, eq=False)
class Match:
    """An entry laid over the residual: score 0-1, strain of its cell, zero shift [deg].

    width : of its peaks, in widths of the sharpest; seen : share of its lines that are there, 0-1
    scale : its weight, in units that are the same for all entries
    profile : (n,) its part of the pattern
    """

    entry: StoreEntry
    score: float
    strain: float
    zero_deg: float
    width: float
    seen: float
    scale: float
    profile: FloatArray


def match(
    entries: Sequence[StoreEntry],
    observed: Observed,
    explained: FloatArray | None = None,
    leeway: Leeway = MEASURED,
) -> list[Match]:
    """The entries that agree best with `observed`, best first.

    explained : (n,) what phases found before give, smoothed; the rest is matched, and trusted
    less where they scatter; leeway : of the cells
    """
    if not entries:
        return []
    calculated = np.zeros(observed.net.size) if explained is None else explained
    rest = observed.net - calculated
    metric = _metric(observed, calculated)
    clear = np.where(rest > MODEL_ERROR * calculated, rest, 0.0)
    table = tabulate(entries, observed)
    found = screen(table, observed, clear, strains=leeway.strains)
    first = np.argsort(-found.score, kind="stable")[:SCREENED]
    rough = [
        max(
            (
                _laid(
                    entries[i],
                    metric,
                    found.seen[i],
                    _MatchedPlace(found.strain[i], found.zero_deg[i], wide),
                    leeway,
                )
                for wide in WIDTHS
                if wide == 1 or wide * observed.fwhm_deg < BROADEST_DEG / 2
            ),
            key=lambda m: m.score,
        )
        for i in first
        if found.score[i] > 0
    ]
    rough.sort(key=lambda m: -m.score)
    fine = [_polished(m, metric, leeway) for m in rough[:POLISHED]]
    return _families(sorted(fine, key=lambda m: -m.score) + rough[POLISHED:])


def lines_of_its_own(new: Match, known: Sequence[Match], observed: Observed) -> float:
    """Share, 0-1, of the √height of `new` in lines that stand APART from higher ones of `known`.

    APART in full widths of the broader phase.  What has hardly such a line describes the shape of
    peaks that are explained, as a relative with nearly the same cell does, and is no phase that
    the pattern can show.
    """
    at, height = _heights(new, observed)
    free = np.ones(at.size, dtype=bool)
    for phase in known:
        other, higher = _heights(phase, observed)
        reach = APART * observed.fwhm_deg * max(new.width, phase.width)
        near = (np.abs(at[:, None] - other) < reach) & (higher > height[:, None])
        free &= ~near.any(axis=1)
    weight = np.sqrt(height)
    return float(weight[free].sum() / max(float(weight.sum()), 1e-300))


def _heights(found: Match, observed: Observed) -> tuple[FloatArray, FloatArray]:
    """(k,) positions [deg] and heights of the lines of a match that fall into the pattern."""
    instrument = observed.diffractometer
    wavelength = float(np.average(instrument.wavelengths_angstrom, weights=instrument.weights))
    at = powder_lines.positions(found.entry.d * (1 + found.strain), wavelength) + found.zero_deg
    inside = (at > observed.two_theta[0]) & (at < observed.two_theta[-1])
    at, area = at[inside], found.scale * found.entry.intensity[inside]
    return at, area * powder_lines.lorentz_polarisation(at, instrument.polarization) / found.width


def _families(matches: Sequence[Match]) -> list[Match]:
    """Keep of the entries that are the same structure only the one that agrees best."""
    best: dict[str, Match] = {}
    for found in matches:
        best.setdefault(found.entry.family, found)
    return list(best.values())


@dataclass(frozen=True, eq=False)
class _Metric:
    """The comparison of profiles: weighted, and blind to what varies slowly.

    root : (n,) √weight; slow : (n, k) orthonormal slow curves; rest : (n,) weighted, projected
    """

    observed: Observed
    root: FloatArray
    slow: FloatArray
    rest: FloatArray

    def projected(self, y: FloatArray) -> FloatArray:
        """y (n,) weighted, without its part in the slow curves."""
        weighted = self.root * y
        return np.asarray(weighted - self.slow @ (self.slow.T @ weighted))


def _metric(observed: Observed, calculated: FloatArray) -> _Metric:
    """1/variance as weight: counting, a relative error of the model, and a floor."""
    relative = MODEL_ERROR * np.maximum(np.maximum(observed.net, calculated), 0.0)
    floor = FLOOR * float(observed.net.max())
    root = 1 / np.sqrt(observed.sigma**2 + relative**2 + floor**2)
    x = observed.two_theta
    knots = np.linspace(x[0], x[-1], max(3, round((x[-1] - x[0]) / SLOW_DEG)))
    hats = np.maximum(1 - np.abs(x[:, None] - knots) / (knots[1] - knots[0]), 0.0)
    slow = np.linalg.qr(root[:, None] * hats)[0]
    metric = _Metric(observed, root, slow, root)
    return replace(metric, rest=metric.projected(observed.net - calculated))


def _laid(
    entry: StoreEntry, metric: _Metric, seen: float, place: _MatchedPlace, leeway: Leeway
) -> Match:
    """Score = cosine of profile and rest in the metric, times √(lines seen), less for a strain."""
    observed = metric.observed
    shape = powder_lines.spread(
        observed.two_theta,
        entry.d,
        entry.intensity,
        observed.diffractometer,
        observed.fwhm_deg * np.hypot(place.width, 1.0),  # the smoothing widens the peaks
        strain=place.strain,
        zero_deg=place.zero_deg,
    )
    column = metric.projected(shape)
    norm, overlap = float(column @ column), max(float(column @ metric.rest), 0.0)
    power = float(metric.rest @ metric.rest)
    scale = overlap / norm if norm > 0 else 0.0
    cosine = overlap / np.sqrt(norm * power) if norm * power > 0 else 0.0
    score = cosine * np.sqrt(seen) * np.exp(-((place.strain / leeway.usual) ** 2) / 2)
    return Match(
        entry, float(score), place.strain, place.zero_deg, place.width, seen, scale, scale * shape
    )


def _polished(rough: Match, metric: _Metric, leeway: Leeway) -> Match:
    """The same entry with strain and zero shift improved step by step."""
    best = rough
    for steps in STEPS:
        improved = True
        while improved:
            improved = False
            for place in _around(best, *steps, leeway.largest):
                tried = _laid(best.entry, metric, best.seen, place, leeway)
                if tried.score > best.score:
                    best, improved = tried, True
    return replace(best, strain=round(best.strain, 6), zero_deg=round(best.zero_deg, 4))


def _around(
    at: Match, strain_step: float, zero_step: float, largest: float
) -> Iterator[_MatchedPlace]:
    for strain, zero in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        place = _MatchedPlace(
            at.strain + strain * strain_step, at.zero_deg + zero * zero_step, at.width
        )
        if abs(place.strain) <= largest and abs(place.zero_deg) <= LARGEST_ZERO_DEG:
            yield place
