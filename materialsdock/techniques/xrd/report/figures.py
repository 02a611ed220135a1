"""The figures of a powder diffraction report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Trial
from materialsdock.rendering.drawing import Drawing, drawing, label_dots, legend, two_panels
from materialsdock.rendering.numbers import fixed, many
from materialsdock.rendering.svg import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    SERIES,
    dots,
    plain_log,
    sqrt_scale,
    strokes,
)
from materialsdock.techniques.xrd.model import Fit
from materialsdock.techniques.xrd.report.scale import Scale

WORST_WIDTHS = 6.0  # FWHM on either side of the worst place
FEW = 300  # points that are drawn large
NOISY = 2.0  # mean of (Δ/σ)² at the worst place, up to which it is as good as noise


def pattern(measured: Pattern, curve: Any, scale: Scale) -> Drawing:
    """The measured intensities under the model, and the time counted at each angle if known."""
    model = "" if curve is None else "Line and band: the model's mean ± 2 standard deviations. "
    height = (
        "on which noise has one height for one counting time and weak reflections show. Below: the "
        "time counted at each angle, against a uniform full scan."
        if scale.timed
        else "on which counting noise has one height and weak reflections show."
    )
    return drawing(
        "Measured pattern and counting time" if scale.timed else "Measured pattern",
        f"Points: measured intensity. {model}The intensity axis is a square root, {height}",
        partial(_draw_pattern, measured, curve, scale),
        4.6 if scale.timed else 3.4,
    )


def _draw_pattern(measured: Pattern, curve: Pattern | None, scale: Scale, figure: Figure) -> None:
    if scale.timed:
        upper, lower = two_panels(figure, 2.6)
        _draw_times(lower, measured, scale.full_time_s)
    else:
        upper = lower = figure.subplots()
    x, y = measured.two_theta, scale.shown(measured.intensity)
    sqrt_scale(upper, 1.06 * float(np.max(y)))
    dots(upper, x, y, color=MUTED, size=1.4)
    label_dots(upper, "measured", MUTED)
    if curve is not None:
        at, mean, sd = curve.two_theta, scale.shown(curve.intensity), scale.shown(curve.sigma)
        low, high = np.clip(mean - 2 * sd, 0, None), mean + 2 * sd
        upper.fill_between(at, low, high, color=BLUE, alpha=0.25, linewidth=0, label="± 2 sd")
        upper.plot(at, np.clip(mean, 0, None), BLUE, lw=0.7, label="model", zorder=4)
    upper.set_ylabel(scale.label)
    legend(upper)
    lower.set_xlabel("2θ (°)")
    lower.set_xlim(float(x[0]), float(x[-1]))


def _draw_times(axes: Axes, measured: Pattern, full_time_s: float | None) -> None:
    """Seconds counted at each angle, and those of a uniform full scan."""
    x, time = measured.two_theta, measured.count_time_s
    axes.fill_between(x, time, step="mid", color=BLUE, alpha=0.15, linewidth=0)
    axes.step(x, time, BLUE, where="mid", lw=0.7)
    if full_time_s:
        axes.axhline(full_time_s, color=ORANGE, ls="--", label=f"full scan, {full_time_s:g} s")
        legend(axes)
    axes.set_ylim(0, 1.15 * max(float(np.max(time)), full_time_s or 0.0))
    axes.set_ylabel("Time per point (s)")


def rietveld(measured: Pattern, fit: Fit, scale: Scale) -> Drawing:
    """Observed, calculated and background, reflections by phase, weighted difference."""
    rows = {f"@phase{i}": name for i, name in enumerate(fit.ticks)}
    return drawing(
        "Rietveld refinement",
        "Points: observed. Line: calculated. Dashed: background. Ticks: reflections of each "
        "phase. Below: Δ, observed − calculated, in units of its standard deviation σ "
        f"({scale.sigma}); dotted lines at ± 3.",
        partial(_draw_rietveld, measured, fit, scale),
        4.6 + 0.3 * len(rows),
        rows,
    )


def _draw_rietveld(measured: Pattern, fit: Fit, scale: Scale, figure: Figure) -> None:
    rows = 0.3 * max(len(fit.ticks), 1)
    upper, ticks, lower = figure.subplots(3, 1, sharex=True, height_ratios=[3.1, rows, 1.0])
    x, y = measured.two_theta, scale.shown(measured.intensity)
    calculated, background = (
        np.clip(scale.shown(each), 0, None) for each in (fit.y_calc, fit.y_background)
    )
    sqrt_scale(upper, 1.06 * float(max(np.max(y), np.max(calculated))))
    close = x.size <= FEW
    dots(upper, x, y, color=MUTED, size=3.0 if close else 1.4)
    label_dots(upper, "observed", MUTED)
    upper.plot(x, calculated, ORANGE, lw=1.2 if close else 0.8, label="calculated", zorder=4)
    upper.plot(x, background, GREEN, lw=0.8, ls="--", label="background")
    upper.set_ylabel(scale.label)
    legend(upper)
    _draw_ticks(ticks, fit.ticks)
    _draw_difference(lower, measured, fit)
    figure.align_ylabels([upper, lower])


def worst(measured: Pattern, fit: Fit, scale: Scale) -> Drawing:
    """The place where the fit misses most, large enough to see what it misses."""
    low, high, share = _worst(measured, fit)
    inside = (measured.two_theta >= low) & (measured.two_theta <= high)
    part = Pattern(
        *(
            column[inside]
            for column in (
                measured.two_theta,
                measured.intensity,
                measured.sigma,
                measured.count_time_s,
            )
        )
    )
    ticks = {name: at[(at >= low) & (at <= high)] for name, at in fit.ticks.items()}
    cut = replace(
        fit, y_calc=fit.y_calc[inside], y_background=fit.y_background[inside], ticks=ticks
    )
    rows = {f"@phase{i}": name for i, name in enumerate(ticks)}
    z2 = ((part.intensity - cut.y_calc) / part.sigma) ** 2
    meaning = (
        "A difference that changes sign across a peak is a wrong position, one with three lobes a "
        "wrong width, one of a single sign a wrong intensity or a phase that is missing."
        if float(z2.mean()) > NOISY
        else "Here, and so everywhere, it is hardly more than noise makes."
    )
    return drawing(
        "Where the fit misses most",
        f"{low:.2f} to {high:.2f}°, {share:.0%} of the weighted misfit. {meaning}",
        partial(_draw_rietveld, part, cut, scale),
        3.6 + 0.3 * len(rows),
        rows,
    )


def _worst(measured: Pattern, fit: Fit) -> tuple[float, float, float]:
    """Limits [deg] of the window around the worst misfit, and its share of Σ z²."""
    fwhm_deg = float(fit.recipe.get("fwhm_deg", 0.1))
    half = max(WORST_WIDTHS * fwhm_deg, 20 * float(np.median(np.diff(measured.two_theta))))
    z2 = ((measured.intensity - fit.y_calc) / measured.sigma) ** 2
    total = np.concatenate(([0.0], np.cumsum(z2)))
    x = measured.two_theta
    first, last = np.searchsorted(x, x - half), np.searchsorted(x, x + half, side="right")
    sums = total[last] - total[first]
    at = int(np.argmax(sums))
    low, high = max(float(x[0]), float(x[at] - half)), min(float(x[-1]), float(x[at] + half))
    return low, high, float(sums[at] / total[-1]) if total[-1] > 0 else 0.0


def _draw_difference(axes: Axes, measured: Pattern, fit: Fit) -> None:
    weighed = measured.sigma > 0
    difference = (measured.intensity - fit.y_calc)[weighed] / measured.sigma[weighed]
    axes.plot(measured.two_theta[weighed], difference, BLUE, lw=1.0 if weighed.size <= FEW else 0.5)
    axes.axhline(0.0, color=INK, lw=0.5)
    for level in (-3.0, 3.0):
        axes.axhline(level, color=MUTED, lw=0.5, ls=":")
    bound = 1.08 * float(np.max(np.abs(difference), initial=4.0))
    axes.set_ylim(-bound, bound)
    if bound < 10:
        axes.set_yticks([-3, 0, 3])
    axes.set_ylabel("Δ/σ")
    axes.set_xlabel("2θ (°)")
    axes.set_xlim(float(measured.two_theta[0]), float(measured.two_theta[-1]))


def _draw_ticks(axes: Axes, ticks: Mapping[str, Any]) -> None:
    """One row per phase: its name above its reflections, so that neither covers the other."""
    for row, positions in enumerate(ticks.values()):
        color = SERIES[row % len(SERIES)]
        at = np.asarray(positions, dtype=float)
        strokes(
            axes,
            at,
            np.full(at.size, -row - 0.45),
            np.full(at.size, -row - 0.05),
            color=color,
            width=0.7,
        )
        axes.text(
            0.004,
            -row + 0.02,
            f"@phase{row}",
            color=color,
            fontsize=7.5,
            va="bottom",
            transform=axes.get_yaxis_transform(),
        )
    axes.set_ylim(-len(ticks) + 0.45, 0.55)
    axes.axis("off")


def search(trials: tuple[Trial, ...], fit: Fit | None = None) -> Drawing:
    """Rwp of every trial, the best so far of each seed, and the failures."""
    failed = sum(trial.state == "fail" for trial in trials)
    broken = sum(bool(trial.violations) for trial in trials)
    crosses = f" Crosses on the upper edge: {many(failed, 'failed trial')}." if failed else ""
    opened = f" Open points: {broken} that break a physical constraint." if broken else ""
    answer = (
        f" The answer is chosen by Rwp and number of parameters, and refined further: its Rwp, "
        f"{fixed(fit.rwp)} %, need not be the lowest."
        if fit
        else ""
    )
    return drawing(
        "Search of refinement recipes",
        f"Points: Rwp of each of {many(len(trials), 'trial')}. Lines: the lowest of a physical one "
        f"so far, for each seed.{crosses}{opened}{answer}",
        partial(_draw_search, trials),
        2.8,
    )


def _draw_search(trials: tuple[Trial, ...], figure: Figure) -> None:
    axes = figure.subplots()
    for i, seed in enumerate(sorted({trial.seed for trial in trials})):
        _draw_seed(
            axes, [t for t in trials if t.seed == seed], f"seed {seed}", SERIES[i % len(SERIES)]
        )
    failed = [trial.number + 1 for trial in trials if trial.rwp is None]
    if failed:
        across = axes.get_xaxis_transform()
        axes.plot(
            failed,
            [0.97] * len(failed),
            "x",
            color=ORANGE,
            mew=0.8,
            label="failed",
            transform=across,
            clip_on=False,
        )
    rwp = [trial.rwp for trial in trials if trial.rwp is not None]
    if rwp and max(rwp) > 3 * min(rwp):
        plain_log(axes)
    axes.set_xlim(0.5, max(trial.number for trial in trials) + 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.12)
    axes.set_xlabel("Trial of its seed")
    axes.set_ylabel("Rwp (%)")
    legend(axes)


def _draw_seed(axes: Axes, trials: Sequence[Trial], name: str, color: str) -> None:
    ended = [trial for trial in trials if trial.rwp is not None]
    number = np.array([trial.number + 1 for trial in ended])
    rwp = np.array([trial.rwp for trial in ended], dtype=float)
    physical = np.array([not trial.violations for trial in ended], dtype=bool)
    axes.plot(number[physical], rwp[physical], ".", color=color, ms=3)
    none = None if physical.any() else f"{name}, none physical"
    axes.plot(
        number[~physical], rwp[~physical], "o", color=color, ms=2.5, mfc="none", mew=0.6, label=none
    )
    if physical.any():
        best = np.fmin.accumulate(np.where(physical, rwp, np.nan))
        label = f"{name}, lowest {fixed(float(best[-1]))} %"
        axes.step(number, best, color, where="post", lw=1.1, label=label)
