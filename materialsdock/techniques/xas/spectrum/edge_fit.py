"""The numbers of an edge with their whole uncertainty: positions, step, white line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.model import EdgeFit, Known
from materialsdock.techniques.xas.spectrum.edge import first_inflection, locate
from materialsdock.techniques.xas.spectrum.edge_table import Edge, unnamed
from materialsdock.techniques.xas.spectrum.normalisation_doubt import doubt
from materialsdock.techniques.xas.spectrum.normalise import Normalised
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings
from materialsdock.techniques.xas.spectrum.white_line import white_line

UNITS = {
    "e0": "eV",
    "inflection": "eV",
    "edge_step": "",
    "white_line_height": "",
    "white_line_position": "eV",
}
NARROWEST_EV, WIDEST_EV = 0.8, 8.0
WIDTHS = 2.4  # core-hole widths over which a slope is taken
OTHER_WIDTHS = (0.7, 1.4)


def fit_edge(
    energy_ev: FloatArray,
    mean: FloatArray,
    samples: FloatArray,
    *,
    edge: Edge | None = None,
    chosen: SpectrumSettings = NOTHING_CHOSEN,
    noise: float = 0.0,
) -> EdgeFit:
    """Normalisation and edge of µ `mean` (m,), with what noise and normalisation do to them.

    samples : (k, m) curves that µ may be as well, of the posterior or with the noise once more.
    Each goes through the same analysis: its spread is the statistical standard deviation, which
    so holds what noise does by way of the normalisation; those without an edge are counted in a
    warning.
    edge : which it is; None: an unnamed one.  noise : sd of a point of µ that is noise alone
    Raises InputError when there is no edge.
    """
    best = locate(energy_ev, mean, chosen)
    known = edge or unnamed(best.e0_ev)
    values = _numbers(energy_ev, best, _smoothing_ev(known))
    found, lost = [], 0
    for sample in samples:
        try:
            again = locate(energy_ev, sample, chosen)
            found.append([*_numbers(energy_ev, again, _smoothing_ev(known)).values()])
        except InputError:
            lost += 1
    sd = np.full(len(values), np.inf)
    if len(found) > 1:
        sd = np.sqrt(np.nanmean((np.array(found) - [*values.values()]) ** 2, axis=0))
    systematic = _systematic(energy_ev, mean, best, known, noise)
    numbers = {
        name: Known(value, float(each), systematic[name], UNITS[name])
        for (name, value), each in zip(values.items(), sd, strict=True)
        if np.isfinite(value)
    }
    warnings = (f"{lost} of {len(samples)} posterior samples have no edge",) if lost else ()
    e0, step = numbers["e0"], numbers["edge_step"]
    return EdgeFit(
        e0.value,
        e0.esd,
        step.value,
        step.esd,
        energy_ev,
        best.flat,
        best.pre_edge,
        best.post_edge,
        warnings,
        known.name,
        known.energy_ev if known.symbol else None,
        numbers,
        _settings(energy_ev, best),
    )


def widened(found: EdgeFit, factor: float, at_least: Mapping[str, float]) -> EdgeFit:
    """The edge with statistical sd `factor` times as wide, and no less than `at_least` by name."""
    numbers = {
        name: replace(each, statistical=max(factor * each.statistical, at_least.get(name, 0.0)))
        for name, each in found.numbers.items()
    }
    e0, step = numbers["e0"], numbers["edge_step"]
    return replace(found, e0_sd_ev=e0.esd, edge_step_sd=step.esd, numbers=numbers)


def _numbers(energy_ev: FloatArray, found: Normalised, width_ev: float) -> dict[str, float]:
    """The numbers by name, NaN for an inflection that there is none of."""
    position, height = white_line(energy_ev, found)
    try:
        inflection = first_inflection(energy_ev, found.flat, found.edge_ev, width_ev)
    except InputError:
        inflection = float("nan")
    return {
        "e0": found.edge_ev,
        "inflection": inflection,
        "edge_step": found.edge_step,
        "white_line_height": height,
        "white_line_position": position,
    }


def _systematic(
    energy_ev: FloatArray, mu: FloatArray, found: Normalised, edge: Edge, noise: float
) -> Mapping[str, float]:
    of = doubt(energy_ev, mu, found, edge.core_hole_width_ev, noise)
    inflections = []
    for share in OTHER_WIDTHS:
        width = share * _smoothing_ev(edge)
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


def _smoothing_ev(edge: Edge) -> float:
    return float(np.clip(WIDTHS * edge.core_hole_width_ev, NARROWEST_EV, WIDEST_EV))


def _settings(energy_ev: FloatArray, found: Normalised) -> dict[str, float]:
    """The settings of the normalisation as they were used, by the names that people know."""
    return {"e0": found.e0_ev, **found.ranges.within(energy_ev - found.e0_ev).said()}
