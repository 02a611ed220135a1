"""What the morning finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from materialsdock.fusion.hybrid.pareto import HybridResult
from materialsdock.model import Decision, Job, Trial
from materialsdock.techniques.xas.model import AbsorptionFit, EdgeFit, Spectrum
from materialsdock.techniques.xrd.model import Assessment, Fit, Pattern, Solution


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the morning finds; `measured` the merged points, `curve` the posterior on the axis.

    solutions : the fit and its rivals, best first; assessment : the verdict on the fit
    hybrid : fit against energy, where a calculator is configured; absorption : beyond the edge
    """

    job: Job
    decisions: tuple[Decision, ...]
    summary: Mapping[str, Any]
    measured: Pattern | Spectrum
    fit: Fit | None = None
    edge: EdgeFit | None = None
    trials: tuple[Trial, ...] = ()
    curve: Pattern | Spectrum | None = None
    solutions: tuple[Solution, ...] = ()
    assessment: Assessment | None = None
    hybrid: HybridResult | None = None
    absorption: AbsorptionFit | None = None
