"""Matplotlib figures as small inline SVG that follows the page: its colours, its font.

Colours are drawn in the light theme and written as CSS variables with that colour as fallback,
so one figure serves light pages, dark pages and print.  Text stays text: it can be searched.
"""

from __future__ import annotations

import html
import io
import re
import unicodedata
from collections.abc import Callable, Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import AutoLocator, LogLocator, NullFormatter

from materialsdock.model import FloatArray
from materialsdock.rendering.numbers import NARROW_SPACE

WIDTH_IN = 9.0
SVG_DPI = 72.0  # of the backend: lengths are measured as they will be written

# name -> (light, dark); Okabe and Ito's palette, darkened or lightened to contrast with the page
PALETTE: Mapping[str, tuple[str, str]] = {
    "ink": ("#1b1f24", "#e8eaed"),
    "muted": ("#5c6670", "#a3adb8"),
    "rule": ("#d5dae0", "#3a424c"),
    "wash": ("#eef1f5", "#232a33"),
    "blue": ("#0072b2", "#56b4e9"),
    "orange": ("#c94f00", "#ff9248"),
    "green": ("#00805c", "#2fc79a"),
    "purple": ("#a8478a", "#e29bc3"),
    "gold": ("#946200", "#e6b23c"),
}
INK, MUTED, RULE, WASH, BLUE, ORANGE, GREEN, PURPLE, GOLD = (c for c, _ in PALETTE.values())
SERIES = (BLUE, PURPLE, GREEN, GOLD, ORANGE)

STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.0,
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 0.9,
    "lines.markersize": 3.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
}


def render(
    draw: Callable[[Figure], None],
    label: str,
    height_in: float,
    names: Mapping[str, str] | None = None,
) -> str:
    """The SVG element that `draw` makes on a figure 9 in wide, described by `label`.

    `names` replaces texts drawn as placeholders by what users call things.  Those never reach
    Matplotlib: it would read `$` as mathematics and lack the glyphs of half the world.
    """
    # the salt makes the ids in one figure differ from the next, and equal from run to run
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": label}):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained", dpi=SVG_DPI)
        FigureCanvasSVG(figure)
        draw(figure)
        _lay_out(figure)
        text = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    svg = _compact(_themed(text.getvalue()), label)
    for placeholder, name in (names or {}).items():
        svg = svg.replace(f">{placeholder}<", f">{html.escape(shorten(name))}<")
    return svg


def _lay_out(figure: Figure) -> None:
    """Place the axes once and for all: else Matplotlib draws all of it to do so, then again."""
    engine = figure.get_layout_engine()
    if engine is not None and figure.axes:
        engine.execute(figure)
    figure.set_layout_engine(None)


def shorten(name: str, width: int = 40) -> str:
    """`name` on one line without control characters, at most `width` characters long."""
    printable = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    line = " ".join(printable.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def dots(axes: Axes, x: FloatArray, y: FloatArray, *, color: str, size: float) -> None:
    """Round points (n,) of diameter `size` [pt] as one path: a sixth of the bytes of markers."""
    outline = Outline(np.repeat(np.column_stack([x, y]), 2, axis=0), np.tile([1, 2], x.size))
    outline.should_simplify = False  # simplifying drops strokes of no length
    axes.add_artist(
        PathPatch(outline, fill=False, edgecolor=color, linewidth=size, capstyle="round", zorder=3)
    )
    axes.update_datalim(outline.vertices)  # as add_patch does, which looks at one after the other


def strokes(
    axes: Axes, x: FloatArray, low: FloatArray, high: FloatArray, *, color: str, width: float
) -> None:
    """Vertical lines (n,) from `low` to `high` as one path."""
    gap = np.full(x.size, np.nan)
    y = np.column_stack([low, high, gap]).ravel()
    axes.plot(np.repeat(x, 3), y, color=color, linewidth=width, solid_capstyle="butt")


def sqrt_scale(axes: Axes, top: float) -> None:
    """A square-root intensity axis from 0 to `top` (to 1 when nothing was counted).

    Poisson noise has one height everywhere on it, so weak reflections are judged as fairly as
    strong ones.
    """
    axes.set_yscale("function", functions=(lambda v: np.sqrt(np.clip(v, 0.0, None)), np.square))
    top = top if top > 0 else 1.0
    axes.set_ylim(0.0, top)
    ticks = sqrt_ticks(top)
    axes.set_yticks(ticks, labels=[f"{tick:,g}".replace(",", NARROW_SPACE) for tick in ticks])


def sqrt_ticks(top: float) -> list[float]:
    """0 and the numbers 1, 2, 5, 10, ... up to `top` that stand a tenth of a sqrt axis apart."""
    decades = 10.0 ** (np.floor(np.log10(top)) - np.arange(4))
    ticks = [0.0]
    for tick in np.sort(np.outer([1, 2, 5], decades).ravel()):
        if tick <= top and np.sqrt(tick / top) - np.sqrt(ticks[-1] / top) >= 0.1:
            ticks.append(float(tick))
    return ticks


def plain_log(axes: Axes) -> None:
    """A logarithmic y axis in plain numbers (0.01, not a power of ten); call it after plotting."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 5 * low:  # too short for a decade's ticks
        axes.yaxis.set_major_locator(AutoLocator())
    else:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _themed(svg: str) -> str:
    for name, (light, _) in PALETTE.items():
        svg = svg.replace(light, f"var(--{name}, {light})")
    return svg


def _compact(svg: str, label: str) -> str:
    """Cut what an inline figure does not need: header, group ids, decimals, fonts, comments."""
    head, _, body = svg.partition("<svg ")
    attributes, _, body = body.partition(">")
    view_box = re.search(r'viewBox="[^"]*"', attributes)
    if view_box is None:
        raise ValueError(f"not an SVG figure: {head[:40]!r}")
    body = re.sub(r"<!--.*?-->|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<g id=\"[^\"]*\"", "<g", body)
    body = re.sub(r"; font-family: [^\";]*|xlink:(?=href)", "", body)
    body = re.sub(r' transform="rotate\(-0 [^"]*"', "", body)
    body = re.sub(r'(?<= d=")[^"]*', lambda path: _short_path(path.group()), body)
    body = re.sub(r'(?<= [xy]=")[-\d.]+', lambda number: _short(number.group()), body)
    body = re.sub(r">\s+<", "><", body)
    return f'<svg role="img" aria-label="{html.escape(label)}" {view_box.group()}>{body.strip()}'


def _short_path(path: str) -> str:
    path = " ".join([_short(word) if "." in word else word for word in path.split()])
    path = re.sub(r" ?([MLCQZz]) ?", r"\1", path)
    return re.sub(r"M([-\d.]+ [-\d.]+)L\1(?=[Mz]|$)", r"M\1h0", path)


def _short(number: str) -> str:
    return f"{float(number):z.2f}".rstrip("0").rstrip(".")
