"""The conventional scan that a job stands in for: its range, its steps and its counting time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray, Measured, Scan
from materialsdock.techniques.xas.edge import TABLE, Edge, find_edge, nearest_edge
from materialsdock.techniques.xas.grids import region_grid

UNEVEN = 0.25  # of a step: how far a 2θ position may lie from an even grid
FEWEST_STEPS = 50  # a pattern of fewer is not refined
MOST_STEPS = 200_000
BEFORE_EDGE_EV, BEYOND_EDGE_EV = 50.0, 40.0  # the least that shows an edge


def of_measured(measured: Measured, edge: Edge | None = None) -> Scan:
    """The scan that a file holds; InputError for uneven 2θ or a spectrum without an edge.

    edge : None: the tabulated one nearest to the file's rise, as an operator would know it
    """
    if measured.technique == "xas":
        about = edge or nearest_edge(find_edge(measured.x, measured.y))
        return Scan("xas", measured.x, about=about)
    x, seconds = even_grid(measured.x), measured.count_time_s
    return Scan("xrd", x, seconds, measured.wavelengths_angstrom)


def of_two_theta(start: float, stop: float, step: float) -> Scan:
    """A step scan from `start` to `stop` or just short of it by `step`, all [deg].

    Raises InputError where that is no scan.
    """
    points = (stop - start) / step * (1 + 1e-12) + 1 if step > 0 else np.nan
    if not FEWEST_STEPS <= points <= MOST_STEPS:
        raise InputError(
            f"{start:g} to {stop:g}° by {step:g}° is no scan of {FEWEST_STEPS} to "
            f"{MOST_STEPS} steps",
            where="2θ range",
            remedy="mend start, stop or step",
        )
    x: FloatArray = start + step * np.arange(int(points), dtype=np.float64)
    return Scan("xrd", x)


def of_edge(edge: Edge, start_ev: float, stop_ev: float) -> Scan:
    """The scan of `edge` as it is usually made: three regions, the last even in k.

    Raises InputError when the range does not hold the edge with what it stands on.
    """
    if start_ev > edge.energy_ev - BEFORE_EDGE_EV or stop_ev < edge.energy_ev + BEYOND_EDGE_EV:
        raise InputError(
            f"{start_ev:g} to {stop_ev:g} eV does not show the {edge.name} edge at "
            f"{edge.energy_ev:g} eV",
            where="energy range",
            remedy=f"begin {BEFORE_EDGE_EV:g} eV before and end {BEYOND_EDGE_EV:g} eV beyond it",
        )
    return Scan("xas", region_grid(start_ev, stop_ev, edge.energy_ev), about=edge)


def tabulated(element: str, shell: str) -> Edge:
    """The edge of an element, such as Fe and K; InputError when it is not in the table."""
    for edge in TABLE:
        if edge.name == f"{element} {shell}":
            return edge
    raise InputError(f"no edge {element} {shell}", where="edge table", remedy="say e.g. Fe and K")


def cut(measured: Measured, start: float, stop: float) -> Measured:
    """The part of a measured scan from `start` to `stop` [unit of x], half a step of slack.

    Raises InputError when nothing of use is left.
    """
    slack = 0.5 * float(np.median(np.diff(measured.x)))
    kept = (measured.x >= start - slack) & (measured.x <= stop + slack)
    if np.count_nonzero(kept) < FEWEST_STEPS:
        raise InputError(
            f"{np.count_nonzero(kept)} of its points lie between {start:g} and {stop:g}, it has "
            f"{measured.x[0]:g} to {measured.x[-1]:g}",
            remedy="choose a range that the file covers",
        )
    sigma = None if measured.sigma is None else measured.sigma[kept]
    return replace(measured, x=measured.x[kept], y=measured.y[kept], sigma=sigma)


def even_grid(two_theta: FloatArray) -> FloatArray:
    """The evenly stepped grid that `two_theta` (n,) means; InputError when it is not even."""
    grid = np.linspace(two_theta[0], two_theta[-1], two_theta.size)
    off = np.abs(two_theta - grid) / (grid[1] - grid[0])
    if off.max() > UNEVEN:
        worst = int(off.argmax())
        raise InputError(
            f"2θ step is uneven: {two_theta[worst]:g}° is {off[worst]:.2f} steps off an even grid",
            remedy="replay a scan with constant step",
        )
    return grid
