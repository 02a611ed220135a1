"""Backgrounds of L3 and L2 spectra: line, two steps and drift, in every sensible way.

Two arctan steps of 2:1 under µ⁺ + µ⁻ (Chen et al., PRL 75, 152, 1995); what is drawn where is a
choice that moves moments more than counting noise does, so neighbours of a choice come with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError
from materialsdock.model import FloatArray

L3_SHARE = 2.0 / 3.0  # of the step: four of the six 2p electrons
FEWEST_POINTS = 3
PRE_EDGE_EV, POST_EDGE_EV, AFTER_L3_EV = 6.0, 12.0, 3.0
OFF_EDGE = 0.01  # of the largest dichroism: what any choice may leave off the edges
EQUAL_STEPS = 1.2
Scaling = Literal["none", "pre-edge", "step"]
ANCHOR_EV = 1.0
# order of the drift, whether it is anchored at the cut, whether it holds a step
DRIFTS = (
    *((order, anchored, False) for order in (0, 1, 3) for anchored in (False, True)),
    (0, False, True),
    (1, False, True),
)
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Background:
    """One way to draw the backgrounds, energies in eV.

    pre_ev, post_ev : where nothing but background is; l3_ev, l2_ev : centres of the two steps
    width_ev : half width of the arctan steps; cut_ev : where L3 ends and L2 begins
    scaling : what is made equal in both helicities before they are subtracted
    line_order : of the background under µ⁺ + µ⁻, 0 or 1
    drift_order : of the polynomial taken from the dichroism off the edges
    anchored : whether the dichroism is also held to 0 at the cut
    own_steps : whether each helicity has steps of its own height, as where the field changes the
        electron yield; their difference is then no dichroism
    """

    pre_ev: tuple[float, float]
    post_ev: tuple[float, float]
    l3_ev: float
    l2_ev: float
    cut_ev: float
    width_ev: float = 0.5
    scaling: Scaling = "pre-edge"
    line_order: int = 1
    drift_order: int = 1
    anchored: bool = False
    own_steps: bool = False

    def steps(self, energy_ev: FloatArray) -> FloatArray:
        """(n,) two arctan steps, 2:1, from 0 to 1."""
        heights = ((L3_SHARE, self.l3_ev), (1 - L3_SHARE, self.l2_ev))
        rises = [
            share * (0.5 + np.arctan((energy_ev - at) / self.width_ev) / np.pi)
            for share, at in heights
        ]
        return np.asarray(rises[0] + rises[1])


@dataclass(frozen=True, eq=False)
class Dichroism:
    """Corrected curves (n,) in units of half the edge step of µ⁺ + µ⁻, and the integrals [eV].

    off_edge : rms of dichroism or white line where there should be none, over their largest value
    """

    energy_ev: FloatArray
    difference: FloatArray
    total: FloatArray
    steps: FloatArray
    p: float
    q: float
    r: float
    off_edge: float


def find_background(energy_ev: FloatArray, total: FloatArray) -> Background:
    """L3 at the highest point of µ⁺ + µ⁻ (n,), L2 at the highest beyond 6 eV of it.

    Raises InputError when that leaves no room before, behind or between the edges.
    """
    slope = np.interp(energy_ev, energy_ev[[0, -1]], [np.mean(total[:5]), np.mean(total[-5:])])
    rise = total - slope
    l3 = float(energy_ev[int(np.argmax(rise))])
    behind = np.flatnonzero(energy_ev > l3 + 2 * AFTER_L3_EV)
    if behind.size < FEWEST_POINTS:
        raise InputError(f"nothing beyond L3 at {l3:.1f} eV", where="xmcd", remedy="measure L2 too")
    bumps = total[behind] - np.minimum.accumulate(total[behind])
    at = int(behind[int(np.argmax(bumps))])
    l2, between = (
        float(energy_ev[at]),
        np.flatnonzero((energy_ev > l3) & (energy_ev < energy_ev[at])),
    )
    if not between.size:
        raise InputError(f"no L2 edge beyond L3 at {l3:.1f} eV", where="xmcd", remedy="measure L2")
    cut = float(energy_ev[between[int(np.argmin(total[between]))]])
    first, last = float(energy_ev[0]), float(energy_ev[-1])
    pre = (first, min(l3 - PRE_EDGE_EV, first + 0.8 * (l3 - first)))
    post = (max(l2 + POST_EDGE_EV, last - 0.6 * (last - l2)), last)
    return Background(pre, post, l3, l2, cut)


def sensible_scalings(
    energy_ev: FloatArray, plus: FloatArray, minus: FloatArray, chosen: Background
) -> tuple[Scaling, ...]:
    """List the ways in which the helicities may be scaled.

    Steps that differ by more than a fifth once the pre-edges are equal come from an additive
    drift; dividing by them would turn it into dichroism of the white lines.
    """
    pre = _inside(energy_ev, chosen.pre_ev, "pre-edge")
    post = _inside(energy_ev, chosen.post_ev, "post-edge")
    if min(plus[pre].mean(), minus[pre].mean()) <= 0:
        return ("none",)
    jumps = [float(mu[post].mean() / mu[pre].mean() - 1) for mu in (plus, minus)]
    if min(jumps) > 0 and max(jumps) <= EQUAL_STEPS * min(jumps):
        return ("none", "pre-edge", "step")
    return ("none", "pre-edge")


def neighbours(
    chosen: Background, scalings: Sequence[Scaling] = ("none", "pre-edge", "step")
) -> Iterator[Background]:
    """Choices that another analyst could have made, the reference among them."""
    (a, b), (c, d) = chosen.pre_ev, chosen.post_ev
    for scaling, line, shift, cut, (order, anchored, own), part in product(
        scalings, (0, 1), (-0.5, 0.0, 0.5), (-0.5, 0.0, 0.5), DRIFTS, (0.6, 1.0)
    ):
        yield replace(
            chosen,
            pre_ev=(a, a + part * (b - a)),
            post_ev=(d - part * (d - c), d),
            l3_ev=chosen.l3_ev + shift,
            l2_ev=chosen.l2_ev + shift,
            cut_ev=chosen.cut_ev + cut,
            scaling=scaling,
            line_order=line,
            drift_order=order,
            anchored=anchored,
            own_steps=own,
        )


def believable(found: Sequence[Dichroism]) -> list[Dichroism]:
    """Select those that leave about nothing off the edges, judged against the best of them."""
    limit = max(2 * min(d.off_edge for d in found), OFF_EDGE)
    return [d for d in found if d.off_edge <= limit]


def correct(
    energy_ev: FloatArray, plus: FloatArray, minus: FloatArray, chosen: Background
) -> Dichroism:
    """Scale the helicities, take the drift from µ⁺ − µ⁻, and line and steps from µ⁺ + µ⁻.

    Line and step height are fitted together on both sides, so that the tails of the arctan do not
    go into the line.  Raises InputError when a range holds too few points or there is no step.
    """
    pre = _inside(energy_ev, chosen.pre_ev, "pre-edge")
    post = _inside(energy_ev, chosen.post_ev, "post-edge")
    off = pre | post
    first, second = _scaled(plus, minus, pre, post, chosen.scaling)
    steps = chosen.steps(energy_ev)
    line, height = _line_and_step(energy_ev, (first + second) / 2, steps, off, chosen.line_order)
    difference = (first - second) / height
    difference = difference - _drift(energy_ev, difference, off, chosen)
    total = (first + second - 2 * line) / height
    off_edge = max(_share(difference, off), _share(total - 2 * steps, off))
    l3 = energy_ev <= chosen.cut_ev
    if not FEWEST_POINTS <= int(l3.sum()) <= l3.size - FEWEST_POINTS:
        raise InputError(f"cut at {chosen.cut_ev:.1f} eV is outside", where="xmcd")
    p = float(np.trapezoid(difference[l3], energy_ev[l3]))
    q = float(np.trapezoid(difference, energy_ev))
    r = float(np.trapezoid(total - 2 * steps, energy_ev))
    if not r > 0:
        raise InputError(
            f"white-line area {r:.3g} eV is not positive",
            where="xmcd",
            remedy="check edge energies and ranges",
        )
    return Dichroism(energy_ev, difference, total, 2 * steps, p, q, r, off_edge)


def _share(curve: FloatArray, off: BoolArray) -> float:
    return float(np.sqrt(np.mean(curve[off] ** 2)) / max(np.abs(curve).max(), 1e-300))


def _scaled(
    plus: FloatArray, minus: FloatArray, pre: BoolArray, post: BoolArray, scaling: str
) -> tuple[FloatArray, FloatArray]:
    if scaling == "none":
        return plus, minus
    sizes = [float(mu[pre].mean()) for mu in (plus, minus)]
    if scaling == "step":
        sizes = [float(mu[post].mean() - mu[pre].mean()) for mu in (plus, minus)]
    if not min(sizes) > 0:
        raise InputError(
            f"{scaling} of {sizes[0]:.3g} and {sizes[1]:.3g} is not positive",
            where="xmcd",
            remedy="is this absorption over both L edges?",
        )
    middle = sum(sizes) / 2
    return plus * (middle / sizes[0]), minus * (middle / sizes[1])


def _line_and_step(
    energy_ev: FloatArray, mu: FloatArray, steps: FloatArray, off: BoolArray, order: int
) -> tuple[FloatArray, float]:
    """The background (n,) under µ (n,), and the height of its step."""
    middle = (energy_ev - energy_ev.mean()) / np.ptp(energy_ev)
    basis = np.column_stack([np.vander(middle, order + 1), steps])
    solution, *_ = np.linalg.lstsq(basis[off], mu[off], rcond=None)
    if not solution[-1] > 0:
        raise InputError(
            f"step {solution[-1]:.3g} is not positive",
            where="xmcd",
            remedy="is this absorption over both L edges?",
        )
    return np.asarray(basis[:, :-1] @ solution[:-1]), float(solution[-1])


def _drift(
    energy_ev: FloatArray, difference: FloatArray, off: BoolArray, chosen: Background
) -> FloatArray:
    x = (energy_ev - energy_ev.mean()) / (np.ptp(energy_ev) / 2)
    basis = np.vander(x, chosen.drift_order + 1)
    if chosen.own_steps:
        basis = np.column_stack([basis, chosen.steps(energy_ev)])
    use = off
    if chosen.anchored:
        use = use | (np.abs(energy_ev - chosen.cut_ev) <= ANCHOR_EV)
    solution, *_ = np.linalg.lstsq(basis[use], difference[use], rcond=None)
    return np.asarray(basis @ solution)


def _inside(energy_ev: FloatArray, window: tuple[float, float], name: str) -> BoolArray:
    inside = (energy_ev >= window[0]) & (energy_ev <= window[1])
    if inside.sum() < FEWEST_POINTS:
        what = f"{int(inside.sum())} points from {window[0]:.1f} to {window[1]:.1f} eV"
        if window[0] > energy_ev[-1]:
            what = f"the spectrum ends at {energy_ev[-1]:.1f} eV, "
            what += f"the {name} range begins at {window[0]:.1f} eV"
        elif window[1] < energy_ev[0]:
            what = f"the spectrum begins at {energy_ev[0]:.1f} eV, "
            what += f"the {name} range ends at {window[1]:.1f} eV"
        raise InputError(
            what,
            where=name,
            remedy="measure further, or give another range",
        )
    return np.asarray(inside)
