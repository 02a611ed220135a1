"""The doubt of a normalisation: how the choice of its ranges and the sample's own structure change
the edge step, E0 at half height, and height and place of the white line.

The lines are fitted to structure, not to noise: oscillations, the foot and the top of the edge.
Neighbouring residuals share one fault, so that what they do to a line at E0 is summed over each
run of one sign, as for correlated errors (Newey and West, Econometrica 55, 703, 1987).  The natural
width of the core hole lifts the pre-edge and lowers the post-edge; an arctan of that width goes
through the same fit.  FACTORS were found on simulated spectra (tests/benchmarks/truth_xas.py
--calibrate), none of them those that are tested on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import ndtr

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import half_height
from materialsdock.techniques.xas.spectrum.normalise import (
    Normalised,
    Ranges,
    influence,
    influence_on_slope,
    normalise,
)
from materialsdock.techniques.xas.spectrum.white_line import (
    WHITE_LINE_EV,
    maxima,
    roundness,
    white_line,
)

FACTORS = np.array([0.65, 0.9, 0.6, 1.0])  # of step, E0, white line, its place
RUNS_OF_NOISE = 1 + 4 / np.pi  # of squared run sums of white noise over its squares
ABOUT_HALF_EV = 1.0
FULL_WIDTHS = 2.3548  # standard deviations of a Gaussian
RIVAL = 0.1  # of the step, that a maximum may be lower than the highest and still count
# a line behind the edge that sees less than a whole oscillation is as wrong as that is high, and
# its residuals do not show it: rms of simulated spectra cut off 20 to 70 eV behind E0, over FACTORS
ONE_OSCILLATION_EV, UNSEEN = 80.0, 0.05 / 0.65
SHORTEST_PRE_EV, SHORTEST_POST_EV = 10.0, (20.0, 40.0, 150.0, 400.0)  # by order
FAR, NEAR, START, END = (1.0, 0.75), (1.0, 1.35), (1.0, 2.0), (1.0, 0.8)


@dataclass(frozen=True)
class NormalisationDoubt:
    """Systematic standard deviations: step [µ], E0 [eV], height [step] and place [eV] of the white
    line.
    """

    edge_step: float
    e0_ev: float
    white_line: float
    white_line_ev: float


def doubt(
    energy_ev: FloatArray,
    mu: FloatArray,
    found: Normalised,
    core_hole_width_ev: float,
    noise: float = 0.0,
    resolution_ev: float = 0.0,
) -> NormalisationDoubt:
    """The doubt of `found`, the normalisation of µ (m,): of its structure, or over its neighbours.

    The larger of the two counts.  noise : sd of one point of µ, which is not structure
    resolution_ev : full width of the monochromator, which lowers a sharp maximum the most
    """
    relative = energy_ev - found.e0_ev
    structure = _of_structure(relative, mu, found, core_hole_width_ev, noise)
    structure[3] = np.hypot(structure[3], _of_rivals(relative, found, structure[4], resolution_ev))
    spread = _over_neighbours(energy_ev, mu, found)
    step, e0_ev, height, place = np.fmax(FACTORS * structure[:4], spread).tolist()
    return NormalisationDoubt(found.edge_step * step, e0_ev, height, place)


def _of_structure(
    relative: FloatArray, mu: FloatArray, found: Normalised, width_ev: float, noise: float
) -> FloatArray:
    """(5,) of step [step], E0 [eV], white line [step], its place [eV], and tilt [1/eV], to first
    order in the errors of both lines; NaN for a white line that there is none of.
    """
    ideal = 0.5 + np.arctan(2 * relative / width_ev) / np.pi
    ranges, step = found.ranges, found.edge_step
    lines = (
        (ranges.pre_ev, 1, found.pre_edge, 0.0, "pre-edge"),
        (ranges.post_ev, ranges.order, found.post_edge, 1.0, "post-edge"),
    )
    runs, tails = [], []
    for window, order, line, level, name in lines:
        inside, each = influence(relative, window, order, name)
        square = _sum_over_runs(each * (mu - line)[inside])
        square -= RUNS_OF_NOISE * noise**2 * float(each @ each)
        runs.append(max(square, 0.0) ** 0.5 / step)
        tails.append(float(each @ (ideal[inside] - level)))
    if relative[-1] < ONE_OSCILLATION_EV:
        runs[1] = float(np.hypot(runs[1], UNSEEN))
    half = 0.5 / _slope_at_half(relative, found.flat)
    try:
        place, height = white_line(relative + found.e0_ev, found)
    except InputError:
        place = height = float("nan")
    weights = np.array([[-1.0, 1.0], [half, half], [height - 1, -height]])  # of pre, of post
    levels = np.hypot(np.hypot(*(weights * runs).T), weights @ tails)
    return np.append(levels, _of_tilt(relative, mu, found, ideal, place - found.e0_ev, noise))


def _of_tilt(
    relative: FloatArray,
    mu: FloatArray,
    found: Normalised,
    ideal: FloatArray,
    top_ev: float,
    noise: float,
) -> tuple[float, float]:
    """The place of the white line [eV], which a tilt of the post-edge line moves; and the tilt."""
    if not np.isfinite(top_ev):
        return float("nan"), float("nan")
    window, order = found.ranges.post_ev, found.ranges.order
    each = influence_on_slope(relative, window, order, "post-edge", top_ev)
    inside = (relative >= window[0]) & (relative <= window[1])
    square = _sum_over_runs(each * (mu - found.post_edge)[inside])
    square = max(square - RUNS_OF_NOISE * noise**2 * float(each @ each), 0.0)
    tilt = float(np.hypot(square**0.5 / found.edge_step, each @ (ideal[inside] - 1.0)))
    moved = tilt / roundness(relative, found.flat, top_ev)
    return min(moved, WHITE_LINE_EV / 2), tilt


def _of_rivals(relative: FloatArray, found: Normalised, tilt: float, resolution_ev: float) -> float:
    """Error of the white line [eV] if another maximum is the highest of the sample's own.

    A tilt [1/eV] may have lowered it, or the monochromator, by half its variance times roundness.
    """
    if not np.isfinite(tilt):
        return float("nan")
    at = maxima(relative + found.e0_ev, found)
    top = at[np.argmax(found.flat[at])]
    at = at[found.flat[top] - found.flat[at] < RIVAL]
    half_variance = 0.5 * (resolution_ev / FULL_WIDTHS) ** 2
    own = [
        found.flat[i] + half_variance * roundness(relative, found.flat, relative[i])
        for i in (top, *at)
    ]
    away = np.abs(relative[at] - relative[top])
    higher = ndtr((np.array(own[1:]) - own[0]) / np.maximum(tilt * away, 1e-12))  # probability
    return float(np.max(away * np.sqrt(higher)))


def _sum_over_runs(parts: FloatArray) -> float:
    """Σ over runs of one sign of their squared sums."""
    cuts = np.flatnonzero(np.diff(np.sign(parts)) != 0) + 1
    sums = np.add.reduceat(parts, np.concatenate([[0], cuts]))
    return float(sums @ sums)


def _slope_at_half(relative: FloatArray, flat: FloatArray) -> float:
    """Slope of the normalised curve at E0 [1/eV], over 2 eV."""
    low, high = np.interp([-ABOUT_HALF_EV, ABOUT_HALF_EV], relative, flat)
    return max(float(high - low) / (2 * ABOUT_HALF_EV), 1e-3)


def _over_neighbours(energy_ev: FloatArray, mu: FloatArray, found: Normalised) -> FloatArray:
    """(4,) standard deviations over choices of the ranges that another analyst could make.

    Of step [step], E0 [eV], white line [step] and its place [eV].
    """
    relative, values = energy_ev - found.e0_ev, []
    for ranges in neighbours(found.ranges.within(relative)):
        try:
            other = normalise(energy_ev, mu, found.e0_ev, ranges)
            e0 = half_height(energy_ev, other.flat, found.e0_ev)
        except InputError:  # too few points are left of a range
            continue
        try:
            place, height = white_line(energy_ev, other)
        except InputError:
            place = height = float("nan")
        values.append((other.edge_step / found.edge_step, e0, height, place))
    return _deviations(np.array(values))


def _deviations(values: FloatArray) -> FloatArray:
    """Standard deviations of the columns (n, 4) over what is known of them; 0 of fewer than two."""
    known = [column[np.isfinite(column)] for column in values.T]
    return np.array([float(np.std(c, ddof=1)) if c.size > 1 else 0.0 for c in known])


def neighbours(chosen: Ranges) -> Iterator[Ranges]:
    """Ranges about those chosen, which lie within the spectrum; the chosen ones first."""
    (first, pre_end), (post_start, last) = chosen.pre_ev, chosen.post_ev
    for far, near, start, end in product(FAR, NEAR, START, END):
        pre, post = (far * first, near * pre_end), (start * post_start, end * last)
        long_enough = post[1] - post[0] >= SHORTEST_POST_EV[chosen.order]
        if (pre[1] - pre[0] >= SHORTEST_PRE_EV and long_enough) or (
            far == near == start == end == 1.0
        ):
            yield Ranges(pre, post, chosen.order)
