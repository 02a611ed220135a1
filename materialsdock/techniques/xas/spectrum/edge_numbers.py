"""The numbers of an edge by name: its positions, its step, its white line."""

from __future__ import annotations

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import first_inflection
from materialsdock.techniques.xas.spectrum.edge_table import Edge
from materialsdock.techniques.xas.spectrum.normalise import Normalised
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


def numbers(energy_ev: FloatArray, found: Normalised, width_ev: float) -> dict[str, float]:
    """The numbers of a normalised spectrum (m,) by name, NaN for what there is none of.

    width_ev : that its slope is smoothed over
    """
    try:
        position, height = white_line(energy_ev, found)
    except InputError:
        position = height = float("nan")
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


def smoothing_ev(edge: Edge) -> float:
    """The width [eV] over which the slope of an edge is taken."""
    return float(np.clip(WIDTHS * edge.core_hole_width_ev, NARROWEST_EV, WIDEST_EV))
