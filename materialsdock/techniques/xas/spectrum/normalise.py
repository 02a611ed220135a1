"""Normalisation: a line before the edge, a polynomial behind it, and the step between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError
from materialsdock.model import FloatArray

BoolArray = NDArray[np.bool_]

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

    def said(self) -> dict[str, float]:
        """The settings by the names that people know; those of ranges [eV from E0]."""
        (pre1, pre2), (norm1, norm2) = self.pre_ev, self.post_ev
        return {"pre1": pre1, "pre2": pre2, "norm1": norm1, "norm2": norm2, "order": self.order}

    def within(self, relative_ev: FloatArray) -> Ranges:
        """The part of the ranges that a spectrum (m,), counted from E0 [eV], covers."""
        first, last = float(relative_ev[0]), float(relative_ev[-1])
        pre = (max(self.pre_ev[0], first), self.pre_ev[1])
        return replace(self, pre_ev=pre, post_ev=(self.post_ev[0], min(self.post_ev[1], last)))


@dataclass(frozen=True, eq=False)
class Normalised:
    """A normalised spectrum: the two lines (m,), the step at e0, and the flat curve (m,).

    ranges : that the lines were fitted in
    edge_ev : half height of the main rise, where e0 is another energy; by `edge.locate`
    """

    e0_ev: float
    edge_step: float
    pre_edge: FloatArray
    post_edge: FloatArray
    flat: FloatArray
    ranges: Ranges
    edge_ev: float


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
    return Normalised(e0_ev, step, pre_edge, post_edge, norm - bend, ranges, e0_ev)


def _polynomial(
    relative: FloatArray, mu: FloatArray, window: tuple[float, float], order: int, name: str
) -> FloatArray:
    inside, weight, basis = _equations(relative, window, order, name)
    solution, *_ = np.linalg.lstsq(basis[inside] * weight[:, None], mu[inside] * weight, rcond=None)
    return np.asarray(basis @ solution)


def influence(
    relative: FloatArray, window: tuple[float, float], order: int, name: str
) -> tuple[BoolArray, FloatArray]:
    """(m,) which points a line is fitted to, and (k,) how much each of them moves it at E0."""
    inside, weight, basis = _equations(relative, window, order, name)
    at = np.array([np.interp(0.0, relative, column) for column in basis.T])
    return inside, np.asarray(at @ np.linalg.pinv(basis[inside] * weight[:, None]) * weight)


def influence_on_slope(
    relative: FloatArray, window: tuple[float, float], order: int, name: str, at_ev: float
) -> FloatArray:
    """(k,) how much each point a line is fitted to changes its slope [1/eV] at `at_ev` from E0."""
    inside, weight, basis = _equations(relative, window, order, name)
    slope = np.array([np.interp(at_ev, relative, np.gradient(c, relative)) for c in basis.T])
    return np.asarray(slope @ np.linalg.pinv(basis[inside] * weight[:, None]) * weight)


def _equations(
    relative: FloatArray, window: tuple[float, float], order: int, name: str
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """The points (m,) that are fitted, the roots of their weights (k,), and the basis (m, p)."""
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
    return inside, weight, basis
