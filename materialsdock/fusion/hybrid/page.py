"""The Pareto set of fit and energy as a block of a report: figure, table, caution."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from materialsdock.fusion.hybrid.pareto import HybridResult, Point
from materialsdock.rendering.drawing import Drawing, drawing, label_dots, legend
from materialsdock.rendering.numbers import fixed
from materialsdock.rendering.plain_page import render_plain
from materialsdock.rendering.svg import MUTED, ORANGE, SERIES, dots

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
BEYOND = 0.3  # of the set's extent is shown on its far side


def hybrid_block(result: HybridResult) -> str:
    """The section of a page as HTML: what the set says, its figure, and its structures."""
    figure = pareto_drawing(result)
    said = "".join(f"<li>{html.escape(line)}</li>" for line in result.sentences)
    return (
        '<section aria-labelledby="hybrid"><h2 id="hybrid">Fit and energy</h2>'
        f"<ul>{said}</ul>"
        f"<figure><h3>{html.escape(figure.title)}</h3>"
        '<div class="scroll" role="region" aria-label="Fit and energy" tabindex="0">'
        f"{figure.svg}</div>"
        f"<figcaption>{html.escape(figure.caption)}</figcaption></figure>"
        f"<h3>The Pareto set</h3>{_table(result.front)}</section>"
    )


def render_hybrid(result: HybridResult, sample: str, read_as: Sequence[str] = ()) -> str:
    """The whole page as HTML text; sample : what the pattern is of; read_as : how it was read."""
    return render_plain(
        Path(__file__).with_name("page.html"),
        kicker="fit and energy",
        title=sample,
        headline=f"{len(result.front)} refined structures that no other beats in both fit and "
        "energy.",
        block=Markup(hybrid_block(result)),
        read_as=read_as,
        calculator=result.calculator,
        arguments=json.dumps(dict(result.arguments)),
        counted=sum(p.counts for p in result.points),
        trials=len(result.points),
    )


def pareto_drawing(result: HybridResult) -> Drawing:
    """All trials by Rwp and energy above the lowest, the Pareto set on top."""
    names = list(dict.fromkeys(p.structure for p in result.points))
    placeholders = {f"candidate{i}": name for i, name in enumerate(names)}
    return drawing(
        "Structures that no other beats in both fit and energy",
        "Grey: trials, except those far off. Coloured: the Pareto set, at most 12 of it, refined "
        "with full effort; to the left the pattern is fitted better, below the energy is lower. "
        f"Energies are per atom above the lowest of the set, by {result.calculator}.",
        partial(_draw, result, names),
        3.6,
        placeholders,
    )


def _draw(result: HybridResult, names: Sequence[str], figure: Figure) -> None:
    axes = figure.subplots()
    lowest = min(p.energy_ev for p in result.front)

    def place(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
        rwp = np.array([p.rwp for p in points], dtype=float)
        return rwp, 1e3 * np.array([p.energy_ev - lowest for p in points], dtype=float)

    tried = [p for p in result.points if p.counts]
    x, y = place(tried)
    dots(axes, x, y, color=MUTED, size=2.5)
    label_dots(axes, "trial", MUTED)
    axes.step(*place(result.front), where="post", color=ORANGE, lw=0.8)
    for i, name in enumerate(names):
        mine = [p for p in result.front if p.structure == name]
        if mine:
            marker, colour = MARKERS[i % len(MARKERS)], SERIES[i % len(SERIES)]
            axes.plot(*place(mine), marker, color=colour, ms=5, label=f"candidate{i}", zorder=4)
    front_x, front_y = place(result.front)
    axes.set_xlim(*_limits(front_x, x))
    axes.set_ylim(*_limits(front_y, y))
    axes.set_xlabel("Rwp (%)")
    axes.set_ylabel("Energy (meV per atom)")
    legend(axes)


def _limits(front: np.ndarray, tried: np.ndarray) -> tuple[float, float]:
    """Choose the limits of an axis: all of the set, and of what was tried beside it the nearer."""
    low, high = float(min(front.min(), tried.min())), float(front.max())
    far = high + BEYOND * (high - low) if high > low else float(np.median(tried))
    high = max(high, min(far, float(tried.max())))
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _table(front: Sequence[Point]) -> str:
    lowest = min(p.energy_ev for p in front)
    rows = "".join(
        f'<tr><th scope="row"><bdi>{html.escape(p.structure)}</bdi></th>'
        f'<td class="n">{fixed(p.rwp, 4)}</td><td class="n">{p.energy_ev:.4f}</td>'
        f'<td class="n">{1e3 * (p.energy_ev - lowest):.1f}</td>'
        f"<td>{'refined' if p.settings['refine'] else 'shifted and kept'}</td></tr>"
        for p in front
    )
    heads = ("Rwp (%)", "Energy (eV per atom)", "above the lowest (meV)")
    numbers = "".join(f'<th scope="col" class="n">{head}</th>' for head in heads)
    return (
        '<div class="scroll" role="region" aria-label="Pareto set" tabindex="0"><table><thead><tr>'
        f'<th scope="col">Candidate</th>{numbers}<th scope="col">Coordinates</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
