"""Systematic doubt: how far the answer moves with choices that could as well have been made.

Each source of doubt is half the range over its choices, with what noise alone moves taken out
(two fits of the same data differ by √|σ₁² − σ₂²| where one has more to refine; Hausman 1978,
Econometrica 46, 1251).  Sources are independent, so they add in quadrature.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Structure, Trial
from materialsdock.techniques.xrd.model import BOTH, Doubt, Fit, Solution
from materialsdock.techniques.xrd.rietveld.recipe import BACKGROUND_TERMS
from materialsdock.techniques.xrd.rietveld.species import turned
from materialsdock.techniques.xrd.search import microabsorption
from materialsdock.techniques.xrd.search.clusters import Values, compared, kind
from materialsdock.techniques.xrd.search.final_fits import Refiner
from materialsdock.techniques.xrd.search.objective import as_good, objective
from materialsdock.techniques.xrd.search.texture_axes import axes, candidates

EQUAL = 1.01  # of the best objective or Rwp: what another search might have chosen
DOUBTED = ("length", "angle", "weight_fraction", "coordinate", "biso")
LIKELY = 0.05  # of the misfit beyond noise: what a reference structure may add to it
RECIPES, POSITIONS, TEXTURE = "recipes", "peak positions", "preferred orientation"
STRUCTURES = "reference structures"
GRAINS = microabsorption.SOURCE


def doubted(
    refine: Refiner,
    pattern: Pattern,
    found: Sequence[Solution],
    residuals: float,
    trials: Sequence[Trial] = (),
) -> tuple[Solution, ...]:
    """The solutions, the best one with how far cells and weights move with the choices made.

    Choices are: recipes nearly as good (EQUAL), of the search and, in a mixture, with another
    background and other displacements; the corrections of peak positions, because zero and height
    of the sample are nearly collinear with the cell; in a mixture the reference structures
    (coordinates held or free, ions or atoms), preferred orientation or none, and grain sizes.
    Zero and height together count only where they pay for being two: else they run off along the
    direction in which the data cannot tell them from the cell.
    residuals : that count as independent, for the price of a parameter
    """
    best = found[0]
    quick = {**best.fit.recipe, "effort": "search"}
    mixture = len(best.fit.phases) > 1
    corrections = refine.diffractometer.corrections
    positions = [{"position": p} for p in corrections if p != quick["position"]]
    recipes = _mixture_changes(quick) if mixture else []
    free = [{"coordinates": not quick["coordinates"]}] if mixture else []
    changes = (*positions, *recipes, *free)
    outcomes = iter(refine([(pattern, {**quick, **change}) for change in changes]))
    moved = list(itertools.islice(outcomes, len(positions)))
    varied = list(itertools.islice(outcomes, len(recipes)))
    coordinates = list(outcomes)
    least = objective(best.fit, residuals)
    placed = [
        fit
        for fit in _usable(moved)
        if fit.recipe["position"] != BOTH or objective(fit, residuals) < least
    ]
    sources = [
        _source(RECIPES, best.fit, _alike(best, found, varied, trials)),
        _source(POSITIONS, best.fit, [compared(fit) for fit in placed]),
    ]
    if mixture:
        oriented = _turned(refine, pattern, best.fit, quick)
        # a powder is rarely without: where the fit has none, all of the move is in doubt
        share = 0.5 if quick["preferred_orientation"] else 1.0
        sources.append(_source(TEXTURE, best.fit, [compared(f) for f in _usable(oriented)], share))
        referred = [*coordinates, *_other_species(refine, pattern, quick)]
        # a share of all of Rwp would let anything pass where counting was short
        limit = as_good(best.fit, residuals, LIKELY) * best.fit.rwp
        close = [f for f in _usable(referred) if f.rwp <= limit]
        sources.append(_source(STRUCTURES, best.fit, [compared(f) for f in close]))
    wavelength = refine.diffractometer.wavelengths_angstrom[0]
    grains = microabsorption.doubt(best.fit, refine.structures, wavelength)
    doubts = (*sources, *(() if grains is None else (grains,)))
    return (replace(best, systematic=_together(doubts), doubts=doubts), *found[1:])


def _alike(
    best: Solution,
    found: Sequence[Solution],
    varied: Sequence[Fit | BaseException],
    trials: Sequence[Trial],
) -> list[Values]:
    """The answers of recipes as good as the best that correct positions as it does.

    The other correction is a source of its own, and nothing is counted twice.
    """
    position = best.fit.recipe["position"]
    rows: list[Values] = [
        compared(s.fit)
        for s in found[1:]
        if not s.fit.violations and s.fit.recipe["position"] == position
    ]
    rows += [compared(f) for f in _usable(varied) if f.rwp <= EQUAL * best.fit.rwp]
    rows += [
        t.values
        for t in trials
        if _equal(t, best.objective) and t.recipe.get("position") == position
    ]
    return rows


def covariance_of_weights(solution: Solution) -> FloatArray | None:
    """(k, k) systematic covariance of the weights [wt%²]; None for solutions without doubts."""
    known = [np.array(d.covariance) for d in solution.doubts if d.covariance]
    return np.sum(known, axis=0) if known else None


def _usable(outcomes: Iterable[Fit | BaseException]) -> list[Fit]:
    return [fit for fit in outcomes if isinstance(fit, Fit) and not fit.violations]


def _equal(trial: Trial, objective: float) -> bool:
    """Return True if a trial is physical and so good that another search might have chosen it."""
    return (
        trial.objective is not None
        and not trial.violations
        and trial.objective <= EQUAL * objective
    )


def _mixture_changes(recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Choices that an expert could as well have made for a mixture."""
    low, high = BACKGROUND_TERMS
    terms = recipe["background_terms"]
    return [
        {"displacements": "per_phase" if recipe["displacements"] == "per_site" else "per_site"},
        {"background_terms": max(low, terms - 4) if terms + 4 > high else terms + 4},
    ]


