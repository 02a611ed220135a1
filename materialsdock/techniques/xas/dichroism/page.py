"""The page of magnetic moments: spectra with their background, dichroism and its integral."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.integrate import cumulative_trapezoid

import materialsdock
from materialsdock.model import FloatArray
from materialsdock.rendering import plain_page
from materialsdock.rendering.drawing import Drawing, drawing, legend
from materialsdock.rendering.svg import BLUE, GREEN, INK, MUTED, ORANGE, RULE, WASH
from materialsdock.techniques.xas.dichroism.moments import Moments
from materialsdock.techniques.xas.report import page as report

Pair = tuple[FloatArray, FloatArray, FloatArray]


def write_page(path: Path, pair: Pair, found: Moments, sentences: Sequence[str]) -> Path:
    """Write the page to `path`, whole or not at all; InputError when it cannot be written.

    pair : energies [eV], µ⁺ and µ⁻, each (n,)
    """
    page = plain_page.render_plain(
        Path(report.__file__).with_name("page.html"),
        name=path.name.removesuffix(".xmcd.html"),
        sentences=list(sentences),
        drawings=[(d.title, d.caption, Markup(d.svg)) for d in drawings(pair, found)],
        version=materialsdock.__version__,
        settings={},
        parameters=[],
        fractions={},
    )
    return plain_page.write_page(page, path)


def drawings(pair: Pair, found: Moments) -> list[Drawing]:
    """Both figures, for the background that `found` has drawn."""
    return [
        drawing(
            "Spectra and background",
            "Left: both spectra as measured. Right: their sum without the pre-edge line, in units "
            "of half its edge step, and the two steps of its background. Shaded: ranges of "
            "background only.",
            partial(_draw_spectra, pair, found),
            3.1,
        ),
        drawing(
            "Dichroism and its integral",
            "Left: the difference without its drift, in units of half the edge step. Right: "
            "its integral; p is its value at the dashed line, where L3 ends, q the one at the end.",
            partial(_draw_dichroism, found),
            3.1,
        ),
    ]


def _draw_spectra(pair: Pair, found: Moments, figure: Figure) -> None:
    left, right = figure.subplots(1, 2)
    energy, plus, minus = pair
    left.plot(energy, plus, BLUE, label="µ⁺")
    left.plot(energy, minus, ORANGE, ls="--", label="µ⁻")
    left.set_ylabel("µ(E)")
    right.plot(energy, found.reference.total, INK, label="sum")
    right.plot(energy, found.reference.steps, GREEN, ls="--", label="steps")
    right.set_ylabel("Sum (half steps)")
    _finish((left, right), found)
    legend(left)
    legend(right)


def _draw_dichroism(found: Moments, figure: Figure) -> None:
    left, right = figure.subplots(1, 2)
    energy, difference = found.reference.energy_ev, found.reference.difference
    left.plot(energy, difference, INK)
    left.set_ylabel("Difference (half steps)")
    right.plot(energy, cumulative_trapezoid(difference, energy, initial=0.0), BLUE)
    right.axvline(found.background_drawn.cut_ev, color=MUTED, ls="--", lw=0.8)
    right.set_ylabel("Integral of the difference (eV)")
    for axes in (left, right):
        axes.axhline(0.0, color=RULE, lw=0.6, zorder=0)
    _finish((left, right), found)


def _finish(panels: Sequence[Axes], found: Moments) -> None:
    for axes in panels:
        for low, high in (found.background_drawn.pre_ev, found.background_drawn.post_ev):
            axes.axvspan(low, high, color=WASH, lw=0, zorder=-1)
        axes.set_xlabel("Energy (eV)")
