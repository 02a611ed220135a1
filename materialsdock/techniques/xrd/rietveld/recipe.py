"""A way to refine, as plain JSON: the search space of Ozaki et al. (2020) npj Comput. Mater. 6, 75.

A recipe is a flat mapping in engine-neutral words, so that it can be stored, sent to a process
and repeated.  `SearchSpace.default` is what an expert would try first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.limits import peaks

WIDTHS = ("u", "v", "w", "x", "y")
BACKGROUNDS = ("chebyshev", "envelope+chebyshev", "envelope")
BACKGROUND_TERMS = (3, 20)
AXIAL = ("off", "equal", "free")
PHASE_WIDTHS = ("shared", "own")
DISPLACEMENTS = ("per_phase", "per_site", "off")
WARMUP_SPAN_DEG = 20.0
STAGE_ORDERS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "positions_first": (
        ("scale", "background"),
        ("position", "cell"),
        ("w", "x"),
        WIDTHS,
        ("axial", "kalpha2"),
        ("preferred_orientation",),
        ("displacements",),
        ("coordinates",),
        ("roughness",),
    ),
    "widths_first": (
        ("scale", "background"),
        ("w", "x"),
        ("position", "cell"),
        ("axial", "kalpha2"),
        WIDTHS,
        ("preferred_orientation", "displacements"),
        ("coordinates",),
        ("roughness",),
    ),
    "structure_early": (
        ("scale", "background"),
        ("position", "cell", "w"),
        ("preferred_orientation",),
        ("displacements", "coordinates"),
        WIDTHS,
        ("axial", "kalpha2"),
        ("roughness",),
    ),
}


class TrialLike(Protocol):
    """The two methods of an Optuna trial that a search space calls."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...

    def suggest_float(self, name: str, low: float, high: float) -> float: ...

    def suggest_int(self, name: str, low: int, high: int) -> int: ...


@dataclass(frozen=True)
class SearchSpace:
    """The choices that may be varied for one pattern.

    limits_deg : just outside the first and last 2θ; fwhm_deg : of strong peaks, the start of widths
    positions : how peak positions may be corrected (zero and displacement are nearly collinear
    with each other and the cell, so one at a time); doublet : is there a second emission line
    axial : first guess of the axial divergence (the narrow lines of a capillary show none)
    oriented : does any structure ask for a preferred orientation
    flat : is the sample a flat plate, whose rough surface may weaken low angles
    mixture : are there several phases, whose peaks may differ in width
    """

    limits_deg: tuple[float, float]
    fwhm_deg: float
    positions: tuple[str, ...] = ("displacement", "zero")
    doublet: bool = True
    axial: str = "free"
    oriented: bool = False
    flat: bool = True
    mixture: bool = False

    @classmethod
    def of(
        cls, pattern: Pattern, structures: Sequence[Structure], diffractometer: Diffractometer
    ) -> SearchSpace:
        """The space for this pattern; its peaks say how wide they are."""
        found = peaks(pattern, diffractometer.fwhm_deg)[1][:5]
        widths = found if found.size else np.array([diffractometer.fwhm_deg])
        step = float(np.median(np.diff(pattern.two_theta)))
        flat = diffractometer.geometry == "bragg_brentano"
        first = ("displacement", "zero", "none") if flat else ("zero", "none")
        return cls(
            limits_deg=(
                math.floor(1000 * pattern.two_theta[0]) / 1000,
                math.ceil(1000 * pattern.two_theta[-1]) / 1000,
            ),
            fwhm_deg=round(float(np.clip(np.median(widths), 2 * step, 2.0)), 4),
            positions=tuple(p for p in diffractometer.corrections if p in first),
            axial="free" if flat else "off",
            doublet=len(diffractometer.wavelengths_angstrom) > 1,
            oriented=any(s.preferred_orientation is not None for s in structures),
            flat=flat,
            mixture=len(structures) > 1,
        )

    def default(self) -> dict[str, Any]:
        """The first guess: whole range, everything refined, one common Biso per phase.

        traces : names of phases too weak for more than scale and cell, whose atoms are held and
        whose widths are those of a strong one
        phase_widths : "own" gives every phase of a mixture Lorentzian widths of its own, for
        crystallites of different size and strain

        One Biso per phase, because single ones of light atoms run to zero in laboratory data
        for at most 0.1 % of Rwp.  In a mixture atoms stay where the CIF puts them at first: what
        overlapping peaks say of coordinates is less than what single crystals said.
        """
        return {
            "warmup_deg": list(self.limits_deg),
            "fwhm_deg": self.fwhm_deg,
            "background": "chebyshev",
            "background_terms": 10,
            "position": self.positions[0],
            "widths": "".join(WIDTHS),
            "phase_widths": "shared",
            "axial": self.axial,
            "kalpha2": self.doublet,
            "displacements": "per_phase",
            "coordinates": not self.mixture,
            "preferred_orientation": self.oriented,
            "roughness": False,
            "traces": [],
            "order": "positions_first",
            "effort": "search",
        }

    def suggest(self, trial: TrialLike) -> dict[str, Any]:
        """A recipe drawn from the space by a sampler."""
        choose = trial.suggest_categorical
        recipe = self.default() | {
            "background": choose("background", BACKGROUNDS),
            "background_terms": trial.suggest_int("background_terms", *BACKGROUND_TERMS),
            "position": choose("position", self.positions),
            "widths": "".join(w for w in WIDTHS if choose(f"refine_{w}", (True, False))),
            "axial": choose("axial", AXIAL),
            "displacements": choose("displacements", DISPLACEMENTS),
            "coordinates": choose("coordinates", (True, False)),
            "order": choose("order", tuple(STAGE_ORDERS)),
        }
        if self.doublet:
            recipe["kalpha2"] = choose("kalpha2", (True, False))
        if self.flat:
            recipe["roughness"] = choose("roughness", (True, False))
        if self.mixture:
            recipe["phase_widths"] = choose("phase_widths", PHASE_WIDTHS)
        if self._span > WARMUP_SPAN_DEG:
            low = trial.suggest_float("warmup_low", 0.0, 1.0)
            reach = trial.suggest_float("warmup_reach", 0.0, 1.0)
            recipe["warmup_deg"] = self._warmup(low, reach)
        return recipe

    def default_parameters(self) -> dict[str, Any]:
        """The default recipe as the sampler's parameters, to be tried first."""
        recipe = self.default()
        same = (
            "background",
            "background_terms",
            "position",
            "axial",
            "displacements",
            "coordinates",
            "order",
            *(("kalpha2",) if self.doublet else ()),
            *(("roughness",) if self.flat else ()),
            *(("phase_widths",) if self.mixture else ()),
        )
        whole = {"warmup_low": 0.0, "warmup_reach": 1.0}
        return (
            {name: recipe[name] for name in same}
            | {f"refine_{w}": w in recipe["widths"] for w in WIDTHS}
            | (whole if self._span > WARMUP_SPAN_DEG else {})
        )

    def first_parameters(self) -> tuple[dict[str, Any], ...]:
        """Return what an expert would try first.

        The default, widths of each phase of a mixture, a rough surface, flexible backgrounds.
        """
        rough: dict[str, Any] = {"roughness": True} if self.flat else {}
        own: dict[str, Any] = {"phase_widths": "own"} if self.mixture else {}
        changes: tuple[dict[str, Any], ...] = (
            {},
            *((own,) if own else ()),
            {**rough, **own},
            {"background": "envelope+chebyshev", "background_terms": 8, **own},
            {"background_terms": 15, "displacements": "per_site", **rough, **own},
        )
        default = self.default_parameters()
        return tuple({**default, **change} for change in changes)

    @property
    def _span(self) -> float:
        return self.limits_deg[1] - self.limits_deg[0]

    def _warmup(self, low: float, reach: float) -> list[float]:
        """Low and high limit [deg], at least WARMUP_SPAN_DEG apart; low and reach in 0-1."""
        start = self.limits_deg[0] + low * (self._span - WARMUP_SPAN_DEG)
        room = self.limits_deg[1] - start - WARMUP_SPAN_DEG
        return [round(start, 3), round(start + WARMUP_SPAN_DEG + reach * room, 3)]


