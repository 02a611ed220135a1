"""Preferred orientation by evidence: tried where reflections ask for it, kept only if it predicts.

A March-Dollase parameter (March 1932, Z. Kristallogr. 81, 285; Dollase 1986, J. Appl. Cryst. 19,
267) along some axis lowers Rwp of almost every pattern.  Here an axis is accepted only when its
refined parameter differs from 1, pays for itself, and predicts held-out blocks of 2θ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Parameter, Structure
from materialsdock.techniques.xrd.model import Fit
from materialsdock.techniques.xrd.search import heldout
from materialsdock.techniques.xrd.search.final_fits import Refiner
from materialsdock.techniques.xrd.search.texture_axes import Axis, candidates

SIGNIFICANT_ESDS = 4.0
LEAST_MARCH = 0.05  # from 1: less changes intensities as other small errors of models do
GAIN_SPREADS = 2.0
ALIKE = 0.03  # in ln Rwp, times the share of χ² that is not noise
MOST_S = 60.0


@dataclass(frozen=True)
class Texture:
    """The findings about one axis of one phase.

    march : the parameter r, below 1 for plates in reflection, and its esd
    rwp : before and after [%], refined alike; cost : ln Rwp and the price of its parameters
    gain : of held-out blocks, in units of its spread
    (None: not tried); sentence : why it was accepted or not
    """

    phase: str
    axis: Axis
    march: float
    esd: float
    rwp: tuple[float, float]
    cost: float
    gain: float | None
    accepted: bool
    sentence: str


Look = tuple[Texture, tuple[Structure, ...], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class TextureFound:
    """All that was looked at, an accepted one first; structures and recipe that are now best."""

    looks: tuple[Texture, ...]
    structures: tuple[Structure, ...]
    recipe: Mapping[str, Any]

    @property
    def accepted(self) -> Texture | None:
        """The axis that was accepted, if any."""
        return self.looks[0] if self.looks and self.looks[0].accepted else None


def evidence(
    refine: Refiner, pattern: Pattern, fit: Fit, fwhm_deg: float, workers: int = 1
) -> TextureFound:
    """Weigh the evidence for a preferred orientation; the recipe and structures that follow.

    fit : without texture, whose recipe is refined again with each candidate, also with a smooth
    surface where it has a rough one (both move intensities from low angles to high ones); the best
    of them has to predict held-out blocks.  What would take longer than MOST_S is not tried.
    """
    structures = tuple(refine.structures)
    nothing = TextureFound((), structures, fit.recipe)
    wavelength = refine.diffractometer.wavelengths_angstrom[0]
    pairs = candidates(pattern, fit, structures, wavelength, fwhm_deg)
    quick = {**fit.recipe, "effort": "search"}
    (base,) = _refined(refine, [(pattern, structures, quick)]) if pairs else (None,)
    if not isinstance(base, Fit):
        return nothing
    room = max(1, round(MOST_S * workers / base.seconds) - 2 * heldout.FOLDS)
    tried = [
        (name, axis, _with_axis(structures, name, axis), recipe)
        for name, axis in pairs
        for recipe in _oriented(quick)
    ][:room]
    outcomes = _refined(refine, [(pattern, turned, recipe) for _, _, turned, recipe in tried])
    price = math.log(independent(pattern, fwhm_deg)) / (2 * independent(pattern, fwhm_deg))
    looks: list[Look] = [
        (_first_look(base, outcome, name, axis, price), turned, recipe)
        for (name, axis, turned, recipe), outcome in zip(tried, outcomes, strict=True)
        if isinstance(outcome, Fit)
    ]
    looks.sort(key=lambda row: (not row[0].accepted, row[0].cost))
    looks = _plainest_first(looks, base.gof)
    if not looks or not looks[0][0].accepted:
        return replace(nothing, looks=tuple(look for look, _, _ in looks))
    best, turned, recipe = looks[0]
    gain = _gain(refine, pattern, ((structures, quick), (turned, recipe)), fwhm_deg)
    best = _foretold(best, gain)
    rest = tuple(_beaten(look, best) if look.accepted else look for look, _, _ in looks[1:])
    if not best.accepted:
        return replace(nothing, looks=(best, *rest))
    return TextureFound((best, *rest), turned, {**recipe, "effort": fit.recipe["effort"]})


def _plainest_first(looks: list[Look], gof: float) -> list[Look]:
    """Put first, of accepted looks as good as the best, a smooth surface and the simplest axis.

    Plates along one axis and needles across it differ little; where the fit misses more than
    noise, so small a difference says nothing.
    """
    alike = looks[0][0].cost + ALIKE * max(1 - gof**-2, 0.0) if looks else 0.0
    near = [row for row in looks if row[0].accepted and row[0].cost <= alike]
    if not near:
        return looks
    first = min(
        near, key=lambda row: (row[2]["roughness"], sum(map(abs, row[0].axis)), -row[0].axis[2])
    )
    return [first, *(row for row in looks if row is not first)]


def _oriented(quick: Mapping[str, Any]) -> list[dict[str, Any]]:
    rough = {**quick, "preferred_orientation": True}
    return [{**rough, "roughness": False}, rough] if quick["roughness"] else [rough]


def independent(pattern: Pattern, fwhm_deg: float) -> float:
    """Count the independent residuals of a profile: peak widths in the range."""
    return max(float(np.ptp(pattern.two_theta)) / fwhm_deg, math.e)


def gain_of_blocks(
    pattern: Pattern, fwhm_deg: float, without: Sequence[Fit | None], having: Sequence[Fit | None]
) -> float | None:
    """Measure in spreads how much better the second series of fits predicts held-out blocks.

    The i-th fits have not seen fold i.  Each block says by how much the logarithm of its misfit
    falls, weighted by the root of its misfit, so that a block that a strong reflection fills does
    not decide alone.  None where a fit is missing.
    """
    fold, _ = heldout.folds(pattern, fwhm_deg)
    block = np.cumsum(np.diff(fold, prepend=fold[0]) != 0)
    falls, weights = [], []
    for number in np.unique(block[fold >= 0]):
        inside = block == number
        k = int(fold[inside][0])
        before, after = without[k], having[k]
        if before is None or after is None:
            return None
        old, new = (_misfit(pattern, f, inside) for f in (before, after))
        falls.append(math.log(old / new))
        weights.append(math.sqrt(old))
    change, w = np.array(falls), np.array(weights)
    mean = float(w @ change / w.sum())
    spread = math.sqrt(float(w**2 @ (change - mean) ** 2)) / float(w.sum())
    return mean / spread if spread > 0 else 0.0


def _misfit(pattern: Pattern, fit: Fit, inside: Any) -> float:
    z = (pattern.intensity - fit.y_calc)[inside] / pattern.sigma[inside]
    return float(z @ z)


def _refined(
    refine: Refiner, work: Sequence[tuple[Pattern, Sequence[Structure], Mapping[str, Any]]]
) -> list[Fit | BaseException]:
    calls = [(pattern, s, refine.diffractometer, recipe) for pattern, s, recipe in work]
    results = refine.pool.run(refine.engine.refine, calls, time_limit_s=refine.patience_s)
    return [outcome for _, outcome in results]


def _gain(
    refine: Refiner,
    pattern: Pattern,
    calls: Sequence[tuple[Sequence[Structure], Mapping[str, Any]]],
    fwhm_deg: float,
) -> float | None:
    fold, _ = heldout.folds(pattern, fwhm_deg)
    rest = [heldout.without(pattern, fold == k) for k in range(heldout.FOLDS)]
    outcomes = _refined(refine, [(left, s, recipe) for s, recipe in calls for left in rest])
    fits = [outcome if isinstance(outcome, Fit) else None for outcome in outcomes]
    return gain_of_blocks(pattern, fwhm_deg, fits[: len(rest)], fits[len(rest) :])


def _first_look(base: Fit, fit: Fit, name: str, axis: Axis, price: float) -> Texture:
    """Judge if r differs from 1, and if it pays `price` in ln Rwp per parameter (BIC)."""
    # an engine holds what the pattern says nothing of: r of a phase that is hardly there
    r = next(
        (p for p in fit.parameters if p.name == f"{name}.preferred_orientation"),
        Parameter("preferred_orientation", math.nan),
    )
    esd = math.nan if r.esd is None else r.esd
    cost, before = (math.log(f.rwp) + price * f.n_free for f in (fit, base))
    said = ""
    if not math.isfinite(r.value):
        said = "r cannot be refined, the phase is hardly seen"
    elif not (math.isfinite(esd) and abs(r.value - 1) > max(SIGNIFICANT_ESDS * esd, LEAST_MARCH)):
        said = f"r = {r.value:.3f} ± {esd:.3f} does not differ from 1, no preferred orientation"
    elif cost >= before:
        said = f"Rwp goes from {base.rwp:.2f} to {fit.rwp:.2f} %, too little for one more parameter"
    elif new := [v for v in fit.violations if v not in base.violations]:
        said = f"the refinement with it is not physical: {new[0]}"
    words = f"{name} {_indices(axis)}: {said}"
    return Texture(name, axis, r.value, esd, (base.rwp, fit.rwp), cost, None, not said, words)


def _foretold(look: Texture, gain: float | None) -> Texture:
    words = f"{look.phase} {_indices(look.axis)}: r = {look.march:.3f}, "
    words += f"Rwp {look.rwp[0]:.2f} to {look.rwp[1]:.2f} %"
    if gain is None:
        return replace(
            look, accepted=False, sentence=f"{words}; held-out blocks could not be predicted"
        )
    passed = gain > GAIN_SPREADS
    verb = "are predicted better" if gain > 0 else "are predicted worse"
    words += f"; held-out blocks {verb}, by {abs(gain):.1f} times the spread"
    words += (
        "" if passed else f" (at least {GAIN_SPREADS:g} better is needed), so it is not accepted"
    )
    return replace(look, gain=gain, accepted=passed, sentence=words)


def _beaten(look: Texture, best: Texture) -> Texture:
    said = f"{look.phase} {_indices(look.axis)}: r = {look.march:.3f}, Rwp {look.rwp[1]:.2f} %, "
    said += f"not better than {best.phase} {_indices(best.axis)}"
    return replace(look, accepted=False, sentence=said)


def _with_axis(structures: Sequence[Structure], name: str, axis: Axis) -> tuple[Structure, ...]:
    return tuple(
        replace(s, preferred_orientation=axis) if s.name == name else s for s in structures
    )


def _indices(axis: Axis) -> str:
    return f"({axis[0]} {axis[1]} {axis[2]})"
