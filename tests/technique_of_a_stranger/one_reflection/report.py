"""The report: the ordinary one, with the maximum marked in its figure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from materialsdock.model import Outcome
from materialsdock.rendering.drawing import Drawing
from materialsdock.rendering.svg import ORANGE
from materialsdock.techniques.ordinary.report import (
    TEMPLATE,
    context,
    curve,
    lines,
    summary,
    warnings,
)

__all__ = ["TEMPLATE", "context", "drawings", "lines", "summary", "warnings"]


def drawings(outcome: Outcome, shared: Sequence[Drawing]) -> list[Drawing]:
    """The scan with its maximum, and the figures that all techniques share."""

    def mark(axes: Axes) -> None:
        axes.axvline(outcome.found.position_deg, color=ORANGE, ls="--", label="maximum")

    return [curve(outcome, "The reflection", "Dashed: the maximum.", mark), *shared]
