"""A series taken apart: what it is made of, how much of it, and how one knows how many."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from materialsdock.fusion.series.decomposition import Decomposition
from materialsdock.model import FloatArray
from materialsdock.rendering.drawing import Drawing, drawing, legend
from materialsdock.rendering.numbers import fixed, with_esd
from materialsdock.rendering.plain_page import render_plain, write_page
from materialsdock.rendering.svg import INK, MUTED, ORANGE, SERIES, WASH, plain_log

MOST_DRAWN = 24
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
TITLES = {
    "pca": "Principal components of a series",
    "nmf": "Components of a series, none of them negative",
}


def write_series_report(found: Decomposition, unit: str, path: Path) -> Path:
    """Write the page to `path`, whole or not at all; unit : of the positions, "deg" or "eV".

    Raises InputError when the file cannot be written.
    """
    return write_page(render_series(found, unit), path)


def render_series(found: Decomposition, unit: str) -> str:
    """The page as HTML text."""
    values, spread = shown(found)
    rows = [
        (
            name,
            [with_esd(v, e) for v, e in zip(values[i], spread[i], strict=True)],
            fixed(found.chi2[i]),
        )
        for i, name in enumerate(found.series.names)
    ]
    return render_plain(
        Path(__file__).with_name("page.html"),
        kicker="series",
        title=TITLES[found.method],
        headline=f"{found.rule}.",
        notes=found.notes,
        heads=component_names(found),
        unit_of_scores="score" if found.shares is None else "share (%)",
        rows=rows,
        drawings=[(d.title, d.caption, Markup(d.svg)) for d in series_drawings(found, unit)],
    )


def shown(found: Decomposition) -> tuple[FloatArray, FloatArray]:
    """Return what is shown of each curve, and its sd (n, k): shares [%] of NMF, scores of PCA."""
    if found.shares is None:
        return found.scores, found.scores_sd
    total = np.maximum(found.scores.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return 100 * found.shares, 100 * found.scores_sd / total


def component_names(found: Decomposition) -> list[str]:
    """PC 1, PC 2, ... or component 1, ..."""
    word = "PC" if found.method == "pca" else "component"
    return [f"{word} {k + 1}" for k in range(len(found.loadings))]


def series_drawings(found: Decomposition, unit: str) -> list[Drawing]:
    """The figures in reading order."""
    label = "2θ (°)" if unit == "deg" else "Energy (eV)"
    made_of = "shares" if found.method == "nmf" else "scores"
    sums = (
        "Each curve is a sum of these, in the shares below."
        if found.method == "nmf"
        else "Each curve is the mean plus these, times the scores below."
    )
    return [
        drawing(
            "The series",
            "The curves on their common grid, each above the one before it, the first lowest. "
            + ("" if len(found.series.names) <= MOST_DRAWN else "Evenly chosen ones are drawn."),
            partial(_draw_series, found, label),
            4.2,
        ),
        drawing("Loadings", sums, partial(_draw_loadings, found, label), _height(found)),
        drawing(
            made_of.capitalize(),
            f"The {made_of} of each curve, in the order in which the files were given. Bars: "
            "± 1 standard deviation from counting noise, for these loadings.",
            partial(_draw_scores, found),
            3.2,
        ),
        drawing(
            "How many components",
            "Left: singular values of the noise-weighted curves, and the largest that noise "
            "alone reaches in 99 % of cases. Right: the prediction error of held-out blocks, in "
            "units of the noise's variance. The smaller of the two counts is taken.",
            partial(_draw_numbers, found),
            2.8,
        ),
    ]


def _height(found: Decomposition) -> float:
    rows = len(found.loadings) + (found.method == "pca")
    return 0.6 + 1.15 * rows


def _draw_series(found: Decomposition, label: str, figure: Figure) -> None:
    axes = figure.subplots()
    x, y = found.series.x, found.series.y
    drawn = np.unique(np.linspace(0, len(y) - 1, min(len(y), MOST_DRAWN)).round().astype(int))
    step = 0.18 * float(np.percentile(y, 99.8) - np.percentile(y, 1))
    for place, i in enumerate(drawn):
        axes.plot(x, y[i] + place * step, INK if place % 2 else SERIES[0], lw=0.6)
    axes.set_yticks([])
    axes.set_ylabel("Normalised, shifted")
    axes.set_xlabel(label)
    axes.set_xlim(float(x[0]), float(x[-1]))
    axes.margins(y=0.02)


def _draw_loadings(found: Decomposition, label: str, figure: Figure) -> None:
    curves = list(zip(component_names(found), found.loadings, strict=True))
    if found.method == "pca":
        curves.insert(0, ("mean", found.mean))
    every = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for place, (axes, (name, curve)) in enumerate(zip(every, curves, strict=True)):
        colour = MUTED if name == "mean" else _colour(place - (found.method == "pca"))
        axes.axhline(0.0, color=MUTED, lw=0.5)
        axes.plot(found.series.x, curve, colour, lw=0.8)
        axes.set_title(name, color=colour)
        axes.margins(x=0.0)
    every[-1].set_xlabel(label)


def _colour(k: int) -> str:
    return SERIES[k % len(SERIES)]


def _draw_scores(found: Decomposition, figure: Figure) -> None:
    axes = figure.subplots()
    values, spread = shown(found)
    number = np.arange(1, len(values) + 1)
    for k, name in enumerate(component_names(found)):
        axes.errorbar(
            number,
            values[:, k],
            spread[:, k],
            color=_colour(k),
            marker=MARKERS[k],
            ms=3.5,
            lw=0.8,
            elinewidth=0.8,
            label=name,
        )
    axes.set_ylabel("Score" if found.shares is None else "Share (%)")
    axes.set_xlabel("Curve")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes)


def _draw_numbers(found: Decomposition, figure: Figure) -> None:
    left, right = figure.subplots(1, 2)
    most = len(found.held_out) - 1
    order = np.arange(1, most + 2)[: found.singular_values.size]
    left.plot(order, found.singular_values[: order.size], marker="o", color=SERIES[0])
    left.axhline(found.noise_edge, color=ORANGE, ls="--", label="noise")
    plain_log(left)
    left.set_ylabel("Singular value")
    right.plot(np.arange(most + 1), found.held_out, marker="o", color=SERIES[0])
    plain_log(right)
    right.set_ylabel("Prediction error")
    for axes in (left, right):
        axes.set_xlabel("Components")
        _mark(axes, len(found.loadings))
        legend(axes)


def _mark(axes: Axes, count: int) -> None:
    axes.axvspan(count - 0.25, count + 0.25, color=WASH, lw=0, zorder=0, label="taken")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
