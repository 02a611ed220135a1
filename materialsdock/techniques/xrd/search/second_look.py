"""After a search: traces with their atoms held, preferred orientation, and what that says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from materialsdock.errors import ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd.model import Solution
from materialsdock.techniques.xrd.search.detection_limits import traces, weak
from materialsdock.techniques.xrd.search.final_fits import (
    Chosen,
    Describe,
    Refiner,
    finals,
    solutions,
)
from materialsdock.techniques.xrd.search.quantify import SpikedStandard, of_original
from materialsdock.techniques.xrd.search.systematic import covariance_of_weights
from materialsdock.techniques.xrd.search.texture import Texture, TextureFound, evidence

Reconsidered = tuple[Refiner, tuple[Solution, ...], tuple[Texture, ...]]


def reconsidered(
    refine: Refiner,
    pattern: Pattern,
    chosen: Chosen,
    found: tuple[Solution, ...],
    describe: Describe,
    residuals: float,
    *,
    texture: bool,
) -> Reconsidered:
    """The solutions refined again with what their best fit lacks, and how to refine from now on.

    texture : look for evidence of a preferred orientation; without, only traces are refined again
    Where nothing is lacking, or nothing of it can be refined to the end, `found` stays as it is.
    """
    best = found[0].fit
    changes: dict[str, Any] = {"traces": list(names)} if (names := weak(best)) else {}
    base = replace(best, recipe={**best.recipe, **changes})
    seen = TextureFound((), tuple(refine.structures), base.recipe)
    if texture:
        seen = evidence(refine, pattern, base, float(best.recipe["fwhm_deg"]), refine.pool.workers)
    if seen.accepted is not None:
        changes |= {key: seen.recipe[key] for key in ("preferred_orientation", "roughness")}
    if not changes:
        return refine, found, seen.looks
    again = replace(refine, structures=seen.structures)
    changed = [(replace(t, recipe={**t.recipe, **changes}), group) for t, group in chosen]
    fits = finals(again, pattern, changed)
    try:
        return again, solutions(fits, changed, describe, residuals), seen.looks
    except ModelFault:
        return refine, found, tuple(replace(look, accepted=False) for look in seen.looks)


def findings(
    best: Solution, looks: Sequence[Texture], standard: SpikedStandard | None = None
) -> dict[str, Any]:
    """Collect what is said of phases, texture and amorphous content, as plain JSON values.

    traces : one of each phase; texture : one of each axis tried, the accepted one first;
    amorphous : fractions of the original sample [wt%], None without a standard
    """
    fit = best.fit
    doubted = covariance_of_weights(best)
    original = None if standard is None else of_original(fit, standard, doubted)
    return {
        "traces": [asdict(trace) for trace in traces(fit)],
        "texture": [_finite(asdict(look)) for look in looks],
        "amorphous": None if original is None else asdict(original),
    }


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
