"""The figure of the learner's benchmark: error against number of points, four spectra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {
    "XANES": "Fe K XANES",
    "L2,3": "L$_{2,3}$, two edges",
    "broad": "broad edge",
    "EXAFS": "EXAFS, three shells",
}
STYLES = {
    "uniform": ("#9aa3ad", "even scan", 1.6, "-"),
    "expert": ("#e0a030", "expert's three regions, edge known to 1.5 eV", 1.6, "-"),
    "adaptive": ("#2a9d8f", "python-adaptive", 1.4, "-"),
    "scikit-learn": ("#b07aa1", "scikit-learn", 1.2, "--"),
    "gpCAM": ("#8c6d46", "gpCAM", 1.2, "--"),
    "BoTorch": ("#5b7fb5", "BoTorch", 1.2, "--"),
    "learner": ("#d1495b", "materialsdock, nothing known before", 2.8, "-"),
}
NOISE = "1 %"


def draw(results: Mapping[str, Any]) -> Figure:
    """RMSE in units of the noise against points, both logarithmic, one panel for each spectrum."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 7.0), dpi=160, facecolor="white", layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for panel, (kind, title) in zip(panels.flat, KINDS.items(), strict=True):
        _panel(panel, results["rmse_x1000"][f"simulated {kind}, {NOISE}"], title)
    panels[1, 1].text(20, 0.96, "noise of a point", va="top", fontsize=8, color="#444444")
    for panel in panels[-1]:
        panel.set_xlabel("points counted")
    for panel in panels[:, 0]:
        panel.set_ylabel("RMSE, % of the edge step")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle("How well a spectrum is known after n points, 1 % noise", fontsize=13)
    return figure


def _panel(panel: Axes, row: Mapping[str, Mapping[str, float]], title: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for who, (colour, label, width, dashes) in STYLES.items():
        if who not in row:
            continue
        n = np.array([int(key) for key in row[who]])
        error = np.array(list(row[who].values())) / 10.0
        panel.plot(
            n,
            error,
            dashes,
            color=colour,
            label=label,
            linewidth=width,
            marker="o",
            markersize=2.2 + width,
            markeredgewidth=0,
            zorder=2 + width,
        )
    panel.axhline(1.0, color="#444444", linewidth=0.8, linestyle=":", zorder=1)
    panel.set(xscale="log", yscale="log")
    panel.set_title(title, loc="left", fontsize=11)
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    panel.xaxis.set(
        major_locator=FixedLocator([20, 30, 40, 60, 80, 160]), minor_locator=NullLocator()
    )
    panel.yaxis.set(major_locator=FixedLocator([0.5, 1, 2, 5, 10]), minor_locator=NullLocator())
    panel.xaxis.set_major_formatter(plain)
    panel.yaxis.set_major_formatter(plain)
    panel.grid(color="#e8eaed", linewidth=0.7)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def save(results: Mapping[str, Any], path: Path) -> None:
    """Write the figure as PNG or SVG, by the ending of `path`."""
    draw(results).savefig(path)