def default_recipe(
    pattern: Pattern,
    structures: Sequence[Structure],
    diffractometer: Diffractometer | None = None,
) -> dict[str, Any]:
    """A good first recipe, near an expert's result for ordinary laboratory patterns."""
    return SearchSpace.of(pattern, structures, diffractometer or Diffractometer()).default()


def completed(recipe: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with what it leaves out taken from `default`.

    Raises InputError for a word or a choice that no recipe has.
    """
    full = {**default, **recipe}
    choices = {
        "background": BACKGROUNDS,
        "axial": AXIAL,
        "phase_widths": PHASE_WIDTHS,
        "displacements": DISPLACEMENTS,
        "order": tuple(STAGE_ORDERS),
        "position": ("displacement", "zero", "zero+displacement", "none"),
        "effort": ("search", "final"),
    }
    wrong = sorted(set(full) - set(default))
    wrong += [f"{k}={full[k]!r}" for k, allowed in choices.items() if full[k] not in allowed]
    if wrong:
        raise InputError(
            f"a recipe has no {', '.join(wrong)}",
            where="refinement recipe",
            remedy="start from default_recipe(pattern, structures)",
        )
    return full


def stages(recipe: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The groups of parameters in the order in which they are freed (they stay free)."""
    off = {
        "background": recipe["background"] == "envelope",
        "position": recipe["position"] == "none",
        "axial": recipe["axial"] == "off",
        "kalpha2": not recipe["kalpha2"],
        "preferred_orientation": not recipe["preferred_orientation"],
        "displacements": recipe["displacements"] == "off",
        "coordinates": not recipe["coordinates"],
        "roughness": not recipe["roughness"],
        **{w: w not in recipe["widths"] for w in WIDTHS},
    }
    kept = (
        tuple(group for group in stage if not off.get(group, False))
        for stage in STAGE_ORDERS[recipe["order"]]
    )
    return tuple(stage for stage in kept if stage)
