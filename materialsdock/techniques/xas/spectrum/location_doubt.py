"""The doubt of places on a curve: what the spacing of its points and the width of the
monochromator do to E0, inflection, and place and height of the white line.

Spacing: each number once more from every other point.  What lies between points is guessed to the
second order at least, so that points twice as far apart are wrong by four times as much; as where
the points happen to lie counts too, half the change is taken, not a third.
Monochromator: it has widened what was measured, and moved the top of a lopsided line by about as
much as it would do once more.  Places are those of the sample, not of the instrument.
Noise moves them too, and is known already: what the same changes do to noise is taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import half_height
from materialsdock.techniques.xas.spectrum.edge_numbers import numbers
from materialsdock.techniques.xas.spectrum.normalisation_doubt import FULL_WIDTHS
from materialsdock.techniques.xas.spectrum.normalise import Normalised

SILICON_111 = 1.4e-4  # dE/E at full width, where nobody says more
OF_EVERY_OTHER = 0.5
AROUND_EV = (-40.0, 45.0)
STEP_EV, STEPS_A_WIDTH, REACH = 0.05, 8.0, 4.0  # REACH : in standard deviations
PLACED = ("e0", "inflection", "white_line_height", "white_line_position")


def location_doubt(
    energy_ev: FloatArray,
    best: Normalised,
    others: Iterable[FloatArray],
    width_ev: float,
    resolution_ev: float,
) -> Mapping[str, float]:
    """Systematic standard deviations of PLACED, by name, for the normalised curve `best` (m,).

    others : normalised curves (m,) that noise could have made of it
    width_ev : that slopes are smoothed over; resolution_ev : full width of the monochromator
    """
    first, last = np.searchsorted(energy_ev, best.edge_ev + np.array(AROUND_EV))
    near = slice(int(first), int(last))

    def changes(flat: FloatArray) -> FloatArray:
        curve = replace(best, flat=flat[near])
        return _changes(energy_ev[near], curve, width_ev, resolution_ev)

    squares = np.square(changes(best.flat))
    noise = np.array([changes(flat) for flat in others])
    if len(noise) > 1:
        squares = squares - _variance(noise)
    whole = np.sqrt(np.nansum(np.maximum(squares, 0.0), axis=0))
    return dict(zip(PLACED, whole.tolist(), strict=True))


def _variance(values: FloatArray) -> FloatArray:
    """Variance over the first axis, robust: a jump to another top is no noise of a place."""
    low, middle, high = np.nanpercentile(values, [15.87, 50.0, 84.13], axis=0)
    return np.asarray(np.maximum(high - middle, middle - low) ** 2)


def _changes(
    energy_ev: FloatArray, found: Normalised, width_ev: float, resolution_ev: float
) -> FloatArray:
    """(3, 4) by which PLACED change: from even points, from odd ones, and in a wider resolution.

    Zero for what cannot be had so.
    """
    here = _placed(energy_ev, found.flat, found, width_ev)
    share = OF_EVERY_OTHER / np.sqrt(2.0)  # of the root mean square over both
    thinned = [
        share * (_placed(energy_ev[k::2], found.flat[k::2], found, width_ev) - here) for k in (0, 1)
    ]
    even, sharp, wide = _widened(energy_ev, found.flat, resolution_ev)
    before, after = (_placed(even, curve, found, width_ev) for curve in (sharp, wide))
    return np.asarray(np.nan_to_num(np.array([*thinned, after - before])))


def _placed(
    energy_ev: FloatArray, flat: FloatArray, found: Normalised, width_ev: float
) -> FloatArray:
    """(4,) PLACED of a normalised curve (k,), NaN without."""
    try:
        e0 = half_height(energy_ev, flat, found.edge_ev)
        of = numbers(energy_ev, replace(found, flat=flat, edge_ev=e0), width_ev)
    except InputError:
        return np.full(len(PLACED), np.nan)
    return np.array([of[name] for name in PLACED])


def _widened(
    energy_ev: FloatArray, flat: FloatArray, resolution_ev: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Even energies (k,), the curve on them, and the same through a monochromator once more."""
    sd = resolution_ev / FULL_WIDTHS
    step = min(STEP_EV, resolution_ev / STEPS_A_WIDTH)
    reach = int(np.ceil(REACH * sd / step))
    even = np.arange(energy_ev[0], energy_ev[-1], step)
    sharp = np.interp(even, energy_ev, flat)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / sd) ** 2)
    wide = np.convolve(np.pad(sharp, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
    return even, sharp, np.asarray(wide)