def _other_species(
    refine: Refiner, pattern: Pattern, quick: Mapping[str, Any]
) -> list[Fit | BaseException]:
    """The fit with ions for the atoms of the CIFs, or with atoms for their ions."""
    others = [turned(structure) for structure in refine.structures]
    if not any(others):
        return []
    restated = tuple(o or s for o, s in zip(others, refine.structures, strict=True))
    return replace(refine, structures=restated)([(pattern, quick)])


def _turned(
    refine: Refiner, pattern: Pattern, fit: Fit, quick: Mapping[str, Any]
) -> list[Fit | BaseException]:
    """The fit without preferred orientation where it has one, else with one of every phase."""
    if quick["preferred_orientation"]:
        return refine([(pattern, {**quick, "preferred_orientation": False})])
    turned = replace(refine, structures=_oriented(refine, pattern, fit))
    return turned([(pattern, {**quick, "preferred_orientation": True})])


def _oriented(refine: Refiner, pattern: Pattern, fit: Fit) -> tuple[Structure, ...]:
    """The structures, each with the axis that its reflections suggest, else its first."""
    wavelength = refine.diffractometer.wavelengths_angstrom[0]
    fwhm_deg = float(fit.recipe["fwhm_deg"])
    suggested = dict(reversed(candidates(pattern, fit, refine.structures, wavelength, fwhm_deg)))
    return tuple(
        replace(s, preferred_orientation=suggested.get(s.name, axes(s)[0]))
        for s in refine.structures
    )


def _source(name: str, fit: Fit, rows: Sequence[Values], share: float = 0.5) -> Doubt:
    """The doubt of one source: a share of the range of what its choices give beyond noise."""
    best = compared(fit)
    spread = {
        key: share * _range(here, [row[key] for row in rows if key in row])
        for key, here in best.items()
        if here[1] is not None and kind(key) in DOUBTED
    }
    weights = [f"{phase.name}.weight_fraction" for phase in fit.phases]
    covariance = _covariance(best, rows, weights, spread) if len(weights) > 1 else ()
    return Doubt(name, spread, "", covariance)


def _range(here: tuple[float, float | None], others: Sequence[tuple[float, float | None]]) -> float:
    moves = [0.0, *(_beyond_noise(here, other) for other in others)]
    return max(moves) - min(moves)


def _beyond_noise(here: tuple[float, float | None], other: tuple[float, float | None]) -> float:
    """The move from `here` to `other`, (value, esd) both, without what noise moves."""
    move = other[0] - here[0]
    known = [e for e in (here[1], other[1]) if e is not None and math.isfinite(e)]
    noise = abs(known[0] ** 2 - known[1] ** 2) if len(known) == 2 else 0.0
    return math.copysign(math.sqrt(max(move**2 - noise, 0.0)), move)


def _covariance(
    best: Values, rows: Sequence[Values], names: Sequence[str], spread: Mapping[str, float]
) -> tuple[tuple[float, ...], ...]:
    """(k, k) of the weights [wt%²]: as the choices move them together, each by its spread."""
    sizes = np.array([spread.get(name, 0.0) for name in names])
    moves = np.array(
        [[_beyond_noise(best[n], row[n]) for n in names] for row in rows if set(names) <= set(row)]
    )
    if not moves.size:
        return tuple(tuple(row) for row in np.diag(sizes**2).tolist())
    norm = np.sqrt((moves**2).sum(axis=0))
    unit = moves / np.where(norm > 0, norm, 1.0)
    return tuple(tuple(row) for row in (sizes[:, None] * (unit.T @ unit) * sizes).tolist())


def _together(doubts: Sequence[Doubt]) -> dict[str, float]:
    """All sources in quadrature, by name."""
    names = dict.fromkeys(name for doubt in doubts for name in doubt.spread)
    return {name: math.hypot(*(doubt.spread.get(name, 0.0) for doubt in doubts)) for name in names}
