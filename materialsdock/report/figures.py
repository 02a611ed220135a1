"""The figures of a report, each as inline SVG with a title and a caption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from materialsdock.model import Decision, EdgeFit, Fit, Outcome, Pattern, Spectrum, Trial
from materialsdock.report.numbers import fixed, with_esd
from materialsdock.report.svg import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    SERIES,
    WASH,
    dots,
    plain_log,
    render,
    sqrt_scale,
    strokes,
)

Z2_CALIBRATED = (0.3, 2.5)  # SCIENCE: outside it the noise model is wrong
RUNNING = 15  # steps in the running mean of z²
MAX_SHADED_PASSES = 8


@dataclass(frozen=True)
class Drawing:
    """One figure: what it is, what it shows, and the SVG element itself."""

    title: str
    caption: str
    svg: str


def drawings(outcome: Outcome) -> list[Drawing]:
    """The figures that an outcome has data for, in reading order."""
    found: list[Drawing] = []
    if isinstance(outcome.measured, Pattern):
        found.append(_pattern(outcome.measured, outcome.curve, outcome.summary))
        if outcome.fit:
            found.append(_rietveld(outcome.measured, outcome.fit))
    else:
        found.append(_spectrum(outcome.measured, outcome.curve, outcome.summary))
        if outcome.edge:
            found.append(_edge(outcome.measured, outcome.edge))
    if outcome.decisions:
        found.append(_stopping(outcome.decisions))
    if any(trial.state == "complete" for trial in outcome.trials):
        found.append(_search(outcome.trials))
    return found


def _drawing(
    title: str,
    caption: str,
    draw: Callable[[Figure], None],
    height_in: float,
    names: Mapping[str, str] | None = None,
) -> Drawing:
    return Drawing(title, caption, render(draw, title, height_in, names))


def _two_panels(figure: Figure, ratio: float) -> tuple[Axes, Axes]:
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[ratio, 1.0])
    figure.align_ylabels([upper, lower])
    return upper, lower


def _legend(axes: Axes, **options: Any) -> None:
    axes.legend(**{"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0), "ncols": 4} | options)


def _label_dots(axes: Axes, label: str, color: str) -> None:
    """A legend entry for points that were drawn as one path."""
    axes.plot([], [], ".", color=color, label=label)


# --- diffraction ---------------------------------------------------------------------------


def _pattern(measured: Pattern, curve: Any, summary: Mapping[str, Any]) -> Drawing:
    return _drawing(
        "Measured pattern and counting time",
        "Points: measured intensity. Line and band: the model's mean ± 2 standard deviations. "
        "The intensity axis is a square root, on which counting noise has one height and weak "
        "reflections show. Below: the time counted at each angle, against a uniform full scan.",
        partial(_draw_pattern, measured, curve, summary.get("full_time_s")),
        4.6,
    )


def _draw_pattern(
    measured: Pattern, curve: Pattern | None, full_time_s: float | None, figure: Figure
) -> None:
    upper, lower = _two_panels(figure, 2.6)
    x = measured.two_theta
    sqrt_scale(upper, 1.06 * float(np.max(measured.intensity)))
    dots(upper, x, measured.intensity, color=MUTED, size=1.4)
    _label_dots(upper, "measured", MUTED)
    if curve is not None:
        low = np.clip(curve.intensity - 2 * curve.sigma, 0, None)
        high = curve.intensity + 2 * curve.sigma
        upper.fill_between(
            curve.two_theta, low, high, color=BLUE, alpha=0.25, linewidth=0, label="± 2 sd"
        )
        upper.plot(
            curve.two_theta,
            np.clip(curve.intensity, 0, None),
            BLUE,
            lw=0.7,
            label="model",
            zorder=4,
        )
    upper.set_ylabel("Intensity (counts s⁻¹)")
    _legend(upper)
    time = measured.count_time_s
    lower.fill_between(x, time, step="mid", color=BLUE, alpha=0.15, linewidth=0)
    lower.step(x, time, BLUE, where="mid", lw=0.7)
    if full_time_s:
        lower.axhline(full_time_s, color=ORANGE, ls="--", label=f"full scan, {full_time_s:g} s")
        _legend(lower)
    lower.set_ylim(0, 1.15 * max(float(np.max(time)), full_time_s or 0.0))
    lower.set_ylabel("Time per point (s)")
    lower.set_xlabel("2θ (°)")
    lower.set_xlim(float(x[0]), float(x[-1]))


def _rietveld(measured: Pattern, fit: Fit) -> Drawing:
    rows = {f"@phase{i}": name for i, name in enumerate(fit.ticks)}
    return _drawing(
        "Rietveld refinement",
        "Points: observed. Line: calculated. Dashed: background. Ticks: reflections of each "
        "phase. Below: the difference in units of its standard deviation, because the counting "
        "time varies along the pattern; dotted lines at ± 3.",
        partial(_draw_rietveld, measured, fit),
        4.6 + 0.3 * len(rows),
        rows,
    )


def _draw_rietveld(measured: Pattern, fit: Fit, figure: Figure) -> None:
    rows = 0.3 * max(len(fit.ticks), 1)
    upper, ticks, lower = figure.subplots(3, 1, sharex=True, height_ratios=[3.1, rows, 1.0])
    x, y = measured.two_theta, measured.intensity
    sqrt_scale(upper, 1.06 * float(max(np.max(y), np.max(fit.y_calc))))
    dots(upper, x, y, color=MUTED, size=1.4)
    _label_dots(upper, "observed", MUTED)
    upper.plot(x, np.clip(fit.y_calc, 0, None), ORANGE, lw=0.8, label="calculated", zorder=4)
    upper.plot(x, np.clip(fit.y_background, 0, None), GREEN, lw=0.8, ls="--", label="background")
    upper.set_ylabel("Intensity (counts s⁻¹)")
    _legend(upper)
    _draw_ticks(ticks, fit.ticks)
    residual = (y - fit.y_calc) / measured.sigma
    lower.plot(x, residual, BLUE, lw=0.5)
    for level in (-3.0, 0.0, 3.0):
        lower.axhline(
            level, color=INK if level == 0 else MUTED, lw=0.5, ls="-" if level == 0 else ":"
        )
    bound = 1.08 * max(4.0, float(np.max(np.abs(residual))))
    lower.set_ylim(-bound, bound)
    if bound < 10:
        lower.set_yticks([-3, 0, 3])
    lower.set_ylabel("(obs − calc)/σ")
    lower.set_xlabel("2θ (°)")
    lower.set_xlim(float(x[0]), float(x[-1]))
    figure.align_ylabels([upper, lower])


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


def _search(trials: tuple[Trial, ...]) -> Drawing:
    failed = sum(trial.state == "fail" for trial in trials)
    return _drawing(
        "Search of refinement recipes",
        f"Points: Rwp of each of {len(trials)} trials. Line: the best so far. "
        f"Crosses on the upper edge: {failed} failed trials.",
        partial(_draw_search, trials),
        2.8,
    )


def _draw_search(trials: tuple[Trial, ...], figure: Figure) -> None:
    axes = figure.subplots()
    rwp = np.array([np.nan if trial.rwp is None else trial.rwp for trial in trials], dtype=float)
    accepted = np.array([trial.state == "complete" for trial in trials]) & np.isfinite(rwp)
    order = np.arange(1, len(trials) + 1)
    axes.plot(order[accepted], rwp[accepted], ".", color=MUTED, label="accepted")
    broken = ~accepted
    if broken.any():
        axes.plot(
            order[broken],
            np.full(broken.sum(), 0.97),
            "x",
            color=ORANGE,
            mew=0.8,
            label="failed",
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
    if accepted.any():
        best = np.fmin.accumulate(np.where(accepted, rwp, np.inf))
        best[np.isinf(best)] = np.nan
        axes.step(order, best, BLUE, where="post", lw=1.1, label=f"best, {fixed(best[-1])} %")
        if np.nanmax(rwp[accepted]) > 3 * best[-1]:
            plain_log(axes)
    axes.set_xlim(0.5, len(trials) + 0.5)
    axes.margins(y=0.12)
    axes.set_xlabel("Trial, in the order they ended")
    axes.set_ylabel("Rwp (%)")
    _legend(axes)


# --- absorption ----------------------------------------------------------------------------


def _spectrum(measured: Spectrum, curve: Any, summary: Mapping[str, Any]) -> Drawing:
    return _drawing(
        "Measured spectrum and where it was sampled",
        "Points: measured absorption with its standard deviation. Line and band: the model's "
        "mean ± 2 standard deviations. Below: the distance from each point to the next; the "
        "lower, the denser.",
        partial(_draw_spectrum, measured, curve, summary.get("points_full_scan")),
        4.6,
    )


def _draw_spectrum(
    measured: Spectrum, curve: Spectrum | None, full: int | None, figure: Figure
) -> None:
    upper, lower = _two_panels(figure, 2.6)
    x, mu, sigma = measured.energy_ev, measured.mu, measured.sigma
    if curve is not None:
        low, high = curve.mu - 2 * curve.sigma, curve.mu + 2 * curve.sigma
        upper.fill_between(
            curve.energy_ev, low, high, color=BLUE, alpha=0.3, linewidth=0, label="± 2 sd"
        )
        upper.plot(curve.energy_ev, curve.mu, BLUE, label="model")
    strokes(upper, x, mu - sigma, mu + sigma, color=INK, width=0.5)
    upper.plot(x, mu, ".", color=INK, ms=2.6, label="measured ± 1 sd")
    upper.set_ylabel("µ(E) (dimensionless)")
    _legend(upper)
    gap = np.diff(x)
    lower.stairs(gap, x, color=BLUE, baseline=None, lw=0.8)
    if full and full > 1:
        mean = (x[-1] - x[0]) / (full - 1)
        lower.axhline(mean, color=ORANGE, ls="--", label=f"mean of the full scan, {fixed(mean)} eV")
        _legend(lower)
    plain_log(lower)
    lower.set_ylabel("Step (eV)")
    lower.set_xlabel("Energy (eV)")
    lower.set_xlim(float(x[0]), float(x[-1]))


def _edge(measured: Spectrum, edge: EdgeFit) -> Drawing:
    return _drawing(
        "Edge and normalisation",
        "Left: the spectrum with the pre-edge and post-edge lines it is normalised by. Right: "
        "the normalised curve near the edge; the vertical line and its band mark E₀ ± 2 "
        "standard deviations.",
        partial(_draw_edge, measured, edge),
        3.1,
    )


def _draw_edge(measured: Spectrum, edge: EdgeFit, figure: Figure) -> None:
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1.0])
    energy = edge.energy_ev
    dots(left, measured.energy_ev, measured.mu, color=MUTED, size=1.8)
    _label_dots(left, "measured", MUTED)
    left.plot(energy, edge.pre_edge, GREEN, ls="--", lw=1.1, label="pre-edge")
    left.plot(energy, edge.post_edge, ORANGE, ls="-.", lw=1.1, label="post-edge")
    left.set_ylabel("µ(E) (dimensionless)")
    _legend(left)
    near = (energy > edge.e0_ev - 40) & (energy < edge.e0_ev + 80)
    right.plot(energy[near], edge.flat[near], BLUE, lw=1.1)
    sd = 2 * edge.e0_sd_ev
    right.axvspan(edge.e0_ev - sd, edge.e0_ev + sd, color=ORANGE, alpha=0.3, lw=0)
    right.axvline(edge.e0_ev, color=ORANGE, lw=0.8)
    for level in (0.0, 1.0):
        right.axhline(level, color=RULE, lw=0.6, zorder=0)
    right.set_title(f"E₀ = {with_esd(edge.e0_ev, edge.e0_sd_ev)} eV", color=ORANGE)
    right.set_ylabel("Normalised absorption")
    for axes in (left, right):
        axes.set_xlabel("Energy (eV)")


# --- both ----------------------------------------------------------------------------------


def _stopping(decisions: tuple[Decision, ...]) -> Drawing:
    return _drawing(
        "When it was enough",
        "Above: the expected-generalisation-error ratio λ at each step, against the threshold "
        "it stops at. Below: the squared surprise z² of each step's points; its running mean "
        f"over {RUNNING} steps stays near 1, inside the shaded band, while the noise model holds. "
        "What is below 0.001 is drawn there.",
        partial(_draw_stopping, decisions),
        3.9,
    )


def _draw_stopping(decisions: tuple[Decision, ...], figure: Figure) -> None:
    upper, lower = _two_panels(figure, 1.4)
    step = np.array([d.step for d in decisions])
    _shade_passes(upper, decisions)
    _draw_lambda(upper, step, decisions)
    z2 = np.array([np.nan if d.z2 is None else d.z2 for d in decisions], dtype=float)
    lower.axhspan(*Z2_CALIBRATED, color=WASH, lw=0, zorder=0)
    lower.axhline(1.0, color=MUTED, lw=0.6, zorder=1)
    known = np.isfinite(z2)
    lower.plot(step[known], np.maximum(z2[known], 1e-3), ".", color=MUTED, ms=2.6, label="step")
    if known.sum() >= RUNNING:
        mean = np.convolve(z2[known], np.full(RUNNING, 1 / RUNNING), mode="valid")
        lower.plot(step[known][RUNNING - 1 :], mean, BLUE, lw=1.1, label="running mean")
    plain_log(lower)
    lower.set_ylabel("z²")
    lower.set_xlabel("Step")
    lower.set_xlim(step[0] - 0.5, step[-1] + 0.5)
    _legend(lower)


def _draw_lambda(axes: Axes, step: Any, decisions: tuple[Decision, ...]) -> None:
    value = np.array([np.nan if d.lambda_t is None else d.lambda_t for d in decisions], dtype=float)
    known = np.isfinite(value) & (value > 0)
    axes.set_ylabel("λ")
    if not known.any():
        axes.text(
            0.5, 0.5, "λ was not formed: too few steps", transform=axes.transAxes, ha="center"
        )
        return
    axes.plot(
        step[known],
        value[known],
        BLUE,
        marker=".",
        ms=2.6,
        label=f"λ, at last {fixed(value[known][-1])}",
    )
    threshold = decisions[-1].verdict.threshold
    if threshold:
        axes.axhline(threshold, color=ORANGE, ls="--", label=f"threshold {threshold:g}")
    axes.margins(y=0.1)
    plain_log(axes)
    _legend(axes)


def _shade_passes(axes: Axes, decisions: tuple[Decision, ...]) -> None:
    """Tell passes apart by shading every other one, where there are few enough to number."""
    sweep = np.array([d.proposal.sweep for d in decisions])
    starts = np.flatnonzero(np.diff(sweep, prepend=sweep[0] - 1))
    if not 1 < starts.size <= MAX_SHADED_PASSES:
        return
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], sweep.size], strict=True)):
        low, high = decisions[start].step - 0.5, decisions[stop - 1].step + 0.5
        if number % 2:
            axes.axvspan(low, high, color=WASH, lw=0, zorder=0)
        axes.text(
            (low + high) / 2,
            0.02,
            f"pass {number + 1}",
            color=MUTED,
            ha="center",
            va="bottom",
            transform=axes.get_xaxis_transform(),
        )
