"""The figures of an X-ray absorption report."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.rendering.drawing import Drawing, drawing, label_dots, legend, two_panels
from materialsdock.rendering.numbers import fixed, with_esd
from materialsdock.rendering.svg import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    dots,
    plain_log,
    strokes,
)
from materialsdock.techniques.xas.model import EdgeFit
from materialsdock.techniques.xas.signals import ELECTRON_YIELD, FLUORESCENCE

ORDINATE = {FLUORESCENCE: "Fluorescence over I₀", ELECTRON_YIELD: "Electron yield over I₀"}

NEAR_EV = (40.0, 80.0)  # below and above E0, what is drawn of the edge


def spectrum(measured: Spectrum, curve: Any, summary: Mapping[str, Any]) -> Drawing:
    """The measured points on the model's curve, and how densely they lie."""
    return drawing(
        "Measured spectrum and where it was sampled",
        "Points: measured absorption with its standard deviation. Line and band: the model's "
        "mean ± 2 standard deviations. Below: the distance from each point to the next; the "
        "lower, the denser.",
        partial(_draw_spectrum, measured, curve, summary),
        4.6,
    )


def _draw_spectrum(
    measured: Spectrum, curve: Spectrum | None, summary: Mapping[str, Any], figure: Figure
) -> None:
    upper, lower = two_panels(figure, 2.6)
    full, signal = summary.get("points_full_scan"), summary.get("signal") or {}
    x, mu, sigma = measured.energy_ev, measured.mu, measured.sigma
    if curve is not None:
        low, high = curve.mu - 2 * curve.sigma, curve.mu + 2 * curve.sigma
        upper.fill_between(
            curve.energy_ev, low, high, color=BLUE, alpha=0.3, linewidth=0, label="± 2 sd"
        )
        upper.plot(curve.energy_ev, curve.mu, BLUE, label="model")
    strokes(upper, x, mu - sigma, mu + sigma, color=INK, width=0.5)
    upper.plot(x, mu, ".", color=INK, ms=2.6, label="measured ± 1 sd")
    upper.set_ylabel(ORDINATE.get(signal.get("name", ""), "µ(E) (dimensionless)"))
    legend(upper)
    gap = np.diff(x)
    lower.stairs(gap, x, color=BLUE, baseline=None, lw=0.8)
    if full and full > 1:
        mean = (x[-1] - x[0]) / (full - 1)
        lower.axhline(mean, color=ORANGE, ls="--", label=f"mean of the full scan, {fixed(mean)} eV")
        legend(lower)
    plain_log(lower)
    lower.set_ylabel("Step (eV)")
    lower.set_xlabel("Energy (eV)")
    lower.set_xlim(float(x[0]), float(x[-1]))


def derivative(edge: EdgeFit) -> Drawing:
    """The slope of the normalised curve near the edge, with the edge by each definition."""
    return drawing(
        "Derivative",
        "The slope of the normalised curve near the edge. Vertical lines: E₀ at half height, the "
        "first inflection of the main rise, and the tabulated energy, as far as there are any.",
        partial(_draw_derivative, edge),
        2.6,
    )


def _draw_derivative(edge: EdgeFit, figure: Figure) -> None:
    axes = figure.subplots()
    energy = edge.energy_ev
    near = (energy > edge.e0_ev - NEAR_EV[0]) & (energy < edge.e0_ev + NEAR_EV[1])
    if near.sum() > 2:
        axes.plot(energy[near], np.gradient(edge.flat[near], energy[near]), BLUE, label="dµ/dE")
    axes.axhline(0.0, color=RULE, lw=0.6, zorder=0)
    axes.axvline(edge.e0_ev, color=ORANGE, lw=0.8, label="half height")
    if "inflection" in edge.numbers:
        at = edge.numbers["inflection"].value
        axes.axvline(at, color=GREEN, lw=0.8, ls="--", label="first inflection")
    if edge.tabulated_ev is not None:
        axes.axvline(edge.tabulated_ev, color=MUTED, lw=0.8, ls=":", label="tabulated")
    axes.set_ylabel("dµ/dE (1/eV)")
    axes.set_xlabel("Energy (eV)")
    legend(axes)


def edge_position(measured: Spectrum, edge: EdgeFit) -> Drawing:
    """The lines of the normalisation, and the edge energy on the normalised curve."""
    return drawing(
        "Edge and normalisation",
        "Left: the spectrum with the pre-edge and post-edge lines it is normalised by. Right: "
        "the normalised curve near the edge; the vertical line and its band mark E₀ ± 2 "
        "standard deviations, where they are known.",
        partial(_draw_edge, measured, edge),
        3.1,
    )


def _draw_edge(measured: Spectrum, edge: EdgeFit, figure: Figure) -> None:
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1.0])
    energy = edge.energy_ev
    dots(left, measured.energy_ev, measured.mu, color=MUTED, size=1.8)
    label_dots(left, "measured", MUTED)
    left.plot(energy, edge.pre_edge, GREEN, ls="--", lw=1.1, label="pre-edge")
    left.plot(energy, edge.post_edge, ORANGE, ls="-.", lw=1.1, label="post-edge")
    left.set_ylabel("µ(E) (dimensionless)")
    legend(left)
    near = (energy > edge.e0_ev - NEAR_EV[0]) & (energy < edge.e0_ev + NEAR_EV[1])
    right.plot(energy[near], edge.flat[near], BLUE, lw=1.1)
    sd = 2 * edge.e0_sd_ev
    if np.isfinite(sd):  # of a stop before its time nothing may be known
        right.axvspan(edge.e0_ev - sd, edge.e0_ev + sd, color=ORANGE, alpha=0.3, lw=0)
    right.axvline(edge.e0_ev, color=ORANGE, lw=0.8)
    for level in (0.0, 1.0):
        right.axhline(level, color=RULE, lw=0.6, zorder=0)
    right.set_title(f"E₀ = {with_esd(edge.e0_ev, edge.e0_sd_ev)} eV", color=ORANGE)
    right.set_ylabel("Normalised absorption")
    for axes in (left, right):
        axes.set_xlabel("Energy (eV)")
