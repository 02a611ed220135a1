"""The parts that every figure of a report has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from materialsdock.rendering.svg import render


@dataclass(frozen=True)
class Drawing:
    """One figure: what it is, what it shows, and the SVG element itself."""

    title: str
    caption: str
    svg: str


def drawing(
    title: str,
    caption: str,
    draw: Callable[[Figure], None],
    height_in: float,
    names: Mapping[str, str] | None = None,
) -> Drawing:
    """Render what `draw` puts on a figure; `names` are explained at `svg.render`."""
    return Drawing(title, caption, render(draw, title, height_in, names))


def two_panels(figure: Figure, ratio: float) -> tuple[Axes, Axes]:
    """Two axes with one x, the upper `ratio` times as high as the lower."""
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[ratio, 1.0])
    figure.align_ylabels([upper, lower])
    return upper, lower


def legend(axes: Axes, columns: int = 4) -> None:
    """A legend in one row above the axes, or as many as its columns ask for: it covers no data."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=columns)


def label_dots(axes: Axes, label: str, color: str) -> None:
    """A legend entry for points that were drawn as one path."""
    axes.plot([], [], ".", color=color, label=label)
