"""The figures of a report in reading order, and the one on stopping that all share."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from materialsdock import technique
from materialsdock.model import Decision, Outcome
from materialsdock.rendering.drawing import Drawing, drawing, legend, two_panels
from materialsdock.rendering.numbers import fixed
from materialsdock.rendering.svg import BLUE, MUTED, ORANGE, WASH, plain_log
from materialsdock.views.explain import round_word

Z2_CALIBRATED = (0.3, 2.5)  # outside it the noise model is wrong
RUNNING = 15  # steps in the running mean of z²
MAX_SHADED_PASSES = 8


def drawings(outcome: Outcome) -> list[Drawing]:
    """The figures that an outcome has data for, in reading order."""
    part = technique.named(outcome.job.sample.technique).report()
    shared = [stopping(outcome.decisions)] if outcome.decisions else []
    found: list[Drawing] = part.drawings(outcome, shared)
    return found


def stopping(decisions: tuple[Decision, ...]) -> Drawing:
    """λ against its threshold, and the surprise of each step against its noise model."""
    return drawing(
        "When the measurement stopped",
        "Above: the expected-generalisation-error ratio λ at each step, against the threshold "
        "it stops at. Below: the squared surprise z² of each step's points; its running mean "
        f"over {RUNNING} steps stays near 1, inside the shaded band, while the noise model holds. "
        "Values below 0.001 are drawn at 0.001.",
        partial(_draw_stopping, decisions),
        3.9,
    )


def _draw_stopping(decisions: tuple[Decision, ...], figure: Figure) -> None:
    upper, lower = two_panels(figure, 1.4)
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
    legend(lower)


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
        label=f"λ, final {fixed(value[known][-1])}",
    )
    threshold = decisions[-1].verdict.threshold
    if threshold:
        axes.axhline(threshold, color=ORANGE, ls="--", label=f"threshold {threshold:g}")
    axes.margins(y=0.1)
    plain_log(axes)
    legend(axes)


def _shade_passes(axes: Axes, decisions: tuple[Decision, ...]) -> None:
    """Tell passes apart by shading every other one, where there are few enough to number."""
    sweep = np.array([d.proposal.sweep for d in decisions])
    starts = np.flatnonzero(np.diff(sweep, prepend=sweep[0] - 1))
    if not 1 < starts.size <= MAX_SHADED_PASSES:
        return
    word = round_word(decisions)
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], sweep.size], strict=True)):
        low, high = decisions[start].step - 0.5, decisions[stop - 1].step + 0.5
        if number % 2:
            axes.axvspan(low, high, color=WASH, lw=0, zorder=0)
        axes.text(
            (low + high) / 2,
            0.02,
            f"{word} {decisions[start].proposal.sweep + 1}",
            color=MUTED,
            ha="center",
            va="bottom",
            transform=axes.get_xaxis_transform(),
        )
