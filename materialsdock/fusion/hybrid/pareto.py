"""Points of two objectives, those that none surpasses in both, and what they say in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from materialsdock.ledger.outcomes import typed
from materialsdock.model import Outcome
from materialsdock.techniques.xrd.model import Fit

HYBRID = "hybrid"  # its name among what is fused with an outcome

CAUTION = (
    "An energy is that of a model at rest: it knows no temperature, and the error of its "
    "calculator can exceed the differences shown. It can name a candidate that diffraction alone "
    "overlooks; it cannot overrule the pattern."
)


@dataclass(frozen=True, eq=False)
class Point:
    """One trial of a hybrid search: rwp [%] and energy_ev [eV per atom] of a refined structure.

    structure : name of the candidate; settings : what the trial chose; cif : as refined
    reason : why it counts for nothing ("" when it does)
    """

    number: int
    seed: int
    structure: str
    settings: Mapping[str, Any]
    rwp: float = math.nan
    energy_ev: float = math.nan
    reason: str = ""
    fit: Fit | None = None
    cif: str = ""

    @property
    def counts(self) -> bool:
        """Refined to something physical, with an energy."""
        return not self.reason


@dataclass(frozen=True, eq=False)
class HybridResult:
    """All trials in order, and the Pareto set by rising Rwp, refined with full effort.

    calculator, arguments : by which the energies are
    sentences : what the set says, and what it does not
    """

    points: tuple[Point, ...]
    front: tuple[Point, ...]
    calculator: str
    arguments: Mapping[str, Any]
    sentences: tuple[str, ...] = ()


def hybrid_of(outcome: Outcome) -> HybridResult | None:
    """The hybrid analysis of an outcome, None where none was made."""
    found = outcome.fused.get(HYBRID)
    return None if found is None else typed(HybridResult, found)


def hybrid_json(found: HybridResult) -> dict[str, Any]:
    """A hybrid analysis: its calculator, and the Pareto set by rising Rwp [%], energies [eV]."""
    return {
        "calculator": found.calculator,
        "arguments": dict(found.arguments),
        "trials": len(found.points),
        "trials_failed": sum(not point.counts for point in found.points),
        "pareto": [
            {
                "structure": point.structure,
                "rwp": round(point.rwp, 4),
                "energy_ev_per_atom": round(point.energy_ev, 6),
                "coordinates": "refined" if point.settings["refine"] else "shifted",
            }
            for point in found.front
        ],
        "sentences": list(found.sentences),
    }


def pareto(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other equals or surpasses in both numbers, by rising Rwp."""
    kept: list[Point] = []
    for point in sorted((p for p in points if p.counts), key=lambda p: (p.rwp, p.energy_ev)):
        if not kept or point.energy_ev < kept[-1].energy_ev:
            kept.append(point)
    return tuple(kept)


def spread(front: Sequence[Point], most: int) -> tuple[Point, ...]:
    """At most `most` points, evenly chosen, both ends among them."""
    at = {round(i * (len(front) - 1) / (most - 1)) for i in range(most)} if front else set()
    return tuple(front[i] for i in sorted(at))


def sentences(front: Sequence[Point], points: Sequence[Point] = ()) -> tuple[str, ...]:
    """Put a Pareto set into words; points : all trials, of which some candidates may miss."""
    best, stable = front[0], front[-1]
    if len(front) == 1:
        first = f"{best.structure} fits best and has the lowest energy"
    else:
        other = "with atoms shifted it" if stable.structure == best.structure else stable.structure
        first = (
            f"{best.structure} fits best (Rwp {best.rwp:.3g} %); {other} has the lowest "
            f"energy, {1e3 * (best.energy_ev - stable.energy_ev):.3g} meV per atom lower at Rwp "
            f"{stable.rwp:.3g} %"
        )
    names = list(dict.fromkeys(p.structure for p in front))
    second = [f"candidates in the set: {', '.join(names)}"] if len(names) > 1 else []
    return (first, *second, *_absent(points), CAUTION)


def _absent(points: Sequence[Point]) -> Iterator[str]:
    """One sentence for each candidate of which no trial counts."""
    for name in dict.fromkeys(p.structure for p in points):
        mine = [p for p in points if p.structure == name]
        if not any(p.counts for p in mine):
            reason, _ = Counter(p.reason for p in mine).most_common(1)[0]
            yield f"no trial of {name} succeeded ({len(mine)} were made): {reason}"
