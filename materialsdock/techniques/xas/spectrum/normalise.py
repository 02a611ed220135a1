"""Normalisation: a line before the edge, a polynomial behind it, and the step between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray

PRE_FAR_EV, PRE_NEAR_EV, PRE_NEAREST_EV = 150.0, 30.0, 12.0
POST_NEAR_EV, POST_FAR_EV = 15.0, 800.0
QUADRATIC_FROM_EV, LINEAR_FROM_EV = 200.0, 60.0
FEWEST_POINTS = 3


@dataclass(frozen=True)
class Ranges:
    """The ranges of the lines, from E0 [eV], and the order of the post-edge polynomial."""

    pre_ev: tuple[float, float]
    post_ev: tuple[float, float]
    order: int

    @classmethod
    def of(cls, relative_ev: FloatArray) -> Ranges:
        """Choose the ranges that a spectrum's own length (m,), counted from E0 [eV], allows."""
        near = PRE_NEAR_EV if relative_ev[0] < -2 * PRE_NEAR_EV else PRE_NEAREST_EV
        length = relative_ev[-1]
        order = 2 if length > QUADRATIC_FROM_EV else 1 if length > LINEAR_FROM_EV else 0
        return cls((-PRE_FAR_EV, -near), (POST_NEAR_EV, POST_FAR_EV), order)


@dataclass(frozen=True, eq=False)
class Normalised:
    """A normalised spectrum: the two lines (m,), the step at e0, and the flat curve (m,)."""

    e0_ev: float
    edge_step: float
    pre_edge: FloatArray
    post_edge: FloatArray
    flat: FloatArray


def normalise(
    energy_ev: FloatArray, mu: FloatArray, e0_ev: float, ranges: Ranges | None = None
) -> Normalised:
    """Normalise µ (m,) about e0 [eV], by `ranges` or those that the spectrum's length allows.

    The curve is flattened: behind e0 the post-edge's slope and bend are taken out, as in the
    usual practice of XAFS analysis.  Raises InputError when either side is too short, or when
    there is no upward step.
    """
    relative = energy_ev - e0_ev
    ranges = Ranges.of(relative) if ranges is None else ranges
    pre_edge = _polynomial(relative, mu, ranges.pre_ev, 1, "pre-edge")
    post_edge = _polynomial(relative, mu, ranges.post_ev, ranges.order, "post-edge")
    step = float(np.interp(0.0, relative, post_edge - pre_edge))
    if not step > 0:
        raise InputError(
            f"edge step {step:.3g} at {e0_ev:.1f} eV is not positive",
            remedy="is this a spectrum of µ with an edge in its range?",
        )
    norm = (mu - pre_edge) / step
    bend = np.where(relative >= 0, (post_edge - pre_edge) / step - 1.0, 0.0)
    return Normalised(e0_ev, step, pre_edge, post_edge, norm - bend)


def _polynomial(
    relative: FloatArray, mu: FloatArray, window: tuple[float, float], order: int, name: str
) -> FloatArray:
    inside = (relative >= window[0]) & (relative <= window[1])
    if inside.sum() < FEWEST_POINTS:
        raise InputError(
            f"{int(inside.sum())} points between {window[0]:+g} and {window[1]:+g} eV of the edge",
            where=name,
            remedy=f"measure at least {FEWEST_POINTS} points of the {name}",
        )
    order = min(order, int(inside.sum()) - 2)
    # equal weight per energy, not per point: adaptive spectra crowd near the edge
    weight = np.sqrt(np.gradient(relative)[inside])
    scale = max(abs(window[0]), abs(relative[inside]).max())
    basis = np.vander(relative / scale, order + 1)
    solution, *_ = np.linalg.lstsq(basis[inside] * weight[:, None], mu[inside] * weight, rcond=None)
    return np.asarray(basis @ solution)
