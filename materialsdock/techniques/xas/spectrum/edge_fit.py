"""The numbers of an edge with their whole uncertainty: positions, step, white line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.model import EdgeFit, Known
from materialsdock.techniques.xas.spectrum.edge import first_inflection, locate
from materialsdock.techniques.xas.spectrum.edge_numbers import UNITS, numbers, smoothing_ev
from materialsdock.techniques.xas.spectrum.edge_table import Edge, unnamed
from materialsdock.techniques.xas.spectrum.location_doubt import SILICON_111, location_doubt
from materialsdock.techniques.xas.spectrum.normalisation_doubt import doubt
from materialsdock.techniques.xas.spectrum.normalise import Normalised
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings

OTHER_WIDTHS = (0.7, 1.4)
UNCLEAR_EV = 2.0  # of the place of a white line
OF_NOISE = 32  # samples that tell how far noise moves a place


def fit_edge(
    energy_ev: FloatArray,
    mean: FloatArray,
    samples: FloatArray,
    *,
    edge: Edge | None = None,
    chosen: SpectrumSettings = NOTHING_CHOSEN,
    noise: float = 0.0,
    resolution_ev: float | None = None,
) -> EdgeFit:
    """Normalisation and edge of µ `mean` (m,), with what noise and all choices do to them.

    samples : (k, m) curves that µ may be as well, of the posterior or with the noise once more.
    Each goes through the same analysis: its spread is the statistical standard deviation, which
    so holds what noise does by way of the normalisation; those without an edge are counted in a
    warning.
    edge : which it is; None: an unnamed one.  noise : sd of a point of µ that is noise alone
    resolution_ev : full width of the monochromator; None: that of Si 111
    Raises InputError when there is no edge.
    """
    best = locate(energy_ev, mean, chosen)
    known = edge or unnamed(best.e0_ev)
    width = smoothing_ev(known)
    curves, lost = _again(energy_ev, samples, chosen)
    resolution = SILICON_111 * best.edge_ev if resolution_ev is None else resolution_ev
    flats = [curve.flat for curve in curves[:OF_NOISE]]
    of_place = location_doubt(energy_ev, best, flats, width, resolution)
    of_choice = _of_choice(energy_ev, mean, best, known, (noise, resolution))
    values = numbers(energy_ev, best, width)
    sd = _statistical(energy_ev, values, curves, width)
    found = {
        name: Known(
            value, sd[name], float(np.hypot(of_choice[name], of_place.get(name, 0))), UNITS[name]
        )
        for name, value in values.items()
        if np.isfinite(value)
    }
    warnings = [f"{lost} of {len(samples)} posterior samples have no edge"] if lost else []
    e0, step = found["e0"], found["edge_step"]
    return EdgeFit(
        e0.value,
        e0.esd,
        step.value,
        step.esd,
        energy_ev,
        best.flat,
        best.pre_edge,
        best.post_edge,
        (*warnings, *_of_white_line(found)),
        known.name,
        known.energy_ev if known.symbol else None,
        found,
        _settings(energy_ev, best),
    )


def _of_white_line(found: Mapping[str, Known]) -> tuple[str, ...]:
    """Say if it is not clear which maximum is the white line; () where it is."""
    place = found.get("white_line_position")
    if place is None or place.esd <= UNCLEAR_EV:
        return ()
    return (
        f"the place of the white line is known to {place.esd:.1f} eV only: another maximum, or "
        "all of a flat top, is as high within what noise and normalisation leave open",
    )


def _statistical(
    energy_ev: FloatArray, values: Mapping[str, float], curves: Sequence[Normalised], width: float
) -> dict[str, float]:
    """Root mean square by which the numbers of `curves` lie off `values`; inf of fewer than two."""
    if len(curves) < 2:
        return dict.fromkeys(values, float("inf"))
    found = np.array([[*numbers(energy_ev, curve, width).values()] for curve in curves])
    off = (found - [*values.values()]).T
    return {name: _rms(each[np.isfinite(each)]) for name, each in zip(values, off, strict=True)}


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("inf")


def _again(
    energy_ev: FloatArray, samples: FloatArray, chosen: SpectrumSettings
) -> tuple[list[Normalised], int]:
    """The samples (k, m) normalised, and how many of them have no edge."""
    curves = []
    for sample in samples:
        try:
            curves.append(locate(energy_ev, sample, chosen))
        except InputError:
            continue
    return curves, len(samples) - len(curves)


def widened(found: EdgeFit, factor: float, at_least: Mapping[str, float]) -> EdgeFit:
    """The edge with statistical sd `factor` times as wide, and no less than `at_least` by name."""
    wider = {
        name: replace(each, statistical=max(factor * each.statistical, at_least.get(name, 0.0)))
        for name, each in found.numbers.items()
    }
    e0, step = wider["e0"], wider["edge_step"]
    return replace(found, e0_sd_ev=e0.esd, edge_step_sd=step.esd, numbers=wider)


def _of_choice(
    energy_ev: FloatArray,
    mu: FloatArray,
    found: Normalised,
    edge: Edge,
    noise_and_resolution: tuple[float, float],
) -> Mapping[str, float]:
    """Systematic sd of all numbers by another normalisation, or another width of the slope."""
    of = doubt(energy_ev, mu, found, edge.core_hole_width_ev, *noise_and_resolution)
    inflections = []
    for share in OTHER_WIDTHS:
        width = share * smoothing_ev(edge)
        try:
            inflections.append(first_inflection(energy_ev, found.flat, found.edge_ev, width))
        except InputError:
            continue
    return {
        "e0": of.e0_ev,
        "inflection": float(np.ptp(inflections)) / 2 if len(inflections) > 1 else 0.0,
        "edge_step": of.edge_step,
        "white_line_height": of.white_line,
        "white_line_position": of.white_line_ev,
    }


def _settings(energy_ev: FloatArray, found: Normalised) -> dict[str, float]:
    """The settings of the normalisation as they were used, by the names that people know."""
    return {"e0": found.e0_ev, **found.ranges.within(energy_ev - found.e0_ev).said()}
