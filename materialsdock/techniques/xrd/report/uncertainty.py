"""The whole uncertainty of cells and weights: what counting leaves open, and what choices do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from materialsdock.model import Outcome
from materialsdock.rendering.numbers import with_esds
from materialsdock.techniques.xrd.model import Doubt, PhaseFit, Solution

WEIGHT = "weight_fraction"
NOTATION = (
    "value(statistical)[systematic], one standard deviation each, in units of the last digit; "
    "a single number is both in quadrature"
)
LEAST = 0.02  # wt%, below which a source of doubt is not worth a word


@dataclass(frozen=True)
class Uncertainty:
    """Standard deviations of one number, in its unit; None: not refined, or not known."""

    statistical: float | None
    systematic: float | None

    @property
    def combined(self) -> float | None:
        """Both in quadrature; None where neither is known."""
        known = [e for e in (self.statistical, self.systematic) if e is not None]
        return math.hypot(*known) if known else None

    def words(self, value: float) -> str:
        """`value` as NOTATION says."""
        return with_esds(value, self.statistical, self.systematic)


def spread(outcome: Outcome) -> Mapping[str, float]:
    """Systematic standard deviations of cells, weights, coordinates and Biso, by name."""
    best: Sequence[Solution] = outcome.found.solutions[:1]
    return best[0].systematic if best else {}


def of_phase(phase: PhaseFit, systematic: Mapping[str, float]) -> dict[str, Uncertainty]:
    """The uncertainties of cell lengths [Å], angles [deg] and, by WEIGHT, of the weight [wt%]."""
    esds = {key: parameter.esd for key, parameter in phase.cell.items()}
    esds[WEIGHT] = phase.weight_fraction_esd
    return {
        key: Uncertainty(esd, systematic.get(f"{phase.name}.{key}")) for key, esd in esds.items()
    }


def independent(phase: PhaseFit) -> tuple[str, ...]:
    """The keys of the cell that the symmetry leaves free: a of a = b once, no angle it holds."""
    lengths: dict[float, str] = {}
    for key in "abc":
        if key in phase.cell:
            lengths.setdefault(round(phase.cell[key].value, 8), key)
    angles = ("alpha", "beta", "gamma")
    free = (key for key in angles if key in phase.cell and phase.cell[key].esd is not None)
    return (*lengths.values(), *free)


def sources(doubts: Sequence[Doubt]) -> str:
    """Say which sources make the systematic doubt of the weights, largest first; "" for none."""
    largest = {
        doubt.source: max(
            (size for name, size in doubt.spread.items() if name.endswith(f".{WEIGHT}")), default=0
        )
        for doubt in doubts
    }
    told = sorted(((size, name) for name, size in largest.items() if size > LEAST), reverse=True)
    return ", ".join(f"{name} {size:.2g} wt%" for size, name in told)
